"""Lessons that are rules and formulas: frames become words, who may look at whom, what it costs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from app import payload
from app.learn import text
from app.learn.lesson import FACTORISED, Ask, levels, packed
from app.learn.questions import number_quiz, quiz, read_patch, read_whole
from stam_core.cost_records import model_sizes
from stam_core.costs import SCHEMES, Sizes, cost
from stam_core.explain.patch_tokens import patch_tokens
from stam_core.schemes import (
    STEPS,
    layers_to_meet,
    looks_directly,
    neighbours,
    reach_by_axis,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.cost_records import Cost
    from stam_core.types import Clip, CropBox

GIGA = 1e9
EACH_FRAME = {FACTORISED, "space"}  # schemes in which every frame has a class token of its own

# --- 1: frames become words ---


def frames_become_words(ask: Ask) -> dict[str, Any]:
    """One frame as the model sees it, its patches' embeddings, and the shapes on the way."""
    frames = ask.clip.num_frames
    frame = read_whole(ask.data, "frame", 0, frames - 1, frames // 2)
    tokens = ask.engine.ask(patch_tokens, ask.clip, frame)
    answer: dict[str, Any] = {
        "frame": frame,
        "seen": _as_seen(ask.clip, ask.engine.crop_box(ask.clip), frame, _side(ask)),
        "tokens": None if tokens is None else levels(tokens.numpy()),
        "width": 0 if tokens is None else tokens.shape[1],
    }
    if ask.first:
        answer |= {
            "indices": ask.clip.frame_indices.tolist(),
            "all": max(ask.clip.info.n_frames, int(ask.clip.frame_indices.max()) + 1),
            "shapes": _shapes(ask),
            "quiz": _tokens_quiz(ask),
        }
    return answer


def _side(ask: Ask) -> int:
    return ask.engine.info.preprocessing.side


def _as_seen(clip: Clip, crop: CropBox, frame: int, side: int) -> str:
    picture: NDArray[np.uint8] = clip.frames[frame]
    height, width = picture.shape[:2]
    top, left = round(crop.top * height), round(crop.left * width)
    bottom = top + max(1, round(crop.height * height))
    right = left + max(1, round(crop.width * width))
    return payload.thumbnail(np.ascontiguousarray(picture[top:bottom, left:right]), side)


def _shapes(ask: Ask) -> list[list[str]]:
    """Names and sizes from the file to the answer."""
    info, clip = ask.engine.info, ask.clip
    frames, rows, columns = ask.shape
    n, width, side = rows * columns, info.config.width, _side(ask)
    names = text.SHAPES
    film = text.FILM_SHAPE.format(
        n=clip.info.n_frames,
        width=clip.info.width,
        height=clip.info.height,
        seconds=clip.info.duration_seconds,
    )
    shapes = [
        [names["film"], film],
        [names["frames"], " × ".join(map(str, clip.frames.shape))],
        [names["input"], f"{frames} × 3 × {side} × {side}"],
        [names["patches"], f"{frames} × {rows} · {columns} = {frames * n:,}"],
    ]
    if ask.scheme in EACH_FRAME:
        shapes.append([names["tokens"], f"{frames} × {n + 1} × {width}"])
    if ask.scheme == FACTORISED:
        shapes += [
            [names["embeddings"], f"{frames} × {width}"],
            [names["time"], f"{frames + 1} × {width}"],
        ]
    if ask.scheme not in EACH_FRAME:
        shapes.append([names["all"], f"{frames * n + 1:,} × {width}"])
    return [*shapes, [names["logits"], str(len(info.labels))]]


def _tokens_quiz(ask: Ask) -> dict[str, Any]:
    frames, rows, columns = ask.shape
    n = rows * columns
    apart, joined = frames * (n + 1), frames * n + 1
    others = [frames * n, n + 1, apart, joined, frames + 1]
    each_frame = ask.scheme in EACH_FRAME
    prompt = text.ONE_PROMPT if each_frame else text.ONE_PROMPT_JOINT
    why = text.ONE_WHY if each_frame else text.ONE_WHY_JOINT
    answer = apart if each_frame else joined
    told = why.format(frames=frames, patches=n, answer=f"{answer:,}")
    return number_quiz(prompt, answer, others, told)


# --- 2: who may look at whom ---


def who_may_look(ask: Ask) -> dict[str, Any]:
    """For each scheme what A looks at, how many keys that is, and when it meets B."""
    shape = ask.shape
    frames, rows, columns = shape
    a = read_patch(ask.data, "a", shape, (frames // 2, rows // 2, columns // 2))
    b = read_patch(ask.data, "b", shape, (frames - 1, 0, columns - 1))
    layers = ask.engine.info.config.depth
    found = {}
    for scheme in STEPS:
        seen = neighbours(scheme, a, shape)
        # A layer of windows takes one of its two steps.
        counted = seen[:1] if scheme == "windows" else seen
        found[scheme] = {
            "title": SCHEMES[scheme].title,
            "steps": [{"name": step.step, "mask": packed(step.mask)} for step in seen],
            "keys": sum(step.keys for step in counted),
            "meet": layers_to_meet(scheme, a, b, shape, at_most=layers),
            "never": scheme in EACH_FRAME and a[0] != b[0],  # whatever the number of layers
            "direct": looks_directly(scheme, a, b, shape),
        }
    answer: dict[str, Any] = {"a": list(a), "b": list(b), "schemes": found, "layers": layers}
    if ask.first:
        answer |= {
            "own": ask.scheme,
            "reach": {
                scheme: [[packed(mask) for mask in axes] for axes in reach_by_axis(scheme, shape)]
                for scheme in STEPS
            },
            "quiz": _meeting_quiz(ask, layers),
        }
    return answer


def _meeting_quiz(ask: Ask, layers: int) -> dict[str, Any]:
    frames, rows, columns = ask.shape
    first, last = (0, 0, 0), (frames - 1, rows - 1, columns - 1)
    meet = layers_to_meet(ask.scheme, first, last, ask.shape, at_most=layers)
    never = text.FIGURE_WORDS["never"]
    choices = [str(n) for n in sorted({1, 2, layers, *([meet] if meet else [])})] + [never]
    prompt = text.TWO_PROMPT.format(last=frames, scheme=SCHEMES[ask.scheme].title, layers=layers)
    why = text.TWO_WHY_NEVER if meet is None else text.TWO_WHY.format(count=meet)
    return quiz(prompt, choices, never if meet is None else str(meet), why)


# --- 6: what it costs ---

LIMITS = {  # lowest and highest of each slider, and its step
    "frames": (2, 128, 2),
    "side": (64, 448, 1),  # the page steps by whole patches
    "width": (192, 1280, 64),
    "depth": (1, 32, 1),
}
PATCHES = (8, 16, 32)  # pixels: those in use, each dividing 224
HEAD_WIDTH = 64  # channels of a head, as in every ViT
CURVE_FRAMES = (2, 4, 8, 16, 32, 64, 128)


def what_it_costs(ask: Ask) -> dict[str, Any]:
    """Pairs, multiply-accumulates, parameters and memory of every scheme, and their curves."""
    own = model_sizes(ask.engine.info)
    sizes = _read_sizes(ask, own)
    answer: dict[str, Any] = {
        "sizes": _shown(sizes),
        "time": _time_stage(sizes, ask),
        "rows": [
            {"scheme": name, "title": scheme.title, "source": scheme.source, **_row(name, sizes)}
            for name, scheme in SCHEMES.items()
        ],
        "curves": {
            name: [_point(cost(name, replace(sizes, frames=n))) for n in CURVE_FRAMES]
            for name in SCHEMES
        },
    }
    if ask.first:
        answer |= {
            "limits": _limits(own),
            "patches": sorted({*PATCHES, own.patch}),
            "own": _shown(own),
            "curve_frames": list(CURVE_FRAMES),
            "quiz": _cost_quiz(own),
        }
    return answer


def _read_sizes(ask: Ask, own: Sizes) -> Sizes:
    begin = Sizes()  # ViT-B/16, of whose figures the text speaks
    values = {
        name: read_whole(ask.data, name, low, high, getattr(begin, name))
        for name, (low, high, _) in _limits(own).items()
    }
    patches = (*PATCHES, own.patch)
    values["patch"] = read_whole(ask.data, "patch", min(patches), max(patches), begin.patch)
    # At the width of the model in use the rest is its own too: heads, feed-forward, time.
    width = values["width"]
    rest = own if width == own.width else Sizes(heads=max(1, width // HEAD_WIDTH))
    return replace(rest, **values, classes=own.classes)


def _time_stage(sizes: Sizes, ask: Ask) -> str:
    """Of which temporal stage the row of STAM speaks."""
    own = ask.scheme == FACTORISED and sizes.width == ask.engine.info.config.width
    return text.SIX_TIME.format(
        depth=sizes.time_depth, hidden=f"{sizes.time_hidden:,}", whose=text.SIX_WHOSE[own]
    )


def _shown(sizes: Sizes) -> dict[str, int]:
    return {name: getattr(sizes, name) for name in (*LIMITS, "patch")}


def _limits(own: Sizes) -> dict[str, tuple[int, int, int]]:
    """The sliders' ends and steps; the model in use may be smaller or larger than all offered."""
    found = {}
    for name, (low, high, step) in LIMITS.items():
        value = getattr(own, name)
        first = min(low, value)
        # A size between two steps can be had by single steps.
        found[name] = (first, max(high, value), step if (value - first) % step == 0 else 1)
    return found


def _row(scheme: str, sizes: Sizes) -> dict[str, float]:
    found = cost(scheme, sizes)
    return {
        "pairs": found.pairs,
        "linear": found.linear,
        "attention": found.attention,
        "parameters": found.parameters,
        "memory": found.map_bytes,
    }


def _point(found: Cost) -> list[int]:
    return [found.pairs, found.layers]


def _cost_quiz(own: Sizes) -> dict[str, Any]:
    joint, stam = cost("joint", own), cost(FACTORISED, own)
    pairs, work = joint.pairs / stam.pairs, joint.layers / stam.layers
    choices = sorted({work, pairs, 2 * work + 1, work**0.5})
    shown = [text.SIX_CHOICE.format(value=value) for value in choices]
    told = [f"{entry.layers / GIGA:,.2f} GMAC" for entry in (joint, stam)]
    return quiz(
        text.SIX_PROMPT.format(pairs=pairs),
        shown,
        text.SIX_CHOICE.format(value=work),
        text.SIX_WHY.format(
            joint=told[0],
            stam=told[1],
            joint_share=100 * joint.attention / joint.layers,
            stam_share=100 * stam.attention / stam.layers,
        ),
    )
