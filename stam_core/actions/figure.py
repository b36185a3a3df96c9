"""What is drawn: the parts of a person, clothes and hair, what stands about; solids in space.

A solid is a capsule: two points of the body or the room, each with a radius.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.skeleton import JOINT_INDEX, Body

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.actions.scene import Look, Pattern


@dataclass(frozen=True)
class Part:
    """A capsule between two anchors; its number in `PARTS` plus one is its value in a part map."""

    name: str
    start: tuple[str, str, float]  # joint, joint, share: from the first joint towards the second
    end: tuple[str, str, float]
    start_radius: float  # share of body height
    end_radius: float
    colour: str  # key of Look.colours
    nearer: float = (
        0.0  # body heights by which the part counts as nearer to the camera than its middle
    )


def _sides(name: str) -> tuple[Part, ...]:
    """Arm, leg and flank of one side."""
    shoulder, elbow, wrist, hip, knee, ankle, toe = (
        f"{name} {joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "toe")
    )
    return (
        Part(
            f"{name} flank", (shoulder, "neck", 0.35), (hip, "pelvis", 0.1), 0.066, 0.058, "shirt"
        ),
        Part(f"{name} thigh", (hip, knee, 0.0), (hip, knee, 1.0), 0.060, 0.044, "trousers"),
        Part(f"{name} shin", (knee, ankle, 0.0), (knee, ankle, 1.0), 0.042, 0.028, "shin"),
        Part(f"{name} foot", (ankle, toe, 0.0), (ankle, toe, 1.0), 0.030, 0.024, "shoe"),
        Part(
            f"{name} upper arm",
            (shoulder, elbow, 0.0),
            (shoulder, elbow, 1.0),
            0.043,
            0.034,
            "sleeve",
            0.02,
        ),
        Part(
            f"{name} forearm",
            (elbow, wrist, 0.0),
            (elbow, wrist, 0.9),
            0.034,
            0.027,
            "forearm",
            0.03,
        ),
        Part(
            f"{name} hand", (elbow, wrist, 0.95), (elbow, wrist, 1.05), 0.034, 0.032, "skin", 0.035
        ),
    )


def _other_side(name: str) -> str:
    if name.startswith("left"):
        return name.replace("left", "right")
    return name.replace("right", "left")


PARTS: tuple[Part, ...] = (
    *_sides("left"),
    *_sides("right"),
    Part("torso", ("neck", "pelvis", 0.12), ("neck", "pelvis", 0.9), 0.070, 0.062, "shirt"),
    Part(
        "hips",
        ("left hip", "right hip", 0.0),
        ("left hip", "right hip", 1.0),
        0.058,
        0.058,
        "trousers",
    ),
    Part("neck", ("neck", "head", -0.1), ("neck", "head", 0.6), 0.034, 0.032, "skin"),
    Part("head", ("neck", "head", 0.85), ("neck", "head", 1.25), 0.058, 0.064, "skin", 0.01),
)
PART_NAMES = tuple(part.name for part in PARTS)
# Value in a part map of what is neither the person nor the background: stools, things, others.
OTHER_PART = len(PARTS) + 1
# Values of a part map in a mirrored picture: the left hand takes the right hand's place.
MIRRORED_PARTS = (
    0,
    *(1 + PART_NAMES.index(_other_side(name)) for name in PART_NAMES),
    OTHER_PART,
)
_HEAD_VALUE = PART_NAMES.index("head") + 1
_TORSO_VALUE = PART_NAMES.index("torso") + 1
_HIPS_VALUE = PART_NAMES.index("hips") + 1


@dataclass(frozen=True)
class Outfit:
    """How wide clothes are, and what is worn besides."""

    width: dict[str, float]  # factor on the radii of parts of a colour
    skirt: float  # its width in body heights; 0: none
    long_hair: bool
    hat: bool
    bag: float  # on the back, its radius in body heights; 0: none

    @classmethod
    def random(cls, rng: np.random.Generator) -> Outfit:
        """Mostly ordinary clothes."""
        loose, wide = rng.uniform(0.95, 1.3), rng.uniform(0.9, 1.35)
        skirt, bag = rng.random(2)
        return cls(
            width={"shirt": loose, "sleeve": loose, "trousers": wide, "shin": 0.5 * (1 + wide)},
            skirt=float(rng.uniform(0.09, 0.14)) if skirt < 0.12 else 0.0,
            long_hair=bool(rng.random() < 0.25),
            hat=bool(rng.random() < 0.12),
            bag=float(rng.uniform(0.06, 0.09)) if bag < 0.10 else 0.0,
        )


@dataclass(frozen=True, eq=False)
class Solids:
    """P capsules in T frames, in body heights."""

    ends: NDArray[np.float64]  # [2,T,P,2,3] as the shutter opens and closes: start and end point
    radii: NDArray[np.float64]  # [P,2] at start and end
    colours: NDArray[np.float32]  # [P,3] in [0,1]
    values: NDArray[np.uint8]  # [P] written into the part map
    nearer: NDArray[np.float64]  # [P] body heights that a solid counts as nearer to the camera
    patterns: tuple[Pattern | None, ...]  # P of them


def join_solids(many: list[Solids]) -> Solids:
    """All of them as one."""
    return Solids(
        ends=np.concatenate([solids.ends for solids in many], axis=2),
        radii=np.concatenate([solids.radii for solids in many]),
        colours=np.concatenate([solids.colours for solids in many]),
        values=np.concatenate([solids.values for solids in many]),
        nearer=np.concatenate([solids.nearer for solids in many]),
        patterns=tuple(pattern for solids in many for pattern in solids.patterns),
    )


def plain_solids(
    ends: NDArray[np.float64],
    radii: NDArray[np.float64],
    colour: NDArray[np.float32],
    value: int,
    nearer: float = 0.0,
) -> Solids:
    """Solids of one colour.

    Args:
        ends: [2,T,P,2,3] body heights.
        radii: [P,2] body heights.
        colour: [3] in [0,1].
        value: in the part map.
        nearer: body heights that they count as nearer to the camera.
    """
    n = len(radii)
    return Solids(
        ends=ends,
        radii=radii,
        colours=np.tile(colour.astype(np.float32), (n, 1)),
        values=np.full(n, value, dtype=np.uint8),
        nearer=np.full(n, nearer),
        patterns=(None,) * n,
    )


def _anchor(joints: NDArray[np.float64], place: tuple[str, str, float]) -> NDArray[np.float64]:
    first, second = joints[..., JOINT_INDEX[place[0]], :], joints[..., JOINT_INDEX[place[1]], :]
    anchored: NDArray[np.float64] = first + place[2] * (second - first)
    return anchored


def part_ends(joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Start and end of every part, [...,P,2,3], from joints [...,J,3]."""
    return np.stack(
        [
            np.stack([_anchor(joints, part.start), _anchor(joints, part.end)], axis=-2)
            for part in PARTS
        ],
        axis=-3,
    )


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit


def _head_axes(joints: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Up and ahead of the head, [...,3] each."""
    up = _unit(joints[..., JOINT_INDEX["head"], :] - joints[..., JOINT_INDEX["neck"], :])
    left, right = JOINT_INDEX["left shoulder"], JOINT_INDEX["right shoulder"]
    return up, _unit(np.cross(joints[..., left, :] - joints[..., right, :], up))


def person_solids(
    joints: NDArray[np.float64], body: Body, outfit: Outfit, look: Look, *, size: float = 1.0
) -> Solids:
    """A dressed person.

    Args:
        joints: [2,T,J,3] as the shutter opens and closes.
        body: proportions.
        outfit: clothes.
        look: colours.
        size: of the person relative to a body height of one.
    """
    girth = body.girth * size
    radii = [
        np.array([part.start_radius, part.end_radius]) * girth * outfit.width.get(part.colour, 1.0)
        for part in PARTS
    ]
    limbs = Solids(
        ends=part_ends(joints),
        radii=np.array(radii),
        colours=np.array([look.colours[part.colour] for part in PARTS], dtype=np.float32),
        values=np.arange(1, len(PARTS) + 1, dtype=np.uint8),
        nearer=np.array([part.nearer for part in PARTS]) * size,
        patterns=tuple(look.patterns.get(part.colour) for part in PARTS),
    )
    return join_solids([limbs, *_worn(joints, outfit, look, girth, size)])


def _worn(
    joints: NDArray[np.float64], outfit: Outfit, look: Look, girth: float, size: float
) -> list[Solids]:
    """Hair, hat, skirt and bag."""
    up, ahead = _head_axes(joints)
    head = joints[..., JOINT_INDEX["head"], :]
    neck, pelvis = joints[..., JOINT_INDEX["neck"], :], joints[..., JOINT_INDEX["pelvis"], :]
    knees = 0.5 * (
        joints[..., JOINT_INDEX["left knee"], :] + joints[..., JOINT_INDEX["right knee"], :]
    )

    def between(
        start: NDArray[np.float64],
        end: NDArray[np.float64],
        radii: tuple[float, float],
        colour: str,
        value: int,
    ) -> Solids:
        ends = np.stack([start, end], axis=-2)[..., None, :, :]
        return plain_solids(ends, np.array([radii]), look.colours[colour], value)

    # A cap of hair above and behind the head: it shows which way a head faces.
    cap = 0.066 * girth
    top, back = (
        head + size * (0.030 * up - 0.020 * ahead),
        head + size * (0.005 * up - 0.035 * ahead),
    )
    worn = [between(top, back, (cap, cap), "hair", _HEAD_VALUE)]
    if outfit.long_hair:
        low = neck - size * 0.055 * ahead - size * 0.03 * up
        worn.append(between(back, low, (0.062 * girth, 0.045 * girth), "hair", _HEAD_VALUE))
    if outfit.hat:
        brim = head + size * (0.035 * up + 0.03 * ahead)
        worn.append(between(top + size * 0.01 * up, brim, (cap, 0.05 * girth), "shoe", _HEAD_VALUE))
    if outfit.skirt:
        hem = pelvis + 0.8 * (knees - pelvis)
        wide = (0.07 * girth, outfit.skirt * size)
        worn.append(between(pelvis, hem, wide, "trousers", _HIPS_VALUE))
    if outfit.bag:
        high = neck + 0.25 * (pelvis - neck) - size * 0.09 * ahead
        low = neck + 0.75 * (pelvis - neck) - size * 0.10 * ahead
        radius = outfit.bag * size
        worn.append(between(high, low, (radius, radius), "shoe", _TORSO_VALUE))
    return worn


def stool_ends(
    seat: NDArray[np.float64], *, back: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A stool under a seat point [3], or a chair: bars [P,2,3] and radii [P,2]."""
    half, top = 0.085, float(seat[1])
    bars, radii = [], []
    for dx in (-half, half):
        for dz in (-half, half):
            foot = np.array([seat[0] + dx, 0.01, seat[2] + dz])
            bars.append([foot, np.array([foot[0], top, foot[2]])])
            radii.append(0.014)
    for dz in (-0.06, 0.0, 0.06):
        left = np.array([seat[0] - half, top, seat[2] + dz])
        bars.append([left, left + np.array([2 * half, 0.0, 0.0])])
        radii.append(0.028)
    for height in (0.1, 0.2) if back else ():
        left = np.array([seat[0] - half, top + height, seat[2] - half - 0.02])
        bars.append([left, left + np.array([2 * half, 0.0, 0.0])])
        radii.append(0.022)
    return np.array(bars), np.repeat(np.array(radii)[:, None], 2, axis=1)
