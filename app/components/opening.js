// A line that says a clip is on its way: from its choice until it is shown or refused.

const SILENT_MS = 500; // what is quicker needs no word
const LONG_SECONDS = 6;
let open = 0; // clips on their way
let began = 0;
let ticking = 0;

const status = make("p", "status");
status.setAttribute("role", "status");
const seconds = make("p", "seconds");
const bar = make("div", "bar"); // it moves: nobody knows how much is left
bar.append(make("div", "moving"));
bar.setAttribute("aria-hidden", "true");

function draw() {
  const passed = (performance.now() - began) / 1000;
  if (open && passed * 1000 >= SILENT_MS) {
    const said = passed < LONG_SECONDS ? words.opening : words.long;
    if (status.textContent !== said) status.textContent = said; // said once, not every second
    seconds.textContent = words.seconds.replace("{seconds}", Math.floor(passed));
    root.hidden = false;
    return;
  }
  status.textContent = "";
  root.hidden = true;
}

document.addEventListener("stam-opening", ({ detail }) => {
  if (!root.isConnected) return;
  if (detail > 0) began = performance.now();
  open = Math.max(0, open + detail);
  clearInterval(ticking);
  if (open) ticking = setInterval(draw, 250);
  draw();
});

root.replaceChildren(status, bar, seconds);
draw();
