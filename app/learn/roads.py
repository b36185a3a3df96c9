"""The lesson of two roads: how a patch gets to the class in divided attention and in STAM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from app.learn import text
from app.learn.lesson import FACTORISED, Ask, packed, rounded
from app.learn.questions import number_quiz, quiz, read_patch
from stam_core.explain.rollout import rollout
from stam_core.schemes import STEPS, one_patch
from stam_core.types import Trace

if TYPE_CHECKING:
    from stam_core.record import Subject


def two_roads(ask: Ask) -> dict[str, Any]:
    """Who holds something of the patch after each step, and the shares of the model's rollout."""
    frames, rows, columns = ask.shape
    patch = read_patch(ask.data, "patch", ask.shape, (frames // 2, rows // 2, columns // 2))
    held = one_patch(patch, ask.shape)
    roads: dict[str, list[dict[str, Any]]] = {}
    for scheme in ("divided", "factorised"):
        now, road = held, [{"step": "", "mask": packed(held), "count": 1}]
        # In both schemes whoever is looked at by a set of patches looks at it too.
        for step in STEPS[scheme]:
            now = now | step.reach(now)
            road.append({"step": step.name, "mask": packed(now), "count": int(now.sum())})
        roads[scheme] = road
    answer: dict[str, Any] = {"patch": list(patch), "roads": roads}
    if ask.first:
        answer |= _shares(ask) if ask.scheme == FACTORISED else _joined_shares(ask)
        answer["layers"] = ask.engine.info.config.depth
        answer["time_layers"] = getattr(ask.engine.info.config, "time_depth", 0)
        answer["width"] = ask.engine.info.config.width
    return answer


def _shares(ask: Ask) -> dict[str, Any]:
    """Rollout of space [T,N+1] and of time [T+1], CLS first; and the chapter's question."""
    space, time = ask.engine.ask(_rollouts, ask.clip)
    return {
        "shares": {"space": rounded(space.numpy(), 5), "time": rounded(time.numpy(), 5)},
        "quiz": _product_quiz(space, time),
    }


def _joined_shares(ask: Ask) -> dict[str, Any]:
    """Rollout over all patches at once [T,N], where it is no product; and the question."""
    found = ask.engine.explain(ask.clip, method="rollout")
    assert found.patches is not None  # it scores both
    return {
        "shares": {
            "clip": rounded(found.patches.reshape(len(found.patches), -1), 6),
            "cls": round(found.unattributed or 0.0, 6),
        },
        "no_product": text.NO_PRODUCT[ask.scheme],
        "quiz": _holders_quiz(ask),
    }


def _rollouts(subject: Subject) -> tuple[torch.Tensor, torch.Tensor]:
    trace = subject.trace("mean")
    assert isinstance(trace, Trace)  # what factorised models leave
    assert trace.space_maps is not None  # "mean" keeps maps
    space = rollout(trace.space_maps, cls_only=True)
    return space, rollout(trace.time_maps.mean(dim=1), cls_only=True)


def _product_quiz(space: torch.Tensor, time: torch.Tensor) -> dict[str, Any]:
    frame = int(time[1:].argmax())
    patch = int(space[frame, 1:].argmax())
    inside, of_clip = float(space[frame, 1 + patch]), float(time[1 + frame])
    answer = inside * of_clip
    shown = sorted({answer, inside + of_clip, min(inside, of_clip) / 2, max(inside, of_clip)})
    shares = [f"{100 * share:.2f} %" for share in shown]
    told = {"frame": frame + 1, "inside": 100 * inside, "of_clip": 100 * of_clip}
    right = f"{100 * answer:.2f} %"
    why = text.FOUR_WHY.format(**told, answer=right)
    return quiz(text.FOUR_PROMPT.format(**told), shares, right, why)


def _holders_quiz(ask: Ask) -> dict[str, Any]:
    frames, rows, columns = ask.shape
    n = rows * columns
    held = one_patch((0, 0, 0), ask.shape)
    for step in STEPS["divided"]:
        held = held | step.reach(held)
    answer = int(held.sum())
    return number_quiz(
        text.FOUR_PROMPT_DIVIDED, answer, [frames, n, frames + n],
        text.FOUR_WHY_DIVIDED.format(frames=frames, patches=n, answer=f"{answer:,}"),
    )  # fmt: skip
