"""Captum, in one place.

It is imported when first asked: it brings pyplot and needs a second or more. Dimension 0 is the
example in captum, here the clip, so a value takes `[B,T,...]` and `internal_batch_size` counts
clips. Its plots are not used: they always normalise and draw signed scores in red and green.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch


def load() -> None:
    """Import captum now, which takes half a second, rather than at the first question."""
    import captum.attr  # noqa: F401


def integrate(
    value: Callable[[torch.Tensor], torch.Tensor],
    start: torch.Tensor,
    end: torch.Tensor,
    *,
    steps: int,
    clips_at_once: int,
) -> torch.Tensor:
    """Integrated gradients along the straight way from `start` to `end` of one clip.

    Ways that follow each other add up: the sum of their results is that of the whole way.

    Args:
        value: Clips [B,T,...] -> their values [B].
        start: [T,...].
        end: [T,...].
        steps: Points of the Gauss-Legendre rule.
        clips_at_once: Points that are computed together.

    Returns:
        [T,...], signed, for each number of the clip; the sum is close to value(end) - value(start).

    Source: Sundararajan et al., arXiv 1703.01365, as captum computes it.
    """
    from captum.attr import IntegratedGradients

    method: Any = IntegratedGradients(value)  # its overloads are not typed well enough to be called
    attributions: torch.Tensor = method.attribute(
        end[None], baselines=start[None], n_steps=steps, internal_batch_size=clips_at_once
    )
    return attributions[0].detach()
