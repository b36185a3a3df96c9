"""From an engine and its answers to the `Evidence` that pictures, films and numbers are made of."""

from __future__ import annotations

from stam_core.any_engine import AnyEngine
from stam_core.explain import EXPLAINERS
from stam_core.render.evidence import Evidence
from stam_core.types import Clip, Explanation


def gather_evidence(
    engine: AnyEngine,
    clip: Clip,
    *,
    clip_name: str,
    explanation: Explanation | None = None,
    bars: Explanation | None = None,
) -> Evidence:
    """All that the engine says of a clip, and what its methods are called.

    Args:
        engine: has answered already, or is asked now.
        clip: from `engine.open`.
        clip_name: for people; untrusted text.
        explanation: the scores to show; None: the answer alone.
        bars: another method's scores of the frames, to be drawn in place of its own.
    """
    method = None if explanation is None else EXPLAINERS[explanation.method].info
    return Evidence(
        clip_name=clip_name,
        clip=clip,
        model=engine.info,
        prediction=engine.predict(clip),
        crop_box=engine.crop_box(clip),
        explanation=explanation,
        method_title="" if method is None else method.title,
        caveat="" if method is None else method.caveat,
        bars=bars,
        bars_title="" if bars is None else EXPLAINERS[bars.method].info.title,
    )
