// Per method a row of one bar per frame, aligned with the frames; every row on a scale of its own.

function number(value) {
  return Number(value.toPrecision(3)).toString().replace("-", "−");
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
  cell.title = words.frame + " " + (frame + 1) + ": " + number(value);
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

function progress(value) {
  const slow = value.rows[value.rows.length - 1];
  const box = make("div", "progress");
  if (value.state === "done") return box;
  const percent = Math.round(100 * slow.done);
  if (value.state === "stopped") {
    box.append(make("span", "note", slow.title + ": " + fillIn(words.stopped, { percent })));
    return box;
  }
  const meter = make("progress");
  Object.assign(meter, { max: 1, value: slow.done });
  meter.setAttribute("aria-label", slow.title);
  const stop = make("button", "plain", words.stop);
  stop.type = "button";
  stop.dataset.name = "stop";
  stop.addEventListener("click", () => { stop.disabled = true; trigger("halt", {}); });
  box.append(make("span", "note", slow.title + ": " + words.running + " " + percent + " %"), meter, stop);
  return box;
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

function build() {
  const value = props.value;
  const focused = root.contains(document.activeElement) ? document.activeElement.dataset.name : null;
  root.replaceChildren(make("h3", "title", words.title));
  root.dataset.state = value ? value.state : "waiting";
  if (!value) {
    root.append(make("p", "note", words.waiting));
    return;
  }
  const about = value.foil === null ? words.about : words.about_foil;
  const table = make("div", "table");
  table.setAttribute("role", "table");
  table.setAttribute("aria-label", words.title);
  table.style.setProperty("--count", value.seconds.length);
  table.classList.toggle("many", value.seconds.length > 16);
  table.append(header(value), ...value.rows.map((row) => line(row, value.seconds.length)));
  const verdict = make("p", "verdict", value.sentences[0] || "");
  verdict.setAttribute("role", "status");
  root.append(make("p", "note", fillIn(about, value)), verdict,
    ...value.sentences.slice(1).map((sentence) => make("p", "note", sentence)),
    table, progress(value), sufficient(value), make("p", "note", words.scale));
  const again = focused && root.querySelector('[data-name="' + CSS.escape(focused) + '"]');
  if (again) again.focus();
}

watch("value", build);
document.addEventListener("stam-lab-clip", () => { if (root.isConnected && props.value) build(); });
build();
