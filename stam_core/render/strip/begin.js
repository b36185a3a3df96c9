// Runs first when one of our components appears; `element`, `props`, `trigger` and `watch` come from gradio.
// Labels, file names and messages are untrusted: textContent, attributes and canvases only.
const root = element.querySelector("[data-root]");
const words = props.words;

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}
