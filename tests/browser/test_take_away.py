"""Files, the link and the lines of a view, as a person takes them; the report opened offline."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from opened_page import SHOWN, Ui
from playwright.sync_api import BrowserContext, Download, Page, Request, expect

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


def take(page: Page, kind: str) -> Download:
    with page.expect_download(timeout=120_000) as waiting:
        page.locator(f"#take [data-kind={kind}]").click()
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
