"""The edited strip as the address of the page, and back: every part of it is checked.

`?tab=frame-lab&example=walk.mp4&frames=1.2x.4.3.b7&second=jump.mp4&removal=mean&places=close`

`frames` goes through the places in time: the number of the frame that stands there, counted from 1
as on the page; "x" after it: taken away; "b" before it: a frame of the second clip.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from app import text
from app.frame_lab.questions import MOST_SLOTS, read_operator
from app.frame_lab.state import Lab, Start
from stam_core.errors import StamError

if TYPE_CHECKING:
    from app.analysis import Analyst
    from app.frame_lab.state import SlotRow
    from app.visit import Visit

TAB = "frame-lab"
OWN = ("frames", "second", "removal", "places")  # what of an address speaks of the lab alone
_SLOT = re.compile(r"(b?)([1-9][0-9]{0,3})(x?)", re.ASCII)
_LONGEST_SLOT = len("b9999x.")


def write_slots(slots: Sequence[SlotRow]) -> str:
    """The edit in an address."""
    return ".".join(
        f"{'b' if clip else ''}{frame + 1}{'' if kept else 'x'}" for clip, frame, kept in slots
    )


def read_slots(value: str, num_frames: int) -> tuple[SlotRow, ...]:
    """The edit that an address names; untrusted.

    Raises:
        StamError: it is none, or does not fit a model of so many frames.
    """
    parts = value.split(".") if len(value) <= MOST_SLOTS * _LONGEST_SLOT else []
    found = [_SLOT.fullmatch(part) for part in parts]
    slots = [
        (int(bool(match[1])), int(match[2]) - 1, not match[3])
        for match in found
        if match is not None and int(match[2]) <= num_frames
    ]
    if len(slots) != num_frames or len(parts) != num_frames:
        raise StamError(text.LINK_NO_EDIT.format(count=num_frames))
    return tuple(slots)


def write_edit(slots: Sequence[SlotRow], removal: str, places: str) -> dict[str, Any]:
    """The edit's part of the address, without the second clip; what is as opened is left out."""
    query: dict[str, Any] = {}
    if slots != as_opened(len(slots)):
        query["frames"] = write_slots(slots)
    if removal != Lab().removal:
        query["removal"] = removal
    if places != Lab().places:
        query["places"] = places
    return query


def as_opened(num_frames: int) -> tuple[SlotRow, ...]:
    """Every frame at its place."""
    return tuple((0, frame, True) for frame in range(num_frames))


def read_lab(analyst: Analyst, visit: Visit, query: Mapping[str, str]) -> tuple[Lab, list[str]]:
    """The lab that an address asks for, and a reason for what of it is not here.

    Args:
        analyst: has the clips.
        visit: the clip and model that the address came to; it has them already.
        query: untrusted.
    """
    if not any(name in query for name in OWN):
        return Lab(), []
    if query.get("example") != analyst.example_name(visit):
        return Lab(), []  # the edit was another clip's; that this is missing was told
    try:
        return _read(analyst, visit, query), []
    except StamError as error:
        return Lab(), [str(error)]


def _read(analyst: Analyst, visit: Visit, query: Mapping[str, str]) -> Lab:
    default = Lab()
    removal, places = read_operator(
        {
            "removal": query.get("removal", default.removal),
            "places": query.get("places", default.places),
        }
    )
    count = analyst.engines.info(visit.model).num_frames
    slots = read_slots(query["frames"], count) if "frames" in query else as_opened(count)
    second = None
    if any(clip for clip, _, _ in slots):
        second = analyst.example(visit, query.get("second")).source
    assert visit.source is not None  # an example is in view
    return Lab(second=second, removal=removal, places=places, start=Start(visit.source, slots))
