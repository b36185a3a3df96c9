"""What events of all tabs share: the queues they wait in, and how to read what a script sent."""

from __future__ import annotations

from typing import Any

import gradio as gr

CLIP_TYPES = [
    "video", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif",
    ".mpg", ".mpeg", ".ts", ".flv", ".wmv", ".ogv",
]  # fmt: skip
NAME_LENGTH = 80  # characters of a file's name that are shown

# Every handler that runs a model waits in one queue. The engine lets one of them compute at a time;
# another place in the queue lets a newer question begin, and so end the older one, see `Turns`.
MODEL_QUEUE: dict[str, Any] = {
    "concurrency_id": "model",
    "concurrency_limit": 3,
    # A second choice made while waiting is not lost. (In Gradio 6.31 "always_last" asks again with
    # the data of the event that just ended, so the second choice would never be heard.)
    "trigger_mode": "multiple",
    "api_visibility": "private",
    "show_progress": "hidden",
}
# What takes milliseconds is answered as it comes, by handlers of `guarded_answer`: gradio's queue
# costs the page a second request and, for each word of it, a copy of all that is shown.
AT_ONCE: dict[str, Any] = {
    "queue": False,
    "trigger_mode": "multiple",
    "api_visibility": "private",
    "show_progress": "hidden",
}


def event_data(event: gr.EventData) -> dict[str, Any]:
    """What our script sent along; an empty record where a forged request sent something else."""
    data = getattr(event, "_data", None)
    return data if isinstance(data, dict) else {}
