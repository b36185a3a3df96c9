// Chapter 3, one attention head by hand: q and k number by number, scaling, softmax, the weighted sum.
figures[3] = (() => {
  const own = {};
  const SHOWN = 16; // numbers of a row that are written out

  function build(section) {
    const said = words.three;
    own.state = kept.three = kept.three || { query: 0, key: 1 };
    own.choice = part("choice");
    own.layer = null; // the menus are those of the clip and model to come
    own.numbers = make("table", "numbers");
    own.numbers.append(make("tbody"));
    own.sum = make("p", "sum");
    own.share = make("p", "sum");
    own.note = make("p", "told");
    const wide = make("div", "wide");
    wide.tabIndex = 0;
    wide.setAttribute("role", "group");
    wide.setAttribute("aria-label", said.product);
    wide.append(own.numbers);
    own.map = make("canvas", "matrix");
    own.map.setAttribute("aria-hidden", "true");
    own.map.addEventListener("pointerdown", pickCell);
    own.marker = make("div", "marker");
    own.column = make("div", "marker column");
    const holder = make("div", "holder");
    holder.append(own.map, own.marker, own.column);
    own.rowName = make("p", "told");
    own.strip = frameStrip({});
    own.mixed = make("canvas", "stripes");
    own.mixed.setAttribute("role", "img");
    const pair = make("div", "two");
    pair.append(part("map", make("p", "told", said.map), holder),
      part("mixed", own.rowName, own.cls = make("p", "sum"), own.strip.list, make("p", "told", said.mixed), own.mixed));
    section.append(own.choice, part("products", own.note, wide, own.sum, own.share), pair);
  }

  function name(token) {
    return token ? words.frame + " " + token : words.cls;
  }

  function buildChoice(data) {
    const count = (n) => Array.from({ length: n }, (_, at) => [at + 1, String(at + 1)]);
    const tokens = data.queries.map((_, token) => [token, name(token)]);
    const wish = () => ask(3, { layer: Number(own.layer.value), head: Number(own.head.value) });
    own.layer = select("layer", count(data.layers), wish);
    own.head = select("head", count(data.heads), wish);
    own.query = select("query", tokens, (value) => choose(Number(value), own.state.key));
    own.key = select("key", tokens, (value) => choose(own.state.query, Number(value)));
    const said = words.three;
    const line = make("div", "fields");
    line.append(field(said.layer, own.layer), field(said.head, own.head), field(said.query, own.query), field(said.key, own.key));
    own.choice.replaceChildren(line);
  }

  function show(data) {
    own.data = data;
    if (!own.layer) buildChoice(data);
    own.layer.value = data.layer;
    own.head.value = data.head;
    drawMatrix(own.map, data.weights, Math.max(...data.weights.flat()));
    choose(own.state.query, own.state.key);
  }

  function pickCell(event) {
    const shown = own.map.getBoundingClientRect();
    const n = own.data.weights.length;
    const at = (place, from, size) => Math.min(n - 1, Math.max(0, Math.floor((place - from) / size * n)));
    choose(at(event.clientY, shown.top, shown.height), at(event.clientX, shown.left, shown.width));
  }

  function choose(query, key) {
    Object.assign(own.state, { query, key });
    own.query.value = query;
    own.key.value = key;
    const share = 100 / own.data.weights.length;
    Object.assign(own.marker.style, { top: query * share + "%", height: share + "%" });
    Object.assign(own.column.style, { left: key * share + "%", width: share + "%" });
    drawProducts(query, key);
    drawRow(query);
  }

  function drawProducts(query, key) {
    const { queries, keys, products, scale, weights } = own.data;
    const said = words.three;
    const width = queries[0].length;
    const shown = Math.min(SHOWN, width);
    const rows = [
      [fill(said.q, { name: name(query) }), queries[query]],
      [fill(said.k, { name: name(key) }), keys[key]],
      [said.product, queries[query].map((number, at) => number * keys[key][at])],
    ];
    const peak = Math.max(...rows[2][1].map(Math.abs));
    own.numbers.tBodies[0].replaceChildren(...rows.map(([title, numbers], line) => {
      const row = make("tr");
      const head = make("th", "", title);
      head.scope = "row";
      row.append(head, ...numbers.slice(0, shown).map((number) => {
        const cell = make("td", "count", signed(number, 2));
        // Products are what counts: the larger, the stronger its colour.
        if (line === 2) cell.style.background = "color-mix(in srgb, " + (number < 0 ? "#2563eb" : "#d97706") + " "
          + Math.round(45 * Math.abs(number) / (peak || 1)) + "%, transparent)";
        return cell;
      }));
      return row;
    }));
    own.note.textContent = fill(shown < width ? said.numbers : said.all_numbers, { shown, width });
    const scores = products[query].map((product) => product * scale);
    const exponent = Math.exp(scores[key]).toFixed(3);
    const sum = scores.reduce((total, score) => total + Math.exp(score), 0).toFixed(3);
    own.sum.textContent = fill(said.total, { total: signed(products[query][key]), width, score: signed(scores[key]), exponent });
    own.share.textContent = fill(said.share, { exponent, sum, share: percent(weights[query][key]) });
  }

  function drawRow(query) {
    const { weights, mixed } = own.data;
    const row = weights[query];
    const peak = Math.max(...row.slice(1));
    own.rowName.textContent = fill(words.three.row, { name: name(query) });
    own.cls.textContent = words.cls + ": " + percent(row[0]);
    own.strip.tiles.forEach((tile, frame) => {
      const context = drawSeen(tile.canvas, frame, 80);
      shade(context, 0.75 * (1 - row[frame + 1] / peak));
      tile.note.textContent = frame + 1 + "\n" + percent(row[frame + 1]);
      tile.item.classList.toggle("current", query === frame + 1);
    });
    const numbers = mixed[query];
    const top = Math.max(...mixed.flat().map(Math.abs));
    const table = bytes(page.clip.palettes["blue-orange"]);
    own.mixed.width = numbers.length;
    own.mixed.height = 1;
    own.mixed.style.height = "28px";
    const context = own.mixed.getContext("2d");
    numbers.forEach((number, at) => {
      const level = 3 * Math.round(127.5 + 127.5 * number / top);
      context.fillStyle = "rgb(" + table.slice(level, level + 3).join(",") + ")";
      context.fillRect(at, 0, 1, 1);
    });
    own.mixed.setAttribute("aria-label", numbers.slice(0, SHOWN).map((number) => signed(number, 2)).join(", "));
  }

  return { build, show };
})();
