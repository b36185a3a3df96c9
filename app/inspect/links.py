"""A view as the address of the page, and back: names and numbers only, every one checked.

`?example=walk.mp4&model=stam-16&method=rollout&residual=0.25&bars=temporal-attention&bars.layer=1
&target=walk&foil=kick&sampling=uniform&span=0.5-2`

`method` gives the heat map, or the bars where it has no map; parameters of the bars begin with
"bars.". What cannot be had falls back to the default, with a note for the person.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from app import controls, text
from app.explained import with_methods
from app.visit import EMBEDDED, Visit
from stam_core.errors import StamError
from stam_core.explain import EXPLAINERS, configure, parameter_specs
from stam_core.video import SAMPLING_POLICIES

if TYPE_CHECKING:
    from stam_core.types import ModelInfo

BARS_PREFIX = "bars."
LONGEST_VALUE = 200  # characters


def write_link(visit: Visit, example: str, info: ModelInfo) -> str:
    """The query of the address that shows this view.

    Args:
        visit: with its methods.
        example: name of its embedded clip.
        info: of its model.
    """
    query: dict[str, Any] = {"example": example}
    if visit.model != EMBEDDED:
        query["model"] = visit.model
    query["method"] = visit.heat
    query |= _changed(visit.heat, visit.heat_parameters, info)
    query["bars"] = visit.bars
    bars = _changed(visit.bars, visit.bars_parameters, info)
    query |= {BARS_PREFIX + name: value for name, value in bars.items()}
    for name, index in (("target", visit.target), ("foil", visit.foil)):
        if index is not None:
            query[name] = info.labels[index]
    if visit.policy != Visit().policy:
        query["sampling"] = visit.policy
    if visit.span_seconds is not None:
        query["span"] = "-".join(f"{seconds:g}" for seconds in visit.span_seconds)
    return "?" + urlencode(query)


def _changed(method: str, parameters: Mapping[str, Any], info: ModelInfo) -> dict[str, Any]:
    defaults = {spec.name: spec.default for spec in parameter_specs(method, info)}
    return {name: value for name, value in parameters.items() if value != defaults[name]}


def read_methods(
    visit: Visit, query: Mapping[str, str], info: ModelInfo
) -> tuple[Visit, list[str]]:
    """The visit with the methods, parameters, classes and frames that an address names.

    Args:
        visit: with its clip and model.
        query: of the address; untrusted, unknown names in it are passed over.
        info: of the visit's model.

    Returns:
        The visit, and a sentence for everything that is not here.
    """
    visit, notes = with_methods(visit, info), []
    query = {name: value for name, value in query.items() if len(value) <= LONGEST_VALUE}
    places: tuple[tuple[str, str], ...] = (("method", ""), ("bars", BARS_PREFIX))
    for name, prefix in places:
        try:
            visit = _with_method(visit, query, info, name, prefix)
        except StamError as error:
            notes.append(str(error))
    try:
        visit = _with_classes(visit, query, info)
    except StamError as error:
        notes.append(str(error))
    return _with_frames(visit, query, info), notes


def _with_method(
    visit: Visit, query: Mapping[str, str], info: ModelInfo, name: str, prefix: str
) -> Visit:
    method = query.get(name)
    if method is None:
        return visit
    place: controls.Place = "frames"
    if name == "method" and method in controls.methods_for("patches", info):
        place = "patches"
    if method not in controls.methods_for(place, info):
        raise StamError(text.LINK_NO_METHOD)
    known = {spec.name for spec in parameter_specs(method, info)}
    parameters = {spec: query[prefix + spec] for spec in known if prefix + spec in query}
    # The method's own types: an address has text only.
    chosen = configure(EXPLAINERS[method], info, parameters)
    values = {spec: getattr(chosen, spec) for spec in parameters}
    if place == "patches":
        return replace(visit, heat=method, heat_parameters=values)
    return replace(visit, bars=method, bars_parameters=values)


def _with_classes(visit: Visit, query: Mapping[str, str], info: ModelInfo) -> Visit:
    named = {name: query[name] for name in controls.CLASS_NAMES if name in query}
    if not set(named.values()) <= set(info.labels):
        raise StamError(text.LINK_NO_CLASS)
    sent = {name: str(info.labels.index(label)) for name, label in named.items()}
    target, foil = controls.read_classes({"parameters": sent}, info, (None, None))
    return replace(visit, target=target, foil=foil)


def _with_frames(visit: Visit, query: Mapping[str, str], info: ModelInfo) -> Visit:
    policy = query.get("sampling")
    if policy in SAMPLING_POLICIES and (policy != "official" or info.official_fps is not None):
        visit = replace(visit, policy=policy)
    try:
        start, end = (float(part) for part in query.get("span", "").split("-"))
    except ValueError:
        return visit
    if math.isfinite(end) and 0 <= start < end:
        visit = replace(visit, span_seconds=(start, end))
    return visit
