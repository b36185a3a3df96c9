"""The page under its own Content-Security-Policy: everything works, and nothing else can be had."""

from __future__ import annotations

from pathlib import Path

import pytest
from opened_page import SHOWN, Ui
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples"
WAKE = 240_000  # milliseconds; on a busy machine the model wakes slowly
NOTE_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`));
"""
ASK_ELSEWHERE = """async (address) => {
  const fetched = await fetch(address).then(() => "answered", () => "refused");
  const picture = await new Promise((done) => {
    const image = new Image();
    image.onload = () => done("answered");
    image.onerror = () => done("refused");
    image.src = address;
  });
  return [fetched, picture];
}"""


def test_the_policy_is_in_force(page: Page, server: str) -> None:
    page.add_init_script(NOTE_VIOLATIONS)
    page.goto(server)
    # The same computer, another port: only the policy stands in between.
    other = "http://127.0.0.1:9/picture.png"
    assert page.evaluate(ASK_ELSEWHERE, other) == ["refused", "refused"]
    assert {words.split()[0] for words in page.evaluate("window.violations")} == {
        "connect-src",
        "img-src",
    }


def test_every_tab_works_under_the_policy_and_asks_no_other_server(ui: Ui) -> None:
    page = ui.page
    page.add_init_script(NOTE_VIOLATIONS)
    answer = page.goto(ui.address)
    assert answer is not None
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    page.wait_for_selector(SHOWN, timeout=WAKE)
    page.set_input_files("#sources input[type=file]", next(EXAMPLES.glob("*.mp4")))
    page.wait_for_selector(SHOWN, timeout=WAKE)
    for tab, part in [
        ("frame-lab", "#lab-strip"),
        ("compare", "#compare-board"),
        ("learn", "#learn-figure"),
        ("inspect", "#strip"),
    ]:
        page.locator(f"#{tab}-button").click()
        expect(page.locator(part)).to_be_visible(timeout=WAKE)
    page.locator("#camera").click()
    page.wait_for_timeout(1000)
    assert page.evaluate("window.violations") == []
    elsewhere = [url for url in ui.requests if not url.startswith((ui.address, "data:", "blob:"))]
    assert elsewhere == []
    assert len(ui.requests) > 10  # they were watched
