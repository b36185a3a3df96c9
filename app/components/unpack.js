// Runs before all else: records come as text (`base.py` says why), scripts read them as what they are.
const RECORD = "json:";
const unpacked = {}; // by name, the text last seen and what it says

props = new Proxy(props, {
  get(given, name) {
    const text = given[name];
    if (typeof text !== "string" || !text.startsWith(RECORD)) return text;
    if (!unpacked[name] || unpacked[name].text !== text) {
      unpacked[name] = { text, record: JSON.parse(text.slice(RECORD.length)) };
    }
    return unpacked[name].record;
  },
});
