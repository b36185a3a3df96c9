"""Clips as phones, browsers and attackers make them, opened in the page as a person does."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from opened_page import SHOWN, Ui
from playwright.sync_api import Dialog, Page, expect

from stam_core.video import open_clip

pytestmark = pytest.mark.browser

EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples"
FRAMES = "#strip .frame"
FACTS = "#strip .facts"
CLOSE = 8.0  # of 255: pictures go to the page as JPEG, and smaller
# The mean colour of the middle of each frame's canvas, which shows the whole frame.
MIDDLES = """(canvases) => canvases.map((canvas) => {
  const { width: w, height: h } = canvas;
  const { data } = canvas.getContext("2d").getImageData(w / 4, h / 4, w / 2, h / 2);
  const sum = [0, 0, 0];
  data.forEach((value, index) => { if (index % 4 < 3) sum[index % 4] += value; });
  return sum.map((value) => value / (data.length / 4));
})"""


def upload(page: Page, clip: Path) -> None:
    before = page.locator(FACTS).inner_text()
    page.set_input_files("#sources input[type=file]", clip)
    expect(page.locator(FACTS)).not_to_have_text(before, timeout=60_000)
    page.wait_for_selector(SHOWN, timeout=60_000)


def shown_middles(page: Page) -> np.ndarray:
    """[T, 3] without the heat map."""
    page.locator("#strip .opacity").evaluate(
        "(input) => { input.value = 0; input.dispatchEvent(new Event('input')); }"
    )
    page.wait_for_timeout(200)  # drawing waits for the next picture of the screen
    return np.array(page.locator(f"{FRAMES} canvas").evaluate_all(MIDDLES))


def true_middles(clip: Path) -> np.ndarray:
    """[T, 3] as Python decodes them."""
    frames = open_clip(clip, num_frames=16).frames
    _, height, width, _ = frames.shape
    middle = frames[:, height // 4 : height * 3 // 4, width // 4 : width * 3 // 4]
    return np.asarray(middle.mean(axis=(1, 2)))


@pytest.mark.parametrize(
    ("clip", "size"),
    [
        ("badclips/live_no_duration.webm", "320 × 240"),  # as a browser records
        ("badclips/av1.mp4", "320 × 240"),
        ("badclips/rotated_90.mp4", "180 × 320"),
        ("clips/phone_rot90.mov", "320 × 568"),
    ],
)
def test_what_browsers_and_phones_record_is_shown_as_it_is(
    ui: Ui, shared: Path, clip: str, size: str
) -> None:
    page = ui.open()
    upload(page, shared / clip)
    expect(page.locator(FACTS)).to_contain_text(Path(clip).name)
    expect(page.locator(FACTS)).to_contain_text(size)
    expect(page.locator(FRAMES)).to_have_count(16)
    expect(page.locator("#predictions .row")).to_have_count(5)
    shown, true = shown_middles(page), true_middles(shared / clip)
    assert np.abs(shown - true).max() < CLOSE


@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror=alert(1)>.mp4",
        "${alert(1)} {{alert(1)}}.mp4",
        "-i $(touch pwned) `id`;.mp4",
        "видео 動画 %d é.mp4",
    ],
)
def test_a_valid_clip_under_a_hostile_name_is_just_a_clip(
    ui: Ui, tmp_path: Path, name: str
) -> None:
    clip = min(EXAMPLES.glob("*.mp4"), key=lambda file: file.stat().st_size)
    shutil.copy(clip, tmp_path / name)
    page = ui.open()

    def note(dialog: Dialog) -> None:
        ui.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", note)
    upload(page, tmp_path / name)
    facts = page.locator(FACTS)
    expect(facts).to_contain_text(longest_word(name))  # the framework leaves out odd characters
    expect(facts.locator("img, svg, script")).to_have_count(0)
    expect(page.locator(FRAMES)).to_have_count(16)
    expect(page.locator("#predictions .row")).to_have_count(5)
    assert np.abs(shown_middles(page) - true_middles(clip)).max() < CLOSE
    assert not (Path.cwd() / "pwned").exists()


def longest_word(name: str) -> str:
    return max(re.findall(r"\w+", name), key=len)


def test_a_full_queue_is_said_and_nothing_is_lost(ui: Ui) -> None:
    page = ui.open()
    before = page.locator(FACTS).inner_text()
    words = '{"detail": "Queue is full. Max size is 32 and size is 32."}'  # as the server refuses
    page.route(
        "**/gradio_api/queue/join*",
        lambda route: route.fulfill(status=503, content_type="application/json", body=words),
    )
    card = page.locator("#examples .card").nth(1)
    card.click()
    toast = page.locator("[data-testid=toast-body]")
    expect(toast).to_contain_text(re.compile("busy|full", re.IGNORECASE))
    expect(toast).to_contain_text("try again", ignore_case=True)
    assert page.locator(FACTS).inner_text() == before
    page.unroute("**/gradio_api/queue/join*")
    card.click()
    expect(page.locator(FACTS)).not_to_have_text(before)
    page.wait_for_selector(SHOWN)
    # The browser itself notes any answer of 503.
    ui.problems[:] = [one for one in ui.problems if "503 (Service Unavailable)" not in one]
