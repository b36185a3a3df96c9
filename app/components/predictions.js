// The predicted actions as bars; grey while they still are those of the clip before.

function percent(share) {
  return (100 * share).toFixed(1) + " %";
}

function row({ label, probability }) {
  const item = make("li", "row");
  const track = make("div", "track");
  const bar = make("div", "bar");
  bar.style.width = 100 * probability + "%";
  track.append(bar);
  item.append(make("span", "label", label), make("span", "share", percent(probability)), track);
  return item;
}

function build() {
  const value = props.value;
  root.replaceChildren(make("h3", "title", words.title));
  if (!value) {
    root.append(make("p", "note", words.waiting));
    return;
  }
  const list = make("ol", "rows");
  list.append(...value.rows.map(row));
  root.append(list, make("p", "note", value.note));
}

function mark() {
  root.classList.toggle("old", Boolean(props.old));
  root.setAttribute("aria-busy", props.old ? "true" : "false");
}

watch("value", build);
watch("old", mark);
build();
