"""A page under test, and everything that goes wrong in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import Page, Request

SHOWN = ".strip[data-state=shown]"


@dataclass
class Ui:
    """An open page and everything that went wrong in it."""

    page: Page
    address: str
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, query: str = "") -> Page:
        """Go to the page and wait until the first example is shown analysed."""
        self.page.goto(self.address + query)
        self.page.wait_for_selector(SHOWN, timeout=60_000)
        return self.page


def watch(page: Page, opened: Ui) -> None:
    """Note every console error, page error and request of a page."""

    def note_request(request: Request) -> None:
        opened.requests.append(request.url)
        if not request.url.startswith((opened.address, "data:", "blob:")):
            opened.problems.append(f"request to {request.url}")

    page.on("request", note_request)
    page.on("pageerror", lambda error: opened.problems.append(f"page error: {error}"))
    page.on(
        "console",
        lambda message: (
            opened.problems.append(f"console: {message.text}") if message.type == "error" else None
        ),
    )
