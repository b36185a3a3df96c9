"""The tab "Compare" as a person uses it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from opened_page import Ui
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

DONE = "#compare-board .board[data-state=done]"
MIDDLE = """(canvas) => {
  const { width: w, height: h } = canvas;
  return [...canvas.getContext("2d").getImageData(w / 2, h / 2, 1, 1).data];
}"""


def open_compare(ui: Ui) -> Page:
    page = ui.open()
    page.locator("#compare-button").click()
    page.wait_for_selector(DONE, timeout=120_000)
    return page


def choose(page: Page, side: str, name: str, value: str) -> None:
    page.locator(f"#compare-panel-{side} [data-name={name}]").select_option(value)


def test_two_methods_stand_side_by_side_with_what_they_are_worth(ui: Ui) -> None:
    page = open_compare(ui)
    for side in "ab":
        expect(page.locator(f"#compare-strip-{side} .frame")).to_have_count(16)
    board = page.locator("#compare-board")
    expect(board).to_contain_text("rank correlation")
    expect(board).to_contain_text("Frames dropped")
    assert re.search(r"z [+−]\d", board.inner_text())
    chosen = [
        page.locator(f"#compare-panel-{side} [data-name=choice]").input_value() for side in "ab"
    ]
    assert chosen[0] != chosen[1]


def test_one_side_changes_alone(ui: Ui) -> None:
    page = open_compare(ui)
    before = page.locator("#compare-strip-a .facts").inner_text()
    name = page.locator("#compare-panel-b [data-name=clip] option").nth(2).get_attribute("value")
    choose(page, "b", "clip", name or "")
    expect(page.locator("#compare-strip-b .facts")).not_to_have_text(before)
    expect(page.locator("#compare-strip-a .facts")).to_have_text(before)
    expect(page.locator("#compare-board")).to_contain_text("cannot be compared")
    choose(page, "a", "choice", "temporal-attention")
    expect(page.locator("#compare-board thead")).to_contain_text("emporal attention")


def test_one_toolbar_serves_both_sides(ui: Ui) -> None:
    page = open_compare(ui)
    choose(page, "a", "choice", "rollout")
    choose(page, "b", "choice", "rollout")
    expect(page.locator("#compare-board")).to_contain_text("one scale")
    page.wait_for_selector(DONE)
    expect(page.locator("#compare-strip-b .opacity")).to_be_hidden()
    right = page.locator("#compare-strip-b canvas").nth(8)
    page.wait_for_timeout(200)
    before = right.evaluate(MIDDLE)
    page.locator("#compare-strip-a .opacity").evaluate(
        "(input) => { input.value = 0; input.dispatchEvent(new Event('input')); }"
    )
    page.wait_for_timeout(200)
    assert right.evaluate(MIDDLE) != before
    highest = [
        page.locator(f"#compare-strip-{side} .legend .numbers span").last.inner_text()
        for side in "ab"
    ]
    assert highest[0] == highest[1]


def test_a_phone_shows_the_sides_below_each_other(ui: Ui) -> None:
    ui.page.set_viewport_size({"width": 390, "height": 800})
    page = open_compare(ui)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    parts = ("a", "frames-a", "b", "frames-b")
    tops = [
        page.locator(f"#compare-{part}").evaluate("(box) => box.getBoundingClientRect().top")
        for part in parts
    ]
    assert tops == sorted(tops)
    assert len(set(tops)) == len(parts)


def test_both_sides_are_taken_away_and_the_link_shows_them_again(ui: Ui, tmp_path: Path) -> None:
    page = open_compare(ui)
    choose(page, "a", "choice", "rollout")
    choose(page, "b", "clip", "walk.mp4")
    expect(page.locator("#compare-board")).to_contain_text("cannot be compared")
    page.wait_for_selector(DONE, timeout=120_000)
    page.locator("#compare-take summary").click()
    link = page.locator("#compare-take [data-name=link]")
    expect(link).to_contain_text("b.example=walk.mp4")
    with page.expect_download(timeout=120_000) as waiting:
        page.locator("#compare-take [data-kind=json]").click()
    waiting.value.save_as(tmp_path / "sides.json")
    found = json.loads((tmp_path / "sides.json").read_text())
    assert found["left"]["explanation"]["method"] == "rollout"
    assert found["left"]["faithfulness"]["removals"]["drop"]["verdict"] in ("better", "random")
    assert found["left"]["clip"]["digest"] != found["right"]["clip"]["digest"]
    address = link.inner_text()
    ui.go("/?" + address.split("?", 1)[1])
    page.wait_for_selector(DONE, timeout=120_000)
    expect(page.locator("#compare-panel-a [data-name=choice]")).to_have_value("rollout")
    expect(page.locator("#compare-panel-b [data-name=clip]")).to_have_value("walk.mp4")
