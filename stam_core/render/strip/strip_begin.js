// Part of the strip's script, the first: what is in view.
const view = { opacity: 0.6, palette: "cividis", scale: "clip", smooth: false, frame: 0 };
const page = { tiles: [], sprite: null, scores: null, drawing: 0, timer: null };

function bytes(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
