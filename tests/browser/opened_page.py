"""A page under test, and everything that goes wrong in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import Page, Request

SHOWN = ".strip[data-state=shown]"
# What Gradio's client writes when its page is left while an answer streams.
CUT_BY_LEAVING = ("console: AbortError:", "console: Unexpected error Connection errored out")


@dataclass
class Ui:
    """An open page and everything that went wrong in it."""

    page: Page
    address: str
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, query: str = "") -> Page:
        """Go to the page and wait until the first example is shown analysed."""
        self.go(query)
        self.page.wait_for_selector(SHOWN, timeout=60_000)
        return self.page

    def go(self, query: str = "") -> None:
        """Leave the page there is, whose streams that cuts, and load the app's."""
        known = len(self.problems)
        self.page.goto("about:blank")
        left = self.problems[known:]
        self.problems[known:] = [one for one in left if not one.startswith(CUT_BY_LEAVING)]
        self.page.goto(self.address + query)


def watch(page: Page, opened: Ui) -> None:
    """Note every console error, page error and request of a page."""

    def note_request(request: Request) -> None:
        opened.requests.append(request.url)
        if not request.url.startswith((opened.address, "data:", "blob:", "about:blank")):
            opened.problems.append(f"request to {request.url}")

    page.on("request", note_request)
    page.on("pageerror", lambda error: opened.problems.append(f"page error: {error}"))
    page.on(
        "console",
        lambda message: (
            opened.problems.append(f"console: {message.text}") if message.type == "error" else None
        ),
    )
