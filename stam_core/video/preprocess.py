"""Frames as displayed -> model input, as the authors' code does it, and the crop box to go back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from stam_core.errors import ParameterError
from stam_core.types import CropBox

if TYPE_CHECKING:
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
    Resize((448, 448)).
    """
    side = preprocessing.side
    if preprocessing.fit == "crop" and not 1 <= side <= preprocessing.resize_side:
        raise ParameterError(
            f"The crop side must be between 1 and the resize side {preprocessing.resize_side}; "
            f"got {side}."
        )
    square = _squish if preprocessing.fit == "squish" else _resize_and_crop
    pixels = np.stack(
        [square(Image.fromarray(frame), preprocessing) for frame in frames]
    )  # [T,S,S,3]
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(torch.float32).div_(255)  # [T,3,S,S]
    mean = torch.tensor(preprocessing.mean).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.std).view(1, 3, 1, 1)
    height, width = frames.shape[1:3]
    return ((x - mean) / std).contiguous(), crop_box(width, height, preprocessing)


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
    new_width, new_height = short_side_size(width, height, preprocessing.resize_side)
    left, top = _centre(new_width, side), _centre(new_height, side)
    return CropBox(left / new_width, top / new_height, side / new_width, side / new_height)


def short_side_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """(width, height) after the short side became `short_side`; the long side is cut to a whole.

    Args:
        width: pixels.
        height: pixels.
        short_side: pixels.

    Source: torchvision.transforms.functional.resize with an int.
    """
    if width <= height:
        return short_side, int(short_side * height / width)
    return int(short_side * width / height), short_side


def shrink_frame(frame: NDArray[np.uint8], short_side: int) -> NDArray[np.uint8]:
    """Scale one frame down until its short side is `short_side`; smaller ones stay as they are.

    Args:
        frame: [H,W,3] u8 RGB.
        short_side: pixels.
    """
    height, width = frame.shape[:2]
    if min(width, height) <= short_side:
        return frame
    size = short_side_size(width, height, short_side)
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))


def _resize_and_crop(image: Image.Image, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    side = preprocessing.side
    width, height = short_side_size(image.width, image.height, preprocessing.resize_side)
    left, top = _centre(width, side), _centre(height, side)
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
