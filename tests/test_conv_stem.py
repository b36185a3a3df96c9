"""The convolutional stem: a patch embedding like timm's, whose patches keep their places."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from stam_core.errors import WeightsError
from stam_core.models import model_info
from stam_core.models.conv_stem import STRIDE, ConvStem
from stam_core.models.described import describe_model, metadata_of
from stam_core.models.stam import Stam, StamConfig, spatial_transformer
from stam_core.types import Preprocessing

CONFIG = StamConfig(
    side=64,
    patch_size=16,
    stem_width=4,
    width=16,
    depth=2,
    heads=2,
    num_frames=4,
    time_depth=1,
    time_heads=2,
    time_feedforward=16,
    num_classes=3,
)


def test_features_are_an_eighth_of_the_picture():
    assert ConvStem(4)(torch.zeros(2, 3, 64, 48)).shape == (2, 16, 64 // STRIDE, 48 // STRIDE)


def test_a_model_with_a_stem_answers_and_has_the_patches_it_says():
    model = Stam(CONFIG).eval()
    assert model(torch.zeros(1, 4, 3, 64, 64)).shape == (1, 3)
    assert model.spatial.patch_embed(torch.zeros(1, 3, 64, 64)).shape == (1, 16, 16)


def test_a_patch_sees_its_surroundings_and_nothing_far_away():
    """A change of the top left patch reaches patches at most three away, and less the further."""
    embed = spatial_transformer(replace(CONFIG, side=128)).eval().patch_embed
    before = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    after = before.clone()
    after[..., :16, :16] = 1.0 - after[..., :16, :16]
    with torch.no_grad():
        moved = (embed(after) - embed(before)).norm(dim=-1).view(8, 8)
    assert moved[0, 0] > moved[0, 1] > moved[0, 2] > 0.0
    assert moved[4:].max() == 0.0
    assert moved[:, 4:].max() == 0.0


def test_the_published_model_has_no_stem():
    assert StamConfig().stem_width == 0
    assert "patch_embed.proj.weight" in dict(
        spatial_transformer(StamConfig(side=32, width=16, depth=1, heads=2)).named_parameters()
    )


def test_a_file_with_patches_narrower_than_the_stems_stride_is_refused(tmp_path):
    info = replace(model_info("stam-16"), config=replace(CONFIG, patch_size=4))
    info = replace(info, labels=("a", "b", "c"), preprocessing=Preprocessing(64, 64))
    path = tmp_path / "file.safetensors"
    path.write_bytes(b"")
    with pytest.raises(WeightsError, match="patch_size 4 is not a multiple of 8"):
        describe_model(path, metadata_of(info))
