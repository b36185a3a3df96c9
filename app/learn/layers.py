"""The lesson of rollout, layer by layer: in a STAM's two stages, or over all patches at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch

from app.learn import text
from app.learn.lesson import FACTORISED, Ask, levels, rounded
from app.learn.questions import number_quiz, read_choice, read_share, read_whole
from stam_core.explain.meeting_steps import by_frame, meeting_steps
from stam_core.explain.rollout_steps import rollout_steps, spread
from stam_core.types import DividedTrace, JointTrace, Trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stam_core.record import Subject
    from stam_core.types import HeadFusion

MOST_SHARE = 0.95  # of residual and discarding, as in the method's own parameters
MOST_CELLS = 40_000  # of all layers' matrices in one answer
STAGES = ("time", "space")
FUSIONS = ("mean", "max", "min")
MEETING = ("divided", "joint")  # schemes in which space and time mix in every layer


@dataclass(frozen=True)
class Settings:
    """What the figure's controls say."""

    stage: str
    fusion: str
    residual: float
    discard: float
    frame: int


@dataclass(frozen=True, eq=False)
class Drawn:
    """One layer as the figure draws it; CLS comes first in matrices and rows."""

    mixed: torch.Tensor  # [n,n] the layer with its residual
    product: torch.Tensor  # [n,n] so far
    alone: torch.Tensor  # [m] the row of CLS in the layer by itself: frames, or a frame's patches
    row: torch.Tensor  # [m] the same of the product


def rollout_by_layers(ask: Ask) -> dict[str, Any]:
    """Each layer's map with its residual, the product so far, and how far CLS is spread."""
    settings = Settings(
        read_choice(ask.data, "stage", STAGES),
        read_choice(ask.data, "fusion", FUSIONS),
        read_share(ask.data, "residual", MOST_SHARE, 0.5),
        read_share(ask.data, "discard", MOST_SHARE, 0.0),
        read_whole(ask.data, "frame", 0, ask.clip.num_frames - 1, ask.clip.num_frames // 2),
    )
    if ask.scheme not in (FACTORISED, *MEETING):
        return {"missing": text.NO_ROLLOUT}
    drawn = _layers(ask, settings)
    layer = read_whole(ask.data, "layer", 1, len(drawn), len(drawn))
    answer = vars(settings) | _told(drawn, layer)
    if ask.first:
        usual = Settings("time", "mean", 0.5, 0.0, settings.frame)
        answer["quiz"] = _rollout_quiz(_layers(ask, usual), ask.scheme)
    return answer


def _told(drawn: Sequence[Drawn], layer: int) -> dict[str, Any]:
    # A ViT-B's maps of all layers would be a megabyte: then only those of the layer in view.
    size = drawn[0].mixed.shape[-1]
    few = len(drawn) * size**2 <= MOST_CELLS
    shown = [one if few or at == layer else None for at, one in enumerate(drawn, start=1)]
    return {
        "size": size,
        # CLS first, then frames or patches; the one map alone, and the product so far
        "rows": [rounded(one.row.numpy(), 6) for one in drawn],
        "mixed": [one and levels(one.mixed.numpy()) for one in shown],
        "products": [one and levels(one.product.numpy()) for one in shown],
        "spread": [
            {
                "alone": round(spread(one.alone[1:]), 2),
                "product": round(spread(one.row[1:]), 2),
                "kept": round(float(one.row[0]), 4),
            }
            for one in drawn
        ],
    }


def _layers(ask: Ask, settings: Settings) -> list[Drawn]:
    question = _apart if ask.scheme == FACTORISED else _meeting
    return ask.engine.ask(question, ask.clip, settings)


def _apart(subject: Subject, settings: Settings) -> list[Drawn]:
    """One stage of a STAM: its frames, or the patches of one frame."""
    maps = _stage_maps(subject, settings)
    steps = rollout_steps(maps, residual=settings.residual, discard_ratio=settings.discard)
    return [
        Drawn(step.mixed, step.product, layer_map[0], step.product[0])
        for step, layer_map in zip(steps, maps, strict=True)
    ]


def _stage_maps(subject: Subject, settings: Settings) -> torch.Tensor:
    """[L,n,n], heads fused."""
    if settings.stage == "time":
        trace = subject.trace()
        assert isinstance(trace, Trace)  # what factorised models leave
        return _fuse(trace.time_maps, settings.fusion)
    trace = subject.trace(cast("HeadFusion", settings.fusion))
    assert isinstance(trace, Trace)
    assert trace.space_maps is not None  # every head fusion keeps maps
    return trace.space_maps[:, settings.frame]


def _fuse(maps: torch.Tensor, fusion: str) -> torch.Tensor:
    """[L,H,n,n] -> [L,n,n]."""
    match fusion:
        case "max":
            return maps.amax(dim=1)
        case "min":
            return maps.amin(dim=1)
        case _:
            return maps.mean(dim=1)


def _meeting(subject: Subject, settings: Settings) -> list[Drawn]:
    """The product over all patches, as it is between frames; the row by frame, or of one frame."""
    trace = subject.trace(cast("HeadFusion", settings.fusion))
    assert isinstance(trace, DividedTrace | JointTrace)  # what models of MEETING leave
    steps = meeting_steps(trace, residual=settings.residual, discard_ratio=settings.discard)
    n_frames = len(subject.x)

    def seen(row: torch.Tensor) -> torch.Tensor:
        if settings.stage == "time":
            return by_frame(row[None], n_frames)[0]
        patches = row[1:].reshape(n_frames, -1)
        return torch.cat([row[:1], patches[settings.frame]])

    return [Drawn(step.mixed, step.product, seen(step.alone), seen(step.row)) for step in steps]


def _rollout_quiz(usual: Sequence[Drawn], scheme: str) -> dict[str, Any]:
    """Over how many frames the usual rollout is spread."""
    n = len(usual[-1].row) - 1
    answer = round(spread(usual[-1].row[1:]))
    alone = spread(usual[-1].alone[1:])
    others = {1, max(1, n // 4), max(1, n // 2), n}
    # One away could be right with other roundings.
    wrong = [number for number in others if abs(number - answer) > 1]
    prompt = text.FIVE_PROMPT.format(layers=text.FIVE_LAYERS[scheme == FACTORISED])
    return number_quiz(prompt, answer, wrong, text.FIVE_WHY.format(n=n, answer=answer, alone=alone))
