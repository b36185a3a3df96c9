"""Rendered clips of actions, each with the truth about it.

Clip `index` of `seed` is always the same clip: everything random in it comes from its own
generator, so neither the number of clips nor the number of worker processes matters.
"""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions import renderer
from stam_core.actions.camera import Camera, View
from stam_core.actions.motions import ACTIONS, HANDS_IN_FRONT, LABELS, SEATED
from stam_core.actions.scene import Look, choose_look, margin_pixels, paint_background
from stam_core.actions.skeleton import JOINT_INDEX, Body, place_joints
from stam_core.actions.truth import motion_truth, visible_joints
from stam_core.errors import ParameterError, UnknownNameError
from stam_core.types import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class RenderSpec:
    """What kind of clips to render."""

    width: int = 112  # pixels
    height: int = 112  # pixels
    num_frames: int = 16
    clutter: float = 1.0  # 0: plain walls; 1: the full variety
    trim: float = 0.08  # at most this share of the motion is cut off at either end
    noise: float = 0.03  # largest standard deviation of pixel noise, values in [0,1]

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be drawn."""
        if min(self.width, self.height) < 16 or self.num_frames < 2:
            raise ParameterError(
                f"A rendered clip needs at least 16x16 pixels and 2 frames, "
                f"got {self.width}x{self.height} and {self.num_frames}."
            )
        if not 0.0 <= self.clutter <= 1.0 or not 0.0 <= self.trim < 0.5:
            raise ParameterError("clutter must be in [0,1] and trim in [0,0.5).")


@dataclass(frozen=True, eq=False)
class RenderedClips:
    """n clips of T frames and the truth about them."""

    frames: NDArray[np.uint8]  # [n,T,H,W,3] RGB in 0..255
    labels: NDArray[np.int64]  # [n] index into motions.LABELS
    joints: NDArray[np.float32]  # [n,T,J,2] pixels (right, down), in the order of skeleton.JOINTS
    depths: NDArray[np.float32]  # [n,T,J] body heights behind (+) or before (-) the pelvis
    visible: NDArray[np.bool_]  # [n,T,J] inside the picture and not behind another part
    parts: NDArray[
        np.uint8
    ]  # [n,T,H,W] 0 background, 1 + index into renderer.PARTS, renderer.STOOL_PART
    moving: NDArray[np.bool_]  # [n,T,P] which parts of renderer.PARTS move
    key_frames: NDArray[np.bool_]  # [n,T] frames in which the moving parts move most

    def __len__(self) -> int:
        """N."""
        return len(self.frames)

    def moving_mask(self) -> NDArray[np.bool_]:
        """[n,T,H,W] pixels that show a moving part."""
        n, num_frames = self.parts.shape[:2]
        lookup = np.zeros((n, num_frames, len(renderer.PARTS) + 2), dtype=np.bool_)
        lookup[:, :, 1:-1] = self.moving
        flat = self.parts.reshape(n, num_frames, -1).astype(np.int64)
        return np.take_along_axis(lookup, flat, axis=2).reshape(self.parts.shape)


def render_clip(
    index: int, *, seed: int, spec: RenderSpec | None = None, action: str | None = None
) -> RenderedClips:
    """Render clip `index` of `seed`, as a batch of one.

    Args:
        index: number of the clip; its label is `LABELS[index % 16]`.
        seed: of the data set.
        spec: size and variety.
        action: a label to show instead.

    Raises:
        UnknownNameError: `action` is not one of the labels.
    """
    spec = spec or RenderSpec()
    name = LABELS[index % len(LABELS)] if action is None else action
    if name not in ACTIONS:
        raise UnknownNameError("action", name, list(LABELS))
    rng = np.random.default_rng([seed, index])
    u = np.linspace(rng.uniform(0.0, spec.trim), 1.0 - rng.uniform(0.0, spec.trim), spec.num_frames)
    body = _random_body(rng)
    joints = place_joints(ACTIONS[name](u, rng), body)
    camera = Camera.random(rng, hands_in_front=name in HANDS_IN_FRONT)
    plane, depth = camera.look(joints)
    view = camera.frame(plane, width=spec.width, height=spec.height)
    pixels = view.to_pixels(plane, u)
    background = paint_background(
        rng,
        width=spec.width,
        height=spec.height,
        floor_y=float(pixels[..., 1].max()),
        clutter=spec.clutter,
    )
    look = choose_look(rng, background)
    stool = _stool(rng, joints, seated=name in SEATED)
    frames, parts = _draw_clip(rng, spec, (joints, u, body, stool), view, background, look)
    moving, key_frames = motion_truth(joints)
    return RenderedClips(
        frames=frames[None],
        labels=np.array([LABELS.index(name)]),
        joints=pixels[None].astype(np.float32),
        depths=(depth - depth[:, :1])[None].astype(np.float32),
        visible=visible_joints(pixels, parts)[None],
        parts=parts[None],
        moving=moving[None],
        key_frames=key_frames[None],
    )


def render_clips(
    n: int,
    *,
    seed: int,
    spec: RenderSpec | None = None,
    first: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> RenderedClips:
    """Render clips `first` to `first + n - 1` of `seed`; labels take turns.

    Args:
        n: how many clips.
        seed: of the data set.
        spec: size and variety.
        first: number of the first clip.
        workers: processes to render with; 1 renders in this one.
        progress: called with a word and the share done.
    """
    if n < 1:
        raise ParameterError(f"At least one clip must be rendered, got {n}.")
    work = partial(render_clip, seed=seed, spec=spec)
    indices = range(first, first + n)
    clips: list[RenderedClips] = []
    if workers > 1:
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            for clip in pool.imap(work, indices, chunksize=16):
                _collect(clips, clip, n, progress)
    else:
        for index in indices:
            _collect(clips, work(index), n, progress)
    return join_clips(clips)


def _collect(
    clips: list[RenderedClips],
    clip: RenderedClips,
    n: int,
    progress: Progress | None,
) -> None:
    clips.append(clip)
    if progress and (len(clips) % 16 == 0 or len(clips) == n):
        progress("rendering clips", len(clips) / n)


def join_clips(clips: list[RenderedClips]) -> RenderedClips:
    """Put batches of clips one after another."""
    names = RenderedClips.__dataclass_fields__
    return RenderedClips(
        **{name: np.concatenate([getattr(c, name) for c in clips]) for name in names}
    )


def _random_body(rng: np.random.Generator) -> Body:
    """Adult proportions, varied by a tenth or so."""
    vary = {
        name: getattr(Body, name) * float(rng.uniform(0.9, 1.1))
        for name in (
            "torso",
            "neck_to_head",
            "shoulder_half_width",
            "upper_arm",
            "forearm",
            "thigh",
            "shin",
            "foot",
        )
    }
    return Body(
        **vary, hip_half_width=float(rng.uniform(0.05, 0.065)), girth=float(rng.uniform(0.9, 1.25))
    )


def _stool(
    rng: np.random.Generator, joints: NDArray[np.float64], *, seated: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """A stool under whoever sits, in most clips; now and then one beside somebody who does not."""
    pelvis = joints[:, JOINT_INDEX["pelvis"]]
    chance, aside, height = (
        rng.random(),
        rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 0.45),
        rng.uniform(0.2, 0.3),
    )
    if seated and chance < 0.65:
        lowest = pelvis[int(pelvis[:, 1].argmin())]
        return renderer.stool_ends(lowest - np.array([0.0, 0.085, 0.02]))
    if not seated and chance < 0.12:
        return renderer.stool_ends(np.array([pelvis[0, 0] + aside, height, pelvis[0, 2] - 0.15]))
    return None


def _draw_clip(
    rng: np.random.Generator,
    spec: RenderSpec,
    figure: tuple[
        NDArray[np.float64],
        NDArray[np.float64],
        Body,
        tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    ],
    view: View,
    background: NDArray[np.float32],
    look: Look,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Background, shadow, figure, noise: frames [T,H,W,3] and part maps [T,H,W]."""
    joints, u, body, stool = figure
    margin = margin_pixels(spec.width, spec.height)
    planes = np.empty((len(u), 3, spec.height, spec.width), dtype=np.float32)
    wall = background.transpose(2, 0, 1)
    for t, moved in enumerate(np.clip(np.rint(view.drift_at(u)), -margin, margin).astype(int)):
        x, y = margin - moved[0], margin - moved[1]
        planes[t] = wall[:, y : y + spec.height, x : x + spec.width]
    if rng.random() < 0.6:
        _cast_shadow(planes, joints, view, u)
    parts = np.zeros((len(u), spec.height, spec.width), dtype=np.uint8)
    renderer.draw(planes, parts, _capsules(joints, u, body, stool, view, look), look)
    planes *= np.float32(255.0 * rng.uniform(0.85, 1.1))
    _add_noise(planes, rng, 255.0 * float(rng.uniform(0.0, spec.noise)))
    np.clip(planes, 0.0, 255.0, out=planes)
    return np.ascontiguousarray(planes.astype(np.uint8).transpose(0, 2, 3, 1)), parts


def _add_noise(planes: NDArray[np.float32], rng: np.random.Generator, sigma: float) -> None:
    """Pixel noise, fresh for every fourth frame and shifted in between: drawing it is slow."""
    height, width = planes.shape[2:]
    for t in range(len(planes)):
        if t % 4 == 0:
            noise = np.float32(sigma) * rng.standard_normal(
                (3, 2 * height, width), dtype=np.float32
            )
        start = (t % 4) * height // 4
        planes[t] += noise[:, start : start + height]


def _capsules(
    joints: NDArray[np.float64],
    u: NDArray[np.float64],
    body: Body,
    stool: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    view: View,
    look: Look,
) -> renderer.Capsules:
    """Project body parts, hair and stool into the frames."""
    ends = [renderer.part_ends(joints), renderer.hair_ends(joints)]
    start_radii, end_radii = renderer.part_radii(body)
    hair = 0.066 * body.girth
    radii = [np.stack([start_radii, end_radii]), np.array([[hair], [hair]])]
    colours = [*(look.colours[part.colour] for part in renderer.PARTS), look.colours["hair"]]
    head = renderer.PART_NAMES.index("head")
    values = [*range(1, len(renderer.PARTS) + 1), head + 1]
    nearer = [*(part.nearer for part in renderer.PARTS), 0.0]
    if stool is not None:
        ends.append(np.broadcast_to(stool[0], (len(u), *stool[0].shape)))
        radii.append(np.stack([stool[1], stool[1]]))
        colours += [look.colours["stool"]] * len(stool[1])
        values += [renderer.STOOL_PART] * len(stool[1])
        nearer += [0.0] * len(stool[1])
    points = np.concatenate(ends, axis=1)  # [T,P,2,3]
    plane, depth = view.camera.look(points)
    pixels = view.to_pixels(plane.reshape(len(u), -1, 2), u).reshape(plane.shape)
    enlarged = view.scale * view.zoom_at(u)[:, None] * view.camera.distance / depth.mean(axis=2)
    both = np.concatenate(radii, axis=1)  # [2,P]
    return renderer.Capsules(
        starts=pixels[:, :, 0].astype(np.float32),
        ends=pixels[:, :, 1].astype(np.float32),
        start_radii=(enlarged * both[0]).astype(np.float32),
        end_radii=(enlarged * both[1]).astype(np.float32),
        depths=(depth.mean(axis=2) - np.array(nearer)).astype(np.float32),
        colours=np.array(colours, dtype=np.float32),
        values=np.array(values, dtype=np.uint8),
    )


def _cast_shadow(
    planes: NDArray[np.float32], joints: NDArray[np.float64], view: View, u: NDArray[np.float64]
) -> None:
    """Darken the floor below the body, softly, in `planes` [T,3,H,W]."""
    height, width = planes.shape[2:]
    low, high = joints.min(axis=1), joints.max(axis=1)
    centre = 0.5 * (low + high) * np.array([1.0, 0.0, 1.0])
    plane, _ = view.camera.look(centre[:, None])
    pixels = view.to_pixels(plane, u)[:, 0]
    reach = view.scale * (0.10 + 0.5 * np.linalg.norm((high - low)[:, [0, 2]], axis=1))
    flat = 0.12 + max(0.0, float(np.sin(view.camera.elevation)))
    xs, ys = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    for t, (x, y) in enumerate(pixels.tolist()):
        far = ((xs - x) / float(reach[t])) ** 2 + ((ys - y) / float(flat * reach[t])) ** 2
        planes[t] *= np.minimum(1.0, np.maximum(0.6, 0.44 + 0.4 * far))
