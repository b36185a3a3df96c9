// Chapter 4, two roads to the class: who holds something of one patch, station by station.
figures[4] = (() => {
  const own = {};
  const PAUSE = 900; // milliseconds at a station
  const ROADS = ["divided", "factorised"];

  function build(section) {
    const said = words.four;
    stop(); // a journey over the clip before this one
    own.state = kept.four = kept.four || { station: 0, patch: null };
    own.roads = Object.fromEntries(ROADS.map((name) => [name, buildRoad(name)]));
    own.play = action("play", said.play, play);
    own.step = action("step", said.step, () => { stop(); go((own.state.station + 1) % 4); });
    own.told = make("p", "sr"); // the captions say it to whoever sees them
    own.told.setAttribute("role", "status");
    const { frames, rows, columns } = grid();
    own.fields = [["frame", frames], ["row", rows], ["column", columns]].map(([axis, most], at) =>
      numberField("road-" + axis, words[axis], most, (value) => {
        const patch = [...own.data.patch];
        patch[at] = value;
        set(patch);
      }));
    own.strip = frameStrip({ pick: (frame, row, column) => set([frame, row, column]) });
    const fields = make("div", "fields");
    fields.append(make("span", "told", said.choose), ...own.fields.map((made) => made.label), own.play, own.step);
    own.shares = make("div", "shares");
    section.append(part("choose", fields, own.strip.list), ...ROADS.map((name) => part(name, own.roads[name].box)), own.told,
      part("shares", own.shares));
  }

  function buildRoad(name) {
    const box = make("section", "road");
    const stations = [0, 1, 2, 3].map((at) => {
      const figure = make("figure", "station");
      const canvas = make("canvas");
      canvas.setAttribute("aria-hidden", "true");
      const caption = make("figcaption");
      figure.append(canvas, caption);
      return { figure, canvas, caption, at };
    });
    const line = make("div", "stations");
    stations.forEach((station, at) => {
      if (at) line.append(arrow());
      line.append(station.figure);
    });
    box.append(make("h3", "", words.four[name]), line);
    return { box, stations };
  }

  function arrow() {
    const made = make("span", "arrow", "→");
    made.setAttribute("aria-hidden", "true");
    return made;
  }

  function set(patch) {
    own.state.patch = patch;
    stop();
    ask(4, { patch });
  }

  function show(data) {
    own.data = data;
    own.fields.forEach((made, at) => { made.input.value = data.patch[at] + 1; });
    own.strip.tiles.forEach((tile, frame) => {
      const context = drawSeen(tile.canvas, frame, 100);
      gridLines(context, "rgba(255, 255, 255, 0.2)");
      if (frame === data.patch[0]) frameBox(context, data.patch[1], data.patch[2], "#ffffff");
    });
    const { divided, factorised } = data.roads;
    drawMasks("divided", 0, divided[0]);
    drawMasks("divided", 1, divided[1]);
    drawMasks("divided", 2, divided[2]);
    drawClass("divided");
    drawMasks("factorised", 0, factorised[0]);
    drawMasks("factorised", 1, factorised[1]);
    drawRow();
    drawClass("factorised");
    drawShares();
    go(own.state.station);
  }

  // All frames small in one picture, lit where somebody holds something of the patch.
  function drawMasks(road, at, { mask, count, step }) {
    const { canvas, caption } = own.roads[road].stations[at];
    const { frames, rows, columns, count: patches } = grid();
    const across = Math.ceil(Math.sqrt(frames));
    const cell = Math.max(2, Math.round(44 / columns));
    const side = cell * columns + 3;
    canvas.width = across * side;
    canvas.height = Math.ceil(frames / across) * (cell * rows + 3);
    const context = canvas.getContext("2d");
    const has = bits(mask);
    const { tile: [width, height], columns: wide, crop: [left, top, share, down] } = page.clip;
    for (let frame = 0; frame < frames; frame++) {
      const x = (frame % across) * side;
      const y = Math.floor(frame / across) * (cell * rows + 3);
      context.drawImage(page.sprite, (frame % wide) * width + left * width, Math.floor(frame / wide) * height + top * height,
        share * width, down * height, x, y, cell * columns, cell * rows);
      context.fillStyle = "rgba(8, 12, 20, 0.66)";
      context.fillRect(x, y, cell * columns, cell * rows);
      context.fillStyle = "#f59e0b";
      for (let patch = 0; patch < patches; patch++) {
        if (has(frame * patches + patch)) context.fillRect(x + (patch % columns) * cell, y + Math.floor(patch / columns) * cell, cell, cell);
      }
    }
    const said = words.four.stations[road][at];
    caption.textContent = fill(said, { count: count.toLocaleString("en"), layers: own.data.layers, step });
  }

  // In STAM one row of numbers leaves each frame.
  function drawRow() {
    const { canvas, caption } = own.roads.factorised.stations[2];
    const { frames } = grid();
    const across = Math.ceil(Math.sqrt(frames));
    canvas.width = across * 47;
    canvas.height = Math.ceil(frames / across) * 47;
    const context = canvas.getContext("2d");
    for (let frame = 0; frame < frames; frame++) {
      const [x, y] = [(frame % across) * 47, Math.floor(frame / across) * 47];
      context.fillStyle = frame === own.data.patch[0] ? "#f59e0b" : "#475569";
      context.fillRect(x + 2, y + 17, 40, 10);
    }
    caption.textContent = fill(words.four.stations.factorised[2], { width: own.data.width, frame: own.data.patch[0] + 1 });
  }

  function drawClass(road) {
    const { canvas, caption } = own.roads[road].stations[3];
    canvas.width = canvas.height = 188;
    const context = canvas.getContext("2d");
    context.fillStyle = "#f59e0b";
    context.beginPath();
    context.arc(94, 94, 62, 0, 7);
    context.fill();
    context.fillStyle = "#0b1220";
    context.font = "bold 34px sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(words.cls, 94, 94);
    caption.textContent = fill(words.four.stations[road][3], { layers: own.data.layers, time_layers: own.data.time_layers });
  }

  function drawShares() {
    const { shares, patch: [frame, row, column], no_product: reason } = own.data;
    const place = 1 + row * grid().columns + column;
    if (shares.clip) { // one rollout over all patches
      const share = percent2(shares.clip[frame][place - 1]);
      own.shares.replaceChildren(make("p", "sum", fill(words.four.joined, { share, cls: percent2(shares.cls) })), make("p", "told", reason));
      return;
    }
    const inside = shares.space[frame][place];
    const of = shares.time[frame + 1];
    own.shares.replaceChildren(
      make("p", "sum", fill(words.four.product, { inside: percent2(inside), of: percent2(of), product: percent2(inside * of), frame: frame + 1 })),
      make("p", "told", fill(words.four.kept, { frame_cls: percent2(shares.space[frame][0]), clip_cls: percent2(shares.time[0]) })));
  }

  function percent2(share) {
    return (100 * share).toFixed(2) + " %";
  }

  // --- the journey ---

  function go(station) {
    own.state.station = station;
    for (const name of ROADS) {
      own.roads[name].stations.forEach(({ figure }, at) => figure.classList.toggle("reached", at <= station));
      own.roads[name].box.querySelectorAll(".arrow").forEach((arrow, at) => arrow.classList.toggle("reached", at < station));
    }
    own.told.textContent = ROADS.map((name) => words.four[name] + ": " + own.roads[name].stations[station].caption.textContent).join(" | ");
  }

  function play() {
    stop();
    go(0);
    own.timer = setInterval(() => {
      if (own.state.station >= 3 || !root.isConnected) stop();
      else go(own.state.station + 1);
    }, PAUSE);
  }

  function stop() {
    clearInterval(own.timer);
  }

  const wanted = () => (kept.four && kept.four.patch ? { patch: kept.four.patch } : {});
  return { build, show, wanted };
})();
