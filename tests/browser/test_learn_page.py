"""The tab "Learn" as a person uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from opened_page import Ui, watch
from playwright.sync_api import Browser, Page, expect

from app.learn.text import CHAPTERS
from benchmarks.app_latency import PATCH_TO_DRAWN

pytestmark = pytest.mark.browser

SERIOUS = {"serious", "critical"}

NUMBERS = [chapter.number for chapter in CHAPTERS]
STEPS = sum(len(chapter.parts) for chapter in CHAPTERS)
# What axe does not look for: a canvas without a text, any id given twice, a table without headers.
PROBLEMS = """() => {
  const book = document.getElementById("learn-book");
  const shown = (node) => node.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  const found = [];
  for (const node of book.querySelectorAll("canvas")) {
    const hidden = node.closest("[aria-hidden=true], button[aria-label]");
    if (shown(node) && !hidden && !node.getAttribute("aria-label"))
      found.push("no text: " + node.outerHTML.slice(0, 90));
  }
  const ids = [...document.querySelectorAll("#learn-book [id]")].map((node) => node.id);
  ids.filter((id, at) => ids.indexOf(id) !== at).forEach((id) => found.push("id twice: " + id));
  for (const node of book.querySelectorAll("table")) {
    if (shown(node) && !node.querySelector("th[scope]")) found.push("table without headers");
  }
  return found;
}"""


def open_learn(ui: Ui, query: str = "") -> Page:
    """The tab, by its address; a busy machine needs a while."""
    ui.go(f"/?tab=learn{query}")
    ui.page.wait_for_selector(".lesson[data-state=shown]", timeout=120_000)
    return ui.page


def shown(page: Page, number: int) -> None:
    """Wait until the figure of a chapter shows its clip."""
    page.wait_for_selector(
        f".lesson section[data-number='{number}'][data-state=shown]", timeout=90_000
    )
    expect(page.locator(f".lesson section[data-number='{number}'] .body")).to_be_visible()


def place(page: Page) -> tuple[int, int]:
    """Chapter and step in view."""
    book = page.locator("#learn-book")
    return int(book.get_attribute("data-chapter") or 0), int(book.get_attribute("data-step") or 0)


def go(page: Page, number: int) -> None:
    page.locator(f"#learn-nav a[data-number='{number}']").click()
    shown(page, number)


@pytest.fixture
def learn(ui: Ui) -> Page:
    return open_learn(ui)


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


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_all_chapters_by_the_space_bar_without_an_error(
    new_ui: Callable[..., Ui], width: int, scheme: Any
) -> None:
    ui = new_ui(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = open_learn(ui)
    seen = [place(page)]
    for _ in range(STEPS - 1):
        chapter, step = seen[-1]
        shown(page, chapter)
        if step == 1:
            assert page.evaluate("document.documentElement.scrollWidth") <= width, chapter
            assert page.evaluate(PROBLEMS) == [], chapter
        page.keyboard.press(" ")
        seen.append(place(page))
    expected = [(c.number, step) for c in CHAPTERS for step in range(1, 1 + len(c.parts))]
    assert seen == expected
    shown(page, NUMBERS[-1])
    expect(page.locator("#learn-nav [data-name=next]")).to_be_disabled()
    page.keyboard.press("ArrowLeft")
    assert place(page) == expected[-2]
    assert ui.problems == []


def violations(page: Page, part: str | None = None) -> list[str]:
    """What axe calls serious or critical, in the whole page or in a part of it."""
    context = None if part is None else {"include": [part]}
    found = Axe().run(page, context=context).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node['html'][:120]}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_serious_in_any_chapter(
    new_ui: Callable[..., Ui], width: int, scheme: Any
) -> None:
    """Of what is ours: texts, navigation, figures. Moving parts are looked at when they rest."""
    ui = new_ui(
        viewport={"width": width, "height": 844}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = open_learn(ui)
    for number in NUMBERS:
        go(page, number)
        assert violations(page, "#learn-book") == [], number


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing_serious_in_the_other_tabs(
    new_ui: Callable[..., Ui], width: int, scheme: Any
) -> None:
    """In the whole page, Gradio's own parts included."""
    ui = new_ui(
        viewport={"width": width, "height": 844}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = ui.open()
    for tab, drawn in [
        ("inspect", ".strip[data-state=shown]"),
        ("frame-lab", ".lab[data-state=shown]"),
        ("compare", "#compare-strip-a .frame"),
    ]:
        page.locator(f"#{tab}-button").click()
        page.wait_for_selector(drawn, timeout=90_000)
        assert violations(page) == [], tab


def test_each_step_highlights_its_sentence_and_its_part(learn: Page) -> None:
    for number in NUMBERS:
        go(learn, number)
        chapter = next(entry for entry in CHAPTERS if entry.number == number)
        texts = learn.locator(f"#learn-text-{number} ol > li")
        expect(texts).to_have_count(len(chapter.parts))
        for step, part in enumerate(chapter.parts):
            now = learn.locator(f".lesson section[data-number='{number}'] .now[data-part]")
            expect(now.first).to_have_attribute("data-part", part)
            border = "(item) => getComputedStyle(item).borderLeftColor"
            assert texts.nth(step).evaluate(border) == "rgb(217, 119, 6)"
            if number != NUMBERS[-1] or step < len(chapter.parts) - 1:
                learn.keyboard.press("ArrowRight")
    expect(learn.locator("#learn-texts .katex").first).to_be_attached()


def test_keys_in_a_control_belong_to_the_control(learn: Page) -> None:
    go(learn, 6)
    slider = learn.locator(".lesson [data-name=frames]")
    slider.focus()
    learn.keyboard.press("ArrowRight")
    assert place(learn) == (6, 1)
    assert slider.input_value() == "18"
    learn.locator("#learn-nav [data-name=next]").focus()
    learn.keyboard.press("ArrowRight")
    assert place(learn) == (6, 2)


def test_a_chapter_has_an_address(ui: Ui) -> None:
    page = open_learn(ui, "&chapter=3&example=walk.mp4")
    shown(page, 3)
    assert place(page) == (3, 1)
    link = page.locator("#learn-nav a[data-number='5']")
    assert link.get_attribute("href") == "?example=walk.mp4&tab=learn&chapter=5"
    link.click()
    assert page.url.endswith("?example=walk.mp4&tab=learn&chapter=5")
    page.locator("#inspect-button").click()
    assert "chapter" not in page.url
    page.locator("#learn-button").click()
    shown(page, 5)


@pytest.mark.parametrize("query", ["&chapter=99", "&chapter=<b>", "&chapter=-1"])
def test_a_forged_chapter_opens_the_first(ui: Ui, query: str) -> None:
    page = open_learn(ui, query)
    assert place(page) == (NUMBERS[0], 1)


def test_free_mode_highlights_nothing_and_keeps_the_figures(learn: Page) -> None:
    learn.locator("#learn-nav [data-name=free]").check()
    expect(learn.locator(".lesson .now[data-part]")).to_have_count(0)
    go(learn, 2)
    learn.locator(".lesson [data-name=scheme-joint]").check()
    expect(learn.locator(".lesson section[data-number='2'] .status")).to_contain_text("1,025 keys")
    learn.locator("#learn-nav [data-name=next]").click()
    assert learn.locator("#learn-book").get_attribute("data-chapter") == "3"


def test_patches_are_placed_by_pointer_and_by_keyboard(learn: Page) -> None:
    go(learn, 2)
    section = learn.locator(".lesson section[data-number='2']")
    section.locator(".frames canvas").nth(3).click(position={"x": 4, "y": 4})
    expect(section.locator(".status")).to_contain_text("A in frame 4, row 1, column 1")
    section.locator("[data-name=placing-b]").check()
    section.locator(".frames canvas").nth(4).click(position={"x": 4, "y": 4})
    expect(section.locator("[data-name=b-frame]")).to_have_value("5")
    mixing = section.locator("tr", has_text="Space-time mixing").locator("td").last
    expect(mixing).to_have_text("1 layer, directly")
    section.locator("[data-name=b-frame]").fill("7")
    section.locator("[data-name=b-frame]").press("Tab")
    expect(mixing).to_have_text("3 layers, in two steps or more")


PICTURE = "(canvas) => canvas.toDataURL()"


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_a_mouse_over_a_patch_shows_what_it_would_look_at(
    new_ui: Callable[..., Ui], motion: Any
) -> None:
    ui = new_ui(reduced_motion=motion)
    page = open_learn(ui, "&chapter=2")
    go(page, 2)
    section = page.locator(".lesson section[data-number='2']")
    tiles, status = section.locator(".frames canvas"), section.locator(".status")
    before, asked = tiles.nth(2).evaluate(PICTURE), section.get_attribute("data-asked")
    told = status.inner_text()
    tiles.nth(2).hover(position={"x": 4, "y": 4})
    page.wait_for_timeout(300)
    during = tiles.nth(2).evaluate(PICTURE)
    assert (during == before) is (motion == "reduce")
    page.locator("#learn-nav [data-name=link]").hover()
    page.wait_for_timeout(300)
    assert tiles.nth(2).evaluate(PICTURE) == before
    assert section.get_attribute("data-asked") == asked  # the server was not asked
    assert status.inner_text() == told
    # The click shows the same, with the letter of A and its own place.
    tiles.nth(2).click(position={"x": 4, "y": 4})
    expect(status).to_contain_text("A in frame 3, row 1, column 1")
    assert ui.problems == []


def test_the_time_of_a_press_on_a_patch_can_be_measured(learn: Page) -> None:
    """How long it may be is the benchmark's matter."""
    go(learn, 2)
    assert learn.evaluate(PATCH_TO_DRAWN, 1) > 0


def test_a_question_is_answered_and_ticked(learn: Page) -> None:
    quiz = learn.locator(".lesson section[data-number='1'] .quiz")
    shown(learn, 1)
    quiz.get_by_text("1,024", exact=True).click()
    quiz.locator("[data-name=check]").click()
    expect(quiz.locator(".verdict")).to_contain_text("Not quite")
    quiz.get_by_text("1,040", exact=True).click()
    quiz.locator("[data-name=check]").click()
    expect(quiz.locator(".verdict")).to_contain_text("Right. 16 frames × (64 patches + 1 CLS)")
    expect(learn.locator("#learn-nav a[data-number='1'] .tick")).to_be_visible()
    expect(learn.locator("#learn-nav a[data-number='2'] .tick")).to_be_hidden()


def test_costs_follow_the_sliders(learn: Page) -> None:
    go(learn, 6)
    joint = learn.locator(".lesson .costs tr", has_text="Joint")
    expect(joint).to_contain_text("448")
    learn.locator(".lesson [data-name=frames]").fill("64")
    expect(joint).to_contain_text("3,966")
    learn.locator(".lesson [data-name=own]").click()
    expect(learn.locator(".lesson [data-name=width]")).to_have_value("128")


def test_a_head_by_hand_follows_the_menus(learn: Page) -> None:
    go(learn, 3)
    section = learn.locator(".lesson section[data-number='3']")
    before = section.locator(".sum").first.inner_text()
    section.locator("[data-name=key]").select_option("5")
    expect(section.locator(".numbers th").nth(1)).to_have_text("k of Frame 5")
    assert section.locator(".sum").first.inner_text() != before
    section.locator("[data-name=layer]").select_option("1")
    section.locator("[data-name=query]").select_option("2")
    expect(section.locator(".numbers th").first).to_have_text("q of Frame 2")


def test_order_is_guessed_then_revealed(learn: Page) -> None:
    go(learn, 7)
    section = learn.locator(".lesson section[data-number='7']")
    expect(section.locator("[data-name=reveal]")).to_be_disabled()
    section.locator("[data-name=stays]").click()
    expect(section.locator(".status").nth(1)).to_contain_text("You guessed")
    section.locator("[data-name=reverse]").click()
    expect(section.locator(".status").nth(1)).to_contain_text("Backwards")
    section.locator("button.frame").nth(5).click()
    section.locator("[data-name=reveal]").click()
    expect(section.locator(".bars")).to_have_count(3, timeout=60_000)
    expect(section.locator(".status").last).to_contain_text("Your frame is number")


@pytest.mark.parametrize("model", ["timesformer-actions", "joint-actions"])
def test_every_chapter_with_another_model_and_the_example_in_its_place(ui: Ui, model: str) -> None:
    page = open_learn(ui, f"&model={model}&example=walk.mp4")
    for number in NUMBERS:
        page.locator(f"#learn-nav a[data-number='{number}']").click()
        section = page.locator(f".lesson section[data-number='{number}']")
        page.wait_for_selector(
            f".lesson section[data-number='{number}'][data-state=shown]", timeout=90_000
        )
        if number != 3:
            expect(section.locator(".body")).to_be_visible()
            expect(section.locator(".quiz .radio").first).to_be_visible(timeout=90_000)
    page.locator("#learn-nav a[data-number='3']").click()
    missing = page.locator(".lesson section[data-number='3'] .missing")
    expect(missing).to_contain_text("no token stands for a whole frame")
    missing.locator("[data-name=example]").click()
    shown(page, 3)
    expect(page.locator(".lesson section[data-number='3'] [data-name=layer]")).to_be_visible()
    go(page, 7)
    about = page.locator(".lesson section[data-number='7'] .about")
    expect(about).to_contain_text("one by one")  # the built-in STAM


def test_the_other_tabs_clip_is_taken_up(ui: Ui) -> None:
    page = ui.open()
    page.locator("#learn-button").click()
    shown(page, 1)
    page.locator("#inspect-button").click()
    page.locator("#examples .card").nth(3).click()
    expect(page.locator("#examples .card").nth(3)).to_have_attribute("aria-pressed", "true")
    page.wait_for_selector(".strip[data-state=shown]")
    page.locator("#learn-button").click()
    go(page, 7)
    expect(page.locator(".lesson section[data-number='7'] .status").first).to_contain_text("walk")


def test_menus_and_sliders_stay_when_another_clip_comes(ui: Ui) -> None:
    """The figures are built anew in the page there is: the example in place of the own clip."""
    page = open_learn(ui, "&chapter=3&example=walk.mp4")
    for number in (3, 6):
        go(page, number)
    for trigger_example in range(2):
        if trigger_example:  # what the button of a missing figure asks for
            before = page.locator(".lesson section[data-number='6']").element_handle()
            page.locator(".lesson section[data-number='6'] .missing button").dispatch_event("click")
            page.wait_for_function("(old) => !old.isConnected", arg=before)
        for name in ("layer", "head", "query", "key"):
            go(page, 3)
            menu = page.locator(f".lesson section[data-number='3'] [data-name={name}]")
            expect(menu).to_be_visible()
        go(page, 6)
        for name in ("frames", "side", "patch", "width", "depth"):
            control = page.locator(f".lesson section[data-number='6'] [data-name={name}]")
            expect(control).to_be_visible()
    page.locator(".lesson [data-name=frames]").fill("64")
    expect(page.locator(".lesson .costs tr", has_text="Joint")).to_contain_text("3,966")


def test_every_size_that_can_be_set_gives_costs(learn: Page) -> None:
    go(learn, 6)
    table = learn.locator(".lesson .costs tbody")
    section = learn.locator(".lesson section[data-number='6']")
    for name, value in [("patch", "8"), ("side", "max"), ("patch", "32"), ("side", "min")]:
        control = section.locator(f"[data-name={name}]")
        before = table.inner_text()
        if name == "patch":
            control.select_option(value)
        else:
            control.focus()
            learn.keyboard.press("End" if value == "max" else "Home")
        expect(table).not_to_have_text(before, use_inner_text=True)
        side = int(section.locator("[data-name=side]").input_value())
        assert side % int(section.locator("[data-name=patch]").input_value()) == 0
    expect(learn.locator(".toast-body")).to_have_count(0)


def test_wide_tables_are_within_the_keyboards_reach(learn: Page) -> None:
    for number in (3, 6):
        go(learn, number)
        wide = learn.locator(f".lesson section[data-number='{number}'] .wide")
        assert wide.get_attribute("tabindex") == "0"
        assert wide.get_attribute("aria-label")


def test_reduced_motion_moves_nothing(new_ui: Callable[..., Ui]) -> None:
    ui = new_ui(reduced_motion="reduce")
    page = open_learn(ui, "&chapter=4")
    shown(page, 4)
    duration = "(node) => getComputedStyle(node).transitionDuration"
    assert page.locator(".lesson .station canvas").first.evaluate(duration) == "0s"
    page.locator(".lesson [data-name=step]").click()
    expect(page.locator(".lesson .station.reached")).to_have_count(4)
    assert ui.problems == []
