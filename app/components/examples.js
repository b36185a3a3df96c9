// The embedded clips as cards; a file dropped on the area around them is opened.

function card({ name, title, picture }) {
  const button = make("button", "card");
  button.type = "button";
  button.dataset.name = name;
  if (picture) {
    const image = make("img", "picture");
    image.src = picture;
    image.alt = "";
    button.append(image);
  } else {
    button.append(make("div", "picture"));
  }
  button.append(make("span", "name", title));
  button.addEventListener("click", () => trigger("pick", { name, asked: performance.now() }));
  return button;
}

function mark() {
  for (const button of root.querySelectorAll(".card")) {
    const chosen = button.dataset.name === props.chosen;
    button.setAttribute("aria-pressed", chosen ? "true" : "false");
  }
}

function build() {
  const items = props.value ? props.value.items : [];
  const grid = make("div", "grid");
  grid.append(...items.map(card));
  root.replaceChildren(make("h3", "title", words.title), items.length || !props.value ? grid : make("p", "none", words.none),
    make("p", "drop", words.drop));
  mark();
}

// A file dropped on the card goes into the button beside it, as if chosen there.
function forward(event) {
  event.preventDefault();
  root.classList.remove("over");
  const input = document.querySelector(props.drop_into + " input[type=file]");
  const { files } = event.dataTransfer;
  if (!input || !files.length) return;
  const one = new DataTransfer();
  one.items.add(files[0]);
  input.files = one.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

const zone = element.closest(props.drop_on) || element;
zone.addEventListener("dragover", (event) => { event.preventDefault(); root.classList.add("over"); });
zone.addEventListener("dragleave", () => root.classList.remove("over"));
zone.addEventListener("drop", forward);

watch("value", build);
watch("chosen", mark);
build();
