"""Training of models that take the clip whole: it learns, goes on after a stop, and opens."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from stam_core import Engine
from stam_core.actions import LABELS
from stam_core.actions.pose_loss import (
    FRAMES_AWAY,
    MotionHeads,
    PoseTruth,
    motion_loss,
    patch_targets,
)
from stam_core.actions.skeleton import JOINTS
from stam_core.errors import ParameterError
from stam_core.models.stam import Stam, StamConfig
from stam_core.models.timesformer import TimeSformer
from stam_core.train import CONFIG, TrainOptions, train
from stam_core.train.checkpoint import write_checkpoint
from stam_core.train.errors import TrainingError
from stam_core.train.options import CONFIGS, PREPROCESSING
from stam_core.train.products import plain_products
from stam_core.train.start import take_weights
from stam_core.train.stores import open_stores
from stam_core.train.whole_clips import begin_in_space, waves

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
    options = tiny(tmp_path, scheme, space_steps=space_steps, joint_steps=80, ema=0.0)
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
        with plain_products(attention):
            assert not any(module.fused_attn for module in attention)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert all(module.fused_attn for module in attention)


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


def picture_stage(folder: Path, **changes: int) -> Path:
    """The file of a STAM as small as the models here, of random weights."""
    torch.manual_seed(3)
    sizes = {"time_depth": 1, "time_heads": 2, "time_feedforward": 32}
    model = Stam(replace(CONFIG, **(SMALL | sizes | changes)))
    path = folder / "stam.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    write_checkpoint(path, model, labels=LABELS, preprocessing=PREPROCESSING, recipe={})
    return path


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_model_may_begin_with_the_spatial_stage_of_another(tmp_path, scheme, rendered):
    stam = picture_stage(tmp_path / "from")
    given = load_file(stam)
    options = tiny(tmp_path, scheme, begin_with=stam, space_steps=0, joint_steps=1, ema=0.0)
    learn(options, rendered)
    state = torch.load(options.work_folder / "joint.pt", weights_only=True)["modules"]
    spatial = [name for name in given if name.startswith("spatial.")]
    assert len(spatial) > 20
    for name in spatial:
        own = state[f"model.{name.removeprefix('spatial.')}"]
        stem = name.startswith("spatial.patch_embed.")
        assert torch.equal(own, given[name].float()) == stem, name  # the rest took a step
        assert torch.allclose(own, given[name].float(), atol=2e-3), name


def test_a_stam_may_go_on_from_an_earlier_one(tmp_path):
    """All of it, its read-outs taught first: those of the first run are not kept with a model."""
    stam = picture_stage(tmp_path)
    given = load_file(stam)
    sizes = {"time_depth": 1, "time_heads": 2, "time_feedforward": 32}
    options = TrainOptions(
        out=tmp_path / "later" / "stam.safetensors",
        begin_with=stam,
        space_steps=0,
        time_steps=0,
        joint_steps=1,
        joint_clips=4,
        batch_frames=SMALL["num_frames"] * 2,
        evaluation_clips=2,
        workers=1,
        ema=0.0,
        device="cpu",
        config=replace(CONFIG, **SMALL | sizes),
    )
    train(options, quietly)
    state = torch.load(options.work_folder / "joint.pt", weights_only=True)["modules"]
    assert len(given) > 40
    for name, value in given.items():
        own = state[f"model.{name}"]
        # One step, of a hundredth of the rate: nothing but a little moved.
        torch.testing.assert_close(own, value.float(), rtol=0, atol=1e-4, msg=name)
    with safe_open(options.out, framework="pt") as written:
        assert json.loads(written.metadata()["recipe"])["begin_with"] == stam.name
    clips = [*(options.work_folder / "clips").iterdir()]
    assert len(clips) == 1  # what no stage reads is not rendered
    lines = (options.work_folder / "metrics.jsonl").read_text().splitlines()
    taught = [told["loss"] for told in map(json.loads, lines) if told["stage"] == "heads"]
    assert taught[-1] < 0.9 * taught[0]


def test_a_timesformer_may_go_on_from_an_earlier_one(tmp_path):
    earlier = TimeSformer(replace(CONFIGS["divided"], **SMALL))
    path = tmp_path / "earlier.safetensors"
    write_checkpoint(path, earlier, labels=LABELS, preprocessing=PREPROCESSING, recipe={})
    given = load_file(path)
    later = TimeSformer(replace(CONFIGS["divided"], **SMALL))
    take_weights(path, later)
    for name, value in later.state_dict().items():
        assert torch.equal(value, given[name].float()), name


def test_weights_of_other_sizes_are_refused(tmp_path):
    wide = picture_stage(tmp_path / "wide", width=64)
    deep = picture_stage(tmp_path / "deep", depth=3)
    model = TimeSformer(replace(CONFIGS["divided"], **SMALL))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for path in (wide, deep):
        with pytest.raises(TrainingError, match=r"do not fit this model: .*--begin-with"):
            take_weights(path, model)
    joint = tmp_path / "joint.safetensors"
    other = TimeSformer(replace(CONFIGS["joint"], **SMALL | {"num_frames": 3}))
    write_checkpoint(joint, other, labels=LABELS, preprocessing=PREPROCESSING, recipe={})
    with pytest.raises(TrainingError, match="do not fit this model: time_embed"):
        take_weights(joint, model)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_motion_is_asked_of_earlier_and_later_frames():
    """A read-out that knows the answers loses nearly nothing; one that says "as now" loses much."""
    b, t, grid, side = 2, 9, 4, 64
    rng = torch.Generator().manual_seed(0)
    cells = torch.randint(grid, (b * t, len(JOINTS), 2), generator=rng)
    joints = (cells + 0.5) * (side / grid)  # the centres of patches
    truth = PoseTruth(
        joints,
        torch.zeros(b * t, len(JOINTS)),
        torch.ones(b * t, len(JOINTS), dtype=torch.bool),
        torch.ones(b * t, dtype=torch.bool),
        torch.ones(b * t, grid * grid, 1),
        torch.zeros(b * t, dtype=torch.long),
    )
    here = patch_targets(joints, side=side, grid=grid).view(b, t, len(JOINTS), grid * grid)

    def knows(before: int, after: int) -> torch.Tensor:
        """Tokens [B,T,N,2J] of patches that have seen the frames so far away."""
        seen = [50.0 * here.roll(shift, dims=1).transpose(2, 3) for shift in (before, after)]
        return torch.cat(seen, dim=3)

    heads = MotionHeads(2 * len(JOINTS))
    for head, first in ((heads.before, 0), (heads.after, len(JOINTS))):
        torch.nn.init.zeros_(head.bias)
        torch.nn.init.zeros_(head.weight)
        with torch.no_grad():
            head.weight[:, first : first + len(JOINTS)] = torch.eye(len(JOINTS))
    right, told = motion_loss(heads, knows(FRAMES_AWAY, -FRAMES_AWAY), truth, side=side)
    late, missed = motion_loss(heads, knows(0, 0), truth, side=side)
    assert right.item() < 1e-6
    assert told["later"] == 1.0
    assert late.item() > 10
    assert missed["later"] < 0.3


def test_a_clip_of_one_frame_has_no_motion():
    truth = PoseTruth(
        torch.full((1, len(JOINTS), 2), 8.0),
        torch.zeros(1, len(JOINTS)),
        torch.ones(1, len(JOINTS), dtype=torch.bool),
        torch.ones(1, dtype=torch.bool),
        torch.ones(1, 4, 1),
        torch.zeros(1, dtype=torch.long),
    )
    loss, _ = motion_loss(MotionHeads(3), torch.rand(1, 1, 4, 3), truth, side=32)
    assert loss.item() == 0.0
