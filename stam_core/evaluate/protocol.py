"""From a file to the pixels a model looks at: which frames, which resize, which crop.

Everything here travels to other processes, so the records are small and hold no model.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from stam_core.engine import DISPLAY_SIDE
from stam_core.errors import ParameterError, StamError
from stam_core.types import Clip, ModelInfo, OfficialRule, Preprocessing
from stam_core.video import official_indices, open_clip, preprocess

logger = logging.getLogger(__name__)

ProtocolName = Literal["official", "uniform"]
PROTOCOLS: tuple[str, ...] = get_args(ProtocolName)


@dataclass(frozen=True)
class Protocol:
    """How a file becomes model input; the same steps as `Engine.open` and `Engine.predict`."""

    name: ProtocolName
    num_frames: int  # T
    official_fps: float | None  # of the authors' loader; None: the model has none
    short_side: int  # pixels, at which decoded frames are kept
    preprocessing: Preprocessing
    official_rule: OfficialRule = "stepped"


@dataclass(frozen=True, eq=False)
class DecodedClip:
    """The pixels of one clip, or why there are none."""

    pixels: NDArray[np.uint8] | None  # [T,3,S,S] RGB in 0..255, resized and cropped
    reason: str = ""  # why the clip cannot be used
    official_drops: bool | None = None  # would the authors' loader drop it? None: not known


def choose_protocol(info: ModelInfo, name: str | None) -> Protocol:
    """The protocol called `name` for a model.

    Args:
        info: of the model.
        name: "official", "uniform", or None: official where the model's authors have one.

    Raises:
        ParameterError: no such protocol, or the model has no official one.
    """
    chosen = name or ("official" if info.official_fps is not None else "uniform")
    if chosen not in PROTOCOLS:
        raise ParameterError(f"The protocol is one of {', '.join(PROTOCOLS)}, not {chosen!r}.")
    if chosen == "official" and info.official_fps is None:
        raise ParameterError(
            f"{info.name} has no official protocol: its authors state no frame rate. "
            "Use --protocol uniform."
        )
    return Protocol(
        name="official" if chosen == "official" else "uniform",
        num_frames=info.num_frames,
        official_fps=info.official_fps,
        short_side=max(DISPLAY_SIDE, info.preprocessing.resize_side),
        preprocessing=info.preprocessing,
        official_rule=info.official_rule,
    )


def decode_clip(path: Path, protocol: Protocol) -> DecodedClip:
    """Open, sample, resize and crop one clip; what fails comes back as a reason.

    Args:
        path: of the file.
        protocol: of the evaluation.
    """
    try:
        clip = open_clip(
            path,
            num_frames=protocol.num_frames,
            policy=protocol.name,
            official_fps=protocol.official_fps,
            official_rule=protocol.official_rule,
            short_side=protocol.short_side,
            # The authors' loader takes pixels as they are stored, square or not.
            pixels="stored" if protocol.name == "official" else "square",
        )
        pixels = _pixels(clip.frames, protocol.preprocessing)
    except StamError as error:
        return DecodedClip(None, str(error))
    # Whatever else a decoder library raises on one damaged file of thousands must cost that file
    # and not the evaluation; it is named in the report, and logged in full.
    except Exception as error:
        logger.info("%s cannot be decoded", path, exc_info=True)
        return DecodedClip(None, f"The decoder failed: {type(error).__name__}: {error}")
    return DecodedClip(pixels, official_drops=_official_drops(clip, protocol))


def _pixels(frames: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """[T,H,W,3] -> [T,3,S,S]: the model's own resize and crop, a quarter of the bytes of floats."""
    unscaled = replace(preprocessing, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    shares, _ = preprocess(frames, unscaled)  # whole numbers / 255, so rounding gives them back
    return shares.mul_(255.0).round_().to(torch.uint8).numpy()


def _official_drops(clip: Clip, protocol: Protocol) -> bool | None:
    if protocol.official_fps is None or protocol.official_rule != "stepped":
        return None  # a loader that spreads its frames drops no clip
    found = official_indices(
        clip.info.n_frames, clip.info.fps, protocol.num_frames, protocol.official_fps
    )
    return found is None
