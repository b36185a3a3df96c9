"""The lesson of order: other orders of the frames, and the frames that carry the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from app.learn import text
from app.learn.lesson import Ask, rounded
from app.learn.questions import quiz, read_choice, read_whole
from stam_core.explain import EXPLAINERS, applies
from stam_core.explain.by_hand import is_framewise
from stam_core.explain.game import FrameGame
from stam_core.metrics.agreement import compare
from stam_core.types import Target

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core import Engine
    from stam_core.record import Subject
    from stam_core.types import Clip

SHUFFLES = 100
SHAPLEY_PAIRS = 32  # of orders; the interval is in the frame lab, the lesson needs the ranking
ORDERS = ("none", "shuffle", "reverse", "freeze")
LONGEST_SEED = 10_000

# --- 7: does order matter? ---


def does_order_matter(ask: Ask) -> dict[str, Any] | Iterator[dict[str, Any]]:
    """The answer to the clip in another order, and which frames carry it.

    In parts where the model takes the clip whole: each other choice of frames is a pass of its
    own, and between two parts the visitor may leave.
    """
    if len(set(ask.clip.frame_indices.tolist())) < 2:
        return {"missing": text.ONE_FRAME}
    quick = ask.engine.ask(is_framewise, ask.clip)
    parts = _parts(ask, quick=quick)
    if not quick:
        return parts
    *_, last = parts
    return last


def _parts(ask: Ask, *, quick: bool) -> Iterator[dict[str, Any]]:
    """Each with all that is known so far."""
    order = read_choice(ask.data, "order", ORDERS)
    seed = read_whole(ask.data, "seed", 0, LONGEST_SEED, 0)
    frame = read_whole(ask.data, "frame", 0, ask.clip.num_frames - 1, 0)
    before = ask.engine.predict(ask.clip)
    best = int(before.logits.argmax())
    answer: dict[str, Any] = {
        "label": before.labels[best],
        "was": float(before.probabilities[best]),
    }
    yield answer | {"partial": True}
    if order != "none":
        frames = _frames(order, ask.clip.num_frames, seed, frame)
        after = ask.engine.edit(ask.clip, frames=frames, positions="close")
        now = int(after.logits.argmax())
        answer["try"] = {
            "order": order,
            "frames": frames,
            "label": after.labels[now],
            "now": float(after.probabilities[now]),
            "old": float(after.probabilities[best]),
            "same": now == best,
        }
    if ask.data.get("reveal") is True:
        for effects in _effects(ask.engine, ask.clip, quick=quick):
            if effects is None:
                yield answer | {"partial": True}
            else:
                answer["effects"] = effects
    if ask.first:
        answer["quiz"] = _order_quiz(ask, best, quick=quick)
    yield answer


def _frames(order: str, n: int, seed: int, frame: int) -> list[int]:
    match order:
        case "shuffle":
            mixed: list[int] = np.random.default_rng(seed).permutation(n).tolist()
            return mixed
        case "reverse":
            return list(range(n))[::-1]
        case _:
            return [frame] * n


def _effects(engine: Engine, clip: Clip, *, quick: bool) -> Iterator[dict[str, Any] | None]:
    """Attention, and what leaving frames out says; and whether they agree. None: not yet.

    `quick`: another choice of frames is cheap, so that Shapley values can be had too.
    """
    asked: dict[str, dict[str, Any]] = {"temporal-attention": {}, "leave-one-out": {}}
    if quick:
        asked["shapley"] = {"subsets": "sampled", "pairs": SHAPLEY_PAIRS}
    rows: dict[str, NDArray[np.float32]] = {}
    for name, settings in asked.items():
        if not applies(EXPLAINERS[name], engine.info):  # not every model attends in time
            continue
        for explanation in engine.stream(clip, method=name, **settings):
            frames = explanation.frames
            yield None
        assert frames is not None  # all of them score frames, at last
        rows[name] = frames
    best = "shapley" if quick else "leave-one-out"
    title = text.FIGURE_WORDS["seven"]["rows"][best]
    sentence = ""
    if "temporal-attention" in rows:
        names = ("attention", title)
        sentence = compare(rows["temporal-attention"], rows[best], names=names).sentence
    yield {
        "rows": {name: rounded(frames, 5) for name, frames in rows.items()},
        "key": {name: int(frames.argmax()) for name, frames in rows.items()},
        "best": best,
        "sentence": sentence,
    }


def _order_quiz(ask: Ask, best: int, *, quick: bool) -> dict[str, Any]:
    """In how many of many orders the answer stays; backwards alone where each is dear."""
    label = ask.engine.info.labels[best]
    if not quick:
        back = ask.engine.edit(ask.clip, frames=_frames("reverse", ask.clip.num_frames, 0, 0))
        stays = int(back.logits.argmax()) == best
        right = text.SEVEN_BACK_CHOICES[0 if stays else 1]
        told = back.top(1)[0]
        return quiz(
            text.SEVEN_BACK_PROMPT.format(label=label),
            list(text.SEVEN_BACK_CHOICES),
            right,
            text.SEVEN_BACK_WHY.format(label=told[0], share=100 * told[1]),
        )
    same = ask.engine.ask(_orders_that_stay, ask.clip, best)
    bounds = (0, SHUFFLES // 4, SHUFFLES // 2, 3 * SHUFFLES // 4, SHUFFLES + 1)
    index = next(i for i in range(4) if bounds[i] <= same < bounds[i + 1])
    return quiz(
        text.SEVEN_PROMPT.format(count=SHUFFLES, label=label),
        list(text.SEVEN_CHOICES),
        text.SEVEN_CHOICES[index],
        text.SEVEN_WHY.format(same=same, count=SHUFFLES),
    )


def _orders_that_stay(subject: Subject, best: int) -> int:
    """Of SHUFFLES random orders those whose answer is the class `best`."""
    game = FrameGame(subject, Target(best))
    generator = torch.Generator().manual_seed(1)
    n = len(subject.x)
    orders = torch.stack([torch.randperm(n, generator=generator) for _ in range(SHUFFLES)])
    return int((game.logits_of_orders(orders).argmax(dim=-1) == best).sum())
