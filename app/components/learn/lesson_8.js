// Chapter 8, when pictures lie: a model that forgets, attention without effect, black on black.
figures[8] = (() => {
  const own = {};

  function build(section) {
    const said = words.eight;
    own.state = kept.eight = kept.eight || { step: null, square: null };
    own.start = action("forget", said.forget, () => { own.start.disabled = true; ask(8, { run: "forget" }); });
    own.slider = slider("layers", said.layers, { min: 0, max: 0, step: 1, value: 0 }, (value) => { own.state.step = value; drawForget(); });
    own.slider.label.hidden = true;
    own.progress = make("p", "status");
    own.progress.setAttribute("role", "status");
    own.maps = make("div", "maps");
    own.scatter = svg("svg", { viewBox: "0 0 520 260", class: "chart narrow", role: "img" });
    own.sentence = make("p", "sum");
    own.frame = make("canvas", "seen small");
    own.frame.setAttribute("aria-hidden", "true");
    own.frame.addEventListener("pointerdown", (event) => { if (event.button === 0) square([middle(), ...patchUnder(event, own.frame)]); });
    const { rows, columns } = grid();
    own.fields = [["row", rows], ["column", columns]].map(([axis, most], at) =>
      numberField("square-" + axis, words[axis], most, (value) => {
        const place = [...(own.state.square || [middle(), Math.floor(rows / 2), Math.floor(columns / 2)])];
        place[at + 1] = value;
        square(place);
      }));
    const fields = make("div", "fields");
    fields.append(...own.fields.map((made) => made.label), action("black", said.black, () => square(own.state.square)));
    own.credits = make("div", "maps");
    own.black = make("p", "sum");
    own.black.setAttribute("role", "status");
    section.append(part("forget", own.start, own.progress, own.slider.label, own.maps),
      part("scatter", make("p", "told", said.scatter), own.scatter, own.sentence),
      own.blackPart = part("black", make("p", "told", said.square), own.frame, fields, own.black, own.credits));
  }

  function middle() {
    return Math.floor(grid().frames / 2);
  }

  function square(place) {
    const { rows, columns } = grid();
    own.state.square = place || [middle(), Math.floor(rows / 2), Math.floor(columns / 2)];
    drawSquare();
    ask(8, { run: "black", square: own.state.square });
  }

  function show(data, news) {
    own.data = data;
    if (news.attention) drawScatter();
    if (data.forget) {
      own.start.disabled = !data.forget.done;
      const last = data.forget.steps.length - 1;
      own.slider.input.max = last;
      own.slider.label.hidden = false;
      if (own.state.step === null || !data.forget.done || own.state.step > last) own.state.step = last;
      own.slider.set(own.state.step);
      drawForget();
    }
    if (data.no_black) { own.blackPart.replaceChildren(make("p", "told", data.no_black)); return; }
    drawSquare();
    if (data.black) drawBlack();
  }

  // --- a model that forgets ---

  function drawForget() {
    const said = words.eight;
    const { steps, count, frame, done } = own.data.forget;
    const now = steps[own.state.step];
    own.progress.textContent = done ? fill(said.forgotten, { number: own.state.step, count, layer: now.layer || said.nothing })
      : fill(said.forgetting, { number: steps.length - 1, count });
    own.maps.replaceChildren(...Object.keys(now.scores).map((name) => {
      const figure = make("figure", "map");
      const before = picture(steps[0].scores[name], frame);
      const after = picture(now.scores[name], frame);
      const pair = make("div", "sides");
      pair.append(before, after);
      const likeness = signed(now.likeness[name], 2);
      figure.append(make("figcaption", "", said.methods[name]), pair, make("p", "count", fill(said.alike, { likeness })));
      return figure;
    }));
  }

  function picture(scores, frame) {
    const canvas = make("canvas");
    canvas.setAttribute("aria-hidden", "true");
    const { count } = grid();
    if (scores.length === count) drawHeat(canvas, scores, frame);
    else drawBars(canvas, scores);
    return canvas;
  }

  function drawHeat(canvas, scores, frame) {
    const context = drawSeen(canvas, frame, 150);
    const { columns } = grid();
    const colour = ramp();
    scores.forEach((score, patch) => tint(context, Math.floor(patch / columns), patch % columns,
      score < 0 ? "#2563eb" : colour(score), 0.7));
  }

  function drawBars(canvas, scores) {
    canvas.width = 160;
    canvas.height = 160;
    const context = canvas.getContext("2d");
    context.fillStyle = "#0f172a";
    context.fillRect(0, 0, 160, 160);
    const wide = 152 / scores.length;
    const signedScores = scores.some((score) => score < 0);
    const zero = signedScores ? 80 : 154;
    scores.forEach((score, at) => {
      const tall = Math.abs(score) * (signedScores ? 72 : 146);
      context.fillStyle = score < 0 ? "#f59e0b" : "#60a5fa";
      context.fillRect(4 + at * wide, score < 0 ? zero : zero - tall, wide - 1, Math.max(1, tall));
    });
  }

  // --- attention and effect ---

  function drawScatter() {
    const said = words.eight;
    const { attention, effect, sentence } = own.data;
    const most = Math.max(...attention);
    const [low, high] = [Math.min(0, ...effect), Math.max(0, ...effect)];
    const x = (value) => 56 + 436 * value / most; // room for a number behind the last dot
    const y = (value) => 214 - 200 * (value - low) / (high - low || 1);
    own.scatter.replaceChildren(
      svg("line", { x1: 56, x2: 510, y1: y(0), y2: y(0), class: "axis" }), svg("line", { x1: 56, x2: 56, y1: 8, y2: 216, class: "axis" }),
      svg("text", { x: 50, y: y(0) + 4, class: "label end" }, "0"), svg("text", { x: 50, y: y(high) + 8, class: "label end" }, signed(high, 2)),
      svg("text", { x: 492, y: 234, class: "label middle" }, percent(most)), svg("text", { x: 280, y: 252, class: "label middle" }, said.attention));
    attention.forEach((value, frame) => {
      own.scatter.append(svg("circle", { cx: x(value), cy: y(effect[frame]), r: 5, class: "dot" }),
        svg("text", { x: x(value) + 7, y: y(effect[frame]) - 5, class: "label" }, String(frame + 1)));
    });
    own.scatter.setAttribute("aria-label", said.scatter + " " + sentence);
    own.sentence.textContent = sentence;
  }

  // --- black on black ---

  function drawSquare() {
    const place = own.state.square || [middle(), Math.floor(grid().rows / 2), Math.floor(grid().columns / 2)];
    const context = drawSeen(own.frame, place[0], 300);
    paint(context, place);
    own.fields.forEach((made, at) => { made.input.value = place[at + 1] + 1; });
  }

  function paint(context, [, row, column]) {
    const { rows, columns } = grid();
    const size = 2;
    const [x, y, width, height] = box(context, Math.min(row, rows - size), Math.min(column, columns - size));
    context.fillStyle = "#000000";
    context.fillRect(x, y, size * width, size * height);
    context.lineWidth = 2;
    context.strokeStyle = "#ffffff";
    context.strokeRect(x, y, size * width, size * height);
  }

  function drawBlack() {
    const said = words.eight;
    const { square: place, changed, label, credits } = own.data.black;
    own.black.textContent = fill(said.changed, { label, changed: signed(changed) });
    own.credits.replaceChildren(...Object.entries(credits).map(([name, credit]) => {
      const figure = make("figure", "map");
      const canvas = make("canvas");
      canvas.setAttribute("aria-hidden", "true");
      const context = drawSeen(canvas, place[0], 220);
      paint(context, place);
      const { columns } = grid();
      const peak = Math.max(...Object.values(credits).flatMap((one) => one.patches.map(Math.abs))) || 1;
      const table = bytes(page.clip.palettes["blue-orange"]);
      credit.patches.forEach((score, patch) => {
        const level = 3 * Math.round(127.5 + 127.5 * score / peak);
        tint(context, Math.floor(patch / columns), patch % columns, "rgb(" + table.slice(level, level + 3).join(",") + ")", 0.75);
      });
      paintEdge(context, place);
      const side = make("div", "sides one");
      side.append(canvas);
      figure.append(make("figcaption", "", said.baselines[name]), side,
        make("p", "count", fill(said.inside, { inside: signed(credit.inside) })),
        make("p", "told", fill(said.adds, { all: signed(credit.all, 2), rise: signed(credit.rise, 2) })));
      return figure;
    }));
  }

  function paintEdge(context, [, row, column]) {
    const [x, y, width, height] = box(context, row, column);
    context.lineWidth = 2;
    context.strokeStyle = "#ffffff";
    context.strokeRect(x, y, 2 * width, 2 * height);
  }

  return { build, show };
})();
