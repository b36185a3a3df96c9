// Chapter 5, rollout layer by layer: one layer's map, the product so far, the row of CLS, and its spread.
figures[5] = (() => {
  const own = {};

  function build(section) {
    const said = words.five;
    own.state = kept.five = kept.five || { stage: "time", fusion: "mean", residual: 0.5, discard: 0, frame: null, layer: null };
    const { state } = own;
    own.stage = select("stage", said.stages, (value) => { state.stage = value; state.layer = null; wish(); });
    own.fusion = select("fusion", said.fusions, (value) => { state.fusion = value; wish(); });
    own.frame = select("frame", page.clip.frames.map((_, at) => [at, String(at + 1)]), (value) => { state.frame = Number(value); wish(); });
    own.frameField = field(said.frame, own.frame);
    const share = { min: 0, max: 0.95, step: 0.05 };
    own.residual = slider("residual", said.residual, { ...share, value: state.residual }, (value) => { state.residual = value; wish(); }, percent);
    own.discard = slider("discard", said.discard, { ...share, value: state.discard }, (value) => { state.discard = value; wish(); }, percent);
    own.layer = slider("layer", said.layer, { min: 1, max: 1, step: 1, value: 1 }, (value) => { state.layer = value; draw(); });
    own.stage.value = state.stage;
    own.fusion.value = state.fusion;
    const fields = make("div", "fields");
    fields.append(field(said.stage, own.stage), own.frameField, field(said.fusion, own.fusion));
    own.mixed = matrix();
    own.product = matrix();
    const pair = make("div", "pair");
    pair.append(own.mixed.figure, own.product.figure);
    own.strip = frameStrip({});
    own.large = make("canvas", "seen");
    own.large.setAttribute("aria-hidden", "true");
    own.rowName = make("p", "told");
    own.told = make("p", "status");
    own.told.setAttribute("role", "status");
    own.kept = make("p", "told");
    own.bars = svg("svg", { viewBox: "0 0 640 200", class: "chart", role: "img" });
    const keys = make("div", "keys");
    for (const [name, look] of [["alone", "alone"], ["so_far", "far"]]) {
      const entry = make("span", "key");
      entry.append(make("span", "swatch " + look), make("span", "", said[name]));
      keys.append(entry);
    }
    section.append(part("settings", fields, own.residual.label, own.discard.label, own.layer.label), part("matrices", pair),
      part("row", own.rowName, own.strip.list, own.large, own.told, own.kept),
      part("spread", make("p", "told", said.spread), keys, own.bars));
  }

  function matrix() {
    const figure = make("figure", "matrixbox");
    const canvas = make("canvas", "matrix");
    canvas.setAttribute("role", "img");
    const name = make("figcaption", "told");
    figure.append(name, canvas);
    return { figure, canvas, name };
  }

  function wish() {
    const { stage, fusion, residual, discard, frame, layer } = own.state;
    ask(5, { stage, fusion, residual, discard, ...(frame === null ? {} : { frame }), ...(layer === null ? {} : { layer }) });
  }

  function show(data) {
    own.data = data;
    own.state.frame = data.frame;
    own.frame.value = data.frame;
    const layers = data.rows.length;
    own.layer.input.max = layers;
    own.state.layer = Math.min(own.state.layer || layers, layers);
    own.layer.set(own.state.layer);
    draw();
  }

  function levelRows({ low, high, data }, n) {
    const levels = bytes(data);
    return Array.from({ length: n }, (_, row) =>
      Array.from(levels.subarray(row * n, (row + 1) * n), (level) => low + (high - low) * level / 255));
  }

  function draw() {
    const { data, state: { layer } } = own;
    const said = words.five;
    if (!data.mixed[layer - 1]) { wish(); return; } // a large model's maps come one layer at a time
    for (const [drawn, told, name] of [[own.mixed, data.mixed, said.mixed], [own.product, data.products, said.product]]) {
      drawMatrix(drawn.canvas, levelRows(told[layer - 1], data.size), told[layer - 1].high);
      drawn.name.textContent = fill(name, { layer });
      drawn.canvas.setAttribute("aria-label", drawn.name.textContent);
    }
    const time = data.stage === "time";
    own.strip.list.hidden = !time;
    own.large.hidden = own.frameField.hidden = time;
    const row = data.rows[layer - 1];
    own.rowName.textContent = fill(said.row, { layer, what: time ? said.frames : said.patches });
    if (time) drawFrames(row);
    else drawPatches(row);
    const { product, kept: stays } = data.spread[layer - 1];
    own.told.textContent = fill(said.told, { layer, product: product.toFixed(1), all: row.length - 1 });
    own.kept.textContent = fill(said.kept, { share: percent(stays) });
    drawBars();
  }

  function drawFrames(row) {
    const peak = Math.max(...row.slice(1)) || 1;
    own.strip.tiles.forEach((tile, frame) => {
      const context = drawSeen(tile.canvas, frame, 100);
      shade(context, 0.78 * (1 - row[frame + 1] / peak));
      tile.note.textContent = frame + 1 + "\n" + percent(row[frame + 1]);
    });
  }

  function drawPatches(row) {
    const context = drawSeen(own.large, own.data.frame, 320);
    const { rows, columns } = grid();
    const peak = Math.max(...row.slice(1)) || 1;
    const colour = ramp();
    for (let patch = 0; patch < rows * columns; patch++) {
      tint(context, Math.floor(patch / columns), patch % columns, colour(row[patch + 1] / peak), 0.6);
    }
  }

  function drawBars() {
    const { spread, rows } = own.data;
    const all = rows[0].length - 1;
    const y = (value) => 164 - 150 * value / all;
    const wide = 570 / spread.length;
    own.bars.replaceChildren();
    for (const tick of [0, 0.5, 1]) {
      own.bars.append(svg("line", { x1: 50, x2: 630, y1: y(tick * all), y2: y(tick * all), class: "grid" }),
        svg("text", { x: 44, y: y(tick * all) + 4, class: "label end" }, String(Math.round(tick * all))));
    }
    spread.forEach((layer, at) => {
      const left = 55 + at * wide;
      for (const [name, value, shift] of [["alone", layer.alone, 0.12], ["far", layer.product, 0.5]]) {
        const bar = svg("rect", { x: left + wide * shift, y: y(value), width: wide * 0.36, height: 164 - y(value), class: name });
        if (at + 1 === own.state.layer) bar.classList.add("now");
        own.bars.append(bar);
        if (wide > 90) own.bars.append(svg("text", { x: left + wide * (shift + 0.18), y: y(value) - 4, class: "label middle" }, value.toFixed(1)));
      }
      own.bars.append(svg("text", { x: left + wide / 2, y: 184, class: "label middle" }, words.five.layer + " " + (at + 1)));
    });
    own.bars.setAttribute("aria-label", words.five.spread + ": " + spread.map((layer) => layer.product.toFixed(1)).join(", "));
  }

  const wanted = () => {
    const { stage, fusion, residual, discard, frame } = kept.five || {};
    return stage ? { stage, fusion, residual, discard, ...(Number.isInteger(frame) ? { frame } : {}) } : {};
  };
  return { build, show, wanted };
})();
