"""What gradio works out anew for every visitor is worked out once, and comes out the same."""

from __future__ import annotations

import inspect

import gradio as gr
from gradio.data_classes import FileData, ListFiles

from app.components import FrameStrip
from app.components.base import PageComponent, quoted_names
from app.components.quick import FileButton, remember_signatures


def test_a_file_button_is_gradios_own_to_the_page_and_to_clients() -> None:
    button, original = FileButton("Open"), gr.UploadButton("Open")
    assert button.get_block_name() == original.get_block_name()
    assert button.api_info() == original.api_info()
    assert button.api_info() is FileButton("Another").api_info()
    many, originals = (kind(file_count="multiple") for kind in (FileButton, gr.UploadButton))
    assert many.api_info() == originals.api_info() != original.api_info()


def test_events_are_found_by_their_words_and_nothing_else_is() -> None:
    strip = FrameStrip()
    script = strip.js_on_load
    assert "renew" not in quoted_names("trigger(renew); \"renewed\"; 'rene'")
    assert {"a", "b", "c"} <= quoted_names("trigger('a'); trigger(\"b\"); trigger(`c`)")
    for name in ("no_such_event", "data_model_of"):
        assert not hasattr(strip, name)
    events = [name for name in quoted_names(script) if callable(getattr(strip, name, None))]
    assert events
    assert quoted_names(script) is quoted_names(script)  # read through once


def test_signatures_are_kept_as_they_are() -> None:
    with gr.Blocks() as page:
        FrameStrip()
        gr.Dropdown()
    kinds = (FrameStrip, PageComponent, gr.HTML, gr.Dropdown)
    before = [inspect.signature(kind.__init__) for kind in kinds]
    remember_signatures(page)
    for kind, signature in zip(kinds, before, strict=True):
        kept = inspect.signature(kind.__init__)
        assert kept == signature
        assert inspect.signature(kind.__init__) is kept


def test_a_file_is_taken_by_its_bytes_and_not_refused_by_its_name() -> None:
    button = FileButton("Open", file_types=[".mp4"])
    assert button.preprocess(FileData(path="/tmp/clip of mine.txt")) == "/tmp/clip of mine.txt"
    assert button.preprocess(None) is None
    assert button.preprocess(ListFiles(root=[FileData(path="a.mp4")])) is None  # forged
