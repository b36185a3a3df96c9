"""Scores to colours: perceptually even, colour-blind safe maps; scales that do not flatter noise.

A rainbow map is not offered on purpose: its bright bands draw edges where the scores have none.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Colormap, LinearSegmentedColormap

from stam_core.errors import ParameterError, UnknownNameError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Scale = Literal["clip", "frame"]
Floor = Literal["zero", "lowest"]

LEVELS = 256

# Blue for below zero, orange for above: the pair that all common colour-vision deficiencies tell
# apart. Lightness falls alike from the neutral middle to both ends.
BLUE_ORANGE = ("#084a91", "#3f8fd0", "#a9cdea", "#f4f4f2", "#f6c08a", "#d97f24", "#8a3f00")


@dataclass(frozen=True)
class ColourMap:
    """A colour map's name for people and the scores it can show."""

    title: str
    kind: Literal["sequential", "diverging"]  # sequential: from 0 up; diverging: centred at 0


COLOUR_MAPS: dict[str, ColourMap] = {
    "cividis": ColourMap("Cividis (blue to yellow)", "sequential"),
    "viridis": ColourMap("Viridis (purple to yellow)", "sequential"),
    "inferno": ColourMap("Inferno (black to yellow)", "sequential"),
    "blue-orange": ColourMap("Blue-orange (against and for)", "diverging"),
}
DEFAULT_COLOURS = {False: "cividis", True: "blue-orange"}  # by whether the scores are signed


def resolve_colours(name: str | None, *, signed: bool) -> str:
    """The colour map to use for scores of that sign.

    Args:
        name: a key of COLOUR_MAPS; None takes the default for the sign.
        signed: whether scores below zero have a meaning.

    Raises:
        UnknownNameError: There is no such map.
        ParameterError: The map cannot show such scores; zero would get a colour of its own or none.
    """
    chosen = DEFAULT_COLOURS[signed] if name is None else name
    if chosen not in COLOUR_MAPS:
        raise UnknownNameError("colour map", chosen, list(COLOUR_MAPS))
    wanted = "diverging" if signed else "sequential"
    if COLOUR_MAPS[chosen].kind != wanted:
        fitting = [key for key, entry in COLOUR_MAPS.items() if entry.kind == wanted]
        meaning = "have a sign" if signed else "start at zero"
        raise ParameterError(
            f"These scores {meaning}, which {chosen} cannot show; choose {' or '.join(fitting)}."
        )
    return chosen


def colour_map(name: str) -> Colormap:
    """Matplotlib's object for a key of COLOUR_MAPS."""
    if name not in COLOUR_MAPS:
        raise UnknownNameError("colour map", name, list(COLOUR_MAPS))
    if name == "blue-orange":
        return LinearSegmentedColormap.from_list(name, BLUE_ORANGE, N=LEVELS)
    return colormaps[name]


@cache
def lut(name: str) -> NDArray[np.uint8]:
    """The map's colours as a read-only table [256,3] RGB, lowest first."""
    table = colour_map(name)(np.arange(LEVELS), bytes=True)[:, :3]
    colours = np.ascontiguousarray(table, dtype=np.uint8)
    colours.setflags(write=False)
    return colours


def colourise(values: NDArray[np.floating], name: str) -> NDArray[np.uint8]:
    """Values in [0,1], any shape [...], to RGB [...,3]."""
    index = np.rint(np.clip(values, 0.0, 1.0) * (LEVELS - 1)).astype(np.intp)
    colours: NDArray[np.uint8] = lut(name)[index]
    return colours


@dataclass(frozen=True, eq=False)
class ScaledScores:
    """Scores brought to [0,1] for colouring, and the scores that 0 and 1 stand for."""

    values: NDArray[np.float32]  # same shape as the scores, in [0,1]
    low: NDArray[np.float64]  # [T] the score drawn as 0; the same for all frames at scale "clip"
    high: NDArray[np.float64]  # [T] the score drawn as 1
    scale: Scale


def normalise(
    scores: NDArray[np.floating],
    *,
    signed: bool,
    scale: Scale = "clip",
    floor: Floor = "zero",
    peak: float | None = None,
) -> ScaledScores:
    """Bring scores to [0,1] without inventing contrast.

    Scores from zero up keep zero at 0: an almost even map stays almost one colour. Signed scores
    keep zero at 0.5 and both sides the same gain. With scale "clip" all frames share one gain, so
    that a weak frame looks weak; with "frame" each is brought to its own maximum. That and the
    floor "lowest" also make noise shine: a person has to ask for them.

    Args:
        scores: [T,...], finite; from zero up unless `signed`.
        signed: whether scores below zero have a meaning.
        scale: one gain for the clip, or one per frame.
        floor: the score drawn as 0: zero, or the lowest there is; signed scores have none.
        peak: the score drawn as 1, above zero, where several clips are drawn on one scale; None:
            the highest there is.

    Raises:
        ValueError: A score is not finite, or is negative although unsigned.
    """
    numbers = np.asarray(scores, dtype=np.float64)
    if numbers.ndim == 0 or numbers.size == 0:
        raise ValueError(f"scores must be [T,...] and not empty, got shape {numbers.shape}")
    if not np.isfinite(numbers).all():
        raise ValueError("scores must be finite; some are NaN or infinite")
    if not signed and numbers.min() < 0:
        raise ValueError(f"unsigned scores must not be negative, lowest is {numbers.min():g}")
    flat = numbers.reshape(len(numbers), -1)  # [T,n]
    high = np.abs(flat).max(axis=1) if peak is None else np.full(len(flat), float(peak))  # [T]
    low = -high if signed else flat.min(axis=1) if floor == "lowest" else np.zeros_like(high)
    if scale == "clip":
        low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
    gain = np.where(high > low, high - low, 1.0)
    # Where nothing differs from zero, signed scores still are the middle, not the lowest.
    shift = np.where(high > low, -low, 0.5 if signed else -low)
    per_frame = (-1, *(1 for _ in numbers.shape[1:]))
    values = (numbers + shift.reshape(per_frame)) / gain.reshape(per_frame)
    values = values.clip(0.0, 1.0)  # a score beyond the peak is drawn as the peak
    return ScaledScores(values.astype(np.float32), low=low, high=high, scale=scale)
