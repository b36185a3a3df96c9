// Runs once when the component appears; `element`, `props` and `watch` come from gradio.
// Data is written with textContent, attributes and canvases only: labels and file names are untrusted.
const root = element.querySelector(".strip");
const words = props.words;
const view = { opacity: 0.6, palette: "cividis", scale: "clip", smooth: false, frame: 0 };
const page = { tiles: [], sprite: null, scores: null, drawing: 0, timer: null };

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
