// Chapter 6, what it costs: sliders of the sizes, a row and a curve for each scheme.
figures[6] = (() => {
  const own = {};
  const SIZES = ["frames", "side", "patch", "width", "depth"];
  const PUBLISHED = { frames: 16, side: 224, patch: 16, width: 768, depth: 12 };
  const DASHES = ["", "7 4", "2 3", "9 3 2 3", "", "7 4", "2 3", "9 3 2 3"];
  const LINES = ["#64748b", "#dc2626", "#2563eb", "#9333ea", "#d97706", "#059669", "#0891b2", "#be185d"];

  function build(section) {
    own.section = section;
    own.measure = kept.measure || "macs";
    own.controls = part("sliders");
    own.sliders = null; // their ends are those of the model to come
    own.rows = make("table", "costs");
    own.curve = svg("svg", { viewBox: "0 0 640 300", class: "chart", role: "img" });
    own.show = select("measure", [["macs", words.six.macs], ["pairs", words.six.pairs]], (value) => {
      own.measure = kept.measure = value;
      drawCurves();
    });
    own.show.value = own.measure;
    const said = words.six;
    const head = make("tr");
    head.append(...[said.scheme, said.pairs, said.macs, said.parameters, said.memory].map((title) => {
      const cell = make("th", "", title);
      cell.scope = "col";
      return cell;
    }));
    own.rows.append(make("thead"), make("tbody"));
    own.rows.tHead.append(head);
    own.keys = make("p", "told");
    const wide = make("div", "wide");
    wide.tabIndex = 0; // so that the keyboard can move it sideways
    wide.setAttribute("role", "group");
    wide.setAttribute("aria-label", said.label);
    wide.append(own.rows);
    own.time = make("p", "told");
    section.append(own.controls, part("rows", wide, keysOfBars(), own.time, make("p", "told", said.windows_note)),
      part("curves", field(said.show, own.show), make("p", "told", said.curve), own.curve));
  }

  function keysOfBars() {
    const keys = make("div", "keys");
    for (const name of ["linear", "attention"]) {
      const entry = make("span", "key");
      entry.append(make("span", "swatch " + name), make("span", "", words.six[name]));
      keys.append(entry);
    }
    return keys;
  }

  function buildSliders(data) {
    own.sliders = {};
    own.controls.replaceChildren();
    for (const name of SIZES) {
      const made = name === "patch" ? patchMenu(data) : sizeSlider(name, data);
      own.sliders[name] = made;
      own.controls.append(made.label);
    }
    fitSide();
    const buttons = make("div", "fields");
    buttons.append(action("own", words.six.reset, () => go(own.data.own)),
      action("published", words.six.published, () => go(PUBLISHED)));
    own.controls.append(buttons);
  }

  function sizeSlider(name, data) {
    const [min, max, step] = data.limits[name];
    return slider(name, words.six[name], { min, max, step, value: data.sizes[name] }, wish);
  }

  // Few sizes of patches make sense, and each must divide the side.
  function patchMenu(data) {
    const input = select("patch", data.patches.map((patch) => [patch, String(patch)]), () => { fitSide(); wish(); });
    input.value = data.sizes.patch;
    const label = field(words.six.patch, input);
    label.classList.add("slider"); // in one line with the others
    return { input, label, set(value) { input.value = value; fitSide(); } };
  }

  function fitSide() {
    const { side, patch } = own.sliders;
    const step = Number(patch.input.value);
    const [low, high] = own.data.limits.side;
    Object.assign(side.input, { min: Math.ceil(low / step) * step, max: Math.floor(high / step) * step, step });
    side.set(side.input.value);
  }

  function go(sizes) {
    for (const name of ["patch", ...SIZES]) own.sliders[name].set(sizes[name]); // the side's steps are patches
    wish();
  }

  function wish() {
    kept.sizes = Object.fromEntries(SIZES.map((name) => [name, Number(own.sliders[name].input.value)]));
    ask(6, kept.sizes);
  }

  function show(data) {
    own.data = data;
    if (!own.sliders) buildSliders(data);
    own.time.textContent = data.time;
    drawRows();
    drawCurves();
  }

  function drawRows() {
    const most = Math.max(...own.data.rows.map((row) => row.linear + row.attention));
    own.rows.tBodies[0].replaceChildren(...own.data.rows.map((row, at) => {
      const line = make("tr");
      const head = make("th");
      head.scope = "row";
      head.append(swatch(at), make("span", "", row.title));
      head.title = row.source;
      const work = make("td", "work");
      const bar = make("div", "stack");
      for (const name of ["linear", "attention"]) {
        const piece = make("span", "piece " + name);
        piece.style.width = 100 * row[name] / most + "%";
        bar.append(piece);
      }
      work.append(make("span", "count", giga(row.linear + row.attention)), bar);
      line.append(head, make("td", "count", short(row.pairs)), work, make("td", "count", short(row.parameters)),
        make("td", "count", short(row.memory) + "B"));
      return line;
    }));
  }

  function giga(macs) {
    const value = macs / 1e9;
    return value < 10 ? value.toFixed(2) : Math.round(value).toLocaleString("en");
  }

  function swatch(at) {
    const picture = svg("svg", { viewBox: "0 0 30 8", class: "dash", "aria-hidden": "true" });
    picture.append(svg("line", { x1: 0, x2: 30, y1: 4, y2: 4, stroke: LINES[at], "stroke-width": 3, "stroke-dasharray": DASHES[at] }));
    return picture;
  }

  function drawCurves() {
    const { curves, curve_frames: frames, sizes } = own.data;
    const which = own.measure === "pairs" ? 0 : 1;
    const all = Object.values(curves).flat().map((point) => point[which]);
    const low = Math.floor(Math.log10(Math.min(...all)));
    const high = Math.ceil(Math.log10(Math.max(...all)));
    const x = (n) => 60 + 560 * (Math.log2(n) - 1) / (Math.log2(frames.at(-1)) - 1);
    const y = (value) => 260 - 245 * (Math.log10(value) - low) / (high - low || 1);
    own.curve.replaceChildren();
    own.curve.setAttribute("aria-label", words.six.curve + ": " + Object.entries(curves).map(([name, points]) =>
      name + " " + short(points.at(-1)[which])).join(", "));
    for (let power = low; power <= high; power++) {
      own.curve.append(svg("line", { x1: 60, x2: 620, y1: y(10 ** power), y2: y(10 ** power), class: "grid" }),
        svg("text", { x: 54, y: y(10 ** power) + 4, class: "label end" }, short(10 ** power)));
    }
    for (const n of frames) own.curve.append(svg("text", { x: x(n), y: 278, class: "label middle" }, String(n)));
    own.curve.append(svg("text", { x: 340, y: 296, class: "label middle" }, words.six.per_clip),
      svg("line", { x1: x(Math.max(2, sizes.frames)), x2: x(Math.max(2, sizes.frames)), y1: 10, y2: 262, class: "now" }));
    Object.values(curves).forEach((points, at) => {
      const path = points.map((point, i) => (i ? "L" : "M") + x(frames[i]).toFixed(1) + " " + y(point[which]).toFixed(1)).join("");
      own.curve.append(svg("path", { d: path, class: "curve", stroke: LINES[at], "stroke-dasharray": DASHES[at] }));
    });
  }

  return { build, show, wanted: () => kept.sizes || {} };
})();
