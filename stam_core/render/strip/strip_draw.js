// Part of the strip's script, after strip_begin.js: scores to numbers and colours.

// --- numbers -------------------------------------------------------------------------------------------------

function decodeHeat(heat) {
  const [rows, columns] = heat.grid;
  const levels = bytes(heat.data);
  const count = rows * columns;
  return { ...heat, rows, columns, value: (frame, patch) =>
    heat.low[frame] + (heat.high[frame] - heat.low[frame]) * levels[frame * count + patch] / 255 };
}

function heatRange(frame) {
  // As render.colour.normalise: zero stays at zero, so that an almost even map stays almost one colour.
  const { low, high, signed, peak: shared } = page.heat; // shared: one scale with another strip
  if (shared && view.scale !== "frame") return [signed ? -shared : 0, shared];
  const frames = view.scale === "frame" ? [frame] : low.map((_, index) => index);
  const peak = Math.max(...frames.map((index) => Math.max(Math.abs(low[index]), Math.abs(high[index]))));
  return [signed ? -peak : 0, peak];
}

function number(value, share) {
  if (value === 0) return "0";
  if (share) return (100 * value).toFixed(Math.abs(value) < 0.0995 ? 2 : 1) + " %";
  return Number(value.toPrecision(3)).toString();
}

function paletteName() {
  return page.heat && page.heat.signed ? "blue-orange" : view.palette;
}

// --- drawing -------------------------------------------------------------------------------------------------

function heatPicture(frame) {
  const { rows, columns, value } = page.heat;
  const table = page.palettes[paletteName()];
  const [low, high] = heatRange(frame);
  const small = document.createElement("canvas");
  small.width = columns;
  small.height = rows;
  const context = small.getContext("2d");
  const image = context.createImageData(columns, rows);
  for (let patch = 0; patch < rows * columns; patch++) {
    const share = high > low ? (value(frame, patch) - low) / (high - low) : 0;
    const level = Math.round(255 * Math.min(1, Math.max(0, share)));
    image.data.set([table[3 * level], table[3 * level + 1], table[3 * level + 2], 255], 4 * patch);
  }
  context.putImageData(image, 0, 0);
  return small;
}

function cropOn(canvas) {
  const crop = page.clip.crop;
  return [crop.left * canvas.width, crop.top * canvas.height,
    crop.width * canvas.width, crop.height * canvas.height];
}

function drawFrame(canvas, frame) {
  const [width, height] = page.clip.tile;
  const context = canvas.getContext("2d");
  const column = frame % page.clip.columns;
  const row = Math.floor(frame / page.clip.columns);
  context.globalAlpha = 1;
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(page.sprite, column * width, row * height, width, height,
    0, 0, canvas.width, canvas.height);
  const box = cropOn(canvas);
  const whole = box[2] > canvas.width - 1 && box[3] > canvas.height - 1;
  if (!whole) shadeOutside(context, canvas, box);
  if (page.heat && view.opacity > 0) {
    takeColourAway(context, box);
    context.globalAlpha = view.opacity;
    context.imageSmoothingEnabled = view.smooth;
    context.drawImage(heatPicture(frame), ...box);
    context.globalAlpha = 1;
  }
  if (!whole) outline(context, box, Math.max(1.5, canvas.width / 240));
}

// Under the heat map the picture is grey: a yellow jacket must not pass for a high score.
function takeColourAway(context, box) {
  context.globalAlpha = Math.min(1, 4 * view.opacity);
  context.globalCompositeOperation = "saturation";
  context.fillStyle = "#808080";
  context.fillRect(...box);
  context.globalCompositeOperation = "source-over";
}

function shadeOutside(context, canvas, [left, top, width, height]) {
  context.fillStyle = "rgba(8, 12, 20, 0.5)";
  context.beginPath();
  context.rect(0, 0, canvas.width, canvas.height);
  context.rect(left, top, width, height);
  context.fill("evenodd");
}

function outline(context, [left, top, width, height], thick) {
  context.lineWidth = thick;
  context.strokeStyle = "rgba(255, 255, 255, 0.9)";
  context.strokeRect(left + thick / 2, top + thick / 2, width - thick, height - thick);
}

function drawAll() {
  cancelAnimationFrame(page.drawing);
  page.drawing = requestAnimationFrame(() => {
    if (!page.sprite) return;
    page.tiles.forEach((tile, frame) => drawFrame(tile.canvas, frame));
    drawLegend();
    if (page.large.open) drawLarge();
  });
}

function drawLegend() {
  const { legend } = page;
  legend.box.hidden = !page.heat;
  if (!page.heat) return;
  const table = page.palettes[paletteName()];
  const context = legend.canvas.getContext("2d");
  for (let x = 0; x < 256; x++) {
    context.fillStyle = "rgb(" + table.slice(3 * x, 3 * x + 3).join(",") + ")";
    context.fillRect(x, 0, 1, 1);
  }
  const range = view.scale === "frame" ? null : heatRange(0);
  const { share } = page.heat;
  legend.low.textContent = range ? number(range[0], share) : words.frame_low;
  legend.middle.textContent = range ? number((range[0] + range[1]) / 2, share) : "";
  legend.high.textContent = range ? number(range[1], share) : words.frame_high;
  legend.title.textContent = page.heat.title;
}
