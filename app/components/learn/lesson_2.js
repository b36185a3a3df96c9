// Chapter 2, who may look at whom: A's keys under each scheme, and when A meets B. A mouse over a patch shows
// what that one would look at; whoever asked for less motion sees it after the click alone.
figures[2] = (() => {
  const own = {};
  const CALM = matchMedia("(prefers-reduced-motion: reduce)");

  function build(section) {
    const said = words.two;
    own.state = kept.two = kept.two || { scheme: null, placing: "a" };
    own.data = own.hover = null;
    own.strip = frameStrip({ pick: (frame, row, column) => set(own.state.placing, [frame, row, column]) });
    own.strip.tiles.forEach(({ canvas }, frame) => {
      canvas.addEventListener("pointermove", (event) => hover(event, [frame, ...patchUnder(event, canvas)]));
      canvas.addEventListener("pointerleave", (event) => hover(event, null));
    });
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

  // Drawn with the screen's next picture, and only where another patch came under the mouse.
  function hover(event, patch) {
    const wanted = event.pointerType === "mouse" && own.state.placing === "a" && !CALM.matches ? patch : null;
    if (!own.data || String(wanted) === String(own.hover)) return;
    own.hover = wanted;
    own.drawing = own.drawing || requestAnimationFrame(() => { own.drawing = 0; drawMasks(); });
  }

  function set(name, patch) {
    own.hover = null;
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
    say();
  }

  function drawTable() {
    const { schemes, own: model } = own.data;
    const rows = Object.entries(schemes).map(([name, scheme]) => {
      const row = make("tr");
      const choice = radio("scheme", name, scheme.title + (name === model ? " (" + words.two.own + ")" : ""),
        name === own.state.scheme, () => { own.state.scheme = name; drawTable(); drawMasks(); say(); refocus(name); });
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
    if (scheme.never) return words.never;
    if (scheme.meet === null) return fill(words.two.not_within, { layers: layers(own.data.layers) });
    return layers(scheme.meet) + ", " + (scheme.direct ? words.two.direct : words.two.indirect);
  }

  function layers(count) {
    return count === 1 ? words.layer : fill(words.layers, { count });
  }

  function drawMasks() {
    const scheme = own.data.schemes[own.state.scheme];
    const { count, columns } = grid();
    const lit = own.hover ? reachOf(own.hover) : scheme.steps.map((step) => bits(step.mask));
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
      if (own.hover && own.hover[0] === frame) frameBox(context, own.hover[1], own.hover[2], "#ffffff");
    });
  }

  // What any patch looks at, by step: where its frame, its row and its column look.
  function reachOf([frame, row, column]) {
    const { frames, rows, columns, count } = grid();
    return own.data.reach[own.state.scheme].map((axes) => {
      const [inFrame, inRow, inColumn] = axes.map(bits);
      return (index) => {
        const patch = index % count;
        return inFrame(frame * frames + Math.floor(index / count))
          && inRow(row * rows + Math.floor(patch / columns)) && inColumn(column * columns + patch % columns);
      };
    });
  }

  function say() {
    const scheme = own.data.schemes[own.state.scheme];
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
