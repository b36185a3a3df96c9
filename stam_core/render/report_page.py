"""One HTML file that opens from a disk, without a network, and keeps the interactive strip.

Nothing is fetched: the frames are in the file, and a policy in its head forbids every request and
every script but the one whose digest it names. Untrusted words are escaped here, and once more by
the strip's scripts, which write text only.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from stam_core.render.words import one_line

STRIP_FOLDER = Path(__file__).parent / "strip"
STRIP_SCRIPTS = ("begin.js", "strip_begin.js", "strip_draw.js", "strip_large.js", "strip.js")
NO_SCRIPT = "The frames are drawn by a script inside this file; allow it to see them."
# The strip is drawn as in the page: there the names come from gradio.
SCRIPT_HEAD = """\
(() => {
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const element = document.getElementById("strip");
const props = { clip: data.clip, value: data.scores, words: data.words };
const trigger = () => {};
const watch = () => {};
"""
SCRIPT_TAIL = """
document.getElementById("save").addEventListener("click", () => {
  const link = document.createElement("a");
  const text = document.getElementById("numbers").textContent;
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = data.file;
  link.click();
  URL.revokeObjectURL(link.href);
});
})();
"""


@cache
def page_script() -> str:
    """The one script of a report: the strip's, in a scope of its own."""
    parts = (_file(name) for name in STRIP_SCRIPTS)
    return SCRIPT_HEAD + "\n".join(parts) + SCRIPT_TAIL


@cache
def page_style() -> str:
    """The one style sheet of a report: the strip's and the page's."""
    return _file("strip.css") + _file("report.css")


def html_page(
    title: str, sections: Iterable[str], *, data: dict[str, Any], numbers: dict[str, Any]
) -> str:
    """The whole file.

    Args:
        title: of the page; untrusted.
        sections: HTML, made by the functions below.
        data: `clip`, `scores`, `words` and `file` for the script.
        numbers: every figure, for the reader's programs.
    """
    style, script = page_style(), page_script()
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    head = (
        '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title)}</title>\n<style>{style}</style>"
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n<main>\n'
        + "\n".join(sections)
        + "\n</main>\n"
        + f'<script type="application/json" id="data">{_json(data)}</script>\n'
        + f'<script type="application/json" id="numbers">{_json(numbers)}</script>\n'
        + f"<script>{script}</script>\n</body>\n</html>\n"
    )


def text(words: object) -> str:
    """Untrusted words as HTML text, on one line."""
    return html.escape(one_line(words))


def section(heading: str, *parts: str, name: str = "") -> str:
    """A card of the page; `parts` are HTML."""
    return (
        f'<section class="card {name}">\n<h2>{text(heading)}</h2>\n'
        + "\n".join(parts)
        + ("\n</section>")
    )


def paragraph(words: str, *, name: str = "") -> str:
    """One paragraph of plain words."""
    return f'<p class="{name}">{text(words)}</p>' if name else f"<p>{text(words)}</p>"


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values in two columns."""
    lines = (f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in rows)
    return f"<dl>{''.join(lines)}</dl>" if rows else ""


def shares(rows: Sequence[tuple[str, float]]) -> str:
    """Labels with their probabilities, as bars and figures."""
    lines = (
        f"<tr><th scope='row'>{text(label)}</th>"
        f"<td><meter value='{share:.4f}' min='0' max='1'>{share:.1%}</meter></td>"
        f"<td>{share:.1%}</td></tr>"
        for label, share in rows
    )
    return f'<table class="shares">{"".join(lines)}</table>'


def code(lines: str, label: str) -> str:
    """Lines to copy, as they are but for letters that no file can hold."""
    lines = html.escape(lines.encode("utf-8", "backslashreplace").decode("utf-8"))
    return f'<pre tabindex="0" aria-label="{text(label)}"><code>{lines}</code></pre>'


def curve(name: str, values: Sequence[float]) -> str:
    """A row of values as a line, with its lowest and highest in figures."""
    low, high = min(values), max(values)
    gain = (high - low) or 1.0
    steps = max(1, len(values) - 1)
    points = " ".join(
        f"{300 * i / steps:.1f},{60 * (1 - (value - low) / gain):.1f}"
        for i, value in enumerate(values)
    )
    spoken = f"{name}: {len(values)} values from {low:.4g} to {high:.4g}"
    return (
        f'<figure><svg viewBox="-3 -3 306 66" role="img" aria-label="{text(spoken)}">'
        f'<polyline points="{points}"/></svg><figcaption>{text(spoken)}</figcaption></figure>'
    )


def strip_place() -> str:
    """Where the script draws the strip."""
    return (
        '<div id="strip"><div class="strip" data-root></div></div>'
        f"<noscript><p>{NO_SCRIPT}</p></noscript>"
    )


def save_button(words: str) -> str:
    """The button that saves every number."""
    return f'<button type="button" id="save" class="save">{text(words)}</button>'


@cache
def strip_words() -> dict[str, Any]:
    """What the strip's scripts write on their controls, in English."""
    words: dict[str, Any] = json.loads(_file("strip_words.json"))
    return words


def _file(name: str) -> str:
    return (STRIP_FOLDER / name).read_text(encoding="utf-8")


def _digest(content: str) -> str:
    digest = hashlib.sha256(content.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _json(value: dict[str, Any]) -> str:
    """JSON that cannot end the script element it stands in."""
    plain = json.dumps(value, allow_nan=False)
    return plain.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
