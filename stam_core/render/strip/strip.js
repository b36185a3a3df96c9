// Part of the strip's script, the last: the tiles, the toolbar, and what happens when data arrives.

// --- the strip -----------------------------------------------------------------------------------------------

function seconds(frame) {
  return page.clip.frames[frame].seconds.toFixed(2) + " s";
}

function buildTile(frame) {
  const item = make("li", "tile");
  const button = make("button", "frame");
  button.type = "button";
  const canvas = make("canvas");
  [canvas.width, canvas.height] = page.clip.tile;
  button.append(canvas);
  button.tabIndex = frame === view.frame ? 0 : -1;
  button.addEventListener("click", () => openLarge(frame));
  button.addEventListener("keydown", (event) => moveFocus(event, frame));
  const caption = make("div", "caption");
  const stamp = make("span", "stamp", seconds(frame));
  const score = make("span", "score");
  caption.append(stamp, score);
  const track = make("div", "track");
  const bar = make("div", "bar");
  const equal = make("div", "equal");
  track.append(bar, equal);
  item.append(button, caption, track);
  return { item, button, canvas, score, bar, equal };
}

function moveFocus(event, frame) {
  const perRow = getComputedStyle(page.list).gridTemplateColumns.split(" ").length;
  const last = page.tiles.length - 1;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: perRow, ArrowUp: -perRow }[event.key];
  let target = step === undefined ? null : frame + step;
  if (event.key === "Home") target = 0;
  if (event.key === "End") target = last;
  if (target === null) return;
  event.preventDefault();
  select(Math.min(last, Math.max(0, target)));
  page.tiles[view.frame].button.focus();
}

function select(frame) {
  view.frame = frame;
  page.tiles.forEach((tile, index) => { tile.button.tabIndex = index === frame ? 0 : -1; });
}

function drawBars() {
  const bars = page.scores && page.scores.bars;
  const highest = bars ? bars.peak || Math.max(...bars.values.map(Math.abs), 1e-12) : 1;
  page.tiles.forEach((tile, frame) => {
    const value = bars ? bars.values[frame] : 0;
    tile.bar.style.width = 100 * Math.abs(value) / highest + "%";
    tile.bar.classList.toggle("against", value < 0);
    tile.score.textContent = bars ? number(value, bars.share) : "";
    tile.equal.hidden = !bars || bars.equal === null;
    if (bars && bars.equal !== null) tile.equal.style.left = 100 * bars.equal / highest + "%";
    const name = words.frame + " " + (frame + 1) + ", " + seconds(frame);
    tile.button.setAttribute("aria-label",
      bars ? name + ", " + bars.title + " " + number(value, bars.share) : name);
  });
}

// --- the toolbar ---------------------------------------------------------------------------------------------

function field(name, control) {
  const label = make("label", "field");
  label.append(make("span", "", name), control);
  return label;
}

function choice(key, options) {
  const control = make("select");
  for (const [value, text] of options) {
    const option = make("option", "", text);
    option.value = value;
    control.append(option);
  }
  control.value = view[key];
  control.addEventListener("change", () => { view[key] = control.value; redraw(); });
  return control;
}

// Of two strips side by side one follows the other's toolbar, so that both are drawn alike.
function redraw() {
  drawAll();
  const { opacity, palette, scale, smooth } = view;
  root.dispatchEvent(new CustomEvent("stripview", { bubbles: true, detail: { opacity, palette, scale, smooth } }));
}

function follow(event) {
  if (!event.target.closest(props.follows)) return;
  Object.assign(view, event.detail);
  drawAll();
}

function buildToolbar() {
  const bar = make("div", "toolbar");
  const opacity = make("input", "opacity");
  Object.assign(opacity, { type: "range", min: 0, max: 100, value: 100 * view.opacity });
  opacity.addEventListener("input", () => { view.opacity = opacity.value / 100; redraw(); });
  const smooth = make("input");
  smooth.type = "checkbox";
  smooth.addEventListener("change", () => { view.smooth = smooth.checked; redraw(); });
  page.palette = choice("palette", ["cividis", "viridis", "inferno"].map((name) => [name, name]));
  const play = make("button", "plain", words.play);
  play.type = "button";
  play.addEventListener("click", () => { openLarge(view.frame); setPlaying(true); });
  bar.append(play, field(words.opacity, opacity), field(words.colours, page.palette),
    field(words.scale, choice("scale", words.scales)), field(words.smooth, smooth), buildLegend());
  return bar;
}

function buildLegend() {
  const box = make("div", "legend");
  const canvas = make("canvas");
  [canvas.width, canvas.height] = [256, 1];
  canvas.setAttribute("aria-hidden", "true");
  const numbers = make("div", "numbers");
  const [low, middle, high] = [make("span"), make("span"), make("span")];
  numbers.append(low, middle, high);
  const title = make("div", "name");
  box.append(title, canvas, numbers);
  page.legend = { box, canvas, low, middle, high, title };
  return box;
}

// --- data arrives --------------------------------------------------------------------------------------------

function build() {
  root.replaceChildren();
  page.empty = make("p", "empty", words.waiting);
  page.toolbar = buildToolbar();
  page.facts = make("p", "facts");
  page.notes = make("ul", "notes");
  page.list = make("ol", "frames");
  page.reading = make("p", "reading");
  root.append(page.empty, page.toolbar, page.facts, page.notes, page.list, page.reading, buildLarge());
  page.toolbar.hidden = true;
}

async function takeClip() {
  const clip = props.clip;
  if (!clip || clip === page.wanted) return;
  page.wanted = clip;
  const picture = new Image();
  picture.src = clip.sprite;
  await picture.decode();
  if (page.wanted !== clip) return; // a newer clip came while this one was being read
  page.clip = clip;
  page.palettes = Object.fromEntries(
    Object.entries(clip.palettes).map(([name, text]) => [name, bytes(text)]));
  page.sprite = picture;
  view.frame = Math.min(view.frame, clip.frames.length - 1);
  page.patch = null;
  page.empty.hidden = true;
  page.toolbar.hidden = false;
  page.facts.textContent = clip.facts.join("  ·  ");
  page.notes.replaceChildren(...clip.notes.map((note) => make("li", "", note)));
  page.tiles = clip.frames.map((_, frame) => buildTile(frame));
  page.list.replaceChildren(...page.tiles.map((tile) => tile.item));
  page.big.slider.max = clip.frames.length - 1;
  takeScores();
}

function takeScores() {
  const scores = props.value;
  const fits = scores && page.clip && scores.key === page.clip.key;
  page.scores = fits ? scores : null;
  page.heat = fits && scores.heat ? decodeHeat(scores.heat) : null;
  page.palette.disabled = Boolean(page.heat && page.heat.signed);
  page.reading.textContent = fits ? scores.reading.join("  ") : "";
  root.dataset.state = fits ? "shown" : "waiting";
  drawBars();
  drawAll();
  // Only the strip that stands alone shows what the other tabs are about.
  if (fits && !props.half) document.dispatchEvent(new CustomEvent("stam-shown"));
}

async function update() {
  await takeClip();
  takeScores();
}

root.classList.toggle("half", Boolean(props.half));
root.classList.toggle("follower", Boolean(props.follows));
if (props.follows) document.addEventListener("stripview", follow);
build();
watch(["value", "clip"], update);
update();
