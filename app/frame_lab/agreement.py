"""Whether attention and the measured effect name the same frames, in figures and in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from app import text
from stam_core.explain import EXPLAINERS
from stam_core.metrics.agreement import Agreement, compare, spearman

if TYPE_CHECKING:
    from stam_core.types import Explanation

MEASURED = ("shapley", "leave-one-out")  # methods that take frames away, the better one first


@dataclass(frozen=True)
class EffectAgreement:
    """The first row beside the measured effect, and every row's rank correlation with it."""

    attention: str
    measured: str
    pair: Agreement
    correlations: Mapping[str, float | None]  # by method; None: it gives all frames the same score

    @property
    def sentences(self) -> list[str]:
        """The verdict, then the correlations."""
        told = [
            f"{EXPLAINERS[name].info.title} {'none' if rho is None else f'{rho:+.2f}'}"
            for name, rho in self.correlations.items()
        ]
        title = EXPLAINERS[self.measured].info.title
        correlations = text.EFFECT_CORRELATION.format(measured=title, list=", ".join(told))
        return [self.pair.sentence, correlations]

    @property
    def figures(self) -> dict[str, Any]:
        """Every number of it."""
        return {
            "attention": self.attention,
            "measured": self.measured,
            **asdict(self.pair),
            "rank_correlations": dict(self.correlations),
        }


def measured_by(found: Mapping[str, Explanation]) -> str | None:
    """The best row there is of those that took frames away and looked; only whole ones count."""
    whole = [name for name in MEASURED if name in found and found[name].done >= 1]
    return next(iter(whole), None)


def agreement_of(found: Mapping[str, Explanation], names: Sequence[str]) -> EffectAgreement | None:
    """None where attention or the effect is not known yet.

    Args:
        found: explanations with frames, by method; partial ones too.
        names: all rows, attention first.
    """
    measured = measured_by(found)
    if measured is None or names[0] not in found:
        return None
    effect, attention = found[measured].frames, found[names[0]].frames
    assert effect is not None  # rows are methods that give frames
    assert attention is not None
    title = EXPLAINERS[measured].info.title
    pair = (EXPLAINERS[names[0]].info.title.lower(), f"the measured effect ({title})")
    correlations = {}
    for name in names:
        frames = found[name].frames if name in found else None
        if name != measured and frames is not None and found[name].done >= 1:
            correlations[name] = spearman(frames, effect)
    return EffectAgreement(names[0], measured, compare(attention, effect, names=pair), correlations)
