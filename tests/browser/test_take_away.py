"""Files, the link and the lines of a view, as a person takes them; the report opened offline."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from opened_page import SHOWN, Ui
from playwright.sync_api import BrowserContext, Download, Page, Request, expect
from test_frame_lab_page import FRAMES, answered, kept, open_lab, order, press, shares

pytestmark = pytest.mark.browser

HEADS = {
    "png": b"\x89PNG",
    "pdf": b"%PDF-1",
    "mp4": b"\x00\x00\x00",
    "gif": b"GIF89a",
    "html": b"<!doctype html>",
    "json": b"{",
}
MIDDLE = """(canvas) => {
  const { width: w, height: h } = canvas;
  return [...canvas.getContext("2d").getImageData(w / 2, h / 2, 1, 1).data];
}"""


def open_offer(ui: Ui, query: str = "") -> Page:
    page = ui.open(query)
    page.locator("#take summary").click()
    expect(page.locator("#take [data-name=python]")).to_be_visible()
    return page


def take(page: Page, kind: str, part: str = "take") -> Download:
    with page.expect_download(timeout=120_000) as waiting:
        page.locator(f"#{part} [data-kind={kind}]").click()
    return waiting.value


def test_every_kind_of_file_arrives_under_a_telling_name(ui: Ui, tmp_path: Path) -> None:
    page = open_offer(ui)
    for kind, head in HEADS.items():
        download = take(page, kind)
        assert re.fullmatch(rf"[\w-]+\.spatial-rollout\.{kind}", download.suggested_filename)
        download.save_as(tmp_path / kind)
        assert (tmp_path / kind).read_bytes().startswith(head), kind
        expect(page.locator(f"#take [data-kind={kind}]")).to_be_enabled()
    numbers = json.loads((tmp_path / "json").read_text())
    assert len(numbers["bars"]["frames"]) == 16


def test_the_report_opens_from_the_disk_and_keeps_the_strip(
    ui: Ui, context: BrowserContext, tmp_path: Path
) -> None:
    report = tmp_path / "report.html"
    take(open_offer(ui), "html").save_as(report)
    context.set_offline(True)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console",
        lambda message: problems.append(message.text) if message.type == "error" else None,
    )

    def note(request: Request) -> None:
        if not request.url.startswith(("data:", "blob:", report.as_uri())):
            problems.append(request.url)

    page.on("request", note)
    page.goto(report.as_uri())
    page.wait_for_selector(SHOWN)
    expect(page.locator(".frames .frame")).to_have_count(16)
    canvas = page.locator(".frames canvas").nth(5)
    page.wait_for_timeout(200)
    before = canvas.evaluate(MIDDLE)
    page.locator(".opacity").evaluate(
        "(input) => { input.value = 0; input.dispatchEvent(new Event('input')); }"
    )
    page.wait_for_timeout(200)
    assert canvas.evaluate(MIDDLE) != before
    page.locator(".frames .frame").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("dialog.large")).to_be_visible()
    expect(page.locator("dialog.large .title")).to_contain_text("2 / 16")
    page.keyboard.press("Escape")
    with page.expect_download() as saved:
        page.locator("#save").click()
    assert saved.value.suggested_filename == "numbers.json"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert problems == []


def test_the_link_shows_the_view_again(ui: Ui) -> None:
    page = ui.open()
    page.locator("#examples .card").nth(2).click()
    expect(page.locator("#examples .card").nth(2)).to_have_attribute("aria-pressed", "true")
    page.locator("#heat [data-name=choice]").select_option("rollout")
    expect(page.locator("#strip .legend .name")).to_have_text(re.compile("and time|space", re.I))
    page.locator("#take summary").click()
    link = page.locator("#take [data-name=link]")
    expect(link).to_contain_text("method=rollout")
    address = link.inner_text()
    page = ui.open("/?" + address.split("?", 1)[1])
    expect(page.locator("#examples .card").nth(2)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#heat [data-name=choice]")).to_have_value("rollout")
    assert "--method rollout" in (page.locator("#take [data-name=command]").text_content() or "")


def test_a_forged_link_shows_the_default_and_says_so(ui: Ui) -> None:
    page = ui.open("/?example=%3Cimg%20src=x%3E&method=rollout&residual=nan")
    expect(page.locator("#examples .card").first).to_have_attribute("aria-pressed", "true")
    toasts = page.locator("[data-testid=toast-body]")
    expect(toasts.filter(has_text="example clip").first).to_be_visible()
    expect(toasts.filter(has_text="residual must be").first).to_be_visible()
    expect(page.locator("#heat [data-name=choice]")).to_have_value("spatial-rollout")


def test_an_edited_strip_is_removed_reordered_undone_and_exported(ui: Ui, tmp_path: Path) -> None:
    page = open_lab(ui)
    for place in (0, 3, 5):
        page.locator(FRAMES).nth(place).click()
    page.locator(FRAMES).nth(7).focus()
    page.keyboard.press("Shift+ArrowRight")  # frames 8 and 9 change places
    page.locator("#lab-strip [data-name=removal]").select_option("hold")
    press(page, "reverse")
    press(page, "undo")
    page.locator(FRAMES).nth(10).click()
    press(page, "undo")
    assert kept(page) == 13
    assert order(page)[6:10] == [6, 8, 7, 9]
    answered(page)
    classes = page.locator("#lab-answer .class").all_inner_texts()
    now = dict(zip(classes, shares(page), strict=True))
    page.locator("#lab-take summary").click()
    take(page, "json", "lab-take").save_as(tmp_path / "edit.json")
    found = json.loads((tmp_path / "edit.json").read_text())
    places = found["edit"]["places"]
    assert [place["frame"] for place in places] == order(page)
    assert [place["place"] for place in places if not place["kept"]] == [0, 3, 5]
    assert (found["edit"]["removal"], found["edit"]["kept"]) == ("hold", 13)
    answer = found["answer"]["edited"]
    assert len(answer["labels"]) == len(answer["probabilities"]) == 23
    for label, share in now.items():
        probability = answer["probabilities"][answer["labels"].index(label)]
        assert share == f"{100 * probability:.1f} %"
    for kind in ("png", "pdf"):
        download = take(page, kind, "lab-take")
        assert re.fullmatch(rf"[\w-]+\.frame-lab\.{kind}", download.suggested_filename)
        download.save_as(tmp_path / kind)
        assert (tmp_path / kind).read_bytes().startswith(HEADS[kind])


def test_the_link_of_an_edited_strip_shows_it_again(ui: Ui) -> None:
    page = open_lab(ui)
    page.locator("#lab-strip [data-name=source]").select_option("walk.mp4")
    expect(page.locator("#lab-strip .spare")).to_have_count(16)
    page.locator(FRAMES).nth(2).click()
    page.locator("#lab-strip .caption").nth(7).click()
    page.locator("#lab-strip .spare").nth(3).click()
    page.locator("#lab-strip [data-name=removal]").select_option("mean")
    told = shares(page)
    page.locator("#lab-take summary").click()
    link = page.locator("#lab-take [data-name=link]")
    expect(link).to_contain_text(re.compile(r"frames=1\.2\.3x\.4\.5\.6\.7\.b4\..*second=walk\.mp4"))
    expect(link).to_contain_text("removal=mean")
    expect(page.locator("#lab-take [data-name=python]")).to_contain_text("Slot(3, clip=1)")
    address = link.inner_text()
    ui.go("/?" + address.split("?", 1)[1])
    page.wait_for_selector(".lab[data-state=shown]", timeout=60_000)
    expect(page.locator("#lab-strip .status")).to_contain_text("second clip: 1")
    expect(page.locator("#lab-strip [data-name=removal]")).to_have_value("mean")
    answered(page)
    assert kept(page) == 15
    assert order(page)[7] == 3
    assert shares(page) == told
    press(page, "undo")
    expect(page.locator("#lab-strip .status")).to_have_text("as opened")


def test_a_forged_edit_shows_the_clip_as_opened_and_says_so(ui: Ui) -> None:
    page = ui.page
    ui.go("/?tab=frame-lab&example=walk.mp4&frames=1.2.%3Cimg%20src=x%3E&removal=mean")
    page.wait_for_selector(".lab[data-state=shown]", timeout=60_000)
    toasts = page.locator("[data-testid=toast-body]")
    expect(toasts.filter(has_text="edit of the strip").first).to_be_visible()
    expect(page.locator("#lab-strip .status")).to_have_text("as opened")
    assert order(page) == list(range(16))
