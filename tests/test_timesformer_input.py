"""How TimeSformer's authors choose frames and make model input of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from stam_core.errors import SamplingError
from stam_core.types import Preprocessing
from stam_core.video.preprocess import crop_box, preprocess
from stam_core.video.sample_spread import _linspace, spread_indices

RULE = Preprocessing(32, 32, mean=(0.45,) * 3, std=(0.225,) * 3, resampling="plain")


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8)


def test_equals_the_official_middle_crop(shared: Path) -> None:
    golden = load_file(shared / "parity" / "preproc_a.safetensors")
    x, _ = preprocess(golden["frames_u8"].numpy(), RULE)
    torch.testing.assert_close(x.transpose(0, 1), golden["timesformer_crop1"], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(72, 96), (97, 61), (32, 32), (32, 45), (5, 9)])
def test_crop_box_is_what_the_model_sees(height: int, width: int) -> None:
    """A picture of its own columns: the box's edges are the first and last value seen."""
    ramp = np.broadcast_to(np.arange(width, dtype=np.uint8)[:, None], (1, height, width, 3))
    x, box = preprocess(np.ascontiguousarray(ramp), RULE)
    assert x.shape == (1, 3, 32, 32)
    columns = (x[0, 0, 0] * 0.225 + 0.45) * 255
    pixel = box.width * width / 32
    expected = box.left * width + pixel * (torch.arange(32) + 0.5) - 0.5
    torch.testing.assert_close(columns, expected.clamp(0, width - 1), atol=0.05, rtol=0)


def test_an_extreme_aspect_gives_nearly_the_same_picture() -> None:
    frames = noise(8, 400)  # 50 times as wide as high: 1600 x 32 pixels
    x, _ = preprocess(frames, RULE)
    shares = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
    whole = torch.nn.functional.interpolate((shares - 0.45) / 0.225, (32, 1600), mode="bilinear")
    inner = slice(4, 28)  # the cut frays the edges by one pixel of the source
    torch.testing.assert_close(x[..., inner], whole[..., 784:816][..., inner], atol=1e-4, rtol=0)


def test_a_hostile_aspect_stays_small() -> None:
    frames = np.zeros((1, 2, 8192, 3), np.uint8)
    x, box = preprocess(frames, Preprocessing(224, 224, resampling="plain"))
    assert x.shape == (1, 3, 224, 224)
    assert box == crop_box(8192, 2, Preprocessing(224, 224, resampling="plain"))


def test_squish_takes_the_whole_frame() -> None:
    rule = Preprocessing(4, 4, fit="squish", resampling="plain")
    frames = np.repeat(np.array([[0, 255]], np.uint8), 2, axis=0)[None, ..., None].repeat(3, -1)
    x, box = preprocess(frames, rule)
    assert (box.left, box.width) == (0.0, 1.0)
    assert x[0, 0, 0].tolist() == pytest.approx([0.0, 0.25, 0.75, 1.0])


@pytest.mark.parametrize(
    ("sizes", "indices"),
    [
        ((300, 30.0, 8, 32), [0, 36, 72, 109, 145, 182, 218, 255]),
        ((120, 30.0, 8, 32), [0, 36, 72, 109, 119, 119, 119, 119]),  # the last one repeats
        ((250, 25.0, 8, 32), [0, 30, 60, 91, 121, 151, 182, 212]),
        ((1, 30.0, 3, 32), [0, 0, 0]),
        ((100, 30.0, 1, 32), [0]),
        ((10, 30.0, 4, 2), [0, 2, 4, 7]),  # linspace(0, 7, 4) = 0, 2.33, 4.67, 7
    ],
)
def test_spread_by_hand(sizes: tuple[int, float, int, int], indices: list[int]) -> None:
    assert spread_indices(*sizes) == indices


def test_later_views_start_later() -> None:
    assert spread_indices(300, 30.0, 8, 32, view=2, n_views=3)[0] == 29  # 44 left over * 2/3
    assert spread_indices(300, 30.0, 8, 32, view=0, n_views=3)[0] == 0


@pytest.mark.parametrize(
    ("sizes", "options"),
    [
        ((0, 30.0, 8, 32), {}),
        ((9, 30.0, 0, 32), {}),
        ((9, 30.0, 8, 0), {}),
        ((9, 30.0, 8, 32), {"view": 1}),
    ],
)
def test_nothing_to_choose(sizes: tuple[int, float, int, int], options: dict[str, int]) -> None:
    with pytest.raises(SamplingError, match="Nothing to choose"):
        spread_indices(*sizes, **options)


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_bad_frame_rate(fps: float) -> None:
    with pytest.raises(SamplingError, match="above 0"):
        spread_indices(9, fps, 8, 32)


def test_places_are_torchs_own_to_the_bit():
    rng = np.random.default_rng(0)
    for _ in range(2000):
        n, fps = int(rng.choice([1, 2, 3, 8, 12, 16, 96])), rng.choice([12, 23.976, 25, 29.97, 60])
        start = float(rng.uniform(0, 2000)) * int(rng.integers(2))
        end = start + 256 / 30 * float(fps) - 1
        assert _linspace(start, end, n).tolist() == torch.linspace(start, end, n).tolist()


def test_decoding_does_without_torch():
    asks = "import sys, stam_core.video.clip; print(sorted({'torch', 'timm'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
