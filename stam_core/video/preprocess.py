"""Frames as displayed -> model input, as the authors' code does it, and the crop box to go back.

torch is imported where it is used: this module is on the way of decoding processes, which need
none of it and start in a tenth of the time without.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from stam_core.errors import ParameterError
from stam_core.types import CropBox
from stam_core.video.shrink import short_side_size

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from stam_core.types import Preprocessing

# Beyond this aspect ratio only the source of the crop is resized: a picture of 8192 x 2 pixels
# would otherwise grow to a million columns. Below it the whole frame is, exactly as torchvision.
EXTREME_ASPECT = 16


def preprocess(
    frames: NDArray[np.uint8], preprocessing: Preprocessing
) -> tuple[torch.Tensor, CropBox]:
    """Resize, crop and scale frames to the values a model was trained on.

    Small frames are enlarged, as the official code does.

    Args:
        frames: [T,H,W,3] u8 RGB as displayed.
        preprocessing: the model's own rule.

    Returns:
        [T,3,S,S] float32, (values/255 - mean) / std, and the part of the frame that this is.

    Raises:
        ParameterError: the crop is larger than the resized frame would be.

    Source: Alibaba-MIIL/STAM: Resize(int(S/0.875)) on PIL, CenterCrop(S), ToTensor; at 448
    Resize((448, 448)). "plain": facebookresearch/TimeSformer, the middle one of its three crops.
    """
    import torch

    side = preprocessing.side
    if preprocessing.fit == "crop" and not 1 <= side <= preprocessing.resize_side:
        raise ParameterError(
            f"The crop side must be between 1 and the resize side {preprocessing.resize_side}; "
            f"got {side}."
        )
    height, width = frames.shape[1:3]
    box = crop_box(width, height, preprocessing)
    if preprocessing.resampling == "plain":
        return _plain(torch.from_numpy(frames), preprocessing), box
    square = _squish if preprocessing.fit == "squish" else _resize_and_crop
    pixels = np.stack(
        [square(Image.fromarray(frame), preprocessing) for frame in frames]
    )  # [T,S,S,3]
    return _scaled(torch.from_numpy(pixels), preprocessing).contiguous(), box


def crop_box(width: int, height: int, preprocessing: Preprocessing) -> CropBox:
    """The part of a displayed frame that the model sees.

    Args:
        width: of the frame, in pixels.
        height: of the frame, in pixels.
        preprocessing: the model's own rule.
    """
    if preprocessing.fit == "squish":
        return CropBox(0.0, 0.0, 1.0, 1.0)
    side = preprocessing.side
    new_width, new_height, left, top = _resized(width, height, preprocessing)
    return CropBox(left / new_width, top / new_height, side / new_width, side / new_height)


def _scaled(pixels: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """[T,y,x,3] u8 -> [T,3,y,x] float32, (values/255 - mean) / std."""
    import torch

    x = pixels.permute(0, 3, 1, 2).to(torch.float32).div_(255)
    mean = torch.tensor(preprocessing.mean).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.std).view(1, 3, 1, 1)
    return (x - mean) / std


def _plain(frames: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """[T,H,W,3] u8 -> [T,3,S,S]; the colours are scaled first, as the official code does."""
    side = preprocessing.side
    old_height, old_width = frames.shape[1:3]
    if preprocessing.fit == "squish":
        return _bilinear(_scaled(frames, preprocessing), side, side)
    width, height, left, top = _resized(old_width, old_height, preprocessing)
    if max(width, height) > EXTREME_ASPECT * min(width, height):
        across, down = old_width / width, old_height / height  # source pixels per resized pixel
        rows = slice(int(top * down), math.ceil((top + side) * down))
        columns = slice(int(left * across), math.ceil((left + side) * across))
        return _bilinear(_scaled(frames[:, rows, columns], preprocessing), side, side)
    x = _scaled(frames, preprocessing)
    if (width, height) != (old_width, old_height):
        x = _bilinear(x, height, width)
    return x[:, :, top : top + side, left : left + side].contiguous()


def _bilinear(x: torch.Tensor, height: int, width: int) -> torch.Tensor:
    from torch.nn import functional

    return functional.interpolate(x, size=(height, width), mode="bilinear", align_corners=False)


def _resized(width: int, height: int, preprocessing: Preprocessing) -> tuple[int, int, int, int]:
    """(width, height) after resizing, and the crop's (left, top) in it."""
    side, short_side = preprocessing.side, preprocessing.resize_side
    if preprocessing.resampling == "antialiased":
        width, height = short_side_size(width, height, short_side)
        return width, height, _centre(width, side), _centre(height, side)
    # The official code divides first and rounds the crop's corner up.
    if width < height:
        width, height = short_side, math.floor(height / width * short_side)
    else:
        width, height = math.floor(width / height * short_side), short_side
    return width, height, math.ceil((width - side) / 2), math.ceil((height - side) / 2)


def _resize_and_crop(image: Image.Image, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    side = preprocessing.side
    width, height, left, top = _resized(image.width, image.height, preprocessing)
    if max(width, height) > EXTREME_ASPECT * min(width, height):
        across, down = image.width / width, image.height / height  # source pixels per resized pixel
        source = (left * across, top * down, (left + side) * across, (top + side) * down)
        return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR, box=source))
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image.crop((left, top, left + side, top + side)))


def _squish(image: Image.Image, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    size = (preprocessing.side, preprocessing.side)
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR))


def _centre(length: int, side: int) -> int:
    # round() goes to the even neighbour at .5, as torchvision's center_crop does
    return round((length - side) / 2.0)
