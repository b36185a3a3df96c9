// Per method a row of one bar per frame, aligned with the frames; every row on a scale of its own.

// Three digits, or two where zeros would make it wider than a column.
function number(value) {
  const tiny = value !== 0 && Math.abs(value) < 1e-3;
  const text = tiny ? value.toExponential(1) : String(Number(value.toPrecision(3)));
  return text.replaceAll("-", "−");
}

function fillIn(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

function thumbnail(frame) {
  const shown = globalThis.stamLab && globalThis.stamLab.first;
  if (!shown || shown.clip.key !== props.value.key) return null;
  const { tile, columns } = shown.clip;
  const canvas = make("canvas");
  canvas.width = 96;
  canvas.height = Math.max(1, Math.round(96 * tile[1] / tile[0]));
  canvas.getContext("2d").drawImage(shown.picture, (frame % columns) * tile[0],
    Math.floor(frame / columns) * tile[1], tile[0], tile[1], 0, 0, canvas.width, canvas.height);
  return canvas;
}

function header(value) {
  const row = make("div", "line header");
  row.setAttribute("role", "row");
  const corner = make("div", "what", words.frame);
  corner.setAttribute("role", "columnheader");
  row.append(corner, ...value.seconds.map((seconds, frame) => {
    const cell = make("div", "cell");
    cell.setAttribute("role", "columnheader");
    cell.title = seconds.toFixed(2) + " s";
    const picture = thumbnail(frame);
    if (picture) cell.append(picture);
    cell.append(make("span", "", String(frame + 1)));
    return cell;
  }));
  return row;
}

function title(row) {
  const cell = make("div", "what");
  cell.setAttribute("role", "rowheader");
  cell.append(make("strong", "", row.title));
  cell.title = row.caveat;
  const note = row.values === null ? words.running
    : row.done < 1 ? Math.round(100 * row.done) + " %" : row.note;
  if (note) cell.append(make("span", "note", note));
  return cell;
}

function bar(row, frame, peak) {
  const cell = make("div", "cell");
  cell.setAttribute("role", "cell");
  const value = row.values[frame];
  const box = make("div", row.signed ? "box signed" : "box");
  const height = 100 * Math.abs(value) / peak * (row.signed ? 0.5 : 1);
  const fill = make("div", value < 0 ? "fill against" : "fill");
  fill.style.height = height + "%";
  if (row.signed) fill.style[value < 0 ? "top" : "bottom"] = "50%";
  box.append(fill);
  if (row.low) {
    const span = make("div", "span");
    span.style.bottom = 50 + 50 * row.low[frame] / peak + "%";
    span.style.height = 50 * (row.high[frame] - row.low[frame]) / peak + "%";
    box.append(span);
  }
  cell.append(box, make("span", "value", number(value)));
  cell.title = words.frame + " " + (frame + 1) + ": "
    + String(Number(value.toPrecision(6))).replaceAll("-", "−");
  return cell;
}

function line(row, count) {
  const box = make("div", "line");
  box.setAttribute("role", "row");
  box.dataset.name = row.name;
  box.dataset.done = row.done;
  box.append(title(row));
  if (row.values === null) {
    const cell = make("div", "pending");
    cell.setAttribute("role", "cell");
    cell.style.gridColumn = "2 / span " + count;
    box.append(cell);
    return box;
  }
  const ends = row.low ? [...row.values, ...row.low, ...row.high] : row.values;
  const peak = Math.max(...ends.map(Math.abs), 1e-12);
  box.append(...row.values.map((_, frame) => bar(row, frame, peak)));
  return box;
}

function makeGauge() {
  const box = make("div", "progress");
  const note = make("span", "note");
  const meter = make("progress");
  const stop = make("button", "plain", words.stop);
  meter.max = 1;
  stop.type = "button";
  stop.dataset.name = "stop";
  // A press counts where it began, also when a growing sentence has moved the button since.
  stop.addEventListener("pointerdown", (press) => stop.setPointerCapture(press.pointerId));
  stop.addEventListener("click", () => { stop.disabled = true; trigger("halt", {}); });
  box.append(note, meter, stop);
  return { box, note, meter, stop };
}

function drawGauge(value) {
  const { box, note, meter, stop } = page.gauge;
  const slow = value.rows[value.rows.length - 1];
  const running = value.state === "running";
  const percent = Math.round(100 * slow.done);
  box.hidden = value.state === "done";
  note.textContent = slow.title + ": "
    + (running ? words.running + " " + percent + " %" : fillIn(words.stopped, { percent }));
  // A sum that does not go forward is another one than that which was stopped.
  if (!running || slow.done <= meter.value) stop.disabled = false;
  meter.value = slow.done;
  meter.setAttribute("aria-label", slow.title);
  meter.hidden = stop.hidden = !running;
}

function sufficient(value) {
  const box = make("div", "sufficient");
  if (!value.sufficient) return box;
  const { frames, sentence } = value.sufficient;
  const button = make("button", "plain", words.sufficient);
  button.type = "button";
  button.dataset.name = "sufficient";
  button.addEventListener("click", () => document.dispatchEvent(
    new CustomEvent("stam-lab-keep", { detail: { key: value.key, frames } })));
  box.append(make("span", "", sentence), button);
  return box;
}

function drawTable(value) {
  const table = make("div", "table");
  table.setAttribute("role", "table");
  table.setAttribute("aria-label", words.title);
  table.style.setProperty("--count", value.seconds.length);
  table.classList.toggle("many", value.seconds.length > 16);
  table.append(header(value), ...value.rows.map((row) => line(row, value.seconds.length)));
  return table;
}

// Several times a second; the gauge stays where it is, or a click on its button would fall between
// two buttons and be lost.
function build() {
  const value = props.value;
  root.dataset.state = value ? value.state : "waiting";
  page.gauge.box.hidden = !value;
  page.above.replaceChildren(make("h3", "title", words.title));
  if (!value) {
    page.above.append(make("p", "note", words.waiting));
    page.below.replaceChildren();
    return;
  }
  const focused = page.below.contains(document.activeElement) && document.activeElement.dataset.name;
  const about = value.foil === null ? words.about : words.about_foil;
  const verdict = make("p", "verdict", value.sentences[0] || "");
  verdict.setAttribute("role", "status");
  page.above.append(make("p", "note", fillIn(about, value)), verdict,
    ...value.sentences.slice(1).map((sentence) => make("p", "note", sentence)), drawTable(value));
  drawGauge(value);
  page.below.replaceChildren(sufficient(value), make("p", "note", words.scale));
  const again = focused && page.below.querySelector('[data-name="' + CSS.escape(focused) + '"]');
  if (again) again.focus();
}

const page = { above: make("div"), gauge: makeGauge(), below: make("div") };
root.replaceChildren(page.above, page.gauge.box, page.below);
watch("value", build);
document.addEventListener("stam-lab-clip", () => { if (root.isConnected && props.value) build(); });
build();
