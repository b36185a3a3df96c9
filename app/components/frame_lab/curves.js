// When it decided, and whether order matters: two charts with one plain sentence each.

function key(name) {
  const item = make("span", "key " + name);
  item.append(make("span", "swatch"), make("span", "", words[name]));
  return item;
}

function decision(value) {
  const part = make("section", "part decision");
  part.append(make("h3", "title", words.decision));
  if (!value.decision) return part;
  const { series, sentence } = value.decision;
  const keys = make("div", "keys");
  keys.append(key("prefix"), ...(series.suffix ? [key("suffix")] : []));
  const charts = make("div", "charts");
  charts.append(decisionChart(value.decision, value.low));
  if (series.depth && series.depth.length) {
    const depth = make("figure", "depth");
    depth.append(depthChart(series.depth, value.low), make("figcaption", "note", words.depth));
    charts.append(depth);
  }
  part.append(make("p", "sentence", sentence), make("p", "note", words.decision_help + " (" + value.unit + ")"), keys, charts);
  return part;
}

function order(value) {
  const part = make("section", "part order");
  part.append(make("h3", "title", words.order));
  if (!value.order) return part;
  part.append(make("p", "sentence", value.order.sentence),
    make("p", "note", words.order_help + " (" + value.unit + ")"), orderChart(value.order, value.low));
  return part;
}

function build() {
  const value = props.value;
  root.dataset.state = value ? "shown" : "waiting";
  if (!value) {
    root.replaceChildren(make("h3", "title", words.decision), make("p", "note", words.waiting));
    return;
  }
  const parts = make("div", "parts");
  if (value.decision) parts.append(decision(value));
  if (value.order) parts.append(order(value));
  root.replaceChildren(parts);
}

watch("value", build);
build();
