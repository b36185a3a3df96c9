"""How long a visitor waits: from `python app.py` to the first page, from a click to a drawn result.

    python -m benchmarks.app_latency [--clips 5]

The clips are 3-second 1280x720 films, rendered here, each new to the server. Needs a Chromium. The
click is the moment the browser has the file; the end is the moment all frames are drawn with heat
maps and bars. Ratios are against decoding and predicting the same clips in Python in this run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.machine import write_result
from stam_core import Engine
from stam_core.actions.dataset import RenderSpec, render_clips
from stam_core.video.encode import write_mp4

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SHOWN = ".strip[data-state=shown]"
FPS = 25.0
FACTS = "document.querySelector('#strip .facts').innerText"
# From a press of a button in the frame lab to the drawn answer of that edit, in milliseconds.
EDIT_TO_DRAWN = """(name) => new Promise((resolve) => {
  const answer = document.querySelector("#lab-answer .answer");
  const started = performance.now();
  new MutationObserver((_, observer) => {
    if (answer.dataset.serial !== document.querySelector("#lab-strip .lab").dataset.sent) return;
    observer.disconnect();
    requestAnimationFrame(() => resolve(performance.now() - started));
  }).observe(answer, { attributes: true, attributeFilter: ["data-serial"] });
  document.querySelector(`#lab-strip [data-name=${name}]`).click();
})"""
# From a press on a frame in the second lesson to its drawn answer, in milliseconds.
PATCH_TO_DRAWN = """(frame) => new Promise((resolve) => {
  const section = document.querySelector(".lesson section[data-number='2']");
  const started = performance.now();
  new MutationObserver((_, observer) => {
    if (section.dataset.serial !== section.dataset.asked) return;
    observer.disconnect();
    requestAnimationFrame(() => resolve(performance.now() - started));
  }).observe(section, { attributes: true, attributeFilter: ["data-serial"] });
  const canvas = section.querySelectorAll(".frames canvas")[frame];
  const box = canvas.getBoundingClientRect();
  canvas.dispatchEvent(new PointerEvent("pointerdown",
    { clientX: box.left + 9 + frame, clientY: box.top + 9, button: 0, bubbles: true }));
})"""
# The times at which the page draws, until it is left.
COUNT_FRAMES = """() => {
  const stamps = (window.benchmarkStamps = []);
  const draw = (now) => { stamps.push(now); requestAnimationFrame(draw); };
  requestAnimationFrame(draw);
}"""
LIMITS = {
    "first_page_seconds": 8.0,
    "click_to_drawn_seconds": 1.0,
    "edit_to_drawn_seconds": 0.1,
    "lesson_click_to_drawn_seconds": 0.1,
    "hover_pictures_per_second": 60.0,
}


def make_clips(folder: Path, count: int) -> list[Path]:
    """3 seconds each, 1280x720, all different."""
    spec = RenderSpec(width=1280, height=720, num_frames=int(3 * FPS))
    clips = render_clips(count, seed=20_001, spec=spec).frames
    return [
        write_mp4(folder / f"clip {number}.mp4", frames, FPS) for number, frames in enumerate(clips)
    ]


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, float]]:
    """A running app: its address, and the seconds until it first answered."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(folder / "uploads")}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        while process.poll() is None:
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                time.sleep(0.05)
        yield address, time.perf_counter() - started
    finally:
        process.terminate()
        process.wait(timeout=20)


def click_to_drawn(page: Page, clip: Path) -> float:
    """Seconds from the file's arrival in the browser to the drawn result."""
    before = page.evaluate(FACTS)
    started = time.perf_counter()
    page.set_input_files("#sources input[type=file]", clip)
    page.wait_for_function(
        f"(before) => {FACTS} !== before && document.querySelector('{SHOWN}')",
        arg=before,
        polling="raf",
    )
    return time.perf_counter() - started


def edits_to_drawn(page: Page, count: int = 20) -> list[float]:
    """Seconds from an edit to its drawn answer, once the sums that run beside it are done."""
    page.locator("#frame-lab-button").click()
    page.wait_for_selector(".lab[data-state=shown]", timeout=60_000)
    page.wait_for_selector("#lab-effects .effects[data-state=done]", timeout=90_000)
    page.evaluate(EDIT_TO_DRAWN, "reverse")
    return [page.evaluate(EDIT_TO_DRAWN, "reverse") / 1000 for _ in range(count)]


def lesson_clicks_to_drawn(page: Page, address: str, count: int = 15) -> list[float]:
    """Seconds from a press on a patch to its neighbours, in the lesson of who may look at whom."""
    page.goto(f"{address}/?tab=learn&chapter=2")
    page.wait_for_selector(".lesson section[data-number='2'][data-state=shown]", timeout=60_000)
    page.evaluate(PATCH_TO_DRAWN, 1)
    return [page.evaluate(PATCH_TO_DRAWN, frame) / 1000 for frame in range(count)]


def hover_rate(page: Page, selector: str, seconds: float = 3.0) -> float:
    """Pictures per second that the page draws while the mouse wanders over what is selected."""
    boxes = [box for part in page.locator(selector).all()[:8] if (box := part.bounding_box())]
    page.evaluate(COUNT_FRAMES)
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        for box in boxes:
            for share in (0.2, 0.5, 0.8):
                page.mouse.move(box["x"] + share * box["width"], box["y"] + share * box["height"])
    stamps: list[float] = page.evaluate("window.benchmarkStamps")  # milliseconds
    return 1000.0 * (len(stamps) - 1) / (stamps[-1] - stamps[0])


def in_python(clips: list[Path]) -> list[float]:
    """Seconds to decode and predict each clip without the app."""
    engine = Engine()
    seconds = []
    for clip in clips:
        started = time.perf_counter()
        engine.predict(engine.open(clip))
        seconds.append(time.perf_counter() - started)
    return seconds


def measure(browser: Browser, clips: list[Path], folder: Path) -> dict[str, object]:
    """All figures of one run."""
    with served(folder) as (address, serving):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        opened = time.perf_counter()
        page.goto(address)
        page.wait_for_selector(SHOWN, timeout=120_000)
        first_result = time.perf_counter() - opened
        click_to_drawn(page, clips[0])  # warms both sides up
        drawn = [click_to_drawn(page, clip) for clip in clips[1:]]
        edits = edits_to_drawn(page)
        lessons = lesson_clicks_to_drawn(page, address)
        lesson_rate = hover_rate(page, ".lesson section[data-number='2'] .frames canvas")
        page.goto(address)
        page.wait_for_selector(SHOWN, timeout=60_000)
        page.wait_for_timeout(2_000)
        strip_rate = hover_rate(page, "#strip .strip canvas")
    plain = in_python(clips)[1:]
    return {
        "start_to_first_page_seconds": serving,
        "page_to_first_result_seconds": first_result,
        "click_to_drawn_seconds": drawn,
        "decode_and_predict_seconds": plain,
        "edit_to_drawn_seconds": statistics.median(edits),
        "lesson_click_to_drawn_seconds": statistics.median(lessons),
        "hover_pictures_per_second": {"strip": strip_rate, "lesson": lesson_rate},
        "ratio": statistics.median(drawn) / statistics.median(plain),
        "limits": LIMITS,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=5, help="measured clips (default 5)")
    arguments = parser.parse_args()
    executable = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if executable is None:
        print("No Chromium here; install one, for instance with 'apt install chromium'.")
        return 2
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        clips = make_clips(folder, arguments.clips + 1)
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        figures = measure(browser, clips, folder)
        browser.close()
    for key, value in figures.items():
        print(f"{key}: {value}")
    write_result("app_latency", figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
