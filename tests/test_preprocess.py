"""Preprocessing against the official code's numbers, torchvision, and marked pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torchvision import transforms

from stam_core.errors import ParameterError
from stam_core.types import Preprocessing
from stam_core.video.preprocess import crop_box, preprocess
from stam_core.video.shrink import short_side_size, shrink_frame

CROP = Preprocessing(resize_side=36, side=32)
SQUISH = Preprocessing(resize_side=32, side=32, fit="squish")


def noise(n_frames, height, width):
    return np.random.default_rng(0).integers(0, 256, (n_frames, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("key", "rule"), [("stam", CROP), ("stam_squish", SQUISH)])
def test_equals_the_official_code_bit_for_bit(shared, key, rule):
    golden = load_file(shared / "parity" / "preproc_a.safetensors")
    x, _ = preprocess(golden["frames_u8"].numpy(), rule)
    assert x.dtype == torch.float32
    assert torch.equal(x, golden[key])


@pytest.mark.parametrize(
    ("height", "width"), [(72, 96), (97, 61), (36, 36), (37, 36), (20, 24), (5, 9), (200, 33)]
)
def test_equals_torchvision_at_any_size(height, width):
    frames = noise(2, height, width)
    official = transforms.Compose(
        [transforms.Resize(36), transforms.CenterCrop(32), transforms.ToTensor()]
    )
    expected = torch.stack([official(Image.fromarray(frame)) for frame in frames])
    assert torch.equal(preprocess(frames, CROP)[0], expected)


@pytest.mark.parametrize(("height", "width"), [(12, 480), (640, 10)])
def test_an_extreme_aspect_gives_the_same_picture_without_the_huge_one(height, width):
    frames = noise(1, height, width)
    official = transforms.Compose(
        [transforms.Resize(36), transforms.CenterCrop(32), transforms.ToTensor()]
    )
    expected = official(Image.fromarray(frames[0]))
    torch.testing.assert_close(preprocess(frames, CROP)[0][0], expected, rtol=0, atol=1.01 / 255)


def test_a_hostile_aspect_stays_small():
    x, box = preprocess(np.zeros((1, 2, 8192, 3), np.uint8), Preprocessing(256, 224))
    assert x.shape == (1, 3, 224, 224)
    assert box.width == pytest.approx(224 / (256 * 4096))


def test_mean_and_std_by_hand():
    frames = np.full((1, 40, 40, 3), 51, np.uint8)  # 51 / 255 = 0.2
    rule = Preprocessing(36, 32, mean=(0.2, 0.1, 0.4), std=(0.5, 0.25, 0.1))
    x, _ = preprocess(frames, rule)
    assert x[0, :, 0, 0].tolist() == pytest.approx([0.0, 0.4, -2.0], abs=1e-6)


def test_stam_values_stay_between_0_and_1():
    frames = np.stack([np.zeros((40, 40, 3), np.uint8), np.full((40, 40, 3), 255, np.uint8)])
    x, _ = preprocess(frames, CROP)
    assert x[0].max() == 0.0
    assert x[1].min() == 1.0


def test_crop_box_by_hand():
    # 96 x 72 -> 48 x 36; the crop starts at (48-32)/2 = 8 and (36-32)/2 = 2
    box = crop_box(96, 72, CROP)
    assert (box.left, box.top) == (8 / 48, 2 / 36)
    assert (box.width, box.height) == (32 / 48, 32 / 36)
    whole = crop_box(96, 72, SQUISH)
    assert (whole.left, whole.top, whole.width, whole.height) == (0.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize("rule", [Preprocessing(128, 112), SQUISH], ids=["crop", "squish"])
@pytest.mark.parametrize(("height", "width"), [(240, 426), (400, 225), (300, 300), (60, 90)])
def test_a_marked_spot_lands_where_the_box_says(height, width, rule):
    row, column = int(0.6 * height), int(0.45 * width)
    frames = np.zeros((1, height, width, 3), np.uint8)
    frames[0, row - 3 : row + 4, column - 3 : column + 4] = 255  # centre (row, column)
    x, box = preprocess(frames, rule)
    light = x[0, 0].double()
    centres = (torch.arange(rule.side) + 0.5).double() / rule.side  # of the model's pixels
    across = box.left + box.width * float((light.sum(0) * centres).sum() / light.sum())
    down = box.top + box.height * float((light.sum(1) * centres).sum() / light.sum())
    assert across == pytest.approx((column + 0.5) / width, abs=0.6 * box.width / rule.side)
    assert down == pytest.approx((row + 0.5) / height, abs=0.6 * box.height / rule.side)


def test_a_crop_larger_than_the_resized_frame_is_refused():
    with pytest.raises(ParameterError, match="between 1 and the resize side 32; got 64"):
        preprocess(noise(1, 80, 80), Preprocessing(resize_side=32, side=64))


def test_the_input_is_left_alone():
    frames = noise(1, 50, 60)
    before = frames.copy()
    preprocess(frames, CROP)
    assert np.array_equal(frames, before)


@pytest.mark.parametrize(
    ("size", "expected"), [((426, 240), (63, 36)), ((240, 427), (36, 64)), ((7, 7), (36, 36))]
)
def test_short_side_size_cuts_the_long_side(size, expected):
    assert short_side_size(*size, 36) == expected  # 36 * 426 / 240 = 63.9; 36 * 427 / 240 = 64.05


def test_shrink_never_enlarges_and_equals_torchvision():
    small = noise(1, 20, 30)[0]
    assert shrink_frame(small, 36) is small
    large = noise(1, 90, 121)[0]
    expected = np.asarray(transforms.Resize(36)(Image.fromarray(large)))
    assert np.array_equal(shrink_frame(large, 36), expected)
