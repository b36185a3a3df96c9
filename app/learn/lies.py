"""The lesson of pictures that lie: a model that forgets, idle attention, black on black."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from einops import rearrange

from app.learn import text
from app.learn.lesson import FACTORISED, Ask, rounded
from app.learn.questions import quiz, read_choice, read_patch
from stam_core.errors import ParameterError
from stam_core.explain import EXPLAINERS, applies
from stam_core.explain.baselines import baseline
from stam_core.explain.one_frame import frame_credit, value_with_frame
from stam_core.metrics.forgetting import forgetting
from stam_core.types import Target

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.explain.one_frame import FrameCredit
    from stam_core.metrics.forgetting import ForgottenStep
    from stam_core.record import Subject

# What is asked of the forgetting model; the picture's own contrast goes beside them.
METHODS = ("temporal-attention", "leave-one-out", "spatial-rollout", "gradient-attention")
# The same where space and time mix in every layer.
MEETING_METHODS = ("temporal-attention", "leave-one-out", "rollout", "gradient-attention")
CONTRAST = "contrast"
RUNS = ("none", "forget", "black")
SQUARE = 2  # patches along the black square's side
PATH_STEPS = 32  # of integrated gradients
PLACES = (1, 4, 8)  # ends of the question's ranges


def pictures_lie(ask: Ask) -> Iterator[dict[str, Any]]:
    """What was asked for; the forgetting model in parts."""
    run = read_choice(ask.data, "run", RUNS)
    if not applies(EXPLAINERS["temporal-attention"], ask.engine.info):
        yield {"missing": text.NO_LIES}
        return
    match run:
        case "forget":
            yield from _forget(ask)
        case "black":
            if ask.scheme != FACTORISED:
                raise ParameterError(text.NO_BLACK)
            yield _black_on_black(ask)
        case _:
            yield _attention_and_effect(ask)


# --- attention and effect ---


def _attention_and_effect(ask: Ask) -> dict[str, Any]:
    """Both for each frame, and the chapter's question about the frame looked at most."""
    rows: dict[str, NDArray[np.float32]] = {}
    for name in ("temporal-attention", "leave-one-out"):
        frames = ask.engine.explain(ask.clip, method=name).frames
        assert frames is not None  # both score frames
        rows[name] = frames
    attention, effect = rows["temporal-attention"], rows["leave-one-out"]
    most = int(attention.argmax())
    rank = 1 + int((effect > effect[most]).sum())
    best = int(effect.argmax())
    told = {"most": most + 1, "share": 100 * float(attention[most]), "rank": rank}
    answer: dict[str, Any] = {
        "attention": rounded(attention, 5),
        "effect": rounded(effect, 5),
        "sentence": text.EIGHT_SENTENCE.format(
            **told, effect=float(effect[most]), best=best + 1, best_effect=float(effect[best])
        ).replace("-", "−"),
    }
    if ask.scheme != FACTORISED:
        answer["no_black"] = text.NO_BLACK
    if ask.first:
        n = len(attention)
        ends = [*[place for place in PLACES if place < n], n]
        starts = [1, *[end + 1 for end in ends[:-1]]]
        choices = [
            text.EIGHT_PLACE.format(place=start) if start == end
            else text.EIGHT_PLACES.format(first=start, last=end)
            for start, end in zip(starts, ends, strict=True)
        ]  # fmt: skip
        index = next(i for i, end in enumerate(ends) if rank <= end)
        answer["quiz"] = quiz(
            text.EIGHT_PROMPT.format(**told), choices, choices[index], answer["sentence"]
        )
    return answer


# --- a model that forgets ---


def _forget(ask: Ask) -> Iterator[dict[str, Any]]:
    """Every step so far, after each layer."""
    target = ask.engine.target(ask.clip)
    frame = ask.clip.num_frames // 2
    rows: list[dict[str, Any]] = []
    for count, row in ask.engine.follow(_forget_steps, ask.clip, target, frame):
        rows.append(row)
        yield _forgotten(rows, count, frame)


def _forget_steps(
    subject: Subject, target: Target, frame: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    """How many layers there are, and what is told of each step."""
    methods = METHODS if subject.scheme == FACTORISED else MEETING_METHODS
    steps = forgetting(subject, {name: EXPLAINERS[name]() for name in methods}, target)
    first = next(steps)  # from here on the engine's model is not needed
    contrast = _contrast(subject)
    return ((step.count, _step(step, contrast, frame)) for step in chain([first], steps))


def _forgotten(rows: list[dict[str, Any]], count: int, frame: int) -> dict[str, Any]:
    # The page takes the whole list: two answers that meet on the way lose nothing.
    done = len(rows) > count
    return {
        "forget": {"steps": list(rows), "count": count, "frame": frame, "done": done},
        "partial": not done,
    }


def _step(step: ForgottenStep, contrast: NDArray[np.float64], frame: int) -> dict[str, Any]:
    scores = {name: _shown(values, frame) for name, values in step.scores.items()}
    likeness = {name: round(value, 3) for name, value in step.likeness.items()}
    return {
        "layer": step.layer,
        "scores": {**scores, CONTRAST: _shown(contrast, frame)},
        "likeness": {**likeness, CONTRAST: 1.0},
    }


def _shown(values: NDArray[np.float64], frame: int) -> list[float]:
    """Scores of all frames, or of one frame's patches row by row, their highest being 1."""
    one = np.nan_to_num(values[frame].ravel() if values.ndim == 3 else values)
    peak = float(np.abs(one).max())
    scaled: list[float] = np.round(one / (peak or 1.0), 3).tolist()
    return scaled


def _contrast(subject: Subject) -> NDArray[np.float64]:
    """How much the pixels of each patch differ: a picture that never asked the model. [T,h,w]."""
    h, w = subject.patch_grid
    patches = rearrange(subject.x, "t c (h y) (w x) -> t h w (c y x)", h=h, w=w)
    spread: NDArray[np.float64] = patches.std(dim=-1).double().cpu().numpy()
    return spread


# --- black on black ---


def _black_on_black(ask: Ask) -> dict[str, Any]:
    """A black square in one frame: its effect, and its credit against two baselines."""
    frames, rows, columns = ask.shape
    frame, row, column = read_patch(
        ask.data, "square", ask.shape, (frames // 2, rows // 2, columns // 2)
    )
    row, column = min(row, rows - SQUARE), min(column, columns - SQUARE)
    target = ask.engine.target(ask.clip)
    changed, credits = ask.engine.ask(_credits, ask.clip, target, (frame, row, column), ask.shape)
    inside = (slice(row, row + SQUARE), slice(column, column + SQUARE))
    return {
        "black": {
            "square": [frame, row, column],
            "size": SQUARE,
            "changed": round(changed, 4),
            "label": ask.engine.info.labels[target.index],
            "credits": {
                name: {
                    "patches": rounded(credit.patches.flatten().numpy(), 5),
                    "inside": round(float(credit.patches[inside].sum()), 4),
                    "all": round(float(credit.patches.sum()), 4),
                    "rise": round(credit.value - credit.baseline_value, 4),
                }
                for name, credit in credits.items()
            },
        }
    }


def _credits(
    subject: Subject, target: Target, place: tuple[int, int, int], shape: tuple[int, int, int]
) -> tuple[float, dict[str, FrameCredit]]:
    """What the black square changes, and its credit by baseline."""
    (frame, row, column), (_, rows, columns) = place, shape
    black, mean = baseline(subject, "black")[frame], baseline(subject, "mean")[frame]
    picture = subject.x[frame].clone()
    y, x = subject.x.shape[-2] // rows, subject.x.shape[-1] // columns
    square = (
        slice(None),
        slice(row * y, (row + SQUARE) * y),
        slice(column * x, (column + SQUARE) * x),
    )
    picture[square] = black[square]
    changed = _change(subject, target, frame, picture)
    credits = {
        name: frame_credit(subject, target, frame, picture, start, steps=PATH_STEPS)
        for name, start in (("black", black), ("mean", mean))
    }
    return changed, credits


@torch.no_grad()
def _change(subject: Subject, target: Target, frame: int, picture: torch.Tensor) -> float:
    both = value_with_frame(subject, target, frame, torch.stack([picture, subject.x[frame]]))
    return float(both[0] - both[1])
