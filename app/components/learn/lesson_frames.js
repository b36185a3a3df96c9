// Part of the lessons' script: the clip's frames as the model sees them, and patches on them.

function grid() {
  const [rows, columns] = page.clip.grid;
  return { frames: page.clip.frames.length, rows, columns, count: rows * columns };
}

// A side that every patch divides, so that patches are drawn on whole pixels.
function drawnSide(about) {
  const { columns } = grid();
  return columns * Math.max(4, Math.round(about / columns));
}

function drawSeen(canvas, frame, about) {
  const side = drawnSide(about);
  if (canvas.width !== side || canvas.height !== side) canvas.width = canvas.height = side;
  const { tile: [width, height], columns, crop: [left, top, across, down] } = page.clip;
  const x = (frame % columns) * width + left * width;
  const y = Math.floor(frame / columns) * height + top * height;
  const context = canvas.getContext("2d");
  context.globalAlpha = 1;
  context.imageSmoothingQuality = "high";
  context.drawImage(page.sprite, x, y, across * width, down * height, 0, 0, side, side);
  return context;
}

function shade(context, strength) {
  context.fillStyle = "rgba(8, 12, 20, " + strength + ")";
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
}

function box(context, row, column) {
  const { rows, columns } = grid();
  const { width, height } = context.canvas;
  return [column * width / columns, row * height / rows, width / columns, height / rows];
}

function tint(context, row, column, colour, strength) {
  context.globalAlpha = strength;
  context.fillStyle = colour;
  context.fillRect(...box(context, row, column));
  context.globalAlpha = 1;
}

function frameBox(context, row, column, colour, letter) {
  const [x, y, width, height] = box(context, row, column);
  const thick = Math.max(2, context.canvas.width / 70);
  context.lineWidth = thick + 2;
  context.strokeStyle = "#0b1220";
  context.strokeRect(x, y, width, height);
  context.lineWidth = thick;
  context.strokeStyle = colour;
  context.strokeRect(x, y, width, height);
  if (!letter) return;
  context.font = "bold " + Math.max(11, Math.round(height * 0.8)) + "px sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineWidth = 3;
  context.strokeStyle = "#0b1220";
  context.strokeText(letter, x + width / 2, y + height / 2);
  context.fillStyle = "#ffffff";
  context.fillText(letter, x + width / 2, y + height / 2);
}

function gridLines(context, colour) {
  const { rows, columns } = grid();
  const { width, height } = context.canvas;
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  for (let column = 1; column < columns; column++) {
    context.moveTo(column * width / columns + 0.5, 0);
    context.lineTo(column * width / columns + 0.5, height);
  }
  for (let row = 1; row < rows; row++) {
    context.moveTo(0, row * height / rows + 0.5);
    context.lineTo(width, row * height / rows + 0.5);
  }
  context.stroke();
}

// Which patch lies under the pointer: [row, column].
function patchUnder(event, canvas) {
  const shown = canvas.getBoundingClientRect();
  const { rows, columns } = grid();
  const row = Math.floor((event.clientY - shown.top) / shown.height * rows);
  const column = Math.floor((event.clientX - shown.left) / shown.width * columns);
  return [Math.min(rows - 1, Math.max(0, row)), Math.min(columns - 1, Math.max(0, column))];
}

// All frames in a grid. With `choose` each is a button (one stop of the tab key, arrows within); with `pick`
// a click tells the patch: `pick(frame, row, column)`. Who cannot point has number fields beside it.
function frameStrip({ choose, pick, caption = true }) {
  const list = make("ol", "frames");
  const tiles = page.clip.frames.map((_, frame) => {
    const item = make("li", "tile");
    const canvas = make("canvas");
    const holder = choose ? make("button", "frame") : make("div", "frame");
    holder.append(canvas);
    const note = make("span", "note", String(frame + 1));
    item.append(holder);
    if (caption) item.append(note);
    if (choose) {
      holder.type = "button";
      holder.tabIndex = frame ? -1 : 0;
      holder.setAttribute("aria-label", words.frame + " " + (frame + 1));
      holder.addEventListener("click", () => choose(frame));
    } else {
      canvas.setAttribute("aria-hidden", "true");
      if (pick) canvas.addEventListener("pointerdown", (event) => {
        if (event.button === 0) pick(frame, ...patchUnder(event, canvas));
      });
    }
    list.append(item);
    return { item, canvas, holder, note };
  });
  if (choose) list.addEventListener("keydown", (event) => stripKeys(event, tiles));
  return { list, tiles };
}

function stripKeys(event, tiles) {
  const at = tiles.findIndex((tile) => tile.holder === event.target);
  const step = { ArrowRight: 1, ArrowLeft: -1, Home: -at, End: tiles.length - 1 - at }[event.key];
  if (at < 0 || step === undefined) return;
  event.preventDefault();
  const next = Math.min(tiles.length - 1, Math.max(0, at + step));
  roam(tiles, next);
  tiles[next].holder.focus();
}

function roam(tiles, current) {
  tiles.forEach((tile, at) => { tile.holder.tabIndex = at === current ? 0 : -1; });
}

function markChosen(strip, frame) {
  roam(strip.tiles, frame);
  strip.tiles.forEach((tile, at) => {
    tile.item.classList.toggle("current", at === frame);
    tile.holder.setAttribute("aria-pressed", at === frame ? "true" : "false");
  });
}

// --- colours of numbers from zero up ---

function ramp() {
  page.ramp = page.ramp || bytes(page.clip.palettes.cividis);
  return (share) => {
    const level = 3 * Math.round(255 * Math.min(1, Math.max(0, share)));
    return "rgb(" + page.ramp[level] + "," + page.ramp[level + 1] + "," + page.ramp[level + 2] + ")";
  };
}

// Numbers [n] as a row of cells, highest first colour; drawn on a canvas of one pixel a cell.
function drawMatrix(canvas, rows, peak) {
  canvas.width = rows[0].length;
  canvas.height = rows.length;
  const context = canvas.getContext("2d");
  const colour = ramp();
  rows.forEach((row, y) => row.forEach((value, x) => {
    context.fillStyle = colour(peak > 0 ? value / peak : 0);
    context.fillRect(x, y, 1, 1);
  }));
}
