// Draws what the registry declares: no method is known by name here.
const edits = { choice: null, parameters: {}, timer: null, open: false, drawn: null };

function options(select, entries, chosen) {
  for (const [value, text] of entries) {
    const option = make("option", "", text);
    option.value = value;
    select.append(option);
  }
  select.value = chosen;
}

function send(wait) {
  clearTimeout(edits.timer);
  edits.timer = setTimeout(() => trigger("adjust", {
    choice: edits.choice, parameters: { ...edits.parameters }, asked: performance.now() }), wait);
}

function change(name, value, wait) {
  edits.parameters[name] = value;
  send(wait);
}

function slider(spec, shown) {
  const input = make("input");
  Object.assign(input, { type: "range", min: spec.minimum, max: spec.maximum, step: spec.step, value: spec.value });
  const write = () => { shown.textContent = Number(Number(input.value).toFixed(3)) + (spec.unit || ""); };
  input.addEventListener("show", write);
  input.addEventListener("input", () => { write(); change(spec.name, Number(input.value), 160); });
  write();
  return input;
}

// Beside a slider that is too coarse for its range: the same number, to be typed.
function typed(spec, input) {
  const field = make("input", "number");
  Object.assign(field, { type: "number", min: spec.minimum, max: spec.maximum, step: spec.step });
  field.setAttribute("aria-label", spec.label);
  const show = () => { if (field !== document.activeElement) field.value = Number(Number(input.value).toFixed(3)); };
  input.addEventListener("show", show);
  input.addEventListener("input", show);
  field.addEventListener("change", () => {
    if (field.value === "" || !field.checkValidity()) { field.value = input.value; return; }
    input.value = field.value;
    change(spec.name, Number(input.value), 0);
  });
  show();
  return field;
}

function menu(spec) {
  const select = make("select");
  options(select, spec.choices.map((entry) => (Array.isArray(entry) ? entry : [entry, entry])), spec.value);
  select.addEventListener("change", () => change(spec.name, select.value, 0));
  return select;
}

function parameter(spec) {
  const box = make("div", "parameter");
  const label = make("label", "name", spec.label);
  const shown = make("output", "number");
  const control = spec.kind === "choice" ? menu(spec) : slider(spec, shown);
  control.id = element.id + "-" + spec.name;
  control.dataset.name = spec.name;
  label.htmlFor = control.id;
  const head = make("div", "line");
  head.append(label, spec.exact ? typed(spec, control) : shown);
  box.append(head, control);
  if (spec.help) {
    const help = make("p", "help", spec.help);
    help.id = control.id + "-help";
    control.setAttribute("aria-describedby", help.id);
    box.append(help);
  }
  return box;
}

function chooser(value) {
  const select = make("select", "choice");
  select.dataset.name = "choice";
  select.setAttribute("aria-label", value.title);
  options(select, value.choices.map((entry) => [entry.name, entry.title]), value.choice);
  select.addEventListener("change", () => {
    edits.choice = select.value;
    if (!value.keep) edits.parameters = {}; // another method has other parameters
    send(0);
  });
  return select;
}

function settings(value) {
  const box = make("details", "settings");
  box.open = edits.open || Boolean(value.open);
  box.addEventListener("toggle", () => { edits.open = box.open; });
  const summary = make("summary", "", words.settings);
  const reset = make("button", "reset", words.reset);
  reset.type = "button";
  reset.dataset.name = "reset";
  reset.addEventListener("click", () => {
    edits.parameters = Object.fromEntries(value.parameters.map((spec) => [spec.name, spec.default]));
    value.parameters.forEach((spec) => { spec.value = spec.default; });
    draw();
    send(0);
  });
  box.append(summary, ...value.parameters.map(parameter), reset);
  return box;
}

// The classes come before the settings: what is asked about, before how.
function all(value) {
  return [...(value.classes || []), ...value.parameters];
}

// While a slider is being moved its answer arrives: it must not be replaced under the finger.
function updated(value) {
  const bare = JSON.stringify({ ...value, classes: 0, parameters: all(value).map((spec) => ({ ...spec, value: 0 })) });
  const controls = all(value).map((spec) => [spec, root.querySelector('[data-name="' + CSS.escape(spec.name) + '"]')]);
  // A control may be missing although it was drawn: gradio lays a part out anew when it likes.
  const same = bare === edits.drawn && controls.every(([, control]) => control);
  edits.drawn = bare;
  if (!same) return false;
  for (const [spec, control] of controls) {
    if (control === document.activeElement) continue;
    edits.parameters[spec.name] = spec.value;
    control.value = spec.value;
    control.dispatchEvent(new Event("show"));
  }
  return true;
}

function build() {
  if (props.value && updated(props.value)) return;
  draw();
}

function draw() {
  const focused = root.contains(document.activeElement) ? document.activeElement.dataset.name : null;
  const value = props.value;
  root.replaceChildren();
  if (!value) return;
  edits.choice = value.choice;
  edits.parameters = Object.fromEntries(all(value).map((spec) => [spec.name, spec.value]));
  const head = make("div", "top");
  head.append(make("span", "title", value.title), chooser(value));
  root.append(head, ...(value.classes || []).map(parameter), ...value.notes.map((note) => make("p", "note", note)));
  if (value.parameters.length) root.append(settings(value));
  const again = focused && root.querySelector('[data-name="' + CSS.escape(focused) + '"]');
  if (again) again.focus();
}

watch("value", build);
build();
