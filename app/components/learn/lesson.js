// Part of the lessons' script, the last: one chapter in view, data arriving, and the question at its end.

function quizOf(number, data) {
  const place = page.sections[number].querySelector(".quiz");
  const { quiz } = data;
  if (!quiz || place.dataset.prompt === quiz.prompt) return;
  place.dataset.prompt = quiz.prompt;
  const set = make("fieldset");
  set.append(make("legend", "", words.question + ": " + quiz.prompt));
  const said = make("p", "verdict");
  said.setAttribute("role", "status");
  quiz.choices.forEach((choice, index) => {
    const label = make("label", "radio");
    const input = make("input");
    Object.assign(input, { type: "radio", name: element.id + "-quiz-" + number, value: index });
    label.append(input, make("span", "", choice));
    set.append(label);
  });
  const check = action("check", words.check, () => {
    const chosen = set.querySelector("input:checked");
    if (!chosen) return;
    const right = Number(chosen.value) === quiz.answer;
    said.textContent = right ? words.right + " " + quiz.why : words.wrong;
    said.dataset.right = right;
    if (!right) return;
    kept.solved[number] = true;
    document.dispatchEvent(new CustomEvent("stam-learn-solved"));
  });
  set.append(check, said);
  place.replaceChildren(set);
}

// What the text speaks about is outlined in the figure.
function highlight() {
  const section = page.sections[kept.chapter];
  if (!section) return;
  const book = document.getElementById("learn-book");
  const nav = (words.parts || {})[kept.chapter] || [];
  const now = book.dataset.free === "true" ? "" : nav[Number(book.dataset.step) - 1] || "";
  section.querySelectorAll("[data-part]").forEach((node) => node.classList.toggle("now", node.dataset.part === now));
}

function turn() {
  for (const [number, section] of Object.entries(page.sections)) section.hidden = Number(number) !== kept.chapter;
  const number = kept.chapter;
  const figure = figures[number];
  if (page.sprite && figure && !(kept.data[number] && page.sections[number].dataset.state === "shown")) {
    if (kept.data[number]) arrive(number, kept.data[number]);
    else ask(number, figure.wanted ? figure.wanted() : {});
  }
  highlight();
}

function arrive(number, news) {
  const section = page.sections[number];
  kept.data[number] = { ...kept.data[number], ...news };
  const data = kept.data[number];
  section.querySelector(".missing").hidden = !data.missing;
  section.querySelector(".body").hidden = Boolean(data.missing);
  section.querySelector(".empty").hidden = true;
  if (data.missing) section.querySelector(".missing p").textContent = data.missing;
  else {
    section.querySelector(".about").textContent = data.about || "";
    figures[number].show(data, news);
    quizOf(number, data);
  }
  section.dataset.state = "shown";
  section.dataset.serial = news.serial || 0;
  highlight();
}

function takeLessons() {
  for (const number of words.chapters) {
    const news = props["lesson" + number];
    if (!news || !news.key || !page.clip || news.key !== page.clip.key || page.taken[number] === news) continue;
    page.taken[number] = news;
    const post = page.posts[number];
    if (post && post.open !== null && news.serial < post.open) continue; // an older answer
    arrive(number, news);
    if (post && post.open === news.serial && !news.partial) next(number);
  }
}

async function takeClip() {
  const clip = props.clip;
  if (!clip || !clip.key || clip === page.wanted) return;
  page.wanted = clip;
  const picture = new Image();
  picture.src = clip.sprite;
  await picture.decode();
  if (page.wanted !== clip) return; // a newer clip came while this one was being read
  const same = kept.key === clip.key;
  Object.assign(page, { clip, sprite: picture, ramp: null, posts: {}, taken: {} });
  if (!same) {
    const { chapter, step, free, solved, measure } = kept;
    for (const name of Object.keys(kept)) delete kept[name];
    Object.assign(kept, { chapter, step, free, solved, measure, key: clip.key, data: {} });
  }
  buildSections();
  root.dataset.state = "shown";
  turn();
}

function buildSections() {
  page.waiting.hidden = true;
  page.box.replaceChildren();
  for (const number of words.chapters) {
    const section = make("section", "chapter");
    section.dataset.number = number;
    section.setAttribute("aria-label", words.titles[number]);
    const body = make("div", "body");
    const empty = make("p", "empty", words.computing);
    const missing = make("div", "missing");
    missing.hidden = body.hidden = true;
    body.append(make("p", "told about"));
    missing.append(make("p"), action("example", words.example, () => trigger("example", {})));
    section.append(empty, missing, body);
    page.sections[number] = section;
    page.box.append(section);
    figures[number].build(body);
    body.append(make("div", "quiz"));
  }
}

page.waiting = make("p", "empty", words.waiting);
page.box = make("div");
root.replaceChildren(page.waiting, page.box);
watch(["clip"], takeClip);
watch(words.chapters.map((number) => "lesson" + number), takeLessons);
document.addEventListener("stam-learn-turn", () => { if (root.isConnected && page.sprite) turn(); });
takeClip();
