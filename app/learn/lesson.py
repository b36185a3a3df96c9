"""What a lesson is given, and how numbers travel to its figure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from stam_core import Engine
    from stam_core.types import Clip

FACTORISED = "factorised"


@dataclass(frozen=True)
class Ask:
    """A figure's question about a clip."""

    engine: Engine
    clip: Clip
    data: Mapping[str, Any]  # of the event; untrusted
    first: bool  # the figure shows nothing of this clip yet

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, h, w)."""
        rows, columns = self.engine.info.patch_grid
        return self.engine.info.num_frames, rows, columns

    @property
    def scheme(self) -> str:
        """The model's way of attending, a key of `stam_core.schemes.STEPS`."""
        return str(getattr(self.engine.info.config, "scheme", FACTORISED))


def packed(mask: ArrayLike) -> str:
    """A mask as bits in base64, eight to a byte, the highest bit first."""
    bits = np.packbits(np.asarray(mask, dtype=bool).ravel())
    return base64.b64encode(bits.tobytes()).decode("ascii")


def levels(values: ArrayLike) -> dict[str, Any]:
    """Numbers as 256 levels from their lowest to their highest, in base64."""
    array = np.asarray(values, dtype=np.float64)
    low, high = float(array.min()), float(array.max())
    scaled = (array - low) / (high - low or 1.0)
    data = np.round(255 * scaled).astype(np.uint8)
    return {
        "low": round(low, 6),
        "high": round(high, 6),
        "data": base64.b64encode(data.tobytes()).decode("ascii"),
    }


def rounded(values: ArrayLike, digits: int = 4) -> Any:  # noqa: ANN401 - lists as deep as the array
    """Numbers as nested lists."""
    return np.round(np.asarray(values, dtype=np.float64), digits).tolist()
