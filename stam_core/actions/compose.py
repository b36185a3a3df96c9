"""One clip put together: who, where the camera is, what surrounds them; then frames and truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.camera import Camera, View
from stam_core.actions.figure import Outfit, Solids, join_solids, person_solids
from stam_core.actions.footage import Footage, apply_footage
from stam_core.actions.people import Performance, bystanders, furniture, held_thing, perform
from stam_core.actions.props import Props, draw_props
from stam_core.actions.renderer import cast_shadow, draw, project_solids
from stam_core.actions.roaming import dark_dress, full_hands, roam, standing_camera
from stam_core.actions.scene import Look, choose_look, margin_pixels, paint_background

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.actions.timing import Timing

_SHADOWED = 0.55  # chance that the light comes from one side and throws a shadow


@dataclass(frozen=True, eq=False)
class ComposedClip:
    """Frames of one clip and what is known about them."""

    frames: NDArray[np.uint8]  # [T,H,W,3]
    parts: NDArray[np.uint8]  # [T,H,W] as in dataset.RenderedClips
    seconds: NDArray[np.float64]  # [T]
    pixels: NDArray[np.float64]  # [T,J,2] joints
    depths: NDArray[np.float64]  # [T,J] body heights behind (+) or before (-) the pelvis
    speed: NDArray[np.float64]  # [T,J,3] body heights per second
    deciding: NDArray[np.bool_]  # [T]
    crowd: bool  # many people of the same size do the same


def compose(
    rng: np.random.Generator,
    action: str,
    timing: Timing,
    *,
    width: int,
    height: int,
    clutter: float,
    roams: bool = False,
) -> ComposedClip:
    """Draw one clip of `action`.

    Args:
        rng: settles everything.
        action: a label.
        timing: when its frames are taken.
        width: pixels.
        height: pixels.
        clutter: 0 for one clean person before a plain wall, 1 for the full variety.
        roams: the person is seen as in `roaming`.
    """
    hold = full_hands(rng, action) if roams else None
    person = perform(rng, action, timing, hold=hold)
    camera = Camera.random(rng, action, clutter)
    if roams:
        person, camera = roam(rng, person, timing), standing_camera(rng, camera, action)
    view = camera.frame(person.local.mean(axis=0), width=width, height=height)
    path = view.limit_path(person.path, follow=camera.follow)  # [T,3]
    joints = person.local + path[:, None]
    pixels, depth, _ = view.project(joints.mean(axis=0), timing.seconds, timing.duration)
    wall = paint_background(
        rng,
        width=width,
        height=height,
        floor_y=float(np.median(pixels[..., 1].max(axis=1))),
        clutter=clutter,
        horizon_y=view.horizon(),
    )
    look = choose_look(rng, wall)
    look = dark_dress(rng, look) if roams else look
    own = person_solids(joints, person.body, Outfit.random(rng), look)
    solids = [own, *furniture(rng, person, look, path)]
    solids += held_thing(rng, person, look, timing, path)
    solids += _others(rng, person, view, timing, wall, clutter)
    frames, parts = _draw(rng, (width, height), wall, solids, view, timing, look, person, clutter)
    return ComposedClip(
        frames=frames,
        parts=parts,
        seconds=timing.seconds,
        pixels=pixels,
        depths=depth - depth[:, :1],
        speed=person.speed,
        deciding=person.pose.deciding,
        crowd=camera.shot == "crowd",
    )


def _others(
    rng: np.random.Generator,
    person: Performance,
    view: View,
    timing: Timing,
    wall: NDArray[np.float32],
    clutter: float,
) -> list[Solids]:
    """Bystanders, in about a quarter of the clips, and companions in a crowd."""
    chance, many = rng.random(), int(rng.integers(2, 7))
    n = many if view.camera.shot == "crowd" else int(chance < 0.22) + int(chance < 0.08)
    if clutter == 0 or n == 0:
        return []
    looks = [choose_look(rng, wall) for _ in range(n)]
    camera_way = person.path * view.camera.follow
    return bystanders(rng, person, view, timing, looks, camera_way)


def _draw(
    rng: np.random.Generator,
    size: tuple[int, int],
    wall: NDArray[np.float32],
    solids: list[Solids],
    view: View,
    timing: Timing,
    look: Look,
    person: Performance,
    clutter: float,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Surroundings, shadow, people, what passes before them, and the camera's own faults."""
    width, height = size
    share = timing.seconds / timing.duration
    moved = view.shift(timing.seconds, timing.duration)
    planes = surroundings(wall, moved + view.followed(person.path), width=width, height=height)
    parts = np.zeros((len(planes), height, width), dtype=np.uint8)
    floor_y = view.centre[1] + 0.5 * view.scale
    props = Props.random(rng, width, height, floor_y, clutter)
    draw_props(planes, props, share, layer="behind")
    slant = (float(rng.uniform(-0.9, 0.9)), float(rng.uniform(-0.9, 0.9)))
    if rng.random() < _SHADOWED * clutter:
        dark = float(rng.uniform(0.15, 0.5))
        cast_shadow(planes, solids[0], view, timing, slant=slant, strength=dark)
    capsules = project_solids(join_solids(solids), view, timing)
    draw(planes, parts, capsules, look, outline=float(rng.uniform(0.5, 1.0)))
    parts[draw_props(planes, props, share, layer="front")] = 0
    np.clip(planes, 0.0, 1.0, out=planes)
    frames = np.ascontiguousarray((255.0 * planes + 0.5).astype(np.uint8).transpose(0, 2, 3, 1))
    footage = Footage.random(rng, clutter, person=view.scale / view.side)
    return apply_footage(frames, footage, rng), parts


def surroundings(
    wall: NDArray[np.float32], shift: NDArray[np.float64], *, width: int, height: int
) -> NDArray[np.float32]:
    """The background as a moving camera sees it, [T,3,H,W]; it goes on mirrored beyond its edges.

    Args:
        wall: [H+2m,W+2m,3] in [0,1].
        shift: [T,2] pixels right and down by which it has moved.
        width: W.
        height: H.
    """
    margin = margin_pixels(width, height)
    planes = np.empty((len(shift), 3, height, width), dtype=np.float32)
    colours = np.ascontiguousarray(wall.transpose(2, 0, 1))
    for t, (right, down) in enumerate(np.rint(shift).astype(int).tolist()):
        x, y = margin - right, margin - down
        if abs(right) <= margin and abs(down) <= margin:
            planes[t] = colours[:, y : y + height, x : x + width]
        else:
            rows = _mirrored(np.arange(y, y + height), wall.shape[0])
            columns = _mirrored(np.arange(x, x + width), wall.shape[1])
            planes[t] = colours[:, rows].take(columns, axis=2)
    return planes


def _mirrored(index: NDArray[np.int_], length: int) -> NDArray[np.int_]:
    """Indices reflected back into [0, length)."""
    folded = index % (2 * length)
    inside: NDArray[np.int_] = np.minimum(folded, 2 * length - 1 - folded)
    return inside
