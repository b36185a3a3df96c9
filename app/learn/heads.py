"""Lessons about the model's own attention maps: one head by hand, and rollout layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch

from app.learn import text
from app.learn.lesson import Ask, levels, rounded
from app.learn.questions import number_quiz, read_choice, read_share, read_whole
from stam_core.explain.by_hand import has_frame_heads, head_by_hand
from stam_core.explain.rollout_steps import rollout_steps, spread

if TYPE_CHECKING:
    from stam_core.explain.by_hand import HeadByHand
    from stam_core.record import Subject
    from stam_core.types import HeadFusion

MOST_SHARE = 0.95  # of residual and discarding, as in the method's own parameters
MOST_CELLS = 40_000  # of all layers' matrices in one answer
STAGES = ("time", "space")
FUSIONS = ("mean", "max", "min")

# --- 3: one attention head by hand ---


def head_by_numbers(ask: Ask) -> dict[str, Any]:
    """Queries, keys, values and every number up to the weighted sum of one temporal head."""
    count = ask.engine.ask(_layers_and_heads, ask.clip)
    if count is None:
        return {"missing": text.NO_FRAME_HEADS}
    layers, heads = count
    layer = read_whole(ask.data, "layer", 1, layers, layers)
    head = read_whole(ask.data, "head", 1, heads, 1)
    answer = _told(ask.engine.ask(head_by_hand, ask.clip, layer, head))
    if ask.first:
        asked = ask.engine.ask(head_by_hand, ask.clip, layers, heads)
        answer |= {"layers": layers, "heads": heads, "quiz": _head_quiz(layers, heads, asked)}
    return answer


def _told(found: HeadByHand) -> dict[str, Any]:
    """One head's numbers; scores are products times `scale`, which the page can do."""
    return {
        "layer": found.layer,
        "head": found.head,
        "queries": rounded(found.queries.numpy(), 3),
        "keys": rounded(found.keys.numpy(), 3),
        "values": rounded(found.values.numpy(), 3),
        "products": rounded(found.products.numpy()),
        "scale": round(found.scale, 6),
        "weights": rounded(found.weights.numpy(), 6),
        "mixed": rounded(found.mixed.numpy(), 3),
    }


def _layers_and_heads(subject: Subject) -> tuple[int, int] | None:
    """Of the temporal stage; None where there is none over frames."""
    if not has_frame_heads(subject.model):
        return None
    attention = subject.model.time_attention
    return len(attention), int(cast("Any", attention[0]).heads)


def _head_quiz(layers: int, heads: int, found: Any) -> dict[str, Any]:  # noqa: ANN401 - HeadByHand
    row = found.weights[0, 1:]  # of CLS, over the frames
    order = (row.argsort(descending=True) + 1).tolist()
    best, others = order[0], [order[len(order) // 2], order[-1], order[1 % len(order)]]
    why = text.THREE_WHY.format(
        frame=best, share=100 * float(row.max()), second=100 * float(row[order[1 % len(order)] - 1])
    )
    return number_quiz(text.THREE_PROMPT.format(layer=layers, head=heads), best, others, why)


# --- 5: rollout, layer by layer ---


def rollout_by_layers(ask: Ask) -> dict[str, Any]:
    """Each layer's map with its residual, the product so far, and how far CLS is spread."""
    stage = read_choice(ask.data, "stage", STAGES)
    fusion = read_choice(ask.data, "fusion", FUSIONS)
    residual = read_share(ask.data, "residual", MOST_SHARE, 0.5)
    discard = read_share(ask.data, "discard", MOST_SHARE, 0.0)
    frame = read_whole(ask.data, "frame", 0, ask.clip.num_frames - 1, ask.clip.num_frames // 2)
    maps = ask.engine.ask(_maps, ask.clip, stage, fusion, frame)
    if maps is None:
        return {"missing": text.NO_ROLLOUT}
    steps = rollout_steps(maps, residual=residual, discard_ratio=discard)
    layer = read_whole(ask.data, "layer", 1, len(steps), len(steps))
    # A ViT-B's maps of all layers would be a megabyte: then only those of the layer in view.
    few = len(steps) * maps.shape[-1] ** 2 <= MOST_CELLS
    drawn = [step if few or step.layer == layer else None for step in steps]
    answer: dict[str, Any] = {
        "stage": stage,
        "frame": frame,
        "fusion": fusion,
        "residual": residual,
        "discard": discard,
        "size": maps.shape[-1],
        # CLS first, then frames or patches; the one map alone, and the product so far
        "rows": [rounded(step.product[0].numpy(), 6) for step in steps],
        "mixed": [step and levels(step.mixed.numpy()) for step in drawn],
        "products": [step and levels(step.product.numpy()) for step in drawn],
        "spread": [
            {
                "alone": round(spread(layer_map[0, 1:]), 2),
                "product": round(spread(step.product[0, 1:]), 2),
                "kept": round(float(step.product[0, 0]), 4),
            }
            for step, layer_map in zip(steps, maps, strict=True)
        ],
    }
    if ask.first:
        usual = ask.engine.ask(_maps, ask.clip, "time", "mean", frame)
        answer["quiz"] = _rollout_quiz(usual)
    return answer


def _maps(subject: Subject, stage: str, fusion: str, frame: int) -> torch.Tensor | None:
    """[L,n,n], heads fused; None where there is no temporal stage over frames."""
    if not has_frame_heads(subject.model):
        return None
    if stage == "time":
        return _fuse(subject.trace().time_maps, fusion)
    maps = subject.trace(cast("HeadFusion", fusion)).space_maps
    assert maps is not None  # every head fusion keeps maps
    return maps[:, frame]


def _fuse(maps: torch.Tensor, fusion: str) -> torch.Tensor:
    """[L,H,n,n] -> [L,n,n]."""
    match fusion:
        case "max":
            return maps.amax(dim=1)
        case "min":
            return maps.amin(dim=1)
        case _:
            return maps.mean(dim=1)


def _rollout_quiz(maps: torch.Tensor) -> dict[str, Any]:
    """Over how many frames the usual rollout of the temporal stage is spread."""
    steps = rollout_steps(maps)
    n = maps.shape[-1] - 1
    answer = round(spread(steps[-1].product[0, 1:]))
    alone = spread(maps[-1, 0, 1:])
    others = {1, max(1, n // 4), max(1, n // 2), n}
    # One away could be right with other roundings.
    wrong = [number for number in others if abs(number - answer) > 1]
    return number_quiz(
        text.FIVE_PROMPT, answer, wrong, text.FIVE_WHY.format(n=n, answer=answer, alone=alone)
    )
