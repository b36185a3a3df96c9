// Part of the curves' script: charts as SVG, made node by node.
const SPACE = "http://www.w3.org/2000/svg";

function svg(tag, attributes, text) {
  const node = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function percent(value) {
  return (100 * value).toFixed(Math.abs(value) < 0.1 ? 1 : 0).replace("-", "−") + " %";
}

function chart(width, height, label) {
  return svg("svg", { viewBox: "0 0 " + width + " " + height, role: "img", "aria-label": label, class: "chart" });
}

function told(node, text) {
  node.append(svg("title", {}, text));
  return node;
}

function scale(low, high, from, to) {
  return (value) => from + (value - low) / (high - low || 1) * (to - from);
}

function ticks(low) {
  return low < 0 ? [-1, -0.5, 0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1];
}

// --- when did it decide --------------------------------------------------------------------------------------

function path(row, x, y) {
  return row.map((value, at) => (at ? "L" : "M") + x(at).toFixed(1) + " " + y(value).toFixed(1)).join("");
}

function curveOf(row, name, x, y) {
  const group = svg("g", { class: name });
  group.append(svg("path", { d: path(row, x, y), class: "curve" }));
  row.forEach((value, at) => group.append(told(
    svg("circle", { cx: x(at), cy: y(value), r: 4, class: "dot" }), words[name] + ", n = " + at + ": " + percent(value))));
  return group;
}

function decisionChart(decision, low) {
  const { prefix, suffix } = decision.series;
  const picture = chart(520, 240, words.decision + " " + decision.sentence);
  const last = prefix.length - 1;
  const x = scale(0, last, 56, 506);
  const y = scale(low, 1, 196, 12);
  for (const tick of ticks(low)) {
    picture.append(svg("line", { x1: 56, x2: 506, y1: y(tick), y2: y(tick), class: "grid" }),
      svg("text", { x: 50, y: y(tick) + 4, class: "label end" }, percent(tick)));
  }
  for (let at = 0; at <= last; at += Math.ceil(last / 8)) {
    picture.append(svg("text", { x: x(at), y: 212, class: "label middle" }, String(at)));
  }
  picture.append(svg("text", { x: 278, y: 232, class: "label middle" }, words.frames));
  if (suffix) picture.append(curveOf(suffix, "suffix", x, y));
  picture.append(curveOf(prefix, "prefix", x, y));
  return picture;
}

function depthChart(row, low) {
  const picture = chart(240, 240, words.depth + ": " + row.map(percent).join(", "));
  const y = scale(low, 1, 196, 12);
  const width = 182 / row.length;
  picture.append(svg("line", { x1: 50, x2: 236, y1: y(0), y2: y(0), class: "axis" }));
  for (const tick of ticks(low)) picture.append(svg("text", { x: 46, y: y(tick) + 4, class: "label end" }, percent(tick)));
  row.forEach((value, at) => {
    const left = 52 + at * width;
    const top = Math.min(y(value), y(0));
    picture.append(
      told(svg("rect", { x: left + width * 0.15, y: top, width: width * 0.7,
        height: Math.max(1, Math.abs(y(value) - y(0))), class: value < 0 ? "column against" : "column" }),
      words.layer + " " + (at + 1) + ": " + percent(value)),
      svg("text", { x: left + width / 2, y: 212, class: "label middle" }, String(at + 1)));
    if (row.length <= 6) {
      picture.append(svg("text", { x: left + width / 2, y: top - 4, class: "label middle" }, percent(value)));
    }
  });
  picture.append(svg("text", { x: 143, y: 232, class: "label middle" }, words.layer));
  return picture;
}

// --- does order matter ---------------------------------------------------------------------------------------

function dots(row, x, top, names) {
  const group = svg("g", {});
  row.forEach((value, at) => {
    // Spread up and down by a fixed rule, so that dots of one value can be told apart.
    const off = row.length === 1 ? 0 : ((at * 7) % 11 - 5) * 2;
    group.append(told(svg("circle", { cx: x(value), cy: top + off, r: row.length === 1 ? 6 : 3.5,
      class: row.length === 1 ? "one" : "many" }), names(at) + ": " + percent(value)));
  });
  return group;
}

function middleOf(row, x, top) {
  const sorted = [...row].sort((a, b) => a - b);
  const middle = (sorted[Math.floor((row.length - 1) / 2)] + sorted[Math.ceil((row.length - 1) / 2)]) / 2;
  return svg("line", { x1: x(middle), x2: x(middle), y1: top - 16, y2: top + 16, class: "median" });
}

function orderChart(order, low) {
  const picture = chart(520, 240, words.order + " " + order.sentence);
  const x = scale(low, 1, 162, 496);
  for (const tick of ticks(low)) {
    picture.append(svg("line", { x1: x(tick), x2: x(tick), y1: 8, y2: 200, class: "grid" }),
      svg("text", { x: x(tick), y: 218, class: "label middle" }, percent(tick)));
  }
  ["original", "reversed", "shuffles", "frozen"].forEach((name, at) => {
    const row = order.series[name];
    if (!row) return;
    const top = 30 + 48 * at;
    picture.append(svg("text", { x: 150, y: top + 4, class: "label end" }, words[name]));
    if (row.length > 1) picture.append(middleOf(row, x, top));
    picture.append(dots(row, x, top, (i) => (name === "frozen" ? words.frame + " " + (i + 1) : words[name])));
  });
  return picture;
}
