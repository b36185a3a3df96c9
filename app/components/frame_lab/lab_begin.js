// Part of the lab's script, the first: the edit in the page, and what was done and undone.
// A slot is a place in time with the frame that stands there: { clip: 0 or 1, frame, kept }. What is done and
// undone is a state: the slots, what a removed frame leaves and where the others stand.
const lab = { slots: [], past: [], future: [], current: 0, removal: "drop", places: "keep", serial: 0 };
const page = { tiles: [], tray: [], pictures: [null, null], clips: [null, null], said: "" };

// Gradio may take the tab out of the page and put it back: the edit lives on beside it.
const kept = (globalThis.stamLab = globalThis.stamLab || {});

function original() {
  return page.clips[0].frames.map((_, frame) => ({ clip: 0, frame, kept: true }));
}

function isOriginal(slots) {
  return slots.every((slot, place) => slot.kept && slot.clip === 0 && slot.frame === place);
}

function state() {
  return { slots: lab.slots, removal: lab.removal, places: lab.places };
}

function asOpened() {
  return { slots: original(), removal: "drop", places: "keep" };
}

function same(first, second) {
  return first.length === second.length && first.every((slot, place) =>
    slot.clip === second[place].clip && slot.frame === second[place].frame && slot.kept === second[place].kept);
}

function alike(first, second) {
  return first.removal === second.removal && first.places === second.places && same(first.slots, second.slots);
}

function keep() {
  kept.key = page.clips[0] && page.clips[0].key;
  kept.second = page.clips[1] && page.clips[1].key;
  kept.edit = { slots: lab.slots, past: lab.past, future: lab.future, current: lab.current,
    removal: lab.removal, places: lab.places, serial: lab.serial };
}
