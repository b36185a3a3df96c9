// Part of the lab's script: every edit is a new list of slots, so that undoing is taking the one before.
const HISTORY = 200;

function commit(slots, current = lab.current) {
  lab.current = current;
  if (same(slots, lab.slots)) { draw(); return; }
  lab.past.push(lab.slots);
  if (lab.past.length > HISTORY) lab.past.shift();
  lab.future = [];
  lab.slots = slots;
  draw();
  send();
}

function travel(from, to) {
  if (!from.length) return;
  to.push(lab.slots);
  lab.slots = from.pop();
  draw();
  send();
}

const undo = () => travel(lab.past, lab.future);
const redo = () => travel(lab.future, lab.past);
const reset = () => commit(original());
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

function operate() {
  draw();
  trigger("operate", { removal: lab.removal, places: lab.places });
  send();
}
