"""The page as a whole: title, tabs, looks and the settings under which it is served."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from app import text
from app.backstage import Backstage
from app.compare.tab import build_compare_tab
from app.compare.tab import read_address as read_compare_address
from app.components.quick import remember_signatures
from app.events import MODEL_QUEUE
from app.frame_lab.tab import build_frame_lab_tab
from app.frame_lab.tab import read_address as read_lab_address
from app.inspect.tab import build_inspect_tab, first_page
from app.learn import text as learn_text
from app.learn.tab import build_learn_tab
from app.serving.temporary import KEPT_SECONDS

QUEUE_LENGTH = 32  # waiting requests; more are told to come back later
SESSIONS_KEPT = 256  # gradio keeps each visitor's last picture of all frames, 0.2 MB

TABS = ("inspect", "frame-lab", "compare", "learn")  # as named in an address
# By a press of its button: with the tabs as the output of a handler, gradio would copy the
# properties of all that is in them at every event of the page.
OPEN_NAMED_TAB = f"""() => {{
  const name = new URLSearchParams(location.search).get("tab");
  if ({json.dumps(TABS)}.includes(name)) document.getElementById(`${{name}}-button`)?.click();
}}"""

STEP_BACKGROUND = "color-mix(in srgb, #d97706 12%, transparent)"  # of the lesson's step in view
SYSTEM_FONTS = ["ui-sans-serif", "system-ui", "sans-serif"]  # nothing to fetch
MONO_FONTS = ["ui-monospace", "Consolas", "monospace"]

CSS = """
.gradio-container { max-width: 1480px !important; }
.html-container { padding: 0 !important; }
#heading h1 { margin: 0 0 2px; font-size: 22px; line-height: 1.25; }
#heading p { margin: 0; color: var(--body-text-color-subdued); }
.pane {
  gap: 12px;
  padding: 14px 16px;
  background: var(--block-background-fill);
  border: 1px solid var(--border-color-primary);
  border-radius: var(--radius-lg);
}
.pane > * { flex-grow: 0 !important; }
.pane > #sources { margin-top: auto; }
#more { padding: 0; border: 0; box-shadow: none; }
#model input { padding-right: 30px; text-overflow: ellipsis; }
.take-away, #about { gap: 0; padding: 12px 16px; border-radius: var(--radius-lg); }
#compare-intro p { margin: 0; }
#compare-bench {
  display: grid;
  grid-template: "a b" auto "frames-a frames-b" auto / minmax(0, 1fr) minmax(0, 1fr);
}
#compare-a { grid-area: a; }
#compare-b { grid-area: b; }
#compare-frames-a { grid-area: frames-a; }
#compare-frames-b { grid-area: frames-b; }
#lab-upload { align-self: flex-start; width: auto; }
#lab-intro p { margin: 0; }
#learn-intro p { margin: 0; }
#learn-book { gap: 10px; }
#learn-nav {
  position: sticky;
  top: 0;
  z-index: 6;
  padding: 8px 0;
  background: var(--body-background-fill);
}
#learn-page { align-items: flex-start; }
#learn-texts { position: sticky; top: 104px; max-height: calc(100vh - 112px); overflow-y: auto; }
#learn-texts > .learn-text { display: none; }
.learn-text h2 { margin-top: 0; font-size: 18px; }
.learn-text li { padding: 4px 8px; border-left: 4px solid transparent; border-radius: 4px; }
.learn-text .katex { font-size: 1.05em; }
.learn-text .katex-display { margin: 0.5em 0; overflow-x: auto; overflow-y: hidden; }
.label-wrap { text-align: left; }
.label-wrap:not(.open) .icon { transform: rotate(-90deg) !important; } /* as our own triangles */
footer { opacity: 0.8; }
.dark, .dark .gradio-container { --color-accent: var(--primary-400); color-scheme: dark; }
@media (max-width: 640px) {
  .gradio-container .main, .gradio-container main { padding: 10px !important; }
  .pane { padding: 12px; }
  #compare-bench {
    grid-template: "a" auto "frames-a" auto "b" auto "frames-b" auto / minmax(0, 1fr);
  }
  #learn-nav, #learn-texts { position: static; max-height: none; }
  #learn-book { padding-bottom: 60px; }
  /* all tabs side by side: gradio puts those that do not fit into a menu */
  .tab-container button {
    min-width: 0 !important; padding: 0 7px !important; font-size: 14px !important;
  }
  /* the answer stays in view while frames are pressed */
  #lab-answer-pane { position: sticky; top: 0; z-index: 5; order: -1; padding: 8px 12px; }
}
"""


def _chapter_styles() -> str:
    """Which text is shown, and which step of it stands out, by the attributes of the book."""
    rules = []
    for chapter in learn_text.CHAPTERS:
        shown = f'#learn-book[data-chapter="{chapter.number}"]'
        own = f"#learn-texts > #learn-text-{chapter.number}"
        rules.append(f"{shown} {own} {{ display: block; }}")
    for step in range(1, 1 + max(len(chapter.parts) for chapter in learn_text.CHAPTERS)):
        now = f'#learn-book[data-step="{step}"] .learn-text ol > li:nth-child({step})'
        rules.append(f"{now} {{ border-color: #d97706; background: {STEP_BACKGROUND}; }}")
    return "\n".join(rules)


def build_page(backstage: Backstage, *, local: bool = True) -> gr.Blocks:
    """The page with its handlers, not yet served.

    Args:
        backstage: has the core.
        local: served to this computer only.
    """
    page = gr.Blocks(
        title=text.TITLE, analytics_enabled=False, delete_cache=(KEPT_SECONDS, KEPT_SECONDS)
    )
    with page:
        gr.Markdown(text.HEADING, elem_id="heading")
        with gr.Tabs():
            with gr.Tab(text.INSPECT, id="inspect", elem_id="inspect"):
                tab = build_inspect_tab(backstage, local=local)
            with gr.Tab(text.FRAME_LAB, id="frame-lab", elem_id="frame-lab") as frame_lab:
                lab = build_frame_lab_tab(backstage, visit=tab.visit, opened=frame_lab)
            with gr.Tab(text.COMPARE, id="compare", elem_id="compare") as compare:
                pair = build_compare_tab(backstage, visit=tab.visit, opened=compare)
            with gr.Tab(learn_text.TAB, id="learn", elem_id="learn") as learn:
                build_learn_tab(backstage, visit=tab.visit, opened=learn)
        others = [read_lab_address(lab, backstage), read_compare_address(pair, backstage)]
        first = first_page(tab, backstage, others)
        loaded = page.load(first, None, [*tab.shown, lab.lab, pair.pair], **MODEL_QUEUE)
        # After the clip is there: a tab reads it when it comes into view.
        loaded.then(
            None, None, None, js=OPEN_NAMED_TAB,
            queue=False, api_visibility="private", show_progress="hidden",
        )  # fmt: skip
        _free_when_closed(page, backstage)
    remember_signatures(page)
    page.queue(api_open=False, max_size=QUEUE_LENGTH, default_concurrency_limit=1)
    return page


def _free_when_closed(page: gr.Blocks, backstage: Backstage) -> None:
    """Tell when a visitor's page is closed, so that what was its own is freed."""

    def left(request: gr.Request) -> None:
        backstage.visitor_left(str(request.session_hash))

    page.unload(left)
    page.fns[max(page.fns)].queue = False  # `unload` has no argument for it


def launch_settings(host: str, port: int) -> dict[str, Any]:
    """Arguments of `launch` that keep the page private, quiet and off other people's servers."""
    from stam_core.limits import default_limits  # the page is laid out before the core is loaded

    return {
        "server_name": host,
        "server_port": port,
        "run_history": False,  # else every event's inputs and outputs stay in the browser
        "max_file_size": f"{default_limits().max_upload_mib}mb",
        "show_error": False,
        "strict_cors": True,
        "enable_monitoring": False,
        "ssr_mode": False,
        "share": False,
        # Not gradio's own look at the page: on a busy machine 3 seconds pass, and it would give up.
        "_frontend": False,
        "state_session_capacity": SESSIONS_KEPT,
        "footer_links": ["settings"],
        "theme": page_theme(),
        "css": CSS + _chapter_styles(),
    }


def page_theme() -> gr.themes.Base:
    """Plain, with system fonts, and secondary text of a contrast above 4.5 to 1."""
    theme = gr.themes.Default(
        primary_hue="blue", neutral_hue="slate", font=SYSTEM_FONTS, font_mono=MONO_FONTS
    )
    return theme.set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        color_accent="*primary_600",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
    )
