"""Fine-tuning on a folder: it learns, goes on after a stop, and its result opens everywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from app.inspect.model_choice import ModelDesk
from app.session import Engines
from stam_core.actions import LABELS, RenderSpec, render_clip
from stam_core.engine import Engine
from stam_core.errors import ParameterError, WeightsError
from stam_core.models import load_model
from stam_core.models.stam import Stam
from stam_core.models.stam_official import to_official
from stam_core.train import FineTuneOptions, TrainingError, fine_tune, finetune_stages
from stam_core.train.metrics import TIMING, read_metrics
from stam_core.train.start import replace_head, start_model
from stam_core.video.encode import write_mp4
from tests.training.own_clips import TINY, write_clip, write_folder, write_start


def silent(word: str, share: float) -> None:
    pass


@pytest.fixture
def options(tmp_path) -> FineTuneOptions:
    """Two colours, a tiny model with random weights."""
    return FineTuneOptions(
        data=write_folder(tmp_path / "data", clips=3),
        out=tmp_path / "out" / "mine.safetensors",
        start=str(write_start(tmp_path / "start.safetensors")),
        device="cpu",
        precision="fp32",
        threads=1,
        workers=1,
        steps=6,
        batch=4,
        views=2,
    )


def stored(path: Path) -> dict[str, torch.Tensor]:
    with safe_open(path, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping


# --- the whole way --------------------------------------------------------------------------------


def test_three_rendered_classes_are_learned_and_open_everywhere(tmp_path):
    """From the embedded model, with its spatial stage kept: 95 % of clips that were held out."""
    names = [label for label in ("jumping jacks", "walk", "sit down") if label in LABELS]
    for name in names:
        for index in range(9):
            width = 128 + 16 * (index % 2)
            spec = RenderSpec(width=width, height=112, num_frames=18, clutter=0.0)
            clip = render_clip(index, seed=77, spec=spec, action=name)
            split = "val" if index >= 6 else "train"
            path = tmp_path / "data" / split / f"my {name}" / f"{index}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_mp4(path, clip.frames[0], 12.0)
    made = fine_tune(
        FineTuneOptions(
            data=tmp_path / "data",
            out=tmp_path / "three.safetensors",
            steps=80,
            batch=18,
            views=2,
            lr=2e-3,
            workers=1,
            device="cpu",
        ),
        silent,
    )
    labels = ("my jumping jacks", "my sit down", "my walk")
    assert made.labels == labels
    assert (made.n_train, made.n_val, made.n_skipped) == (18, 9, 0)
    assert made.validation["top1"] >= 0.95
    assert set(made.validation["per_class"]) == set(labels)

    engine = Engine(str(made.checkpoint), device="cpu")
    assert engine.info.labels == labels
    clip = engine.open(tmp_path / "data" / "val" / "my walk" / "8.mp4")
    assert engine.predict(clip).top(1)[0][0] == "my walk"
    engines = Engines()
    key = ModelDesk(engines).open_file("stam-actions", str(made.checkpoint))
    assert engines.get(key).info.labels == labels


def test_the_figures_beside_the_checkpoint(options):
    (options.data / "red" / "broken.mp4").write_text("no video")
    words = []
    made = fine_tune(options, lambda word, share: words.append(word))
    facts = json.loads(options.out.with_suffix(".json").read_text())
    assert facts["labels"] == list(made.labels) == ["blue", "red"]
    assert facts["clips"] == {
        "train": {"blue": 2, "red": 2},
        "val": {"blue": 1, "red": 1},
        "skipped": 1,
    }
    assert facts["validation"]["clips"] == 2
    assert facts["validation"] == made.validation
    assert len(facts["validation_clips"]) == 2
    assert all(name.split("/")[0] in made.labels for name in facts["validation_clips"])
    lines = (made.work_folder / "skipped.csv").read_text().splitlines()
    assert lines[0] == "clip,reason"
    assert len(lines) == 2
    assert "broken.mp4" in lines[1]
    assert {word.split(":")[0] for word in words} == {
        "decoding clips",
        "embedding frames",
        "fine-tune",
        "validating",
    }
    assert (made.work_folder / "curves.png").exists()
    with safe_open(options.out, framework="pt") as file:
        metadata = file.metadata()
    assert str(options.data) not in json.dumps(metadata)  # a place on this machine
    assert json.loads(metadata["recipe"])["steps"] == 6


def test_a_frozen_spatial_stage_stays_as_it_was(options):
    fine_tune(options, silent)
    start, made = stored(Path(options.start)), stored(options.out)
    assert all(torch.equal(made[key], start[key]) for key in start if key.startswith("spatial."))
    assert not torch.equal(made["temporal.cls_token"], start["temporal.cls_token"])
    assert made["head.weight"].shape == (2, TINY.width)


def test_all_layers_learn_the_lower_ones_less(options):
    fine_tune(replace(options, freeze="none", mixup=0.4), silent)
    start, made = stored(Path(options.start)), stored(options.out)

    def change(key: str) -> float:
        return float((made[key].float() - start[key].float()).abs().mean())

    lower = change("spatial.blocks.0.attn.qkv.weight")
    upper = change("spatial.blocks.1.attn.qkv.weight")
    assert 0 < lower < upper


# --- resume ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("freeze", ["space", "none"])
def test_a_stopped_run_goes_on_as_if_nothing_had_happened(options, tmp_path, freeze):
    class StoppedError(Exception):
        """Stands for a kill."""

    def stop(word: str, share: float) -> None:
        if word.startswith("fine-tune") and share >= 0.5:
            raise StoppedError

    options = replace(options, freeze=freeze, steps=20, save_steps=4, save_seconds=1e9, mixup=0.2)
    fine_tune(options, silent)
    again = replace(options, out=tmp_path / "again" / "mine.safetensors")
    with pytest.raises(StoppedError):
        fine_tune(again, stop)
    fine_tune(again, silent)
    whole, resumed = stored(options.out), stored(again.out)
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    curves = [
        [
            {key: value for key, value in record.items() if key not in TIMING}
            for record in read_metrics(run.work_folder / "metrics.jsonl")
        ]
        for run in (options, again)
    ]
    assert curves[0] == curves[1]


def test_nothing_is_embedded_twice(options, monkeypatch):
    calls = []
    embed = finetune_stages._embed_view
    monkeypatch.setattr(
        finetune_stages, "_embed_view", lambda *given: calls.append(given) or embed(*given)
    )
    fine_tune(options, silent)
    first, weights = len(calls), stored(options.out)
    assert first > 0, "the first run embeds"
    (options.work_folder / "fine-tune.pt").unlink()
    fine_tune(options, silent)
    assert len(calls) == first, "the second run embeds nothing"
    again = stored(options.out)
    assert all(torch.equal(weights[key], again[key]) for key in weights)


def test_another_folder_or_option_is_not_gone_on_from(options):
    fine_tune(options, silent)
    with pytest.raises(TrainingError, match=r"other options: mixup was 0\.0 and is 0\.3"):
        fine_tune(replace(options, mixup=0.3), silent)
    write_clip(options.data / "red" / "new.mp4", (250, 0, 0))
    with pytest.raises(TrainingError, match=r"clips_digest was 6 clips.* and is 7 clips"):
        fine_tune(options, silent)


# --- folders of no use ----------------------------------------------------------------------------


def test_too_few_readable_clips(options):
    for path in (options.data / "red").iterdir():
        path.write_text("no video")
    with pytest.raises(TrainingError, match=r"Fewer than two classes.*3 of 6.*skipped\.csv"):
        fine_tune(options, silent)


def test_classes_of_one_clip_are_trained_on(options, tmp_path):
    one = replace(options, data=write_folder(tmp_path / "one", clips=1))
    made = fine_tune(one, silent)
    assert (made.n_train, made.n_val, made.validation) == (2, 0, None)
    assert len(made.notes) == 2


def test_hostile_class_names_arrive_as_text(options, tmp_path):
    names = ("<script>alert(1)<", "two\nlines \x1b[31m", "50% $x^2$")
    made = fine_tune(
        replace(options, data=write_folder(tmp_path / "odd", clips=2, names=names)), silent
    )
    assert set(made.labels) == {"<script>alert(1)<", "two\\nlines \\x1b[31m", "50% $x^2$"}
    assert load_model(str(made.checkpoint)).info.labels == made.labels


def test_an_output_that_is_a_folder(options, tmp_path):
    with pytest.raises(TrainingError, match="is a folder"):
        fine_tune(replace(options, out=tmp_path), silent)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"views": 0},
        {"lr": 0.0},
        {"lr": 2.0},
        {"layer_decay": 0.0},
        {"label_smoothing": 1.0},
        {"val_share": 1.0},
        {"mixup": -1.0},
        {"num_frames": 0},
    ],
)
def test_values_that_cannot_be_trained_with(options, wrong):
    with pytest.raises(ParameterError, match=r"must|takes"):
        replace(options, **wrong)


# --- where it starts ------------------------------------------------------------------------------


def test_no_such_start(options):
    with pytest.raises(TrainingError, match=r"no start 'nothing'\. Start from 'embedded'"):
        start_model(replace(options, start="nothing"))
    with pytest.raises(WeightsError, match="cannot be opened"):
        start_model(replace(options, start="official:missing.pth"))


def test_the_embedded_start_and_its_new_head(options):
    stam, preprocessing = start_model(replace(options, start="embedded"))
    assert preprocessing == load_model("stam-actions").info.preprocessing
    replace_head(stam, 7)
    assert stam.config.num_classes == 7
    assert stam.head.weight.shape == (7, stam.config.width)


def test_an_official_checkpoint_of_any_length_and_number_of_classes(options, tmp_path):
    """Sizes other than the published ones come from the file; the published widths do not."""
    with torch.device("meta"):
        names = to_official(Stam(replace(TINY, num_classes=3)).state_dict())
    wrong = {name: torch.zeros(tensor.shape) for name, tensor in names.items()}
    save_file(wrong, tmp_path / "small.safetensors")
    with pytest.raises(WeightsError, match="does not belong to small"):
        start_model(replace(options, start=f"official:{tmp_path / 'small.safetensors'}"))
    with pytest.raises(TrainingError, match="no published STAM"):
        start_model(replace(options, start=f"official:{options.start}"))


def test_a_timm_backbone_becomes_the_spatial_stage(options, tmp_path):
    backbone = timm.create_model("vit_tiny_patch16_224", depth=2)
    file = tmp_path / "vit.safetensors"
    start = replace(
        options,
        start="timm:vit_tiny_patch16_224",
        start_weights=file,
        num_frames=5,
        time_depth=2,
    )
    full = timm.create_model("vit_tiny_patch16_224")
    save_file(full.state_dict(), file)
    stam, preprocessing = start_model(start)
    config = stam.config
    assert (config.side, config.patch_size, config.width, config.depth) == (224, 16, 192, 12)
    assert (config.heads, config.num_frames, config.time_depth, config.time_heads) == (3, 5, 2, 8)
    assert preprocessing.side == 224
    assert preprocessing.resize_side == 249  # 224 / 0.9
    assert preprocessing.mean == (0.5, 0.5, 0.5)
    x = torch.rand(1, 1, 3, 224, 224)
    with torch.inference_mode():
        theirs = full.eval().forward_features(x[0])[:, 0]
        torch.testing.assert_close(stam.eval().embed_frames(x)[0], theirs, rtol=1e-3, atol=1e-3)
    save_file(backbone.state_dict(), file)
    with pytest.raises(TrainingError, match="cannot be made"):
        start_model(start)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_model", "cannot be made"),
        ("resnet18", "is no ViT"),
        ("vit_tiny_patch16_224", "add --download"),
        ("deit3_small_patch16_224", "is no plain ViT"),
    ],
)
def test_timm_models_that_cannot_be_the_spatial_stage(options, monkeypatch, name, message):
    if message != "add --download":
        options = replace(options, start_weights=Path("weights.safetensors"))
    real = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, **_: real(name, pretrained=False))
    with pytest.raises(TrainingError, match=message):
        start_model(replace(options, start=f"timm:{name}"))
