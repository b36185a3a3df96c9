"""Training on a handful of clips: it runs, goes on after a stop, and writes a file that loads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

from stam_core.actions import LABELS, TIME_PAIRS, RenderSpec, render_clip
from stam_core.actions.motions import LOCOMOTION
from stam_core.errors import ParameterError
from stam_core.evaluate import evaluate_rendered, reversed_label, to_input
from stam_core.models.stam import Stam, StamConfig
from stam_core.train import (
    CONFIG,
    PREPROCESSING,
    TrainOptions,
    time_stage,
    train,
)
from stam_core.train.stores import FIRST_JOINT_CLIP, TRAINING_SEEDS, open_stores
from stam_core.train.time_stage import attention_loss, stored_embeddings, turn_time
from stam_core.types import Preprocessing

N = len(LABELS)
ASSET = Path(__file__).resolve().parents[1] / "assets" / "stam-actions.safetensors"


@pytest.fixture
def tiny(tmp_path) -> TrainOptions:
    return TrainOptions(
        out=tmp_path / "tiny.safetensors",
        clips=16,
        plain_clips=4,
        space_steps=3,
        time_steps=4,
        joint_steps=1,
        joint_clips=8,
        batch_frames=16,
        batch_clips=8,
        evaluation_clips=4,
        workers=1,
        config=replace(CONFIG, width=32, depth=1, time_depth=1, time_feedforward=32),
    )


def _stored(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    with safe_open(path, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118 - no mapping


def test_training_writes_a_checkpoint_that_describes_itself(tiny):
    steps: list[str] = []
    path = train(tiny, lambda word, share: steps.append(word))
    tensors, metadata = _stored(path)
    config = StamConfig(**json.loads(metadata["config"]))
    assert config == tiny.config
    assert tuple(json.loads(metadata["labels"])) == LABELS
    assert json.loads(metadata["preprocessing"])["mean"] == [0.5, 0.5, 0.5]
    model = Stam(config)
    model.load_state_dict({key: value.float() for key, value in tensors.items()}, strict=True)
    assert model(torch.zeros(1, 16, 3, config.side, config.side)).shape == (1, len(LABELS))
    figures = json.loads(path.with_suffix(".json").read_text())
    assert figures["stages"]["joint"]["held_out"]["clips"] == 4
    assert any("rendering" in word for word in steps)
    assert any(word.startswith("space") for word in steps)


def test_embedding_goes_on_after_a_stop_with_the_next_part(tiny, tmp_path, monkeypatch):
    tiny = replace(tiny, device="cpu")
    store = open_stores(tiny, lambda *_: None).fresh
    model, folder = Stam(tiny.config), tmp_path / "embeddings"
    whole = stored_embeddings(model, store, tiny, lambda *_: None, folder=tmp_path / "whole")
    monkeypatch.setattr(time_stage, "_CLIPS_A_PART", 3)  # parts of 3, 3 and 2 clips
    embedded = []
    work = time_stage._embedded
    monkeypatch.setattr(
        time_stage, "_embedded", lambda *given: embedded.append(given[-1]) or work(*given)
    )

    class StoppedError(Exception):
        """Stands for a kill."""

    def stop(word: str, share: float) -> None:
        if len(embedded) == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        stored_embeddings(model, store, tiny, stop, folder=folder)
    again = stored_embeddings(model, store, tiny, lambda *_: None, folder=folder)
    assert embedded == [range(0, 3), range(3, 6), range(6, 8)]
    torch.testing.assert_close(again, whole)
    nn.init.normal_(model.spatial.pos_embed)  # other weights: nothing of it counts
    other = stored_embeddings(model, store, tiny, lambda *_: None, folder=folder)
    assert len(embedded) == 6
    assert not torch.allclose(other, whole)


def test_training_goes_on_after_a_stop_as_if_nothing_had_happened(tiny, tmp_path):
    whole, _ = _stored(train(tiny, lambda *_: None))

    class StoppedError(Exception):
        """Stands for a kill."""

    def stop(word: str, share: float) -> None:
        if word.startswith("time"):
            raise StoppedError

    again = replace(tiny, out=tmp_path / "again" / "tiny.safetensors")
    with pytest.raises(StoppedError):
        train(again, stop)
    resumed, _ = _stored(train(again, lambda *_: None))
    for key, value in whole.items():
        torch.testing.assert_close(resumed[key], value, rtol=0, atol=0, msg=key)


def test_playing_backwards_swaps_the_label_of_time_pairs():
    clips = torch.arange(16.0).repeat(400, 1)
    labels = torch.full((400,), LABELS.index("sit down"))
    labels[200:] = LABELS.index("walk")
    turned, same, names = turn_time((clips, clips), labels, torch.Generator().manual_seed(0))
    assert torch.equal(turned, same), "all that is known of a frame is turned alike"
    backwards = turned[:, 0] > turned[:, -1]
    assert 60 < int(backwards[:200].sum()) < 140
    assert (names[:200][backwards[:200]] == LABELS.index("stand up")).all()
    assert (names[:200][~backwards[:200]] == LABELS.index("sit down")).all()
    assert not backwards[200:].any()
    assert (names[200:] == LABELS.index("walk")).all()
    assert float(turned.min()) == 0.0
    assert float(turned.max()) == 15.0


def test_attention_loss_by_hand():
    maps = torch.zeros(3, 2, 3, 3)  # [B,H,T+1,T+1], two frames
    maps[0, :, 0] = torch.tensor([0.5, 0.5, 0.0])  # all that goes to frames goes to the first
    maps[1, :, 0] = torch.tensor([0.2, 0.4, 0.4])
    maps[2, :, 0] = torch.tensor([0.0, 0.0, 1.0])
    first = torch.tensor([[True, False], [True, False], [False, False]])
    # Nothing for the first clip, log 2 for the second; the third has no key frame.
    expected = torch.tensor(2.0).log() / 2
    torch.testing.assert_close(attention_loss([maps, maps], first), expected)
    both = torch.tensor([[True, True]])
    torch.testing.assert_close(attention_loss([maps[1:2]], both), torch.tensor(0.0))


def test_reversed_labels():
    assert reversed_label("sit down") == "stand up"
    assert reversed_label("get up") == "fall down"
    assert reversed_label("walk") is None


@pytest.mark.parametrize("roaming", [0.0, 1.0])
def test_only_the_clips_of_the_joint_stage_roam(tiny, roaming):
    stores = open_stores(replace(tiny, roaming=roaming), lambda *_: None)
    clean = RenderSpec(width=128, height=128)
    for store, first, spec in (
        (stores.full, 0, clean),
        (stores.fresh, FIRST_JOINT_CLIP, replace(clean, roaming=roaming)),
    ):
        goes = next(k for k, label in enumerate(store.labels) if LABELS[label] in LOCOMOTION)
        clip = render_clip(first + goes, seed=TRAINING_SEEDS, spec=spec)
        np.testing.assert_array_equal(store.frames[goes], clip.frames[0])


def test_highest_learning_rate_of_the_joint_stage(tiny):
    def highest(options: TrainOptions) -> float:
        train(options)
        lines = (options.work_folder / "metrics.jsonl").read_text().splitlines()
        rates = [line["lr"] for line in map(json.loads, lines) if line["stage"] == "joint"]
        return max(rates)

    asked = replace(tiny, space_steps=0, time_steps=0, joint_steps=1)
    # Sixteen frames are one clip, and the rate of eight goes with the root of their number.
    usual = highest(asked)
    given = highest(replace(asked, joint_lr=5e-4, work=tiny.out.parent / "other"))
    assert usual / given == pytest.approx(1.5e-4 * 8**-0.5 / 5e-4)


def test_too_little_to_train_on_is_refused():
    with pytest.raises(ParameterError, match="at least 16 frames"):
        TrainOptions(batch_frames=8)
    with pytest.raises(ParameterError, match="learning rate above 0"):
        TrainOptions(joint_lr=0.0)


def test_input_is_scaled_as_the_preprocessing_says():
    frames = torch.tensor([[0, 255, 51]], dtype=torch.uint8).view(1, 1, 1, 3)
    x = to_input(
        frames, Preprocessing(resize_side=1, side=1, mean=(0.5, 0.0, 0.2), std=(0.5, 1.0, 2.0))
    )
    torch.testing.assert_close(x.view(3), torch.tensor([-1.0, 1.0, 0.0]))


class AlwaysSitDown(nn.Module):
    """Answers "sit down", then "stand up", whatever it sees."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(len(x), len(LABELS))
        logits[:, LABELS.index("sit down")] = 2.0
        logits[:, LABELS.index("stand up")] = 1.0
        return logits


def test_evaluation_counts_by_hand():
    small = Preprocessing(resize_side=16, side=16)
    figures = evaluate_rendered(AlwaysSitDown(), small, N, seed=4, num_frames=2)
    assert figures["top1"] == pytest.approx(1 / N)
    assert figures["per_class"]["sit down"] == 1.0
    assert figures["per_class"]["stand up"] == 0.0
    in_pairs = 2 * len(TIME_PAIRS)
    assert figures["reversed_clips"] == in_pairs
    assert figures["reversed_pairs"] == pytest.approx(1 / in_pairs)  # only "stand up" backwards
    assert (figures["clips"], figures["seed"]) == (N, 4)


def test_evaluation_respects_the_models_own_label_order():
    order = [label for label in LABELS if label != "walk"] + ["walk"]
    model = nn.Sequential()
    last = torch.tensor([N - 1])
    model.forward = lambda x: torch.nn.functional.one_hot(last.expand(len(x)), N).float()
    figures = evaluate_rendered(
        model, Preprocessing(resize_side=16, side=16), N, labels=order, num_frames=2
    )
    assert figures["per_class"]["walk"] == 1.0


def test_evaluation_needs_a_model_that_knows_the_actions():
    with pytest.raises(ParameterError, match=r"lacks .*walk"):
        evaluate_rendered(AlwaysSitDown(), PREPROCESSING, 4, labels=["archery"])


def test_shipped_checkpoint_knows_its_actions():
    tensors, metadata = _stored(ASSET)
    assert ASSET.stat().st_size <= 12_000_000
    labels = json.loads(metadata["labels"])
    assert tuple(labels) == LABELS
    model = Stam(StamConfig(**json.loads(metadata["config"])))
    model.load_state_dict({key: value.float() for key, value in tensors.items()}, strict=True)
    told = json.loads(metadata["preprocessing"])
    preprocessing = Preprocessing(
        **{**told, "mean": tuple(told["mean"]), "std": tuple(told["std"])}
    )
    figures = evaluate_rendered(model, preprocessing, 138, seed=31, labels=labels)
    # The card says how good it is on 5,000 clips; 138 clips only show that nothing is broken.
    assert figures["top1"] >= 0.85
    assert figures["reversed_pairs"] >= 0.85
