"""The records of `score`: what is asked of every clip, and what comes back for its journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from stam_core.metrics.faithfulness import ORDERS
from stam_core.metrics.patch_faithfulness import Fill
from stam_core.metrics.randomise import RandomisedStep


@dataclass(frozen=True)
class ScoreSettings:
    """What is asked of every clip."""

    methods: tuple[str, ...]
    orders: int = ORDERS  # random ones behind the band
    seed: int = 0  # of the random orders, masks and scores
    fill: Fill | None = None  # of hidden patches; None: no faithfulness of patches, which is dearer
    controls: bool = True
    randomised: int = 0  # so many of the first clips are also asked while the model forgets


@dataclass(frozen=True)
class Figure:
    """One figure of one map beside chance, small enough for a line in a journal."""

    value: float
    expected: float  # by chance
    spread: float  # standard deviation by chance
    z: float | None  # standard deviations better than chance; None: no room for any
    verdict: str = ""  # better, random or worse; "" where there is no band


@dataclass(frozen=True)
class MethodScores:
    """One method on one clip."""

    seconds: float | None = None  # beyond the prediction; None for references
    error: str = ""  # why there are no scores
    frames: Mapping[str, Mapping[str, Figure]] = field(default_factory=dict)  # removal -> measure
    patches: Figure | None = None
    truth: Mapping[str, Figure] = field(default_factory=dict)  # by the score's name
    randomised: tuple[RandomisedStep, ...] = ()  # from all weights as they were to none

    @property
    def flips(self) -> bool:
        """Whether the verdict on the frames depends on how they are taken away."""
        return len({measures["gap"].verdict for measures in self.frames.values()}) > 1


@dataclass(frozen=True)
class ClipScores:
    """Every method on one clip."""

    index: int  # its place in the list
    clip: str
    answer: str = ""  # the predicted class, which the methods speak about
    probability: float | None = None  # share in [0,1]
    methods: Mapping[str, MethodScores] = field(default_factory=dict)
    error: str = ""  # why the clip cannot be used

    def as_json(self) -> dict[str, Any]:  # Any: JSON
        """Plain values; `from_json` reads them."""
        return asdict(self)

    @staticmethod
    def from_json(entry: Mapping[str, Any]) -> ClipScores:
        """The opposite of `as_json`.

        Raises:
            KeyError, TypeError, AttributeError: it is something else.
        """
        methods = {name: _method(found) for name, found in entry["methods"].items()}
        return ClipScores(**{**entry, "methods": methods})


def _method(entry: Mapping[str, Any]) -> MethodScores:
    frames = {
        removal: {name: Figure(**figure) for name, figure in measures.items()}
        for removal, measures in entry["frames"].items()
    }
    patches = None if entry["patches"] is None else Figure(**entry["patches"])
    truth = {name: Figure(**figure) for name, figure in entry["truth"].items()}
    steps = tuple(RandomisedStep(**step) for step in entry["randomised"])
    return MethodScores(entry["seconds"], entry["error"], frames, patches, truth, steps)
