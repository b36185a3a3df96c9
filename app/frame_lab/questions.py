"""What the frame lab's page sent -> checked values. Anything may be forged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast, get_args

from app import text
from stam_core.edits import Edit, Slot, check_edit
from stam_core.errors import ParameterError, UnknownNameError
from stam_core.explain.game import REMOVALS, Places

if TYPE_CHECKING:
    from stam_core.explain.game import Removal
    from stam_core.types import Clip

# A slot travels as [clip, frame, kept]; far more slots than any model has are not even looked at.
SLOT_FIELDS = 3
MOST_SLOTS = 256


def read_edit(data: Mapping[str, Any], clips: Sequence[Clip], num_slots: int) -> Edit:
    """The edit that an event describes.

    Args:
        data: `{"keys": [each clip's digest], "slots": [[clip, frame, kept]], "removal", "places"}`.
        clips: the visitor's own open clips; no other can be reached.
        num_slots: places the model has.

    Raises:
        ParameterError: it cannot be read, speaks of other clips, or of frames that do not exist.
        UnknownNameError: no such removal or setting of places.
    """
    keys, rows = data.get("keys"), data.get("slots")
    if not isinstance(rows, list) or not isinstance(keys, list):
        raise ParameterError(text.LAB_BAD_EDIT)
    if keys != [clip.digest for clip in clips][: len(keys)] or not keys:
        raise ParameterError(text.LAB_OTHER_CLIP)
    if len(rows) > MOST_SLOTS:
        raise ParameterError(
            f"{len(rows)} frames do not fit the model's {num_slots} slots. Use fewer frames."
        )
    removal, places = read_operator(data)
    edit = Edit(tuple(map(_slot, rows)), removal, places)
    check_edit(edit, clips[: len(keys)], num_slots)
    return edit


def _slot(row: object) -> Slot:
    if not isinstance(row, list) or len(row) != SLOT_FIELDS or not isinstance(row[2], bool):
        raise ParameterError(text.LAB_BAD_EDIT)
    clip, frame, kept = row
    return Slot(frame=frame, clip=clip, kept=kept)  # check_edit looks at the numbers


def read_operator(data: Mapping[str, Any]) -> tuple[Removal, Places]:
    """What stands where a frame was removed, and where the others stand.

    Raises:
        UnknownNameError: no such choice.
    """
    removal, places = data.get("removal"), data.get("places")
    if removal not in REMOVALS:
        raise UnknownNameError("removal", str(removal)[:80], list(REMOVALS))
    if places not in get_args(Places):
        raise UnknownNameError("places setting", str(places)[:80], list(get_args(Places)))
    return cast("Removal", removal), cast("Places", places)


def read_class(value: object) -> int | None:
    """A class's number, or None for no choice; whether it exists is for the engine to say.

    Raises:
        ParameterError: neither a whole number nor nothing.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise ParameterError(f"A class is a whole number, not {str(value)[:80]!r}.")
    return value


def read_serial(data: Mapping[str, Any]) -> int:
    """The edit's number in the page, given back with the answer; 0 where there is none."""
    serial = data.get("serial")
    return serial if isinstance(serial, int) and not isinstance(serial, bool) else 0


def speaks_of_two(data: Mapping[str, Any]) -> bool:
    """Whether the edit has frames of the second clip; if not, that one need not be there."""
    keys = data.get("keys")
    return isinstance(keys, list) and len(keys) > 1
