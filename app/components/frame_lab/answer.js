// The answer to the edited clip, class by class: now as a bar, as opened as a mark.
const page = { target: null, foil: null, about: null, key: null, serial: 0, drawn: null, rows: [] };

function percent(share) {
  return (100 * share).toFixed(1) + " %";
}

function change(before, after) {
  const points = 100 * (after - before);
  if (Math.abs(points) < 0.05) return { text: words.same, sign: "same" };
  const text = (points > 0 ? "▲ +" : "▼ −") + Math.abs(points).toFixed(1);
  return { text, sign: points > 0 ? "more" : "less" };
}

function buildRow(row) {
  const item = make("li", "row");
  item.dataset.index = row.index;
  const name = make("button", "class", row.label);
  name.type = "button";
  name.addEventListener("click", () => aim(row.index, page.foil === row.index ? null : page.foil));
  const track = make("div", "track");
  const bar = make("div", "bar");
  const mark = make("div", "mark");
  track.append(bar, mark);
  const share = make("span", "share");
  const moved = make("span", "moved");
  item.append(name, share, moved, track);
  return { item, name, index: row.index, bar, mark, share, moved };
}

function drawRow(drawn, row) {
  const { text, sign } = change(row.before, row.after);
  drawn.bar.style.width = 100 * row.after + "%";
  drawn.mark.style.left = "min(100% - 2px, " + 100 * row.before + "%)";
  drawn.share.textContent = percent(row.after);
  drawn.moved.textContent = text;
  drawn.moved.dataset.sign = sign;
  drawn.moved.title = words.was + " " + percent(row.before);
}

// Rows are kept while the classes are the same: bars then move, and the focus stays.
function drawRows(rows) {
  const drawn = JSON.stringify(rows.map((row) => row.index));
  if (drawn !== page.drawn) {
    const focused = document.activeElement && document.activeElement.closest(".row");
    page.rows = rows.map(buildRow);
    page.list.replaceChildren(...page.rows.map((row) => row.item));
    page.drawn = drawn;
    const again = focused && page.list.querySelector('[data-index="' + focused.dataset.index + '"] .class');
    if (again) again.focus();
  }
  rows.forEach((row, at) => drawRow(page.rows[at], row));
  drawAim();
}

function drawAim() {
  for (const { name, index } of page.rows) name.setAttribute("aria-pressed", index === page.about ? "true" : "false");
}

function takeAnswer() {
  const value = props.value;
  page.waiting.hidden = Boolean(value);
  page.body.hidden = !value;
  if (!value) return;
  document.dispatchEvent(new CustomEvent("stam-lab-answered", { detail: { serial: value.serial } }));
  // Answers may overtake each other, and one may still be about the clip before.
  const late = props.aim && props.aim.key && props.aim.key !== value.key;
  if (late || (value.edited && value.serial < page.serial)) return;
  page.serial = value.serial;
  const { now, was } = value;
  page.now.textContent = now.label + " " + percent(now.probability);
  page.was.textContent = !value.edited ? words.same
    : words.was + " " + was.label + " " + percent(was.probability) + (value.changed ? ". " + words.changed : "");
  root.classList.toggle("changed", value.changed);
  drawRows(value.rows);
  page.note.textContent = value.note || words.help;
  page.note.classList.toggle("told", Boolean(value.note));
  root.dataset.serial = value.serial;
}

// --- which class is asked about ------------------------------------------------------------------------------

function aim(target, foil) {
  trigger("aim", { target, foil });
}

function menu(name, title) {
  const label = make("label", "field");
  const select = make("select");
  select.dataset.name = name;
  label.append(make("span", "", title), select);
  return { label, select };
}

function fill(select, first, entries, chosen) {
  select.replaceChildren(...[["", first], ...entries].map(([value, text]) => {
    const option = make("option", "", text);
    option.value = value;
    return option;
  }));
  select.value = chosen === null ? "" : String(chosen);
}

function number(select) {
  return select.value === "" ? null : Number(select.value);
}

function takeAim() {
  const told = props.aim;
  page.question.hidden = !told || !told.classes;
  if (page.question.hidden) return;
  const about = told.target === null ? told.predicted : told.target;
  const asked = page.key === told.key && page.about !== about;
  Object.assign(page, { key: told.key, target: told.target, foil: told.foil, about });
  takeAnswer(); // the one that came with this was not yet of the clip in view
  drawAim();
  // The class may have had no row so far: the strip asks anew, and its answer has one.
  if (asked) document.dispatchEvent(new CustomEvent("stam-lab-again"));
  const entries = told.classes.map((label, index) => [String(index), label]);
  fill(page.targets, words.predicted + ": " + told.classes[told.predicted], entries, told.target);
  fill(page.foils, words.no_foil, entries.filter(([index]) => Number(index) !== about), told.foil);
}

function changed() {
  const target = number(page.targets);
  const about = target === null ? props.aim.predicted : target;
  const foil = number(page.foils);
  aim(target, foil === about ? null : foil);
}

function build() {
  page.waiting = make("p", "note", words.waiting);
  page.body = make("div", "body");
  const head = make("div", "head");
  head.setAttribute("role", "status");
  page.now = make("div", "now");
  page.was = make("div", "was");
  head.append(page.now, page.was);
  page.list = make("ol", "rows");
  page.note = make("p", "note");
  page.question = make("details", "question");
  page.question.open = !matchMedia("(max-width: 640px)").matches; // there the answer stays in view
  const targets = menu("target", words.target);
  const foils = menu("foil", words.foil);
  Object.assign(page, { targets: targets.select, foils: foils.select });
  for (const select of [page.targets, page.foils]) select.addEventListener("change", changed);
  page.question.append(make("summary", "", words.question), targets.label, foils.label);
  page.body.append(head, page.list, page.note, page.question);
  root.replaceChildren(make("h3", "title", words.title), page.waiting, page.body);
}

build();
watch("value", takeAnswer);
watch("aim", takeAim);
takeAnswer();
takeAim();
