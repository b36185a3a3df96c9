// Part of the strip's script: one frame, large.

function openLarge(frame) {
  select(frame);
  page.large.showModal();
  drawLarge();
}

function drawLarge() {
  const { canvas, title, slider, score } = page.big;
  const [width, height] = page.clip.tile;
  const scale = Math.max(1, Math.min(960 / width, 720 / height));
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  drawFrame(canvas, view.frame);
  if (page.patch !== null && page.heat) markPatch(canvas);
  title.textContent = words.frame + " " + (view.frame + 1) + " / " + page.tiles.length +
    "  ·  " + seconds(view.frame);
  slider.value = view.frame;
  const bars = page.scores && page.scores.bars;
  score.textContent = bars ? bars.title + ": " + number(bars.values[view.frame], bars.share) : "";
  readPatch();
}

function markPatch(canvas) {
  const [left, top, width, height] = cropOn(canvas);
  const { rows, columns } = page.heat;
  const x = left + (page.patch % columns) * width / columns;
  const y = top + Math.floor(page.patch / columns) * height / rows;
  const context = canvas.getContext("2d");
  context.lineWidth = 4;
  context.strokeStyle = "#000";
  context.strokeRect(x, y, width / columns, height / rows);
  context.lineWidth = 2;
  context.strokeStyle = "#fff";
  context.strokeRect(x, y, width / columns, height / rows);
}

function patchText(patch, lead) {
  const { columns, value, share } = page.heat;
  return lead + " " + words.row + " " + (Math.floor(patch / columns) + 1) + ", " +
    words.column + " " + (patch % columns + 1) + ": " + number(value(view.frame, patch), share);
}

function readPatch() {
  const { readout } = page.big;
  if (!page.heat) {
    readout.textContent = "";
  } else if (page.patch !== null) {
    readout.textContent = patchText(page.patch, words.patch);
  } else {
    let best = 0;
    const count = page.heat.rows * page.heat.columns;
    for (let patch = 1; patch < count; patch++) {
      if (page.heat.value(view.frame, patch) > page.heat.value(view.frame, best)) best = patch;
    }
    readout.textContent = patchText(best, words.strongest);
  }
}

function pointAt(event) {
  if (!page.heat) return;
  const { canvas } = page.big;
  const shown = canvas.getBoundingClientRect();
  const { crop } = page.clip;
  const x = ((event.clientX - shown.left) / shown.width - crop.left) / crop.width;
  const y = ((event.clientY - shown.top) / shown.height - crop.top) / crop.height;
  const inside = x >= 0 && x < 1 && y >= 0 && y < 1;
  const { rows, columns } = page.heat;
  page.patch = inside ? Math.floor(y * rows) * columns + Math.floor(x * columns) : null;
  drawLarge();
}

function step(by) {
  const total = page.tiles.length;
  select((view.frame + by + total) % total);
  drawLarge();
}

function setPlaying(on) {
  clearTimeout(page.timer);
  page.timer = null;
  page.big.play.textContent = on ? words.pause : words.play;
  page.big.play.setAttribute("aria-pressed", on ? "true" : "false");
  if (on) schedule();
}

function schedule() {
  // Each frame stays as long as it does in the clip, within what the eye can follow.
  const { frames } = page.clip;
  const next = frames[view.frame + 1];
  const gap = next ? next.seconds - frames[view.frame].seconds : 0.6;
  const wait = 1000 * Math.min(0.7, Math.max(0.09, gap));
  page.timer = setTimeout(() => { step(1); schedule(); }, wait);
}

function buildLarge() {
  const dialog = make("dialog", "large");
  dialog.setAttribute("aria-label", words.large);
  const head = make("div", "head");
  const title = make("strong", "title");
  title.setAttribute("aria-live", "polite");
  const close = make("button", "plain", words.close);
  head.append(title, close);
  const canvas = make("canvas");
  const foot = make("div", "foot");
  const back = make("button", "plain", "◀");
  back.setAttribute("aria-label", words.previous);
  const play = make("button", "plain play", words.play);
  const forth = make("button", "plain", "▶");
  forth.setAttribute("aria-label", words.next);
  const slider = make("input");
  Object.assign(slider, { type: "range", min: 0, max: 0, step: 1 });
  slider.setAttribute("aria-label", words.frame);
  foot.append(back, play, forth, slider);
  const score = make("p", "line");
  const readout = make("p", "line");
  dialog.append(head, canvas, foot, score, readout);
  [close, back, play, forth].forEach((button) => { button.type = "button"; });
  close.addEventListener("click", () => dialog.close());
  back.addEventListener("click", () => { setPlaying(false); step(-1); });
  forth.addEventListener("click", () => { setPlaying(false); step(1); });
  play.addEventListener("click", () => setPlaying(page.timer === null));
  slider.addEventListener("input", () => { setPlaying(false); select(Number(slider.value)); drawLarge(); });
  canvas.addEventListener("pointermove", pointAt);
  canvas.addEventListener("pointerdown", pointAt);
  canvas.addEventListener("pointerleave", () => { page.patch = null; drawLarge(); });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => { setPlaying(false); page.patch = null; page.tiles[view.frame].button.focus(); });
  dialog.addEventListener("keydown", largeKeys);
  page.large = dialog;
  page.big = { canvas, title, slider, score, readout, play };
  return dialog;
}

function largeKeys(event) {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by === undefined) return;
  event.preventDefault();
  setPlaying(false);
  step(by);
}
