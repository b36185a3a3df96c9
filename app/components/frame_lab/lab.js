// Part of the lab's script, the last: the toolbar, and what happens when data arrives.

function action(name, run, help) {
  const button = make("button", "plain", words[name]);
  button.type = "button";
  button.dataset.name = name;
  if (help) button.title = help;
  button.addEventListener("click", run);
  page.buttons[name] = button;
  return button;
}

function group(...parts) {
  const box = make("div", "group");
  box.append(...parts);
  return box;
}

function buildToolbar() {
  page.buttons = {};
  const bar = make("div", "toolbar");
  bar.setAttribute("role", "toolbar");
  bar.setAttribute("aria-label", words.title);
  bar.append(
    group(action("undo", undo), action("redo", redo), action("reset", reset)),
    group(action("reverse", reverse), action("shuffle", shuffle)),
    group(action("freeze", freeze, words.freeze_help),
      action("only", () => keepOnly([lab.current]), words.only_help)),
    group(action("left", () => move(lab.current, lab.current - 1), words.left_help),
      action("right", () => move(lab.current, lab.current + 1), words.right_help)));
  return bar;
}

function menu(name, entries, changed) {
  const select = make("select");
  select.dataset.name = name;
  for (const [value, text] of entries) {
    const option = make("option", "", text);
    option.value = value;
    select.append(option);
  }
  select.addEventListener("change", () => changed(select.value));
  return select;
}

function field(title, control) {
  const label = make("label", "field");
  label.append(make("span", "", title), control);
  return label;
}

function buildOperator() {
  page.removal = menu("removal", words.removals, (removal) => change({ removal }));
  page.places = menu("places", words.places_choices, (places) => change({ places }));
  const box = make("div", "operator");
  box.append(field(words.removal, page.removal), field(words.places, page.places));
  return box;
}

function buildSplice() {
  const box = make("div", "splice");
  page.sources = menu("source", [], (name) => trigger("splice", { name }));
  page.trayHint = make("p", "hint", words.splice_hint);
  page.spares = make("div", "spares");
  box.append(field(words.splice, page.sources), page.trayHint, page.spares);
  return box;
}

function build() {
  root.replaceChildren();
  page.empty = make("p", "empty", words.waiting);
  page.bench = make("div", "bench");
  page.list = make("ol", "frames");
  page.status = make("p", "status");
  page.status.setAttribute("role", "status");
  page.bench.append(buildToolbar(), page.list, page.status, make("p", "hint", words.hint), buildOperator(), buildSplice());
  page.bench.hidden = true;
  root.append(page.empty, page.bench);
}

// --- data arrives --------------------------------------------------------------------------------------------

async function read(clip) {
  const picture = new Image();
  picture.src = clip.sprite;
  await picture.decode();
  return picture;
}

// The edit of a link, as the server checked it; undoing it shows the clip as opened.
function linked(edit) {
  if (!edit) return null;
  const slots = edit.slots.map(([clip, frame, kept]) => ({ clip, frame, kept }));
  return { slots, removal: edit.removal, places: edit.places, past: [asOpened()], future: [], current: 0, serial: 0 };
}

async function takeClip() {
  const clip = props.clip;
  if (!clip || !clip.key || clip === page.wanted) return;
  page.wanted = clip;
  const picture = await read(clip);
  if (page.wanted !== clip) return; // a newer clip came while this one was being read
  page.clips = [clip, null];
  page.pictures = [picture, null];
  kept.first = { clip, picture };
  const again = kept.key === clip.key ? kept.edit : null;
  const begun = again ? null : linked(clip.edit);
  const second = again ? kept.second : begun && clip.edit.second;
  // How frames are removed is a choice for every clip; another clip has no edits yet.
  const { removal, places } = kept.edit || lab;
  const anew = { slots: original(), removal, places, past: [], future: [], current: 0, serial: 0 };
  Object.assign(lab, again || begun || anew);
  page.pending = null;
  if (lab.slots.some((slot) => slot.clip === 1)) {
    page.pending = { slots: lab.slots, second }; // until the second clip is drawn
    lab.slots = original();
  }
  page.tiles = clip.frames.map((_, place) => buildTile(place));
  page.list.replaceChildren(...page.tiles.map((tile) => tile.item));
  page.empty.hidden = true;
  page.bench.hidden = false;
  Object.assign(root.dataset, { state: "shown", sent: lab.serial });
  buildTray();
  draw();
  if (begun && !page.pending) send();
  document.dispatchEvent(new CustomEvent("stam-lab-clip"));
}

async function takeSecond() {
  const second = props.second && props.second.key ? props.second : null;
  if (!page.clips[0] || second === page.clips[1]) return;
  const picture = second && await read(second);
  if ((props.second && props.second.key ? props.second : null) !== second) return;
  const gone = page.clips[1] !== null || !second;
  page.clips[1] = second;
  page.pictures[1] = picture;
  if (gone) forgetSecond();
  const pending = second && page.pending && page.pending.second === second.key ? page.pending : null;
  if (pending) lab.slots = pending.slots;
  page.pending = null;
  buildTray();
  draw();
  if (pending) send();
}

// Places that hold frames of a clip that is no longer there go back to the frame they had.
function forgetSecond() {
  const own = (slot, place) => (slot.clip ? { clip: 0, frame: place, kept: true } : slot);
  const cleared = (past) => ({ ...past, slots: past.slots.map(own) });
  const had = lab.slots.some((slot) => slot.clip === 1);
  lab.past = lab.past.map(cleared);
  lab.future = lab.future.map(cleared);
  lab.slots = lab.slots.map(own);
  if (had) send();
}

function takeSources() {
  const entries = [["", words.splice_none], ...(props.sources || [])];
  page.sources.replaceChildren(...menu("", entries, () => {}).children);
  page.sources.value = "";
}

async function update() {
  await takeClip();
  await takeSecond();
}

build();
takeSources();
root.addEventListener("keydown", labKeys);
document.addEventListener("stam-lab-again", () => { if (root.isConnected && page.clips[0]) send(); });
document.addEventListener("stam-lab-keep", (event) => {
  if (root.isConnected && page.clips[0] && event.detail.key === page.clips[0].key) {
    commit(original().map((slot, place) => ({ ...slot, kept: event.detail.frames.includes(place) })));
  }
});
watch(["clip", "second"], update);
watch("sources", takeSources);
update();
