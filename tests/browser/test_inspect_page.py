"""The tab "Inspect" as a person uses it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opened_page import SHOWN, Ui, watch
from playwright.sync_api import Browser, Page, Route, expect

pytestmark = pytest.mark.browser

ASSETS = Path(__file__).resolve().parents[2] / "assets"
FRAMES = "#strip .frame"
TOAST = "[data-testid=toast-body]"
# The mean colour of a frame's middle, where the model looked.
MIDDLE = """(canvas) => {
  const { width: w, height: h } = canvas;
  const { data } = canvas.getContext("2d").getImageData(w / 4, h / 4, w / 2, h / 2);
  const sum = [0, 0, 0];
  data.forEach((value, index) => { if (index % 4 < 3) sum[index % 4] += value; });
  return sum.map((value) => value / (data.length / 4));
}"""


def middle_colour(page: Page, frame: int = 0) -> list[float]:
    page.wait_for_timeout(120)  # drawing waits for the next picture of the screen
    return page.locator(f"{FRAMES} canvas").nth(frame).evaluate(MIDDLE)


def differs(first: list[float], second: list[float]) -> bool:
    return max(abs(a - b) for a, b in zip(first, second, strict=True)) > 2


def set_slider(page: Page, selector: str, value: float) -> None:
    page.locator(selector).evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", value
    )


def facts(page: Page) -> str:
    return page.locator("#strip .facts").inner_text()


def upload(page: Page, clip: Path | dict[str, Any]) -> None:
    before = facts(page)
    page.set_input_files("#sources input[type=file]", clip)  # type: ignore[arg-type]
    page.wait_for_function(
        "(before) => document.querySelector('#strip .facts').innerText !== before", arg=before
    )
    page.wait_for_selector(SHOWN)


def test_first_example_is_shown_analysed_when_the_page_opens(ui: Ui) -> None:
    page = ui.open()
    expect(page.locator(FRAMES)).to_have_count(16)
    expect(page.locator("#predictions .row")).to_have_count(5)
    shares = [
        float(text.split()[0]) for text in page.locator("#predictions .share").all_inner_texts()
    ]
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 100.5
    expect(page.locator("#examples .card[aria-pressed=true]")).to_have_count(1)
    assert page.locator("#examples .card").count() >= 6


def test_of_choices_made_in_a_hurry_the_last_one_is_shown(ui: Ui) -> None:
    page = ui.open()
    cards = page.locator("#examples .card")
    titles = [" ".join(title.split()) for title in cards.all_inner_texts()]
    for i in (1, 2, 3):
        cards.nth(i).click()
        page.wait_for_timeout(60)  # each is on its way before the next is chosen
    page.wait_for_function(
        "(title) => document.querySelector('#strip .facts').innerText.startsWith(title)",
        arg=titles[3],
    )
    page.wait_for_timeout(1500)  # nothing older comes after it
    page.wait_for_selector(SHOWN)
    assert facts(page).startswith(titles[3])
    expect(cards.nth(3)).to_have_attribute("aria-pressed", "true")


def test_of_methods_chosen_in_a_hurry_the_last_one_is_drawn(ui: Ui) -> None:
    page = ui.open()
    title = page.locator("#strip .legend .name")
    chooser = page.locator("#heat select").first
    for method in ("occlusion", "grad-cam", "spatial-attention"):
        chooser.select_option(method)
        page.wait_for_timeout(60)
    expect(title).to_contain_text("Spatial attention", timeout=20_000)
    page.wait_for_timeout(1500)  # nothing older comes after it
    expect(title).to_contain_text("Spatial attention")
    expect(chooser).to_have_value("spatial-attention")


def test_an_address_may_name_the_example(ui: Ui) -> None:
    page = ui.open()
    name = page.locator("#examples .card").nth(2).get_attribute("data-name")
    page = ui.open(f"/?example={name}")
    expect(page.locator("#examples .card").nth(2)).to_have_attribute("aria-pressed", "true")


def test_choosing_an_example_shows_it_at_once(ui: Ui) -> None:
    page = ui.open()
    card = page.locator("#examples .card").nth(1)
    card.click()
    expect(card).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#strip .facts")).to_contain_text(card.inner_text())
    expect(page.locator(FRAMES)).to_have_count(16)


@pytest.mark.parametrize(
    ("clip", "size"),
    [
        ("flipping_a_pancake.mkv", "426 × 240"),
        ("two_people_walk_in.gif", "480 × 270"),
        ("applying_makeup.avi", "320 × 240"),
        ("nasa_rotated.mp4", "270 × 480"),
    ],
)
def test_a_real_clip_is_analysed(ui: Ui, shared: Path, clip: str, size: str) -> None:
    page = ui.open()
    upload(page, shared / "clips" / clip)
    expect(page.locator("#strip .facts")).to_contain_text(clip)
    expect(page.locator("#strip .facts")).to_contain_text(size)
    expect(page.locator(FRAMES)).to_have_count(16)
    expect(page.locator("#predictions .row")).to_have_count(5)
    with_map = middle_colour(page, 8)
    set_slider(page, "#strip .opacity", 0)
    assert differs(with_map, middle_colour(page, 8)), "no heat map was painted"


def test_the_overlay_lies_on_the_crop_the_model_saw(ui: Ui, shared: Path) -> None:
    page = ui.open()
    upload(page, shared / "clips" / "flipping_a_pancake.mkv")  # 426 x 240: the sides are cut off
    edge = (
        """(canvas) => [...canvas.getContext("2d").getImageData(8, canvas.height / 2, 1, 1).data]"""
    )
    canvas = page.locator(f"{FRAMES} canvas").nth(3)
    set_slider(page, "#strip .opacity", 100)
    page.wait_for_timeout(120)
    covered, middle = canvas.evaluate(edge), middle_colour(page, 3)
    set_slider(page, "#strip .opacity", 0)
    assert differs(middle, middle_colour(page, 3))
    assert covered == canvas.evaluate(edge)


def test_looks_change_in_the_page_without_any_request(ui: Ui) -> None:
    page = ui.open()
    page.wait_for_timeout(500)
    start = middle_colour(page)
    before = len(ui.requests)
    page.get_by_label("Colours").select_option("inferno")
    other_colours = middle_colour(page)
    page.get_by_label("Scale").select_option("frame")
    page.get_by_label("Smooth").check()
    set_slider(page, "#strip .opacity", 20)
    fainter = middle_colour(page)
    assert differs(start, other_colours)
    assert differs(other_colours, fainter)
    assert len(ui.requests) == before


def test_another_method_changes_map_bars_and_legend(ui: Ui) -> None:
    page = ui.open()
    legend = page.locator("#strip .legend .name")
    scores = page.locator("#strip .score").all_inner_texts()
    expect(legend).to_have_text("Spatial rollout")
    page.locator("#heat select").first.select_option("rollout")
    expect(legend).to_have_text("Space-time rollout")
    expect(page.locator("#strip .reading")).to_contain_text("unattributed")
    page.locator("#bars select").first.select_option("temporal-rollout")
    expect(page.locator("#bars .choice")).to_have_value("temporal-rollout")
    expect(page.locator("#strip .score").first).not_to_have_text(scores[0])


def test_a_parameter_changes_the_numbers(ui: Ui) -> None:
    page = ui.open()
    page.locator("#heat summary").click()
    highest = page.locator("#strip .legend .numbers span").last
    before = highest.inner_text()
    page.locator("#heat [data-name=residual]").evaluate(
        "(input) => { input.value = input.min; input.dispatchEvent(new Event('input')); }"
    )
    expect(highest).not_to_have_text(before)
    page.locator("#heat .reset").click()
    expect(highest).to_have_text(before)


def test_a_time_span_moves_the_frames(ui: Ui) -> None:
    page = ui.open()
    page.locator("#sampling summary").click()
    last = page.locator("#strip .stamp").last
    before = last.inner_text()
    set_slider(page, "#sampling [data-name=end]", 1.0)
    expect(last).not_to_have_text(before)
    assert float(last.inner_text().split()[0]) <= 1.0
    expect(page.locator("#strip .notes")).to_contain_text("Only the part from")


def test_a_time_span_can_be_typed_and_nonsense_is_put_back(ui: Ui) -> None:
    page = ui.open()
    page.locator("#sampling summary").click()
    end = page.locator("#sampling input.number").last
    end.fill("1.5")
    end.press("Enter")
    expect(page.locator("#strip .notes")).to_contain_text("Only the part from 0.00 s to 1.5")
    end.fill("-3")
    end.press("Enter")
    expect(end).to_have_value("1.5")
    expect(page.locator("#sampling [data-name=end]")).to_have_value("1.5")


def test_text_renamed_to_mp4_is_refused_and_the_page_goes_on(ui: Ui) -> None:
    page = ui.open()
    before = facts(page)
    name = "<img src=x onerror=alert(1)>.mp4"
    page.set_input_files(
        "#sources input[type=file]",
        {"name": name, "mimeType": "video/mp4", "buffer": b"not a video at all " * 50},
    )
    toast = page.locator(TOAST)
    expect(toast).to_contain_text("Choose an mp4")
    expect(toast.locator("img")).to_have_count(0)
    assert facts(page) == before
    page.locator("#examples .card").nth(1).click()
    expect(page.locator("#strip .facts")).not_to_have_text(before)
    expect(page.locator("#predictions .row")).to_have_count(5)


def test_kinetics_model_shows_its_terms_and_without_network_the_old_one_stays(ui: Ui) -> None:
    page = ui.open()
    before = page.locator("#model input").input_value()
    page.locator("#model input").click()
    page.get_by_role("option", name=re.compile("STAM-16")).click()
    card = page.locator("#card")
    expect(card).to_contain_text("stam_16.pth")
    expect(card).to_contain_text("477 MB")
    expect(card).to_contain_text("Apache-2.0")
    expect(card).to_contain_text("79.3 % top-1")
    page.locator("#download").click()
    expect(page.locator(TOAST)).to_contain_text("stays")
    expect(page.locator("#model input")).to_have_value(before)
    expect(card).to_be_hidden()
    page.locator("#examples .card").nth(1).click()
    expect(page.locator("#predictions .note")).to_contain_text("rendered actions")


def test_a_wrong_checkpoint_is_refused_and_the_old_model_stays(ui: Ui, tmp_path: Path) -> None:
    page = ui.open()
    before = page.locator("#model input").input_value()
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(b"this is no checkpoint")
    page.locator("#more button").first.click()
    page.set_input_files("#more input[type=file]", wrong)
    expect(page.locator(TOAST)).to_contain_text("stays")
    expect(page.locator("#model input")).to_have_value(before)


def test_a_model_of_ones_own_is_opened_with_its_labels(ui: Ui, tmp_path: Path) -> None:
    page = ui.open()
    own = tmp_path / "my-model.safetensors"
    own.write_bytes((ASSETS / "stam-actions.safetensors").read_bytes())
    page.locator("#more button").first.click()
    page.set_input_files("#more input[type=file]", own)
    expect(page.locator("#model input")).to_have_value("my-model")
    expect(page.locator("#model-summary")).to_contain_text("A checkpoint of yours")
    expect(page.locator("#predictions .note")).to_contain_text("my-model")
    page.locator("#model input").click()
    page.get_by_role("option", name=re.compile("^STAM, rendered")).click()
    expect(page.locator("#predictions .note")).to_contain_text("rendered actions")


DROP = """(zone) => {
  const moved = new DataTransfer();
  moved.items.add(new File(["no video"], "dropped.mp4", { type: "video/mp4" }));
  const told = { dataTransfer: moved, bubbles: true, cancelable: true };
  zone.dispatchEvent(new DragEvent("drop", told));
}"""


def test_the_page_says_that_a_clip_is_on_its_way_until_it_is_there_or_refused(
    ui: Ui, tmp_path: Path
) -> None:
    page = ui.open()
    line = page.locator("#opening .opening")
    expect(line).to_be_hidden()
    held: list[Route] = []
    page.route("**/gradio_api/queue/join*", lambda route: held.append(route))
    for clip, name in ((ASSETS / "examples" / "walk.mp4", "mine.mp4"), (None, "no-video.mp4")):
        sent = tmp_path / name
        sent.write_bytes(clip.read_bytes() if clip else b"no video at all")
        page.set_input_files("#sources input[type=file]", sent)
        expect(line.get_by_role("status")).to_have_text("Opening the clip…", timeout=30_000)
        expect(line).to_contain_text(re.compile(r"\d s"))
        held.pop().continue_()
        expect(line).to_be_hidden(timeout=60_000)
    page.set_input_files("#sources input[type=file]", tmp_path / "mine.mp4")
    expect(line.get_by_role("status")).to_have_text("Opening the clip…", timeout=30_000)
    held.pop().fulfill(status=503, json={"detail": "Queue is full."})
    expect(line).to_be_hidden(timeout=60_000)
    expect(page.locator("#strip .facts")).to_contain_text("mine.mp4")  # the refused one left it
    # The browser itself notes any answer of 503.
    ui.problems[:] = [one for one in ui.problems if "503 (Service Unavailable)" not in one]


def test_a_file_dropped_on_the_card_is_opened(ui: Ui) -> None:
    page = ui.open()
    page.locator("#clip-card").evaluate(DROP)
    expect(page.locator(TOAST)).to_contain_text("dropped.mp4")


def test_a_webcam_recording_is_analysed(ui: Ui) -> None:
    page = ui.open()
    page.locator("#camera").click()
    page.get_by_text("Click to Access Webcam").click()
    page.get_by_text("Record", exact=True).click()
    page.wait_for_timeout(2500)
    page.get_by_text("Stop", exact=True).click()
    expect(page.locator("#strip .facts")).to_contain_text("Webcam recording")
    expect(page.locator(FRAMES)).to_have_count(16)
    expect(page.locator("#webcam")).to_be_hidden()
    expect(page.locator("#examples .card[aria-pressed=true]")).to_have_count(0)


def test_frames_are_reached_and_opened_by_keyboard(ui: Ui) -> None:
    page = ui.open()
    page.locator(FRAMES).first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(FRAMES).nth(2)).to_be_focused()
    page.keyboard.press("Enter")
    title = page.locator("#strip dialog .title")
    expect(title).to_contain_text("Frame 3 / 16")
    page.keyboard.press("ArrowRight")
    expect(title).to_contain_text("Frame 4 / 16")
    page.keyboard.press("Escape")
    expect(page.locator("#strip dialog")).to_be_hidden()
    expect(page.locator(FRAMES).nth(3)).to_be_focused()


def test_the_large_view_tells_a_patch_and_plays(ui: Ui) -> None:
    page = ui.open()
    page.locator(FRAMES).nth(4).click()
    readout = page.locator("#strip dialog .line").last
    expect(readout).to_contain_text("Strongest patch")
    page.locator("#strip dialog canvas").hover()
    expect(readout).to_contain_text(re.compile(r"Patch in row \d+, column \d+: [\d.]+ %"))
    page.locator("#strip dialog .play").click()
    expect(page.locator("#strip dialog .title")).not_to_contain_text("Frame 5 /")
    page.locator("#strip dialog .play").click()
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#strip dialog")).to_be_hidden()


def test_two_visitors_do_not_meet(ui: Ui, browser: Browser) -> None:
    first = ui.open()
    context = browser.new_context()
    other = Ui(context.new_page(), ui.address)
    watch(other.page, other)
    second = other.open()
    second.locator("#examples .card").nth(3).click()
    chosen = second.locator("#examples .card").nth(3).inner_text()
    expect(second.locator("#strip .facts")).to_contain_text(chosen)
    before = facts(first)
    first.locator("#heat select").first.select_option("rollout")
    expect(first.locator("#strip .legend .name")).to_have_text("Space-time rollout")
    assert facts(first) == before
    expect(second.locator("#strip .legend .name")).to_have_text("Spatial rollout")
    assert other.problems == []
    context.close()


@pytest.fixture
def new_ui(browser: Browser, server: str) -> Callable[..., Ui]:
    def make(**context: Any) -> Ui:
        opened = Ui(browser.new_context(**context).new_page(), server)
        watch(opened.page, opened)
        opened.open()
        return opened

    return make


def test_a_phone_needs_no_sideways_scrolling(new_ui: Callable[..., Ui]) -> None:
    phone = new_ui(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = phone.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    right_edges = """() => [...document.querySelectorAll("#strip *, .panel *, .examples *")]
      .map((node) => node.getBoundingClientRect().right)"""
    assert max(page.evaluate(right_edges)) <= 390
    page.locator(FRAMES).nth(2).tap()
    dialog = page.locator("#strip dialog")
    expect(dialog).to_be_visible()
    box = dialog.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert phone.problems == []
    page.context.close()


def test_dark_mode_is_dark_and_readable(new_ui: Callable[..., Ui]) -> None:
    dark = new_ui(color_scheme="dark")
    colour = (
        """(node, name) => getComputedStyle(node)[name].match(/[\\d.]+/g).slice(0, 3).map(Number)"""
    )
    back = dark.page.locator("body").evaluate(colour, "backgroundColor")
    fore = dark.page.locator("#strip .facts").evaluate(colour, "color")
    assert max(back) < 60
    assert min(fore) > 120
    assert dark.problems == []
    dark.page.context.close()
