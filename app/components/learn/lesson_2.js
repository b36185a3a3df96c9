// Chapter 2, who may look at whom: A's keys under each scheme, and when A meets B.
figures[2] = (() => {
  const own = {};

  function build(section) {
    const said = words.two;
    own.state = kept.two = kept.two || { scheme: null, placing: "a" };
    own.strip = frameStrip({ pick: (frame, row, column) => set(own.state.placing, [frame, row, column]) });
    own.status = make("p", "status");
    own.status.setAttribute("role", "status");
    own.legend = make("div", "keys");
    const placing = make("div", "fields");
    placing.setAttribute("role", "radiogroup");
    placing.setAttribute("aria-label", said.set);
    placing.append(make("span", "told", said.set), ...["a", "b"].map((name) => radio("placing", name, said[name],
      own.state.placing === name, () => { own.state.placing = name; })));
    own.fields = {};
    own.table = make("table", "schemes");
    const head = make("tr");
    head.append(...[said.scheme, said.keys, said.meet].map((title, at) => {
      const cell = make("th", "", title);
      cell.scope = "col";
      if (at) cell.dataset.part = ["", "counts", "meet"][at];
      return cell;
    }));
    own.table.append(make("thead"), make("tbody"));
    own.table.tHead.append(head);
    section.append(part("picker", placing, own.strip.list, patchFields("a"), patchFields("b")), own.status, own.legend,
      part("schemes", own.table));
  }

  function radio(group, value, title, checked, changed) {
    const input = make("input");
    Object.assign(input, { type: "radio", name: element.id + "-" + group, value, checked });
    input.dataset.name = group + "-" + value;
    input.addEventListener("change", () => { if (input.checked) changed(); });
    const label = make("label", "radio");
    label.append(input, make("span", "", title));
    return label;
  }

  function patchFields(name) {
    const { frames, rows, columns } = grid();
    const line = make("div", "fields patch-" + name);
    const parts = [["frame", frames], ["row", rows], ["column", columns]].map(([axis, most], at) => {
      const made = numberField(name + "-" + axis, words[axis], most, (value) => {
        const patch = [...own.data[name]];
        patch[at] = value;
        set(name, patch);
      });
      line.append(made.label);
      return made;
    });
    line.prepend(make("strong", "", name.toUpperCase()));
    own.fields[name] = parts;
    return line;
  }

  function set(name, patch) {
    const { a, b } = { a: own.data.a, b: own.data.b, [name]: patch };
    own.state.patches = { a, b };
    ask(2, { a, b });
  }

  function show(data) {
    own.data = data;
    own.state.scheme = own.state.scheme || data.own;
    for (const name of ["a", "b"]) own.fields[name].forEach((made, at) => { made.input.value = data[name][at] + 1; });
    drawTable();
    drawMasks();
  }

  function drawTable() {
    const { schemes, own: model } = own.data;
    const rows = Object.entries(schemes).map(([name, scheme]) => {
      const row = make("tr");
      const choice = radio("scheme", name, scheme.title + (name === model ? " (" + words.two.own + ")" : ""),
        name === own.state.scheme, () => { own.state.scheme = name; drawTable(); drawMasks(); refocus(name); });
      const head = make("th");
      head.scope = "row";
      head.append(choice);
      const keys = make("td", "count", scheme.keys.toLocaleString("en"));
      keys.dataset.part = "counts";
      const meet = make("td", "", meeting(scheme));
      meet.dataset.part = "meet";
      row.append(head, keys, meet);
      row.classList.toggle("chosen", name === own.state.scheme);
      return row;
    });
    const focused = own.table.contains(document.activeElement) ? document.activeElement.value : null;
    own.table.tBodies[0].replaceChildren(...rows);
    if (focused) refocus(focused);
    highlight();
  }

  function refocus(name) {
    own.table.querySelector("input[value=" + CSS.escape(name) + "]").focus();
  }

  function meeting(scheme) {
    if (scheme.meet === null) return words.never;
    const after = scheme.meet === 1 ? words.layer : fill(words.layers, { count: scheme.meet });
    return after + ", " + (scheme.direct ? words.two.direct : words.two.indirect);
  }

  function drawMasks() {
    const scheme = own.data.schemes[own.state.scheme];
    const { count, columns } = grid();
    const lit = scheme.steps.map((step) => bits(step.mask));
    own.strip.tiles.forEach((tile, frame) => {
      const context = drawSeen(tile.canvas, frame, 120);
      for (let patch = 0; patch < count; patch++) {
        const [row, column] = [Math.floor(patch / columns), patch % columns];
        const steps = lit.map((has, at) => (has(frame * count + patch) ? at : -1)).filter((at) => at >= 0);
        if (steps.length) tint(context, row, column, STEP_COLOURS[steps[0]], 0.42);
        else tint(context, row, column, "#080c14", 0.66);
        if (steps.length > 1) halfTint(context, ...box(context, row, column), STEP_COLOURS[steps[1]]);
      }
      gridLines(context, "rgba(255, 255, 255, 0.16)");
      for (const [name, colour] of [["b", "#fde047"], ["a", "#ffffff"]]) {
        const [at, row, column] = own.data[name];
        if (at === frame) frameBox(context, row, column, colour, name.toUpperCase());
      }
    });
    own.legend.replaceChildren(...scheme.steps.map((step, at) => {
      const entry = make("span", "key");
      const swatch = make("span", "swatch");
      swatch.style.background = STEP_COLOURS[at];
      entry.append(swatch, make("span", "", step.name));
      return entry;
    }));
    const [frame, row, column] = own.data.a;
    own.status.textContent = fill(words.two.status, { frame: frame + 1, row: row + 1, column: column + 1,
      scheme: scheme.title, keys: scheme.keys.toLocaleString("en") });
  }

  // A patch that two steps reach shows both colours.
  function halfTint(context, x, y, width, height, colour) {
    context.globalAlpha = 0.6;
    context.fillStyle = colour;
    context.beginPath();
    context.moveTo(x + width, y);
    context.lineTo(x + width, y + height);
    context.lineTo(x, y + height);
    context.fill();
    context.globalAlpha = 1;
  }

  return { build, show, wanted: () => (kept.two && kept.two.patches) || {} };
})();
