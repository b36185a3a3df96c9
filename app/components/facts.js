// Facts in two columns, with sentences below.

function progressBar(share) {
  const bar = make("progress", "progress");
  bar.max = 1;
  bar.value = share;
  return bar;
}

function build() {
  const value = props.value;
  root.replaceChildren();
  if (!value) return;
  if (value.title) root.append(make("h3", "title", value.title));
  const table = make("dl", "table");
  for (const [name, text] of value.rows) table.append(make("dt", "", name), make("dd", "", text));
  if (value.rows.length) root.append(table);
  root.append(...value.notes.map((note) => make("p", "note", note)));
  if (typeof value.progress === "number") root.append(progressBar(value.progress));
}

watch("value", build);
build();
