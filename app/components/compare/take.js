// Files to ask for; the link and the lines of the view, each with a button that copies it.

function kindButton([kind, label]) {
  const button = make("button", "plain", label);
  button.type = "button";
  button.dataset.kind = kind;
  button.addEventListener("click", () => trigger("take", { kind }));
  return button;
}

// Outside https and this computer the browser has no clipboard to write to: the text is selected.
async function copy(text, source, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = words.copied;
  } catch {
    getSelection().selectAllChildren(source);
    button.textContent = words.by_hand;
  }
  setTimeout(() => { button.textContent = words.copy; }, 2000);
}

function lines(name, title, text) {
  const box = make("div", "lines");
  const head = make("div", "head");
  const button = make("button", "plain", words.copy);
  button.type = "button";
  button.setAttribute("aria-label", words.copy + ": " + title);
  head.append(make("h4", "", title), button);
  const source = make("pre", "", text);
  source.dataset.name = name;
  source.tabIndex = 0;
  button.addEventListener("click", () => copy(text, source, button));
  box.append(head, source);
  return box;
}

const box = make("details", "away");
const inside = make("div", "inside");
box.append(make("summary", "", words.title), inside);
root.replaceChildren(box);

function build() {
  const value = props.value;
  inside.replaceChildren();
  if (!value) {
    inside.append(make("p", "note", words.waiting));
    return;
  }
  const files = make("div", "files");
  files.append(...words.kinds.map(kindButton));
  const status = make("p", "note status");
  status.setAttribute("role", "status");
  inside.append(make("h4", "", words.files), files, status);
  if (value.link) {
    inside.append(lines("link", words.link, location.origin + location.pathname + value.link));
  } else {
    inside.append(make("h4", "", words.link), make("p", "note", words.no_link));
  }
  inside.append(lines("python", words.python, value.python), lines("command", words.command, value.command));
  mark();
}

function mark() {
  const status = root.querySelector(".status");
  if (status) status.textContent = props.making ? words.making : "";
  for (const button of root.querySelectorAll("[data-kind]")) {
    button.disabled = Boolean(props.making);
  }
}

watch("value", build);
watch("making", mark);
build();
