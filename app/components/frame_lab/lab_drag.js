// Part of the lab's script: dragging with mouse, pen, or a finger that rests first (a quick one scrolls).
const FAR = 6; // pixels that make a press a drag
const REST = 280; // milliseconds a finger rests on a frame to lift it
const drag = { what: null, on: false, target: null, ghost: null, timer: null, just: false };

function grab(event, what) {
  if (event.button !== 0 || drag.what) return;
  Object.assign(drag, { what, on: false, target: null, x: event.clientX, y: event.clientY, id: event.pointerId,
    touch: event.pointerType === "touch" });
  if (drag.touch) drag.timer = setTimeout(lift, REST);
  window.addEventListener("pointermove", follow);
  window.addEventListener("pointerup", drop);
  window.addEventListener("pointercancel", abandon);
  window.addEventListener("keydown", escape, true);
}

function lift() {
  if (!drag.what) return;
  drag.on = true;
  const shown = drag.what.canvas.getBoundingClientRect();
  drag.ghost = make("canvas", "ghost");
  drag.ghost.width = drag.what.canvas.width;
  drag.ghost.height = drag.what.canvas.height;
  drag.ghost.getContext("2d").drawImage(drag.what.canvas, 0, 0);
  drag.ghost.style.width = shown.width + "px";
  root.append(drag.ghost);
  root.classList.add("dragging");
  place(drag.x, drag.y);
}

function follow(event) {
  if (event.pointerId !== drag.id) return;
  const far = Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > FAR;
  if (!drag.on && far) {
    if (drag.touch) { abandon(); return; } // it scrolls
    lift();
  }
  if (drag.on) place(event.clientX, event.clientY);
}

// A frame of the strip goes between two places, one of the second clip goes onto a place.
function place(x, y) {
  const corner = root.getBoundingClientRect();
  drag.ghost.style.left = x - corner.left + "px";
  drag.ghost.style.top = y - corner.top + "px";
  drag.target = null;
  page.tiles.forEach((tile, at) => {
    const box = tile.item.getBoundingClientRect();
    const over = x >= box.left - 5 && x < box.right + 5 && y >= box.top - 5 && y < box.bottom + 5;
    const after = x > (box.left + box.right) / 2;
    const moves = drag.what.place !== undefined;
    tile.item.classList.toggle("onto", over && !moves);
    tile.item.classList.toggle("before", over && moves && !after);
    tile.item.classList.toggle("after", over && moves && after);
    if (over) drag.target = { at, after };
  });
}

function drop(event) {
  if (event.pointerId !== drag.id) return;
  const { what, on, target } = drag;
  abandon();
  if (!on) return;
  drag.just = true; // the click that follows is the end of the drag
  setTimeout(() => { drag.just = false; }, 0);
  if (!target) return;
  if (what.place === undefined) { put(target.at, 1, what.spare); return; }
  const gap = target.at + (target.after ? 1 : 0);
  move(what.place, gap > what.place ? gap - 1 : gap);
}

function abandon() {
  clearTimeout(drag.timer);
  window.removeEventListener("pointermove", follow);
  window.removeEventListener("pointerup", drop);
  window.removeEventListener("pointercancel", abandon);
  window.removeEventListener("keydown", escape, true);
  if (drag.ghost) drag.ghost.remove();
  root.classList.remove("dragging");
  page.tiles.forEach((tile) => tile.item.classList.remove("onto", "before", "after"));
  Object.assign(drag, { what: null, on: false, ghost: null, target: null });
}

function escape(event) {
  if (event.key !== "Escape" || !drag.on) return;
  event.stopPropagation();
  abandon();
}

function dragged() {
  return drag.just;
}

// Once a finger has lifted a frame, the page must not scroll under it.
root.addEventListener("touchmove", (event) => { if (drag.on && event.cancelable) event.preventDefault(); }, { passive: false });
root.addEventListener("contextmenu", (event) => { if (drag.what && drag.touch) event.preventDefault(); });
