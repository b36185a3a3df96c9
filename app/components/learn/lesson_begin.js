// Part of the lessons' script, the first: what all figures share.
// Each chapter adds `figures[number] = { build(box), show(data, news) }`; `data` is all that is known of the
// clip, `news` what has just arrived.
const figures = {};
const kept = (globalThis.stamLearn = globalThis.stamLearn || { solved: {} }); // lives on while the tab is closed
const page = { sections: {}, clip: null, sprite: null, taken: {}, posts: {} };
const STEP_COLOURS = ["#2563eb", "#d97706", "#9333ea"];
const SPACE = "http://www.w3.org/2000/svg";

function svg(tag, attributes, text) {
  const node = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function fill(sentence, values) {
  return Object.entries(values).reduce((text, [name, value]) => text.replaceAll("{" + name + "}", value), sentence);
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

function bits(base64) {
  const packed = bytes(base64);
  return (index) => Boolean(packed[index >> 3] & (128 >> (index & 7)));
}

function part(name, ...children) {
  const box = make("div", "part");
  box.dataset.part = name;
  box.append(...children);
  return box;
}

function field(title, control, ...more) {
  const label = make("label", "field");
  label.append(make("span", "", title), control, ...more);
  return label;
}

function select(name, entries, changed) {
  const made = make("select");
  made.dataset.name = name;
  for (const [value, text] of entries) {
    const option = make("option", "", text);
    option.value = value;
    made.append(option);
  }
  made.addEventListener("change", () => changed(made.value));
  return made;
}

// A slider with its number beside it; `write` makes text of the number.
function slider(name, title, settings, changed, write = String) {
  const input = make("input");
  Object.assign(input, { type: "range", ...settings });
  input.dataset.name = name;
  const shown = make("output", "number", write(Number(input.value)));
  input.addEventListener("input", () => {
    shown.textContent = write(Number(input.value));
    changed(Number(input.value));
  });
  const label = field(title, input, shown);
  label.classList.add("slider");
  return { label, input, set(value) { input.value = value; shown.textContent = write(Number(input.value)); } };
}

function numberField(name, title, most, changed) {
  const input = make("input");
  Object.assign(input, { type: "number", min: 1, max: most, step: 1 });
  input.dataset.name = name;
  input.addEventListener("change", () => {
    const value = Math.min(most, Math.max(1, Math.round(Number(input.value)) || 1));
    input.value = value;
    changed(value - 1);
  });
  return { label: field(title, input), input };
}

function action(name, title, run) {
  const button = make("button", "plain", title);
  button.type = "button";
  button.dataset.name = name;
  button.addEventListener("click", run);
  return button;
}

function short(value) {
  const units = [[1e12, " T"], [1e9, " G"], [1e6, " M"], [1e3, " k"]];
  const found = units.find(([size]) => value >= size);
  if (!found) return String(Math.round(value));
  const number = value / found[0];
  return (number < 10 ? number.toFixed(2) : number < 100 ? number.toFixed(1) : Math.round(number)) + found[1];
}

function signed(value, digits = 3) {
  return (value < 0 ? "−" : "") + Math.abs(value).toFixed(digits);
}

function percent(value) {
  const share = 100 * value;
  return share.toFixed(Math.abs(share) < 9.95 ? 1 : 0).replace("-", "−") + " %";
}

// --- what the server is asked: one question of a chapter at a time, then the last one that came up meanwhile ---

// Milliseconds after which a question without answer is given up, by the queue it waits in.
const PATIENCE = { ask: 4000, attempt: 4000, reckon: 30000 };

function ask(number, wanted = {}) {
  const post = (page.posts[number] = page.posts[number] || { open: null, again: false, serial: 0 });
  post.wanted = wanted;
  if (post.open === null) send(number);
  else post.again = true;
}

function send(number) {
  const post = page.posts[number];
  post.serial += 1;
  const known = kept.data && kept.data[number];
  // What takes seconds waits in a queue of its own, what takes a pass of a large model in that of the models.
  const queue = post.wanted.run ? "attempt" : page.clip.queued.includes(number) ? "reckon" : "ask";
  Object.assign(post, { open: post.serial, again: false, timer: setTimeout(() => next(number), PATIENCE[queue]) });
  page.sections[number].dataset.asked = post.serial;
  trigger(queue, { ...post.wanted, key: page.clip.key, chapter: number, serial: post.serial, first: !known });
}

function next(number) {
  const post = page.posts[number];
  clearTimeout(post.timer);
  post.open = null;
  if (post.again) send(number);
}
