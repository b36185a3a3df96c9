"""Several maps of one clip while a copy of the model forgets, layer by layer from the head down.

The pictures behind `metrics.randomise`: the same shuffling of the same layers, but the scores
themselves are given out, so that a person can see which map notices. What they do NOT mean: that a
map which changes is a good one; a random map changes too.

Source: Adebayo et al., "Sanity Checks for Saliency Maps", arXiv 1810.03292.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from stam_core.metrics.randomise import alike, layers_from_the_head, shuffle_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from stam_core.explain.base import Explainer
    from stam_core.record import Subject
    from stam_core.types import Target


@dataclass(frozen=True, eq=False)
class ForgottenStep:
    """The maps after one layer more was shuffled."""

    layer: str  # the one shuffled last; "" before the first
    number: int  # layers shuffled so far
    count: int  # layers there are
    scores: Mapping[str, NDArray[np.float64]]  # by method: [T], or [T,h,w] where it gives patches
    likeness: Mapping[str, float]  # rank correlation with the scores of the first step, in [-1,1]


def forgetting(
    subject: Subject,
    explainers: Mapping[str, Explainer],
    target: Target,
    *,
    seed: int = 0,
) -> Iterator[ForgottenStep]:
    """Shuffle a copy of the model from the head down and ask each method at every step.

    The subject's own model is read once, before the first step is given out, and never changed;
    from then on its lock is not needed.

    Args:
        subject: The clip before the model.
        explainers: By name; each gives scores of frames or of patches.
        target: The class asked about, the same at each step.
        seed: Of the shuffling.
    """
    forgetful = copy.deepcopy(cast("nn.Module", subject.model))
    generator = torch.Generator().manual_seed(seed)
    layers = layers_from_the_head(forgetful)

    def ask() -> dict[str, NDArray[np.float64]]:
        asked = replace(subject, model=cast("Any", forgetful), traces={})
        return {name: _scores(explainer, asked, target) for name, explainer in explainers.items()}

    original = ask()
    yield ForgottenStep("", 0, len(layers), original, dict.fromkeys(original, 1.0))
    for number, (layer, names) in enumerate(layers, start=1):
        shuffle_weights(forgetful, names, generator)
        now = ask()
        likeness = {name: alike(original[name], now[name]) or 0.0 for name in now}
        yield ForgottenStep(layer, number, len(layers), now, likeness)


def _scores(explainer: Explainer, subject: Subject, target: Target) -> NDArray[np.float64]:
    scores = explainer.scores(subject, target if explainer.info.uses_target else None)
    found = scores.frames if scores.patches is None else scores.patches
    assert found is not None  # the caller chooses methods that score either
    return found.detach().double().cpu().numpy()
