"""Two sides as the address of the page, and back: every part of it is checked.

`?tab=compare&example=walk.mp4&a.example=walk.mp4&a.method=rollout&b.example=jump.mp4&b.model=...`

What begins with "a." is the left side's, with "b." the right one's; the rest is for "Inspect".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from app.compare.asks import methods_to_compare
from app.compare.state import Pair
from app.takeaway.links import (
    changed,
    read_method,
    read_view,
    view_query,
    with_classes,
    with_frames,
    without_long_values,
)
from stam_core.errors import StamError
from stam_core.models import MODELS

if TYPE_CHECKING:
    from app.analysis import Analyst
    from app.visit import Visit

TAB = "compare"
PREFIXES = ("a.", "b.")


def write_pair(analyst: Analyst, pair: Pair) -> str | None:
    """The query that shows both sides again; None where a clip or model is the visitor's own."""
    sides = []
    for side in pair.sides:
        example = analyst.example_name(side)
        if example is None or side.model not in MODELS:
            return None
        info = analyst.engines.info(side.model)
        method = {"method": side.heat, **changed(side.heat, side.heat_parameters, info)}
        sides.append(view_query(side, example, info) | method)
    query: dict[str, Any] = {"tab": TAB}
    query |= {name: sides[0][name] for name in ("example", "model") if name in sides[0]}
    for prefix, side_query in zip(PREFIXES, sides, strict=True):
        query |= {prefix + name: value for name, value in side_query.items()}
    return "?" + urlencode(query)


def read_pair(analyst: Analyst, visit: Visit, query: Mapping[str, str]) -> tuple[Pair, list[str]]:
    """The sides that an address asks for, and a reason for each part that is not here.

    Args:
        analyst: has the clips and models.
        visit: what "Inspect" shows.
        query: untrusted.
    """
    query = without_long_values(query)
    if not any(name.startswith(PREFIXES) for name in query):
        return Pair(), []
    sides, notes = [], []
    for prefix in PREFIXES:
        own = {name[len(prefix) :]: query[name] for name in query if name.startswith(prefix)}
        side, missing = _read_side(analyst, own)
        sides.append(side)
        notes += missing
    if notes:
        return Pair(), list(dict.fromkeys(notes))
    return Pair((sides[0], sides[1]), inspected=visit.source, linked=True), []


def _read_side(analyst: Analyst, query: Mapping[str, str]) -> tuple[Visit, list[str]]:
    side, notes = read_view(analyst, query)
    info = analyst.engines.info(side.model)
    offered = methods_to_compare(info)
    try:
        method, parameters = read_method(query, info, "method", offered) or (offered[0], {})
        side = with_frames(with_classes(side, query, info), query, info)
    except StamError as error:
        return side, [*notes, str(error)]
    side = replace(side, heat=method, heat_parameters=parameters, bars="", bars_parameters={})
    return side, notes
