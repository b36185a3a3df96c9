"""Things that are not people: what moves behind the person, and what stands in front of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.things import Layer, Place, Prop
from stam_core.actions.things_behind import BEHIND
from stam_core.actions.things_front import FRONT

if TYPE_CHECKING:
    from numpy.typing import NDArray

BEHIND_SHARE, FRONT_SHARE = 0.25, 0.15  # of clips at full strength
LARGEST_COVER = 0.25  # share of the picture that one thing in front may hide


@dataclass(frozen=True, eq=False)
class Props:
    """All things of one clip; mostly none."""

    things: tuple[Prop, ...] = ()

    @classmethod
    def random(
        cls,
        rng: np.random.Generator,
        width: int,
        height: int,
        floor_y: float,
        strength: float = 1.0,
    ) -> Props:
        """What moves behind and stands in front of the person.

        Args:
            rng: settles everything random.
            width: of the picture, pixels.
            height: of the picture, pixels.
            floor_y: the row on which the person stands, pixels.
            strength: in [0,1]; factor on the shares of clips that have something.
        """
        place = Place(rng, width, height, float(np.clip(floor_y, 0.3 * height, height)))
        things: list[Prop] = []
        for makers, share in ((BEHIND, BEHIND_SHARE), (FRONT, FRONT_SHARE)):
            if rng.random() < share * strength:
                things.append(makers[int(rng.integers(len(makers)))](place))
                if rng.random() < 0.3 and makers is BEHIND:
                    things.append(makers[int(rng.integers(len(makers)))](place))
        return cls(tuple(things))


def draw_props(
    planes: NDArray[np.float32], props: Props, u: NDArray[np.floating], layer: Layer
) -> NDArray[np.bool_]:
    """Draw the things of one layer.

    Args:
        planes: [T,3,H,W] in [0,1]; changed.
        props: of the clip.
        u: [T] times of the frames, 0 at the clip's start and 1 at its end.
        layer: behind the person or in front.

    Returns:
        [T,H,W] pixels that are at least half covered.
    """
    count, _, height, width = planes.shape
    covered = np.zeros((count, height, width), dtype=np.bool_)
    for thing in props.things:
        if thing.layer != layer:
            continue
        stretches = np.clip(np.asarray(u) * len(thing.gains), 0, len(thing.gains) - 1)
        for t, (left, top) in enumerate(thing.places(u).tolist()):
            rows = slice(max(top, 0), min(top + thing.cover.shape[0], height))
            columns = slice(max(left, 0), min(left + thing.cover.shape[1], width))
            if rows.start >= rows.stop or columns.start >= columns.stop:
                continue
            source = (
                slice(rows.start - top, rows.stop - top),
                slice(columns.start - left, columns.stop - left),
            )
            cover = thing.cover[source]
            gain = np.float32(thing.gains[int(stretches[t])])
            window = planes[t, :, rows, columns]
            window += cover * (gain * thing.colours[(slice(None), *source)] - window)
            covered[t, rows, columns] |= cover >= 0.5
    return covered
