// Part of the lab's script: places and the second clip's frames, drawn.

function seconds(clip, frame) {
  return page.clips[clip].frames[frame].seconds.toFixed(2) + " s";
}

function paint(canvas, clip, frame) {
  const { tile, columns } = page.clips[clip];
  const [width, height] = tile;
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").drawImage(page.pictures[clip],
    (frame % columns) * width, Math.floor(frame / columns) * height, width, height, 0, 0, width, height);
}

function buildTile(place) {
  const item = make("li", "tile");
  const button = make("button", "frame");
  button.type = "button";
  const canvas = make("canvas");
  const cross = make("span", "cross");
  cross.setAttribute("aria-hidden", "true");
  button.append(canvas, cross);
  const caption = make("div", "caption");
  const name = make("span", "name");
  const note = make("span", "note");
  caption.append(name, note);
  item.append(button, caption);
  button.addEventListener("click", () => { if (!dragged()) toggle(tileAt(item)); });
  button.addEventListener("keydown", tileKeys);
  button.addEventListener("focus", () => choose(tileAt(item)));
  button.addEventListener("pointerdown", (event) => grab(event, { place: tileAt(item), canvas }));
  caption.addEventListener("click", () => { choose(tileAt(item)); button.focus(); });
  return { item, button, canvas, name, note, drawn: "", place };
}

function tileAt(item) {
  return page.tiles.findIndex((tile) => tile.item === item);
}

function choose(place) {
  lab.current = place;
  page.tiles.forEach((tile, at) => {
    tile.button.tabIndex = at === place ? 0 : -1;
    tile.item.classList.toggle("current", at === place);
  });
}

function drawTile(tile, place) {
  const { clip, frame, kept: stays } = lab.slots[place];
  const drawn = clip + "/" + frame + "/" + page.clips[clip].key;
  if (tile.drawn !== drawn) paint(tile.canvas, clip, frame);
  tile.drawn = drawn;
  Object.assign(tile.item.dataset, { clip, frame, kept: stays });
  tile.name.textContent = (clip ? "2: " : "") + (frame + 1);
  tile.note.textContent = stays ? seconds(clip, frame) : words.removed;
  const what = (clip ? words.second_frame : words.frame) + " " + (frame + 1) + ", " + seconds(clip, frame);
  tile.button.setAttribute("aria-label",
    words.place + " " + (place + 1) + ": " + what + (stays ? "" : ", " + words.removed));
}

function describe() {
  const { slots } = lab;
  if (isOriginal(slots)) return words.status_none;
  const stays = slots.filter((slot) => slot.kept);
  const told = [words.status.replace("{kept}", stays.length).replace("{all}", slots.length)];
  const own = stays.filter((slot) => slot.clip === 0).map((slot) => slot.frame);
  if (own.some((frame, at) => at > 0 && frame < own[at - 1])) told.push(words.status_order);
  if (new Set(stays.map((slot) => slot.clip + "/" + slot.frame)).size < stays.length) told.push(words.status_repeats);
  const spliced = stays.length - own.length;
  if (spliced) told.push(words.status_second.replace("{count}", spliced));
  return told.join("; ");
}

function draw() {
  if (!page.clips[0]) return;
  page.tiles.forEach(drawTile);
  choose(Math.min(lab.current, lab.slots.length - 1));
  page.status.textContent = describe();
  page.buttons.undo.disabled = !lab.past.length;
  page.buttons.redo.disabled = !lab.future.length;
  page.buttons.reset.disabled = alike(state(), asOpened());
  page.removal.value = lab.removal;
  page.places.value = lab.places;
  page.places.disabled = lab.removal !== "drop";
  root.dataset.edited = !isOriginal(lab.slots);
  keep();
}

// --- keys ----------------------------------------------------------------------------------------------------

function perRow() {
  return getComputedStyle(page.list).gridTemplateColumns.split(" ").length;
}

function tileKeys(event) {
  const last = lab.slots.length - 1;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: perRow(), ArrowUp: -perRow() }[event.key];
  if (event.key === "Delete" || event.key === "Backspace") toggle(lab.current);
  else if (event.key === "Home") choose(0);
  else if (event.key === "End") choose(last);
  else if (step === undefined) return;
  else if (event.shiftKey) move(lab.current, lab.current + step);
  else choose(Math.min(last, Math.max(0, lab.current + step)));
  event.preventDefault();
  page.tiles[lab.current].button.focus();
}

function labKeys(event) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  if (key === "y" || event.shiftKey) redo();
  else undo();
}

// --- the second clip -----------------------------------------------------------------------------------------

function buildTray() {
  const clip = page.clips[1];
  page.trayHint.hidden = !clip;
  if (clip) page.trayHint.textContent = clip.name + ". " + words.splice_hint;
  page.tray = !clip ? [] : clip.frames.map((_, frame) => {
    const button = make("button", "spare");
    button.type = "button";
    const canvas = make("canvas");
    paint(canvas, 1, frame);
    button.append(canvas);
    button.tabIndex = frame ? -1 : 0;
    button.setAttribute("aria-label", words.second_frame + " " + (frame + 1) + ", " + seconds(1, frame));
    button.addEventListener("click", () => { if (!dragged()) put(lab.current, 1, frame); });
    button.addEventListener("keydown", (event) => trayKeys(event, frame));
    button.addEventListener("pointerdown", (event) => grab(event, { spare: frame, canvas }));
    return button;
  });
  page.spares.replaceChildren(...page.tray);
}

function trayKeys(event, frame) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const next = Math.min(page.tray.length - 1, Math.max(0, frame + step));
  page.tray.forEach((button, at) => { button.tabIndex = at === next ? 0 : -1; });
  page.tray[next].focus();
}
