// Chapter 7, does order matter: a guess before every answer.
figures[7] = (() => {
  const own = {};

  function build(section) {
    const said = words.seven;
    own.state = kept.seven = kept.seven || { seed: 0, guess: null, frame: null };
    own.now = make("p", "status");
    own.result = make("p", "status");
    own.result.setAttribute("role", "status");
    own.guesses = make("div", "fields");
    own.guesses.append(make("span", "", said.guess),
      action("stays", said.stays, () => guess(true)), action("changes", said.changes, () => guess(false)));
    own.more = make("div", "fields");
    own.more.hidden = true;
    own.more.append(action("shuffle", said.shuffle, () => attempt("shuffle")),
      action("reverse", said.reverse, () => attempt("reverse")), action("freeze", said.freeze, () => attempt("freeze")));
    own.order = frameStrip({});
    own.strip = frameStrip({ choose: (frame) => {
      own.state.frame = frame;
      drawChosen();
    } });
    own.chosen = make("p", "told", said.key);
    own.reveal = action("reveal", said.reveal, () => ask(7, { reveal: true }));
    own.rows = make("div", "effects");
    own.verdict = make("p", "status");
    own.verdict.setAttribute("role", "status");
    section.append(part("guess", own.now, own.guesses, own.more, own.order.list, own.result),
      part("key", own.chosen, own.strip.list, own.reveal), part("effects", own.rows, own.verdict));
  }

  function guess(stays) {
    own.state.guess = stays;
    attempt("shuffle");
  }

  function attempt(order) {
    own.state.seed = (own.state.seed + 1) % 10000;
    own.state.wished = order;
    ask(7, { order, seed: own.state.seed, frame: own.state.frame || 0 });
  }

  function show(data, news) {
    own.data = data;
    own.now.textContent = fill(words.seven.now, { label: data.label, share: percent(data.was) });
    own.more.hidden = own.state.guess === null;
    drawTry(data.try, Boolean(news.try));
    own.strip.tiles.forEach((tile, frame) => drawSeen(tile.canvas, frame, 100));
    drawChosen();
    if (data.effects) drawEffects(data.effects);
  }

  function drawTry(tried, isNew) {
    const said = words.seven;
    const frames = tried ? tried.frames : page.clip.frames.map((_, frame) => frame);
    own.order.tiles.forEach((tile, place) => {
      drawSeen(tile.canvas, frames[place], 100);
      tile.note.textContent = frames[place] + 1;
    });
    if (!tried) { own.result.textContent = ""; return; }
    const verdict = tried.same ? said.same : fill(said.other, { label: own.data.label, old: percent(tried.old) });
    let told = fill(said.result, { order: fill(said.tried[tried.order], { frame: frames[0] + 1 }), label: tried.label,
      now: percent(tried.now), verdict });
    if (isNew && own.state.guess !== null && tried.order === "shuffle" && !own.state.judged) {
      own.state.judged = (own.state.guess === tried.same ? said.right_guess : said.wrong_guess);
      told += " " + own.state.judged;
    }
    own.result.textContent = told;
  }

  function drawChosen() {
    const { frame } = own.state;
    if (frame !== null) markChosen(own.strip, frame);
    own.chosen.textContent = words.seven.key + (frame === null ? "" : " " + fill(words.seven.chosen, { frame: frame + 1 }));
    own.reveal.disabled = frame === null;
  }

  function drawEffects({ rows, key, best, sentence }) {
    const said = words.seven;
    own.rows.replaceChildren(...Object.entries(rows).map(([name, values]) => {
      const line = make("div", "effect");
      const peak = Math.max(...values.map(Math.abs)) || 1;
      const bars = make("ol", "bars");
      values.forEach((value, frame) => {
        const bar = make("li", "bar" + (value < 0 ? " against" : "") + (frame === own.state.frame ? " yours" : "") + (frame === key[name] ? " best" : ""));
        const piece = make("span", "fill");
        piece.style.height = 50 * Math.abs(value) / peak + "%";
        piece.style[value < 0 ? "top" : "bottom"] = "50%";
        bar.title = fill(said.bar, { frame: frame + 1, value: signed(value, 3) });
        bar.append(piece, make("span", "sr", bar.title));
        bars.append(bar);
      });
      line.append(make("p", "told", said.rows[name]), bars);
      return line;
    }));
    const ranked = [...rows[best]].sort((one, other) => other - one);
    const mine = own.state.frame === null ? "" : fill(said.score,
      { rank: ranked.indexOf(rows[best][own.state.frame]) + 1, all: ranked.length, method: said.rows[best] }) + " ";
    own.verdict.textContent = mine + sentence;
  }

  return { build, show };
})();
