"""A view as the address of the page, and back: names and numbers only, every one checked.

`?example=walk.mp4&model=stam-16&method=rollout&residual=0.25&bars=temporal-attention&bars.layer=1
&target=walk&foil=kick&sampling=uniform&span=0.5-2`

`method` gives the heat map, or the bars where it has no map; parameters of the bars begin with
"bars.". What cannot be had falls back to the default, with a note for the person. The other tabs'
links begin with the same clip, model, classes and frames.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from app import controls, text
from app.explained import with_methods
from app.visit import EMBEDDED, Visit
from stam_core.errors import StamError
from stam_core.explain import EXPLAINERS, configure, parameter_specs
from stam_core.models import MODELS
from stam_core.video import SAMPLING_POLICIES

if TYPE_CHECKING:
    from app.analysis import Analyst
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
    query = view_query(visit, example, info)
    query["method"] = visit.heat
    query |= changed(visit.heat, visit.heat_parameters, info)
    query["bars"] = visit.bars
    bars = changed(visit.bars, visit.bars_parameters, info)
    query |= {BARS_PREFIX + name: value for name, value in bars.items()}
    return "?" + urlencode(query)


def view_query(visit: Visit, example: str, info: ModelInfo) -> dict[str, Any]:
    """What is looked at: clip, model, classes and frames; defaults are left out."""
    query: dict[str, Any] = {"example": example}
    if visit.model != EMBEDDED:
        query["model"] = visit.model
    for name, index in (("target", visit.target), ("foil", visit.foil)):
        if index is not None:
            query[name] = info.labels[index]
    if visit.policy != Visit().policy:
        query["sampling"] = visit.policy
    if visit.span_seconds is not None:
        query["span"] = "-".join(f"{seconds:g}" for seconds in visit.span_seconds)
    return query


def changed(method: str, parameters: Mapping[str, Any], info: ModelInfo) -> dict[str, Any]:
    """The parameters that are not at their defaults."""
    defaults = {spec.name: spec.default for spec in parameter_specs(method, info)}
    return {name: value for name, value in parameters.items() if value != defaults[name]}


def read_view(analyst: Analyst, query: Mapping[str, str]) -> tuple[Visit, list[str]]:
    """The visit with the clip and the model that an address names, and a note for what is not here.

    Methods, classes and frames are for `read_methods` and its parts.
    """
    notes = []
    visit = Visit()
    names = [card["name"] for card in analyst.example_cards["items"]]
    wanted = query.get("example")
    if wanted is not None and wanted not in names:
        notes.append(text.LINK_NO_EXAMPLE)
    model = query.get("model", EMBEDDED)
    if model in MODELS and analyst.models.is_ready(model):
        visit = analyst.with_model(visit, model)
    else:
        notes.append(text.LINK_NO_MODEL)
    if names:
        visit = analyst.example(visit, wanted if wanted in names else names[0])
    return visit, notes


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
    query = without_long_values(query)
    places: tuple[tuple[str, str], ...] = (("method", ""), ("bars", BARS_PREFIX))
    for name, prefix in places:
        try:
            visit = _with_method(visit, query, info, name, prefix)
        except StamError as error:
            notes.append(str(error))
    try:
        visit = with_classes(visit, query, info)
    except StamError as error:
        notes.append(str(error))
    return with_frames(visit, query, info), notes


def without_long_values(query: Mapping[str, str]) -> dict[str, str]:
    """What of an address is worth reading."""
    return {name: value for name, value in query.items() if len(value) <= LONGEST_VALUE}


def _with_method(
    visit: Visit, query: Mapping[str, str], info: ModelInfo, name: str, prefix: str
) -> Visit:
    maps = controls.methods_for("patches", info) if name == "method" else []
    found = read_method(query, info, name, [*maps, *controls.methods_for("frames", info)], prefix)
    if found is None:
        return visit
    method, values = found
    if method in maps:
        return replace(visit, heat=method, heat_parameters=values)
    return replace(visit, bars=method, bars_parameters=values)


def read_method(
    query: Mapping[str, str], info: ModelInfo, name: str, offered: Sequence[str], prefix: str = ""
) -> tuple[str, dict[str, Any]] | None:
    """The method that an address names, with its parameters; None where it names none.

    Args:
        query: of the address; untrusted.
        info: of the model.
        name: under which the method stands.
        offered: methods that may be asked for.
        prefix: before the names of its parameters.

    Raises:
        StamError: it is not offered, or a parameter is out of range.
    """
    method = query.get(name)
    if method is None:
        return None
    if method not in offered:
        raise StamError(text.LINK_NO_METHOD)
    known = {spec.name for spec in parameter_specs(method, info)}
    parameters = {spec: query[prefix + spec] for spec in known if prefix + spec in query}
    # The method's own types: an address has text only.
    chosen = configure(EXPLAINERS[method], info, parameters)
    return method, {spec: getattr(chosen, spec) for spec in parameters}


def with_classes(visit: Visit, query: Mapping[str, str], info: ModelInfo) -> Visit:
    """The visit with the classes that an address names.

    Raises:
        StamError: the model has no such class, or it is held against itself.
    """
    named = {name: query[name] for name in controls.CLASS_NAMES if name in query}
    if not set(named.values()) <= set(info.labels):
        raise StamError(text.LINK_NO_CLASS)
    sent = {name: str(info.labels.index(label)) for name, label in named.items()}
    target, foil = controls.read_classes({"parameters": sent}, info, (None, None))
    return replace(visit, target=target, foil=foil)


def with_frames(visit: Visit, query: Mapping[str, str], info: ModelInfo) -> Visit:
    """The visit with the choice of frames that an address names; what cannot be is no choice."""
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
