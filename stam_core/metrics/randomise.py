"""Does a map depend on what the model has learned? Its weights are shuffled, from the head down.

Each step shuffles one layer more and asks the same method again. A map that stays as it was has not
looked at the weights that are gone: it may still be right, but it is no account of this model.

What the scores do NOT mean: that a map which changes is a good one; a random map changes too. And a
map of the spatial stage alone cannot change before the spatial layers do: it knows no head.

Source: Adebayo et al., "Sanity Checks for Saliency Maps", arXiv 1810.03292. There weights are drawn
anew; here each tensor's entries change places, so that their size and spread stay as they were.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import nn

from stam_core.errors import ParameterError
from stam_core.metrics.agreement import spearman

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.explain.base import Explainer
    from stam_core.record import Subject, VideoModel
    from stam_core.types import Target

# Rank correlation with the original from which a map counts as one that did not change: half of it
# or more survives although every weight was shuffled.
UNCHANGED = 0.5
_NUMBERED = re.compile(r"(.*?\.\d+)\.")  # the first numbered module a parameter lies in


@dataclass(frozen=True)
class RandomisedStep:
    """How alike a map is to the original after one layer more was shuffled."""

    layer: str  # the one shuffled last; "" before the first
    frames: float | None  # rank correlation of frame scores in [-1,1]; None: the method gives none
    patches: float | None  # of patch scores, over the whole clip


@dataclass(frozen=True)
class Randomisation:
    """One method on one clip while the model forgets, from the head down."""

    method: str
    steps: tuple[RandomisedStep, ...]  # the first with all weights as they were

    @property
    def frames_unchanged(self) -> bool:
        """Whether the frame scores survive the loss of every weight."""
        last = self.steps[-1].frames
        return last is not None and last >= UNCHANGED

    @property
    def patches_unchanged(self) -> bool:
        """Whether the patch scores survive the loss of every weight."""
        last = self.steps[-1].patches
        return last is not None and last >= UNCHANGED

    @property
    def sentence(self) -> str:
        """The verdict for people."""
        last = self.steps[-1]
        parts = [
            f"{kind} {value:+.2f}"
            for kind, value in (("frames", last.frames), ("patches", last.patches))
            if value is not None
        ]
        figures = f"rank correlation with the original, every layer shuffled: {', '.join(parts)}"
        if self.frames_unchanged or self.patches_unchanged:
            return f"This map hardly depends on what the model has learned ({figures})."
        return f"This map depends on what the model has learned ({figures})."


def randomise(
    subject: Subject, explainer: Explainer, target: Target | None, *, seed: int = 0
) -> Randomisation:
    """All steps at once; see `randomised_steps`."""
    steps = tuple(randomised_steps(subject, explainer, target, seed=seed))
    return Randomisation(explainer.info.name, steps)


def randomised_steps(
    subject: Subject, explainer: Explainer, target: Target | None, *, seed: int = 0
) -> Iterator[RandomisedStep]:
    """Shuffle a copy of the model layer by layer and compare the map with the original.

    The subject's own model is read once, before the first step is given out, and never changed;
    from then on its lock is not needed. Each step costs the method's passes.

    Args:
        subject: the clip before the model.
        explainer: the method with its parameters.
        target: the class asked about, the same at each step.
        seed: of the shuffling.

    Raises:
        ParameterError: the method scores neither frames nor patches.
    """
    if not explainer.info.outputs & {"frames", "patches"}:
        raise ParameterError(f"{explainer.info.title} scores neither frames nor patches.")
    forgetting = copy.deepcopy(cast("nn.Module", subject.model))
    generator = torch.Generator().manual_seed(seed)

    def maps() -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
        asked = replace(subject, model=cast("VideoModel", forgetting), traces={})
        scores = explainer.scores(asked, target)
        return _array(scores.frames), _array(scores.patches)

    original = maps()
    yield RandomisedStep("", *(None if one is None else 1.0 for one in original))
    for layer, names in layers_from_the_head(forgetting):
        shuffle_weights(forgetting, names, generator)
        likeness = (alike(was, now) for was, now in zip(original, maps(), strict=True))
        yield RandomisedStep(layer, *likeness)


def layers_from_the_head(model: nn.Module) -> list[tuple[str, list[str]]]:
    """The model's parameters by layer, in the opposite of the order they were registered in.

    A numbered module is a layer; what holds only vectors (a norm) belongs to the layer before it.
    """
    layers: dict[str, list[str]] = {}
    for name, _ in model.named_parameters():
        numbered = _NUMBERED.match(name)
        layer = numbered.group(1) if numbered else name.rpartition(".")[0]
        layers.setdefault(layer, []).append(name)
    parameters = dict(model.named_parameters())
    found: list[tuple[str, list[str]]] = []
    for layer, names in layers.items():
        if found and all(parameters[name].ndim < 2 for name in names):
            found[-1][1].extend(names)
        else:
            found.append((layer, list(names)))
    return found[::-1]


@torch.no_grad()
def shuffle_weights(model: nn.Module, names: list[str], generator: torch.Generator) -> None:
    """Let the entries of these parameters change places, each within its own tensor."""
    for name in names:
        parameter = model.get_parameter(name)
        order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
        parameter.copy_(parameter.flatten()[order].view_as(parameter))


def alike(was: NDArray[np.float64] | None, now: NDArray[np.float64] | None) -> float | None:
    """Rank correlation; 1 where nothing changed, 0 where only one of them ranks anything."""
    if was is None or now is None:
        return None
    if np.array_equal(was, now):
        return 1.0
    if not np.isfinite(now).all():  # shuffled weights may overflow: nothing is left of the map
        return 0.0
    return spearman(was, now) or 0.0


def _array(scores: torch.Tensor | None) -> NDArray[np.float64] | None:
    return None if scores is None else scores.detach().double().cpu().numpy()
