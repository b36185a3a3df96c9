"""How attention runs through a model: the one place that knows the schemes apart.

A method that follows attention asks `flow_of(subject)`; one that only changes the clip and asks
again needs no flow, and works for every model. A new scheme is one file and one line here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from stam_core.explain.flow_divided import DividedFlow, SpaceFlow
from stam_core.explain.flow_factorised import FactorisedFlow
from stam_core.explain.flow_joint import JointFlow

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from stam_core.explain.base import Scores
    from stam_core.explain.rollout import RolloutChoices
    from stam_core.record import Subject
    from stam_core.types import Scheme, Target


class Flow(Protocol):
    """What the methods that follow attention ask of a scheme."""

    def frame_attention(self, subject: Subject, layer: str, head: str) -> Scores:
        """One layer's attention to frames [T]; `layer` and `head` as in `explain.heads`."""
        ...

    def patch_attention(self, subject: Subject, layer: str, head: str) -> Scores:
        """One layer's attention of CLS to patches [T,h,w]."""
        ...

    def rollout(self, subject: Subject, choices: RolloutChoices) -> Scores:
        """Frames [T] and patches [T,h,w] that sum to 1 with `unattributed`."""
        ...

    def relevance(self, subject: Subject, target: Target) -> Iterator[Scores]:
        """Gradient-weighted attention to frames [T] and patches [T,h,w] that sum to 1."""
        ...

    def last_tokens(
        self, subject: Subject, target: Target
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """What enters the last attention in space [t,N+1,D], CLS first, and its gradients."""
        ...


FLOWS: dict[Scheme, Flow] = {
    "factorised": FactorisedFlow(),
    "divided": DividedFlow(),
    "joint": JointFlow(),
    "space": SpaceFlow(),
}


def flow_of(subject: Subject) -> Flow:
    """The flow of the subject's model."""
    return FLOWS[subject.scheme]
