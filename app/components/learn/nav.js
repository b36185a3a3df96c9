// Chapters, steps and free mode. What is in view stands on attributes of the book, which the styles follow.
const kept = (globalThis.stamLearn = globalThis.stamLearn || { solved: {} }); // lives on while the tab is closed
const page = { links: [] };
const CONTROL = "input, select, textarea, button, a, summary, [role=tab], [contenteditable], [tabindex]:not([tabindex='-1'])";

function book() {
  return document.getElementById("learn-book");
}

function entry() {
  return words.chapters.find((chapter) => chapter.number === kept.chapter);
}

function address(number) {
  const query = new URLSearchParams();
  if (props.example) query.set("example", props.example);
  query.set("tab", "learn");
  query.set("chapter", number);
  return "?" + query;
}

// --- where we are ---

function go(chapter, step, byHand = true) {
  kept.chapter = chapter;
  kept.step = step;
  if (byHand) history.replaceState(history.state, "", address(chapter));
  draw();
  document.dispatchEvent(new CustomEvent("stam-learn-turn"));
}

function turn(by) {
  const at = words.chapters.indexOf(entry());
  const steps = kept.free ? 1 : entry().parts.length;
  const step = kept.step + by;
  if (step >= 0 && step < steps) { go(kept.chapter, step); return; }
  const next = words.chapters[at + Math.sign(by)];
  if (!next) return;
  go(next.number, by > 0 || kept.free ? 0 : next.parts.length - 1);
  // A new chapter begins at its top.
  const top = book().getBoundingClientRect().top;
  if (top < 0) book().scrollIntoView({ block: "start" });
}

function isEnd(by) {
  const at = words.chapters.indexOf(entry());
  const last = kept.free ? 0 : entry().parts.length - 1;
  return by > 0 ? at === words.chapters.length - 1 && kept.step >= last : at === 0 && kept.step <= 0;
}

function fill(sentence, values) {
  return Object.entries(values).reduce((text, [name, value]) => text.replaceAll("{" + name + "}", value), sentence);
}

function draw() {
  const { number, parts } = entry();
  Object.assign(book().dataset, { chapter: number, step: kept.free ? "" : kept.step + 1, free: Boolean(kept.free) });
  page.links.forEach(({ link, tick, chapter }) => {
    const current = chapter.number === number;
    if (current) link.setAttribute("aria-current", "step");
    else link.removeAttribute("aria-current");
    link.href = address(chapter.number);
    tick.hidden = !kept.solved[chapter.number];
  });
  page.previous.disabled = isEnd(-1);
  page.next.disabled = isEnd(1);
  page.free.checked = Boolean(kept.free);
  const before = words.chapters.slice(0, words.chapters.indexOf(entry())).reduce((sum, chapter) => sum + chapter.parts.length, 0);
  page.progress.max = words.chapters.reduce((sum, chapter) => sum + chapter.parts.length, 0);
  page.progress.value = before + (kept.free ? 1 : kept.step + 1);
  page.status.textContent = kept.free ? fill(words.free_status, { number })
    : fill(words.step, { number, step: kept.step + 1, steps: parts.length });
}

// --- keys: space and arrows, wherever no control has the focus ---

function isOurs(target) {
  if (target === document.body || target === document.documentElement || target.id === "learn-button") return true;
  return book().contains(target) && !target.closest(CONTROL);
}

function keys(event) {
  if (!root.isConnected || !book().getClientRects().length || event.defaultPrevented) return;
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const ours = isOurs(event.target);
  const inNav = root.contains(event.target) && event.target !== page.free;
  let by = 0;
  if (event.key === " " && ours) by = event.shiftKey ? -1 : 1;
  if ((event.key === "ArrowRight" || event.key === "ArrowLeft") && (ours || inNav)) by = event.key === "ArrowRight" ? 1 : -1;
  if (!by) return;
  event.preventDefault();
  event.stopPropagation();
  turn(by);
}

// --- the parts ---

function chapterLink(chapter) {
  const item = make("li");
  const link = make("a", "chapter");
  const tick = make("span", "tick", "✓");
  tick.setAttribute("role", "img");
  tick.setAttribute("aria-label", words.solved);
  link.append(make("span", "number", String(chapter.number)), make("span", "name", chapter.title), tick);
  link.dataset.number = chapter.number;
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new window is a new window
    event.preventDefault();
    go(chapter.number, 0);
  });
  item.append(link);
  page.links.push({ link, tick, chapter });
  return item;
}

function button(name, run) {
  const made = make("button", "plain", words[name]);
  made.type = "button";
  made.dataset.name = name;
  made.addEventListener("click", run);
  page[name] = made;
  return made;
}

async function copyLink() {
  const link = location.origin + location.pathname + address(kept.chapter);
  try {
    await navigator.clipboard.writeText(link);
    page.status.textContent = words.copied;
  } catch {
    page.status.textContent = link; // no clipboard here: the person can copy it
  }
}

function build() {
  const list = make("ol", "chapters");
  list.append(...words.chapters.map(chapterLink));
  const nav = make("nav");
  nav.setAttribute("aria-label", words.label);
  nav.append(list);
  const bar = make("div", "bar");
  page.progress = make("progress");
  page.progress.setAttribute("aria-label", words.label);
  page.status = make("span", "status");
  page.status.setAttribute("role", "status");
  const free = make("label", "free");
  page.free = make("input");
  page.free.type = "checkbox";
  page.free.dataset.name = "free";
  page.free.addEventListener("change", () => {
    kept.free = page.free.checked;
    go(kept.chapter, 0);
  });
  free.title = words.free_help;
  free.append(page.free, make("span", "", words.free));
  bar.append(button("previous", () => turn(-1)), button("next", () => turn(1)), page.status, page.progress);
  const more = make("div", "more");
  more.append(free, button("link", copyLink));
  const row = make("div", "row");
  row.append(bar, more);
  root.replaceChildren(nav, row);
}

function begin() {
  const asked = Number(new URLSearchParams(location.search).get("chapter"));
  const known = words.chapters.map((chapter) => chapter.number);
  if (!known.includes(kept.chapter)) kept.chapter = known.includes(asked) ? asked : known[0];
  if (!Number.isInteger(kept.step)) kept.step = 0;
  go(kept.chapter, kept.step, false);
}

// Whoever leaves for another tab and loads the page again wants to be there.
function leave(event) {
  const tab = event.target.closest && event.target.closest("[role=tab]");
  if (!root.isConnected || !tab) return;
  const query = new URLSearchParams(location.search);
  if (tab.id === "learn-button") { history.replaceState(history.state, "", address(kept.chapter)); return; }
  query.delete("tab");
  query.delete("chapter");
  history.replaceState(history.state, "", query.size ? "?" + query : location.pathname);
}

build();
begin();
watch("example", draw);
document.addEventListener("keydown", keys, true);
document.addEventListener("click", leave);
document.addEventListener("stam-learn-solved", () => { if (root.isConnected) draw(); });
