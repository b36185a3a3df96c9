"""Training of models that take the clip whole: it learns, goes on after a stop, and opens."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from stam_core import Engine
from stam_core.actions import LABELS
from stam_core.errors import ParameterError
from stam_core.models.stam import StamConfig
from stam_core.models.timesformer import TimeSformer
from stam_core.train import CONFIG, TrainOptions, train
from stam_core.train.options import CONFIGS
from stam_core.train.stores import open_stores
from stam_core.train.whole_clips import begin_in_space, plain_products, waves

SCHEMES = ["divided", "joint"]
SMALL = {"width": 32, "depth": 2, "heads": 2, "num_frames": 4, "stem_width": 8}


def tiny(folder: Path, scheme: str, **changes: object) -> TrainOptions:
    sizes = {
        "clips": 8, "plain_clips": 4, "joint_clips": 8, "space_steps": 3, "joint_steps": 3,
        "batch_frames": 8, "evaluation_clips": 1, "workers": 1, "threads": 1,
    }  # fmt: skip
    config = replace(CONFIGS[scheme], **SMALL)
    return TrainOptions(out=folder / "tiny.safetensors", config=config, **(sizes | changes))


def quietly(word: str, share: float) -> None:
    """Nobody is told."""


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clips that all trainings here learn from, rendered once."""
    options = tiny(tmp_path_factory.mktemp("rendered"), "divided")
    options.work_folder.mkdir()
    open_stores(options, quietly)
    return options.work_folder / "clips"


def learn(options: TrainOptions, rendered: Path, progress=quietly) -> Path:
    """Train on the clips at hand."""
    clips = options.work_folder / "clips"
    if not clips.exists():
        shutil.copytree(rendered, clips)
    return train(options, progress)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_result_opens_with_its_labels(tmp_path, scheme, rendered):
    options = tiny(tmp_path, scheme)
    path = learn(options, rendered)
    engine = Engine(str(path), device="cpu")
    assert engine.info.labels == LABELS
    assert engine.info.scheme == scheme
    assert engine.info.config == options.config
    clip = engine.open(np.zeros((9, 140, 160, 3), np.uint8))
    assert np.isfinite(engine.predict(clip).logits).all()
    assert engine.explain(clip).patches.shape == (4, 8, 8)
    figures = json.loads(path.with_suffix(".json").read_text())
    assert list(figures["stages"]) == ["space", "joint"]
    assert figures["stages"]["joint"]["held_out"]["clips"] == 1
    assert {"patch", "top1"} <= figures["stages"]["joint"].keys()


@pytest.mark.parametrize(("scheme", "stage"), [("divided", "space"), ("joint", "joint")])
def test_a_stopped_training_ends_as_an_undisturbed_one(tmp_path, scheme, stage, rendered):
    whole = load_file(learn(tiny(tmp_path, scheme), rendered))

    class StoppedError(Exception):
        """Stands for a kill."""

    def stop(word: str, share: float) -> None:
        if word.startswith(stage):
            raise StoppedError

    again = tiny(tmp_path / "again", scheme, work=tmp_path / "tiny-again", save_steps=1)
    with pytest.raises(StoppedError):
        learn(again, rendered, stop)
    resumed = load_file(learn(again, rendered))
    assert whole.keys() == resumed.keys()
    for key, value in whole.items():
        assert torch.equal(resumed[key], value), key


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_loss_falls(tmp_path, scheme, rendered):
    space_steps = 30 if scheme == "divided" else 10
    options = tiny(tmp_path, scheme, space_steps=space_steps, joint_steps=30, ema=0.0)
    learn(options, rendered)
    lines = (options.work_folder / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    for stage in ("space", "joint"):
        losses = [row["loss"] for row in rows if row["stage"] == stage]
        assert len(losses) == 1 or losses[-1] < 0.97 * losses[0], (stage, losses)


def test_single_frames_teach_nothing_about_time(tmp_path, rendered):
    options = tiny(tmp_path, "divided", joint_steps=1, ema=0.0, weight_decay=0.5)
    learn(options, rendered)
    state = torch.load(options.work_folder / "space.pt", weights_only=True)["modules"]
    torch.manual_seed(options.seed)
    fresh = TimeSformer(options.config)
    begin_in_space(fresh)
    for name, value in fresh.state_dict().items():
        same = torch.equal(state[f"model.{name}"], value)
        assert same == ("temporal_" in name or name.startswith("head.")), name
    assert not state["model.blocks.0.temporal_fc.weight"].any()
    after = torch.load(options.work_folder / "joint.pt", weights_only=True)["modules"]
    assert after["model.blocks.0.temporal_fc.weight"].any()


def test_plain_products_are_for_the_training_alone():
    model = TimeSformer(replace(CONFIGS["divided"], **SMALL))
    attention = [*model.space_attention, *model.time_attention]

    def stopped() -> None:
        with plain_products(model):
            assert not any(module.fused_attn for module in attention)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert all(module.fused_attn for module in attention)
    joint = TimeSformer(replace(CONFIGS["joint"], **SMALL))
    with plain_products(joint):
        assert all(module.fused_attn for module in joint.joint_attention)


def test_time_begins_at_nothing_and_frames_are_told_apart():
    model = TimeSformer(replace(CONFIGS["divided"], **SMALL)).eval()
    begin_in_space(model)
    x = torch.rand(1, 1, 3, 128, 128).expand(-1, 4, -1, -1, -1)
    with torch.no_grad():
        cls, patches = model.embed_patches(x)
        block = model.blocks[0]
        _, out = block(cls, patches)
        alone = [block(cls, patches[:, t, None])[1] for t in range(4)]
    torch.testing.assert_close(out, torch.cat(alone, dim=1), atol=1e-5, rtol=0)
    places = waves(16, 32)
    assert torch.cdist(places, places)[~torch.eye(16).bool()].min() > 0.5
    near, far = (places[0] - places[1]).norm(), (places[0] - places[15]).norm()
    assert near < far


def test_scheme_chooses_the_configuration():
    assert TrainOptions().config is CONFIG
    assert TrainOptions(scheme="factorised").config is CONFIG
    assert TrainOptions(scheme="joint").config is CONFIGS["joint"]
    assert isinstance(CONFIG, StamConfig)
    with pytest.raises(ParameterError, match="scheme 'divided', not 'joint'"):
        TrainOptions(config=CONFIGS["divided"], scheme="joint")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_shipped_size_fits(scheme):
    with torch.device("meta"):
        model = TimeSformer(CONFIGS[scheme])
    assert 2 * sum(value.numel() for value in model.state_dict().values()) < 12e6
