// Part of the lab's script: every edit is a new state, so that undoing is taking the one before.
const HISTORY = 200;

function change(next, current = lab.current) {
  const before = state();
  const after = { ...before, ...next };
  lab.current = current;
  if (alike(before, after)) { draw(); return; }
  lab.past.push(before);
  if (lab.past.length > HISTORY) lab.past.shift();
  lab.future = [];
  show(after);
}

const commit = (slots, current) => change({ slots }, current);

function show(next) {
  const another = next.removal !== lab.removal || next.places !== lab.places;
  Object.assign(lab, next);
  draw();
  if (another) trigger("operate", { removal: lab.removal, places: lab.places });
  send();
}

function travel(from, to) {
  if (!from.length) return;
  to.push(state());
  show(from.pop());
}

const undo = () => travel(lab.past, lab.future);
const redo = () => travel(lab.future, lab.past);
const reset = () => change(asOpened());
const reverse = () => commit([...lab.slots].reverse(), lab.slots.length - 1 - lab.current);

function toggle(place) {
  commit(lab.slots.map((slot, at) => (at === place ? { ...slot, kept: !slot.kept } : slot)), place);
}

function shuffle() {
  const slots = [...lab.slots];
  for (let last = slots.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [slots[last], slots[other]] = [slots[other], slots[last]];
  }
  commit(slots);
}

function freeze() {
  const { clip, frame } = lab.slots[lab.current];
  commit(lab.slots.map(() => ({ clip, frame, kept: true })));
}

function keepOnly(places) {
  commit(lab.slots.map((slot, place) => ({ ...slot, kept: places.includes(place) })));
}

function move(from, to) {
  const last = lab.slots.length - 1;
  const target = Math.min(last, Math.max(0, to));
  const slots = [...lab.slots];
  const [slot] = slots.splice(from, 1);
  slots.splice(target, 0, slot);
  commit(slots, target);
}

function put(place, clip, frame) {
  commit(lab.slots.map((slot, at) => (at === place ? { clip, frame, kept: true } : slot)), place);
}

// --- what the server is told ---------------------------------------------------------------------------------

// One question at a time; of those that come up meanwhile the last is asked. (Gradio's own way of doing
// so, "always_last", asks with the data of the first.) Where no answer comes the next one may go on.
const PATIENCE = 3000; // milliseconds
const post = { open: null, again: false, timer: null };

function send() {
  lab.serial += 1;
  keep();
  root.dataset.sent = lab.serial;
  if (post.open === null) ask();
  else post.again = true;
}

function ask() {
  const spliced = lab.slots.some((slot) => slot.clip === 1);
  const keys = page.clips.slice(0, spliced ? 2 : 1).map((clip) => clip.key);
  Object.assign(post, { open: lab.serial, again: false, timer: setTimeout(next, PATIENCE) });
  trigger("arrange", { keys, serial: lab.serial, removal: lab.removal, places: lab.places,
    slots: lab.slots.map((slot) => [slot.clip, slot.frame, slot.kept]) });
}

function next() {
  clearTimeout(post.timer);
  post.open = null;
  if (post.again) ask();
}

document.addEventListener("stam-lab-answered", (event) => { if (event.detail.serial === post.open) next(); });
