"""The embedded clips as a grid of pictures."""

from __future__ import annotations

from app.components.base import PageComponent


class ExamplePicker(PageComponent):
    """`value` is `{"items": [{"name", "title", "picture"}]}`; event "pick" `{"name"}`.

    Other properties: `chosen` is the name of the clip in view or "", `words` the texts, `drop_on`
    and `drop_into` the selectors of the area on which a file may be dropped and of the upload that
    takes it.
    """

    stem = "examples"
