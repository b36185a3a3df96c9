"""What surrounds the person: colours, clothes, light and the background, plain or a whole place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from stam_core.actions.backdrops import paint_backdrop
from stam_core.actions.canvas import tint

if TYPE_CHECKING:
    from numpy.typing import NDArray

MARGIN_SHARE = (
    0.08  # of the picture's side: how much background lies outside it, for the camera to drift over
)
_SKINS = np.array(
    [[245, 214, 190], [224, 184, 150], [198, 150, 115], [160, 110, 78], [120, 80, 56], [88, 58, 42]]
)
_HAIRS = np.array([[30, 24, 20], [70, 45, 28], [120, 80, 45], [200, 165, 100], [150, 150, 150]])
# Distance in RGB [0,1] of clothes from most of the background: mostly at least the first.
# Real footage also has grey coats before grey walls: then between the two others.
_CLEAR_CONTRAST = 0.30
_WEAK_CONTRAST = (0.15, 0.28)
_WEAK_SHARE = 0.25
_PATTERNED_SHARE = 0.35  # of shirts; half as many trousers
PatternKind = Literal["stripes", "checks", "noise", "logo"]


@dataclass(frozen=True, eq=False)
class Pattern:
    """How brightness changes over a piece of clothing, in a limb's own coordinates."""

    kind: PatternKind
    strength: float  # largest change of brightness, as a share of it
    count: float  # stripes or checks along the limb
    turn: float  # radians; 0: rings around the limb, pi/2: stripes along it
    phase: float  # radians
    table: NDArray[np.float32]  # [R,C] values in [-1,1], of noise and of logos


@dataclass(frozen=True, eq=False)
class Look:
    """Colours of one person, RGB in [0,1], by the name a body part asks for."""

    colours: dict[str, NDArray[np.float32]]
    light: NDArray[np.float32]  # [3] direction towards the light: right, down, towards the camera
    ambient: float  # share of light that comes from everywhere
    patterns: dict[str, Pattern] = field(default_factory=dict)  # by the names `colours` has


def random_pattern(rng: np.random.Generator) -> Pattern:
    """Stripes, checks, a print all over or a logo on the chest."""
    kinds: tuple[PatternKind, ...] = ("stripes", "checks", "noise", "logo")
    kind = kinds[int(rng.choice(4, p=[0.35, 0.15, 0.25, 0.25]))]
    return Pattern(
        kind=kind,
        strength=float(rng.uniform(0.15, 0.7)),
        count=float(rng.uniform(2.5, 9.0)),
        turn=float(rng.choice([0.0, 0.5 * np.pi, rng.uniform(0.0, np.pi)], p=[0.6, 0.25, 0.15])),
        phase=float(rng.uniform(0.0, 2.0 * np.pi)),
        table=rng.uniform(-1.0, 1.0, (12, 8)).astype(np.float32),
    )


def pattern_shade(
    pattern: Pattern, along: NDArray[np.floating], across: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Factor by which a pattern changes the brightness of cloth.

    Args:
        pattern: of the cloth.
        along: [...] place along the limb, 0 at its start, 1 at its end.
        across: [...] place across it, -1 and 1 at its edges; broadcasts with `along`.

    Returns:
        [...] factors around 1, within 1 +- strength.
    """
    along, across = np.broadcast_arrays(
        np.asarray(along, np.float32), np.asarray(across, np.float32)
    )
    if pattern.kind in ("noise", "logo"):
        rows, columns = pattern.table.shape
        row = np.clip(along * rows, 0, rows - 1).astype(np.int64)
        column = np.clip((0.5 + 0.5 * across) * columns, 0, columns - 1).astype(np.int64)
        value = pattern.table[row, column]
        if pattern.kind == "logo":  # letters or a picture in a box on the chest, plain around it
            inside = (along > 0.15) & (along < 0.5) & (np.abs(across) < 0.7)
            value = np.where(inside, np.sign(value + 0.3), 0.0)
    else:
        turn = np.float32(pattern.turn)
        frequency = np.float32(2.0 * np.pi * pattern.count)
        # A limb is about a third as wide as long: `across` counts less, stripes are equally wide.
        down, aside = along, np.float32(0.25) * across
        first = frequency * (np.cos(turn) * down + np.sin(turn) * aside) + np.float32(pattern.phase)
        value = np.clip(3.0 * np.sin(first), -1.0, 1.0)
        if pattern.kind == "checks":
            second = frequency * (np.cos(turn) * aside - np.sin(turn) * down)
            value = 0.5 * (value + np.clip(3.0 * np.sin(second), -1.0, 1.0))
    shade: NDArray[np.float32] = (1.0 + np.float32(pattern.strength) * value).astype(np.float32)
    return shade


def _clothes(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Colours [count,3] that clothes have: dark, white, grey, blue more often than strong ones."""
    drawn = []
    for kind in rng.random(count):
        if kind < 0.25:
            drawn.append(tint(rng, (0.0, 1.0), (0.0, 0.25), (0.03, 0.2)))  # black, anthracite
        elif kind < 0.42:
            drawn.append(tint(rng, (0.0, 1.0), (0.0, 0.08), (0.82, 0.98)))  # white
        elif kind < 0.56:
            drawn.append(tint(rng, (0.0, 1.0), (0.0, 0.15), (0.25, 0.75)))  # grey
        elif kind < 0.74:
            drawn.append(tint(rng, (0.55, 0.68), (0.2, 0.7), (0.12, 0.65)))  # jeans, navy
        elif kind < 0.84:
            drawn.append(tint(rng, (0.03, 0.13), (0.15, 0.5), (0.25, 0.85)))  # beige, brown
        else:
            drawn.append(tint(rng, (0.0, 1.0), (0.35, 0.95), (0.25, 0.95)))  # strong
    return np.array(drawn, dtype=np.float32)


def _apart(colours: NDArray[np.floating], places: NDArray[np.floating]) -> NDArray[np.floating]:
    """[C] distance in RGB that each of `colours` [C,3] keeps from two thirds of `places` [N,3]."""
    each = np.linalg.norm(colours[:, None] - places[None], axis=2)  # [C,N]
    return np.partition(each, len(places) // 3, axis=1)[:, len(places) // 3]


def _contrasting(
    rng: np.random.Generator,
    places: NDArray[np.float32],
    wanted: tuple[float, float],
    unlike: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """A cloth colour whose distance from the background is within `wanted`, if any is.

    Args:
        rng: settles everything random.
        places: [N,3] colours of places of the background.
        wanted: least and largest distance.
        unlike: [3] another colour to keep the least distance from.
    """
    tries = np.concatenate([_clothes(rng, 14), rng.uniform(0.03, 0.97, (8, 3))]).astype(np.float32)
    distance = _apart(tries, places)
    if unlike is not None:
        distance = np.minimum(distance, np.linalg.norm(tries - unlike, axis=1))
    good = np.flatnonzero((distance >= wanted[0]) & (distance <= wanted[1]))
    picked: NDArray[np.float32] = tries[good[0] if len(good) else int(distance.argmax())]
    return picked


def choose_look(rng: np.random.Generator, background: NDArray[np.float32]) -> Look:
    """Colours and light of a person who can be told from the `background` [H,W,3] in [0,1].

    Three quarters stand out clearly; the others only weakly, as in real footage.
    """
    height, width = background.shape[:2]
    middle = background[height // 6 : -(height // 6) or None, width // 4 : -(width // 4) or None]
    places = middle.reshape(-1, 3)[:: max(1, middle.shape[0] * middle.shape[1] // 61)]
    weak = rng.random() < _WEAK_SHARE
    wanted = _WEAK_CONTRAST if weak else (_CLEAR_CONTRAST, 2.0)
    skins = _SKINS / 255.0 + rng.normal(0.0, 0.02, 3)
    far = _apart(skins, places)
    likely = np.flatnonzero(far > 0.5 * wanted[0])
    skin = skins[rng.choice(likely) if len(likely) else int(far.argmax())].astype(np.float32)
    shirt = _contrasting(rng, places, wanted)
    same = rng.random() < 0.15  # an overall, a dress, a track suit
    # Trousers of a weakly contrasting person may be like the shirt too, but not like the wall.
    unlike = None if weak else shirt
    trousers = shirt.copy() if same else _contrasting(rng, places, wanted, unlike)
    sleeve_kind, leg_kind, shirt_kind, trousers_kind = rng.random(4)
    colours = {
        "skin": skin,
        "hair": (_HAIRS[rng.integers(len(_HAIRS))] / 255.0).astype(np.float32),
        "shirt": shirt,
        "sleeve": skin if sleeve_kind < 0.15 else shirt * 0.92,
        "forearm": shirt * 0.92 if sleeve_kind > 0.6 else skin,
        "trousers": trousers,
        "shin": skin if leg_kind < 0.3 else trousers,
        "shoe": _contrasting(rng, places, (0.2, 2.0)),
        "stool": _contrasting(rng, places, (0.2, 2.0), trousers),
    }
    patterns = {}
    if shirt_kind < _PATTERNED_SHARE:
        patterns["shirt"] = random_pattern(rng)
        if patterns["shirt"].kind != "logo" and sleeve_kind >= 0.15:
            patterns["sleeve"] = patterns["shirt"]
            if sleeve_kind > 0.6:
                patterns["forearm"] = patterns["shirt"]
    if trousers_kind < 0.5 * _PATTERNED_SHARE:
        patterns["trousers"] = random_pattern(rng)
    light = np.array([rng.uniform(-0.8, 0.8), rng.uniform(-0.9, -0.2), 0.8])
    return Look(
        colours={name: np.clip(colour, 0.0, 1.0) for name, colour in colours.items()},
        light=(light / np.linalg.norm(light)).astype(np.float32),
        ambient=float(rng.uniform(0.5, 0.9)),
        patterns=patterns,
    )


def paint_background(
    rng: np.random.Generator,
    *,
    width: int,
    height: int,
    floor_y: float,
    clutter: float,
    horizon_y: float | None = None,
) -> NDArray[np.float32]:
    """A plain wall, perhaps with a floor, or the picture of a place.

    Args:
        rng: settles everything random.
        width: of the picture, pixels.
        height: of the picture, pixels.
        floor_y: where the person's feet stand, in pixels from the picture's top.
        clutter: in [0,1]; the chance that there is more than a wall of one colour.
        horizon_y: the row at infinity, in pixels from the picture's top (may lie outside); about
            at the person's eyes or below where None.

    Returns:
        [H+2m, W+2m, 3] values in [0,1], m the margin on every side.
    """
    side = min(width, height)
    margin = margin_pixels(width, height)
    full_h, full_w = height + 2 * margin, width + 2 * margin
    if rng.random() < clutter:
        horizon = floor_y - rng.uniform(0.1, 0.75) * side
        if horizon_y is not None and np.isfinite(horizon_y):
            horizon = horizon_y
        return paint_backdrop(
            rng,
            width=full_w,
            height=full_h,
            feet=min(floor_y, 2.0 * height) + margin,
            horizon=max(horizon, -3.0 * side) + margin,
        )
    wall = rng.uniform(0.1, 0.9) + rng.normal(0.0, 0.12, 3)
    picture = np.broadcast_to(wall.astype(np.float32), (full_h, full_w, 3)).copy()
    if rng.random() < 0.3 + 0.4 * clutter:
        # The floor meets the wall somewhat above the feet, further up the more the camera looks
        # down.
        line = int(np.clip(floor_y - rng.uniform(0.02, 0.22) * side, 0.4 * height, height)) + margin
        picture[line:] += (rng.uniform(-0.2, 0.2) + rng.normal(0.0, 0.05, 3)).astype(np.float32)
    return np.clip(picture, 0.02, 0.98)


def margin_pixels(width: int, height: int) -> int:
    """Pixels of background on every side beyond the picture."""
    return round(MARGIN_SHARE * min(width, height))
