// What the two sides say and what each is worth: one table, its groups under headings of their own.

function row(cells, kind) {
  const line = make("tr");
  cells.forEach((text, index) => {
    const cell = make(index === 0 || kind === "th" ? "th" : "td", "", text);
    if (cell.tagName === "TH") cell.scope = kind === "th" ? "col" : "row";
    line.append(cell);
  });
  return line;
}

function group({ title, help, rows }) {
  const body = make("tbody");
  const head = make("tr", "group");
  const cell = make("th");
  cell.colSpan = 3;
  cell.scope = "rowgroup";
  cell.append(make("span", "name", title), make("span", "help", help));
  head.append(cell);
  body.append(head, ...rows.map((cells) => row(cells, "td")));
  return body;
}

function build() {
  const value = props.value;
  root.replaceChildren(make("h3", "title", words.title));
  root.setAttribute("aria-busy", value && value.working ? "true" : "false");
  root.dataset.state = value ? (value.working ? "working" : "done") : "waiting";
  if (!value) {
    root.append(make("p", "note", words.waiting));
    return;
  }
  root.append(...value.notes.map((note) => make("p", "note", note)));
  const table = make("table");
  const head = make("thead");
  head.append(row(value.heads, "th"));
  const body = make("tbody");
  body.append(...value.rows.map((cells) => row(cells, "td")));
  table.append(head, body, ...value.groups.map(group));
  root.append(table);
  const status = make("p", "note", value.working ? words.working : "");
  status.setAttribute("role", "status");
  root.append(status);
}

watch("value", build);
build();
