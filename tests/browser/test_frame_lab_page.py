"""The tab "Frame lab" as a person uses it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opened_page import Ui, watch
from playwright.sync_api import Browser, Page, expect

from benchmarks.app_latency import EDIT_TO_DRAWN

pytestmark = pytest.mark.browser

TILES = "#lab-strip .frames .tile"
FRAMES = "#lab-strip .frames .frame"
TOAST = "[data-testid=toast-body]"
ORDER = "(list) => [...list.children].map((tile) => Number(tile.dataset.frame))"
TOO_WIDE = "(all) => all.filter((n) => n.scrollWidth > n.clientWidth).map((n) => n.textContent)"
PUSH_DOWN = "(part) => { part.style.transform = 'translateY(90px)'; }"
KEPT = "(list) => [...list.children].filter((tile) => tile.dataset.kept === 'true').length"


def open_lab(ui: Ui) -> Page:
    page = ui.open()
    page.locator("#frame-lab-button").click()
    page.wait_for_selector(".lab[data-state=shown]", timeout=60_000)
    expect(page.locator("#lab-answer .row").first).to_be_visible()
    return page


@pytest.fixture
def lab(ui: Ui) -> Page:
    return open_lab(ui)


def order(page: Page) -> list[int]:
    found: list[int] = page.locator("#lab-strip .frames").evaluate(ORDER)
    return found


def kept(page: Page) -> int:
    found: int = page.locator("#lab-strip .frames").evaluate(KEPT)
    return found


def press(page: Page, name: str) -> None:
    page.locator(f"#lab-strip [data-name={name}]").click()


def answered(page: Page) -> None:
    """Wait until the answer on the page is that of the last edit."""
    page.wait_for_function(
        "document.querySelector('#lab-answer .answer').dataset.serial ==="
        " document.querySelector('#lab-strip .lab').dataset.sent"
    )


def shares(page: Page) -> list[str]:
    answered(page)
    return page.locator("#lab-answer .share").all_inner_texts()


def test_the_clip_of_the_first_tab_lies_on_the_bench(lab: Page) -> None:
    assert order(lab) == list(range(16))
    assert kept(lab) == 16
    expect(lab.locator("#lab-strip .status")).to_have_text("as opened")
    expect(lab.locator("#lab-answer .moved").first).to_have_text("as opened")
    expect(lab.locator("#lab-strip [data-name=undo]")).to_be_disabled()


def test_a_frame_is_removed_and_the_answer_follows_then_undone_and_redone(lab: Page) -> None:
    start = lab.locator("#lab-answer .share").all_inner_texts()
    removed = [place for place in range(16) if place != 8]  # fewer would change no digit
    for place in removed:
        lab.locator(FRAMES).nth(place).click()
    assert kept(lab) == 1
    expect(lab.locator("#lab-strip .status")).to_have_text("1 of 16 frames kept")
    without = shares(lab)
    assert without != start
    for _ in removed:
        press(lab, "undo")
    assert kept(lab) == 16
    assert shares(lab) == start
    for _ in removed:
        press(lab, "redo")
    assert kept(lab) == 1
    assert shares(lab) == without
    lab.locator(FRAMES).nth(0).focus()
    lab.keyboard.press("Control+z")
    assert kept(lab) == 2
    press(lab, "reset")
    assert shares(lab) == start


def test_frames_are_dragged_to_another_place(lab: Page) -> None:
    lab.locator(FRAMES).nth(1).drag_to(
        lab.locator(FRAMES).nth(4), target_position={"x": 80, "y": 20}
    )
    assert order(lab)[:6] == [0, 2, 3, 4, 1, 5]
    assert kept(lab) == 16, "a drag is no click"
    lab.locator(FRAMES).nth(4).drag_to(
        lab.locator(FRAMES).nth(1), target_position={"x": 6, "y": 20}
    )
    assert order(lab) == list(range(16))
    expect(lab.locator("#lab-strip .ghost")).to_have_count(0)


def test_a_drag_can_be_given_up(lab: Page) -> None:
    box = lab.locator(FRAMES).nth(2).bounding_box()
    assert box is not None
    lab.mouse.move(box["x"] + 10, box["y"] + 10)
    lab.mouse.down()
    lab.mouse.move(box["x"] + 300, box["y"] + 10, steps=4)
    expect(lab.locator("#lab-strip .ghost")).to_have_count(1)
    lab.keyboard.press("Escape")
    lab.mouse.up()
    expect(lab.locator("#lab-strip .ghost")).to_have_count(0)
    assert order(lab) == list(range(16))


def test_everything_is_reached_by_keyboard(lab: Page) -> None:
    lab.locator(FRAMES).first.focus()
    lab.keyboard.press("ArrowRight")
    lab.keyboard.press("Shift+ArrowRight")
    lab.keyboard.press("Shift+ArrowRight")
    assert order(lab)[:5] == [0, 2, 3, 1, 4]
    expect(lab.locator(FRAMES).nth(3)).to_be_focused()
    lab.keyboard.press("Delete")
    assert kept(lab) == 15
    label = lab.locator(FRAMES).nth(3).get_attribute("aria-label")
    assert label is not None
    assert re.fullmatch(r"Place 4: frame 2, [\d.]+ s, removed", label)
    lab.keyboard.press("Enter")
    assert kept(lab) == 16
    lab.keyboard.press("Home")
    expect(lab.locator(FRAMES).first).to_be_focused()
    expect(lab.locator(f"{FRAMES}[tabindex='0']")).to_have_count(1)


def test_reverse_shuffle_freeze_and_keep_only(lab: Page) -> None:
    press(lab, "reverse")
    assert order(lab) == list(range(15, -1, -1))
    expect(lab.locator("#lab-strip .status")).to_contain_text("order changed")
    press(lab, "shuffle")
    assert sorted(order(lab)) == list(range(16))
    press(lab, "reset")
    lab.locator("#lab-strip .caption").nth(6).click()
    press(lab, "freeze")
    assert order(lab) == [6] * 16
    expect(lab.locator("#lab-strip .status")).to_contain_text("frames repeated")
    press(lab, "undo")
    lab.locator("#lab-strip .caption").nth(2).click()
    press(lab, "only")
    assert kept(lab) == 1
    lab.locator(FRAMES).nth(2).click()
    expect(lab.locator("#lab-answer .note").last).to_contain_text("No frame is left")
    press(lab, "reset")
    lab.locator("#lab-strip .caption").nth(2).click()
    press(lab, "right")
    assert order(lab)[:4] == [0, 1, 3, 2]


def test_the_way_of_removing_changes_the_answer(lab: Page) -> None:
    lab.locator("#lab-strip .caption").nth(4).click()
    press(lab, "only")
    dropped = shares(lab)
    lab.locator("#lab-strip [data-name=removal]").select_option("hold")
    held = shares(lab)
    assert held != dropped
    expect(lab.locator("#lab-strip [data-name=places]")).to_be_disabled()
    lab.locator("#lab-strip [data-name=removal]").select_option("drop")
    assert shares(lab) == dropped
    lab.locator("#lab-strip [data-name=places]").select_option("close")
    assert shares(lab) != dropped


def test_undo_and_reset_restore_the_way_of_removing_too(lab: Page) -> None:
    start = shares(lab)
    removal = lab.locator("#lab-strip [data-name=removal]")
    lab.locator("#lab-strip .caption").nth(4).click()
    press(lab, "only")
    dropped = shares(lab)
    removal.select_option("hold")
    assert shares(lab) != dropped
    press(lab, "undo")
    expect(removal).to_have_value("drop")
    assert kept(lab) == 1
    assert shares(lab) == dropped
    press(lab, "redo")
    expect(removal).to_have_value("hold")
    press(lab, "reset")
    expect(removal).to_have_value("drop")
    expect(lab.locator("#lab-strip [data-name=reset]")).to_be_disabled()
    assert shares(lab) == start
    removal.select_option("mean")
    expect(lab.locator("#lab-strip [data-name=reset]")).to_be_enabled()


def test_frames_of_a_second_clip_are_spliced_in(lab: Page) -> None:
    lab.locator("#lab-strip [data-name=source]").select_option("walk.mp4")
    spares = lab.locator("#lab-strip .spare")
    expect(spares).to_have_count(16)
    before = shares(lab)
    lab.locator("#lab-strip .caption").nth(7).click()
    spares.nth(3).click()
    assert lab.locator(TILES).nth(7).get_attribute("data-clip") == "1"
    expect(lab.locator("#lab-strip .status")).to_contain_text("frames of the second clip: 1")
    assert shares(lab) != before
    spares.nth(5).drag_to(lab.locator(FRAMES).nth(0))
    assert lab.locator(TILES).nth(0).get_attribute("data-clip") == "1"
    assert order(lab)[0] == 5
    answered(lab)
    lab.locator("#lab-strip [data-name=source]").select_option("")
    expect(spares).to_have_count(0)
    assert order(lab) == list(range(16))


def test_a_second_clip_that_is_none_leaves_everything_as_it_was(lab: Page) -> None:
    lab.locator(FRAMES).nth(3).click()
    lab.set_input_files(
        "#lab-strip-pane input[type=file]",
        {"name": "<b>x</b>.mp4", "mimeType": "video/mp4", "buffer": b"not a video " * 60},
    )
    expect(lab.locator(TOAST)).to_contain_text("Choose an mp4")
    assert kept(lab) == 15
    lab.locator(FRAMES).nth(4).click()
    answered(lab)


def test_the_edit_outlives_a_look_at_the_other_tab(lab: Page) -> None:
    lab.locator(FRAMES).nth(3).click()
    answered(lab)
    before = shares(lab)
    lab.locator("#inspect-button").click()
    expect(lab.locator("#lab-strip")).to_be_hidden()
    lab.locator("#frame-lab-button").click()
    expect(lab.locator(FRAMES)).to_have_count(16)
    assert kept(lab) == 15
    assert shares(lab) == before


def test_another_clip_begins_anew(lab: Page) -> None:
    lab.locator(FRAMES).nth(3).click()
    answered(lab)
    lab.locator("#inspect-button").click()
    lab.locator("#examples .card").nth(3).click()
    expect(lab.locator("#examples .card").nth(3)).to_have_attribute("aria-pressed", "true")
    lab.wait_for_selector(".strip[data-state=shown]")
    lab.locator("#frame-lab-button").click()
    expect(lab.locator("#lab-strip .status")).to_have_text("as opened")
    expect(lab.locator("#lab-answer .now")).to_contain_text("walk")


def test_attention_stands_beside_the_effect_and_shapley_streams_in(lab: Page) -> None:
    effects = lab.locator("#lab-effects .effects")
    expect(lab.locator("#lab-effects .line[data-name=temporal-attention] .fill")).to_have_count(16)
    expect(effects).to_have_attribute("data-state", "done", timeout=90_000)
    for name in ("temporal-rollout", "embedding-gradients", "leave-one-out", "shapley"):
        expect(lab.locator(f"#lab-effects .line[data-name={name}] .fill")).to_have_count(16)
    expect(lab.locator("#lab-effects .verdict")).to_contain_text("Here temporal attention and")
    expect(lab.locator("#lab-effects .verdict")).to_contain_text("rank correlation")
    expect(lab.locator("#lab-effects .line[data-name=shapley]")).to_contain_text("sum of the bars")
    for width in (1280, 1000):  # hidden where there is no room, never cut
        lab.set_viewport_size({"width": width, "height": 800})
        assert lab.locator("#lab-effects .value").evaluate_all(TOO_WIDE) == []
    expect(lab.locator("#lab-curves .decision .prefix circle")).to_have_count(17)
    expect(lab.locator("#lab-curves .order .many")).to_have_count(64 + 16)


def test_the_sum_can_be_stopped_and_what_there_is_stays(lab: Page) -> None:
    effects = lab.locator("#lab-effects .effects")
    expect(effects).to_have_attribute("data-state", "done", timeout=90_000)
    # About a class no other test asks about: what is known already needs no stopping.
    lab.locator("#lab-answer [data-name=foil]").select_option(label="squat")
    expect(lab.locator("#lab-effects .line[data-name=shapley]")).not_to_have_attribute(
        "data-done", "1"
    )
    for name in ("leave-one-out", "shapley"):  # from here on nothing above moves by itself
        expect(lab.locator(f"#lab-effects .line[data-name={name}] .fill")).to_have_count(16)
    stop = lab.locator("#lab-effects [data-name=stop]")
    stop.hover()
    # Pressed for longer than a picture of the sum lasts, and moved: the button must outlive both.
    lab.mouse.down()
    lab.locator("#lab-effects").evaluate(PUSH_DOWN)
    lab.wait_for_timeout(400)
    lab.mouse.up()
    expect(lab.locator("#lab-effects .effects")).to_have_attribute("data-state", "stopped")
    expect(lab.locator("#lab-effects .progress")).to_contain_text("these are estimates")
    expect(lab.locator("#lab-effects .line[data-name=leave-one-out] .fill")).to_have_count(16)
    lab.locator(FRAMES).nth(2).click()
    answered(lab)


def test_another_class_may_be_asked_about_and_held_against_one(lab: Page) -> None:
    effects = lab.locator("#lab-effects .effects")
    expect(effects).to_have_attribute("data-state", "done", timeout=90_000)
    first = lab.locator("#lab-effects .line[data-name=leave-one-out] .value").all_inner_texts()
    predicted = lab.locator("#lab-answer .class[aria-pressed=true]").inner_text()
    lab.locator("#lab-answer [data-name=foil]").select_option(label="walk")
    expect(lab.locator("#lab-effects .note").first).to_contain_text(
        f"About “{predicted}” rather than “walk”", timeout=90_000
    )
    rows = lab.locator("#lab-effects .line[data-name=leave-one-out] .value")
    expect(rows).to_have_count(16)
    assert rows.all_inner_texts() != first
    other = lab.locator("#lab-answer .class[aria-pressed=false]").first
    name = other.inner_text()
    other.click()
    expect(lab.locator("#lab-effects .note").first).to_contain_text(f"About “{name}”")
    expect(lab.locator("#lab-answer .class[aria-pressed=true]")).to_have_text(name)


def test_the_time_of_an_edit_can_be_measured(lab: Page) -> None:
    """How long it may be is the benchmark's matter."""
    expect(lab.locator("#lab-effects .effects")).to_have_attribute(
        "data-state", "done", timeout=90_000
    )
    before = order(lab)
    assert lab.evaluate(EDIT_TO_DRAWN, "reverse") > 0
    assert order(lab) == before[::-1]


@pytest.fixture
def new_ui(browser: Browser, server: str) -> Iterator[Callable[..., Ui]]:
    contexts = []

    def make(**context: Any) -> Ui:
        contexts.append(browser.new_context(**context))
        opened = Ui(contexts[-1].new_page(), server)
        watch(opened.page, opened)
        return opened

    yield make
    for context in contexts:
        context.close()


def test_a_phone_shows_it_all_without_sideways_scrolling(new_ui: Callable[..., Ui]) -> None:
    phone = new_ui(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = open_lab(phone)
    expect(page.locator("#lab-effects .line[data-name=temporal-attention] .fill")).to_have_count(16)
    page.locator(FRAMES).nth(2).tap()
    assert kept(page) == 15
    answered(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    right_edges = """() => [...document.querySelectorAll(".lab *, .answer *, .effects *")]
      .map((node) => node.getBoundingClientRect().right)"""
    assert max(page.evaluate(right_edges)) <= 390
    for name in ("undo", "reverse", "left"):
        box = page.locator(f"#lab-strip [data-name={name}]").bounding_box()
        assert box is not None
        assert box["height"] >= 40
    assert phone.problems == []


def test_dark_mode_is_readable(new_ui: Callable[..., Ui]) -> None:
    dark = new_ui(color_scheme="dark", reduced_motion="reduce")
    page = open_lab(dark)
    colour = (
        """(node, name) => getComputedStyle(node)[name].match(/[\\d.]+/g).slice(0, 3).map(Number)"""
    )
    for part in ("#lab-strip .status", "#lab-answer .now", "#lab-effects .title"):
        assert min(page.locator(part).evaluate(colour, "color")) > 150, part
    still = "(node) => getComputedStyle(node).transitionDuration"
    assert page.locator("#lab-answer .bar").first.evaluate(still) == "0s"
    assert dark.problems == []


def test_two_visitors_edit_without_meeting(ui: Ui, new_ui: Callable[..., Ui]) -> None:
    first = open_lab(ui)
    other = new_ui()
    second = open_lab(other)
    first.locator(FRAMES).nth(0).click()
    second.locator("#lab-strip [data-name=reverse]").click()
    answered(first)
    answered(second)
    assert order(first) == list(range(16))
    assert kept(second) == 16
    assert other.problems == []
