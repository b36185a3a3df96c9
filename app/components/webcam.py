"""The webcam, without sound and without ffmpeg."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.data_classes import FileData

# More would be scaled down at once; a fake or 4K camera would send 2880 x 2160.
LIMITS = {"video": {"width": {"ideal": 640, "max": 1280}, "height": {"ideal": 480, "max": 720}}}


class Webcam(gr.Video):
    """Gradio's recorder; what it recorded is handed on as it is.

    The original would cut the sound and undo the mirror with ffmpeg, which a person need not have:
    the page asks for no microphone here, and the mirror is only on the screen.
    """

    is_template = True  # drawn in the page by gradio's own video component

    def __init__(self, value: str | None = None, **settings: Any) -> None:  # noqa: ANN401 - handed on to gradio
        """A recorder; `settings` are those of gr.Video."""
        settings |= {
            "sources": ["webcam"],
            "include_audio": False,
            "webcam_options": gr.WebcamOptions(mirror=True, constraints=LIMITS),
        }
        super().__init__(value, **settings)

    def preprocess(self, payload: FileData | None) -> str | None:
        """The recording's path; gradio has checked that it lies in the upload folder."""
        return payload.path if payload else None

    def get_config(self, cls: type[Any] | None = None) -> dict[str, Any]:
        """The settings by the names in gradio's own class; this one's signature has none."""
        return super().get_config(cls or gr.Video)
