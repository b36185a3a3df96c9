"""The lesson of one attention head by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from app.learn import text
from app.learn.lesson import Ask, rounded
from app.learn.questions import number_quiz, read_whole
from stam_core.explain.by_hand import has_frame_heads, head_by_hand

if TYPE_CHECKING:
    from stam_core.explain.by_hand import HeadByHand
    from stam_core.record import Subject


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
