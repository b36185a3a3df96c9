// Chapter 1, frames become words: the sampled frames, one as the model sees it, one patch, its numbers.
figures[1] = (() => {
  const own = {};

  function build(section) {
    const said = words.one;
    own.state = kept.one = kept.one || { frame: null, row: Math.floor(grid().rows / 2), column: Math.floor(grid().columns / 2) };
    own.line = svg("svg", { viewBox: "0 0 600 26", class: "line", preserveAspectRatio: "none", role: "img" });
    own.taken = make("p", "told");
    own.strip = frameStrip({ choose: (frame) => { own.state.frame = frame; ask(1, { frame }); } });
    own.seen = make("canvas", "seen");
    own.seen.setAttribute("aria-hidden", "true");
    own.seen.addEventListener("pointerdown", (event) => { if (event.button === 0) place(...patchUnder(event, own.seen)); });
    own.zoom = make("canvas", "zoom");
    own.zoom.setAttribute("aria-hidden", "true");
    own.seenName = make("p", "told");
    own.zoomName = make("p", "told");
    own.stripes = make("canvas", "stripes");
    own.stripes.setAttribute("role", "img");
    own.embedding = make("p", "told");
    const { rows, columns } = grid();
    own.row = numberField("row", words.row, rows, (row) => place(row, own.state.column));
    own.column = numberField("column", words.column, columns, (column) => place(own.state.row, column));
    own.shapes = make("table", "shapes");
    own.shapes.append(make("caption", "told", said.shapes));
    own.shapes.append(make("tbody"));
    const fields = make("div", "fields");
    fields.append(own.row.label, own.column.label);
    const left = part("patches", own.seenName, own.seen, fields);
    const right = part("embedding", own.zoomName, own.zoom, own.embedding, own.stripes);
    const both = make("div", "two");
    both.append(left, right);
    section.append(part("timeline", own.taken, own.line, own.strip.list), both, part("shapes", own.shapes));
  }

  function place(row, column) {
    Object.assign(own.state, { row, column });
    drawPatch();
  }

  async function show(data, news) {
    if (news.indices) drawLine(data);
    own.data = data;
    own.state.frame = data.frame;
    own.strip.tiles.forEach((tile, frame) => drawSeen(tile.canvas, frame, 120));
    markChosen(own.strip, data.frame);
    own.shapes.tBodies[0].replaceChildren(...data.shapes.map(([name, size]) => {
      const row = make("tr");
      const head = make("th", "", name);
      head.scope = "row";
      row.append(head, make("td", "", size));
      return row;
    }));
    own.levels = data.tokens && bytes(data.tokens.data);
    const picture = new Image();
    picture.src = data.seen;
    await picture.decode();
    own.picture = picture;
    drawPatch();
  }

  function drawLine(data) {
    const x = (index) => 4 + 592 * index / Math.max(1, data.all - 1);
    own.line.replaceChildren(svg("line", { x1: 4, x2: 596, y1: 13, y2: 13, class: "axis" }),
      ...data.indices.map((index) => svg("line", { x1: x(index), x2: x(index), y1: 3, y2: 23, class: "taken" })));
    const told = fill(words.one.timeline, { frames: new Set(data.indices).size, all: data.all });
    own.line.setAttribute("aria-label", told);
    own.taken.textContent = told;
  }

  function drawPatch() {
    const { row, column, frame } = own.state;
    const side = drawnSide(own.picture.width * 2);
    own.seen.width = own.seen.height = side;
    const context = own.seen.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(own.picture, 0, 0, side, side);
    gridLines(context, "rgba(255, 255, 255, 0.45)");
    frameBox(context, row, column, "#ffffff");
    const { rows, columns } = grid();
    const patch = own.picture.width / columns;
    own.zoom.width = own.zoom.height = patch;
    own.zoom.getContext("2d").drawImage(own.picture, column * patch, row * own.picture.height / rows, patch, patch, 0, 0, patch, patch);
    own.row.input.value = row + 1;
    own.column.input.value = column + 1;
    own.seenName.textContent = fill(words.one.seen, { frame: frame + 1 });
    own.zoomName.textContent = fill(words.one.zoom, { row: row + 1, column: column + 1 });
    drawNumbers(row * columns + column);
  }

  // Blue below zero, orange above, as for all signed numbers in this program.
  function drawNumbers(patch) {
    const { tokens, width } = own.data;
    own.stripes.hidden = !tokens;
    if (!tokens) { own.embedding.textContent = words.one.no_embedding; return; }
    const value = (level) => tokens.low + (tokens.high - tokens.low) * level / 255;
    const numbers = Array.from(own.levels.subarray(patch * width, (patch + 1) * width), value);
    const peak = Math.max(Math.abs(tokens.low), Math.abs(tokens.high));
    const table = bytes(page.clip.palettes["blue-orange"]);
    const across = Math.ceil(Math.sqrt(width * 2));
    own.stripes.width = across;
    own.stripes.height = Math.ceil(width / across);
    const context = own.stripes.getContext("2d");
    numbers.forEach((number, at) => {
      const level = 3 * Math.round(127.5 + 127.5 * number / peak);
      context.fillStyle = "rgb(" + table.slice(level, level + 3).join(",") + ")";
      context.fillRect(at % across, Math.floor(at / across), 1, 1);
    });
    const told = fill(words.one.embedding, { width, low: signed(Math.min(...numbers), 2), high: signed(Math.max(...numbers), 2) });
    own.embedding.textContent = told;
    own.stripes.setAttribute("aria-label", told);
  }

  return { build, show };
})();
