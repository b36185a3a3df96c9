from __future__ import annotations

import json
import logging
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import stam_core.models as models
from stam_core.errors import UnknownNameError, WeightsError
from stam_core.models import (
    FAMILIES,
    MODELS,
    build_model,
    list_models,
    load_model,
    model_info,
    registry,
    stam_official,
)
from stam_core.models.described import describe_model, metadata_of
from stam_core.models.labels import kinetics_400
from stam_core.models.stam import StamConfig
from stam_core.types import ModelInfo, Preprocessing, WeightsInfo

PUBLISHED = [8, 16, 32, 64]


def tiny_info(**changes: object) -> ModelInfo:
    """A STAM small enough to build in a moment."""
    sizes: dict[str, object] = {
        "side": 16,
        "patch_size": 8,
        "width": 16,
        "depth": 2,
        "heads": 2,
        "num_frames": 4,
        "time_depth": 2,
        "time_heads": 4,
        "time_feedforward": 32,
        "num_classes": 3,
    }
    config = StamConfig(**(sizes | changes))  # type: ignore[arg-type]
    return ModelInfo(
        name="tiny",
        title="tiny",
        family="stam",
        config=config,
        labels=tuple(f"label {k}" for k in range(config.num_classes)),
        num_frames=config.num_frames,
        preprocessing=Preprocessing(resize_side=20, side=16, fit="squish", mean=(0.1, 0.2, 0.3)),
        sampling="uniform",
        official_fps=None,
        weights=WeightsInfo(source="tiny", licence="ours", embedded=False),
        paper="2103.13915",
        summary="",
    )


def write_described(path: Path, info: ModelInfo, **metadata: str) -> dict[str, torch.Tensor]:
    state = build_model(info).state_dict()
    save_file(state, path, metadata=metadata_of(info) | metadata)
    return state


@pytest.mark.parametrize("frames", PUBLISHED)
def test_published_model_facts(frames: int) -> None:
    info = model_info(f"stam-{frames}")
    assert info.name == f"stam-{frames}"
    assert info.config == StamConfig(num_frames=frames)
    assert info.num_frames == frames
    assert info.preprocessing == Preprocessing(resize_side=256, side=224)
    assert info.preprocessing.mean == (0.0, 0.0, 0.0)  # STAM takes plain values in [0,1]
    assert info.patch_grid == (14, 14)
    assert len(info.labels) == info.config.num_classes == 400
    assert info.weights.source.startswith("https://")
    assert info.weights.source.endswith(f"/STAM/v2/stam_{frames}.pth")
    assert info.weights.licence == "Apache-2.0"
    assert not info.weights.embedded


def test_official_frame_rates_always_span_ten_seconds() -> None:
    rates = [model_info(f"stam-{frames}").official_fps for frames in PUBLISHED]
    assert rates == [0.8, 1.6, 3.2, 6.4]
    assert "inferred" in model_info("stam-8").summary
    assert "inferred" not in model_info("stam-16").summary


def test_published_accuracy() -> None:
    top1 = [model_info(f"stam-{n}").published["kinetics400_top1_percent"] for n in PUBLISHED]
    assert top1 == [77.5, 79.3, 79.95, 80.5]


@pytest.mark.parametrize("frames", PUBLISHED)
def test_stated_size_is_four_bytes_per_parameter(frames: int) -> None:
    info = model_info(f"stam-{frames}")
    with torch.device("meta"):
        parameters = sum(p.numel() for p in build_model(info).parameters())
    assert info.weights.n_bytes == 4 * parameters


def test_official_names_and_shapes_of_the_real_stam_16() -> None:
    """The names and shapes that the published code gives, without the memory for 119 M numbers."""
    with torch.device("meta"):
        state = stam_official.to_official(build_model(model_info("stam-16")).state_dict())
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    expected: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, 768),
        "pos_embed": (1, 197, 768),
        "patch_embed.proj.weight": (768, 3, 16, 16),
        "patch_embed.proj.bias": (768,),
        "norm.weight": (768,),
        "norm.bias": (768,),
        "head.weight": (400, 768),
        "head.bias": (400,),
        "aggregate.cls_token": (1, 1, 768),
        "aggregate.pos_embed": (1, 17, 768),
        "aggregate.transformer_enc.norm.weight": (768,),
        "aggregate.transformer_enc.norm.bias": (768,),
    }
    linear = {
        "attn.qkv": (2304, 768),
        "attn.proj": (768, 768),
        "mlp.fc1": (3072, 768),
        "mlp.fc2": (768, 3072),
    }
    for block in range(12):
        for name, (rows, columns) in linear.items():
            expected[f"blocks.{block}.{name}.weight"] = (rows, columns)
            expected[f"blocks.{block}.{name}.bias"] = (rows,)
        for name in ("norm1", "norm2"):
            expected[f"blocks.{block}.{name}.weight"] = (768,)
            expected[f"blocks.{block}.{name}.bias"] = (768,)
    linear = {"self_attn.out_proj": (768, 768), "linear1": (2048, 768), "linear2": (768, 2048)}
    for layer in range(6):
        prefix = f"aggregate.transformer_enc.layers.{layer}"
        expected[f"{prefix}.self_attn.in_proj_weight"] = (2304, 768)
        expected[f"{prefix}.self_attn.in_proj_bias"] = (2304,)
        for name, (rows, columns) in linear.items():
            expected[f"{prefix}.{name}.weight"] = (rows, columns)
            expected[f"{prefix}.{name}.bias"] = (rows,)
        for name in ("norm1", "norm2"):
            expected[f"{prefix}.{name}.weight"] = (768,)
            expected[f"{prefix}.{name}.bias"] = (768,)
    assert len(expected) == 228
    assert shapes == expected


def test_every_name_comes_back_from_its_official_form() -> None:
    with torch.device("meta"):
        names = list(build_model(tiny_info()).state_dict())
    official = [stam_official.official_name(name) for name in names]
    assert len(set(official)) == len(names)
    assert [stam_official.our_name(name) for name in official] == names
    assert not stam_official.is_official(dict.fromkeys(names))
    assert stam_official.is_official(dict.fromkeys(official))


def test_kinetics_labels() -> None:
    labels = kinetics_400()
    assert len(labels) == len(set(labels)) == 400
    assert labels[:3] == ("abseiling", "air drumming", "answering questions")
    assert labels[-1] == "zumba"


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"no model 'stam-17'.*stam-actions.*stam-64"):
        model_info("stam-17")
    with pytest.raises(UnknownNameError, match="no model 'stam-17'"):
        load_model("stam-17")
    with pytest.raises(UnknownNameError, match="no model 'stam-17'"):
        load_model("stam-17", weights="file.pth")
    for name in ("x" * 5_000, "x\0y", ""):
        with pytest.raises(UnknownNameError, match="There is no model"):
            load_model(name)


def test_infos_are_made_once() -> None:
    assert model_info("stam-16") is model_info("stam-16")


def test_registries_agree() -> None:
    for info in list_models():
        assert info.family in FAMILIES
        assert info.name in MODELS
        assert len(info.labels) == info.config.num_classes
        assert info.preprocessing.side == info.config.side


def test_importing_builds_nothing_and_prints_nothing() -> None:
    code = (
        "import stam_core.models as m; "
        "assert not any(f.cache_info().currsize for f in (m.rendered_actions, m.stam_kinetics))"
    )
    root = Path(models.__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_built_model_is_in_eval_mode() -> None:
    info = tiny_info()
    model = build_model(info)
    assert not any(module.training for module in model.modules())
    assert model(torch.rand(2, 4, 3, 16, 16)).shape == (2, 3)


def test_described_file_opens_as_its_own_model(tmp_path: Path) -> None:
    info = tiny_info()
    state = write_described(tmp_path / "mine.safetensors", info)
    messages: list[tuple[str, float]] = []
    loaded = load_model(
        str(tmp_path / "mine.safetensors"), progress=lambda *told: messages.append(told)
    )
    for entry in fields(ModelInfo):
        if entry.name in ("config", "labels", "num_frames", "preprocessing", "family"):
            assert getattr(loaded.info, entry.name) == getattr(info, entry.name), entry.name
    assert loaded.info.name == "mine"
    assert loaded.info.weights.sha256 == loaded.report.sha256
    assert loaded.report.format == "safetensors"
    assert loaded.report.n_bytes == (tmp_path / "mine.safetensors").stat().st_size
    assert loaded.report.notes == ()
    assert messages[-1][1] == 1.0
    assert not loaded.model.training
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, state[name])


def test_described_file_wins_over_the_name_it_is_given_to(tmp_path: Path) -> None:
    write_described(tmp_path / "mine.safetensors", tiny_info())
    loaded = load_model("stam-16", weights=tmp_path / "mine.safetensors")
    assert loaded.info.labels == ("label 0", "label 1", "label 2")
    assert loaded.info.name == "mine"


def test_file_is_recognised_by_its_bytes_not_its_name(tmp_path: Path) -> None:
    write_described(tmp_path / "mine.pth", tiny_info())
    assert load_model(str(tmp_path / "mine.pth")).report.format == "safetensors"


def test_file_without_description_needs_a_name(tmp_path: Path) -> None:
    save_file(build_model(tiny_info()).state_dict(), tmp_path / "bare.safetensors")
    with pytest.raises(WeightsError, match=r"does not say what model it holds.*stam-16"):
        load_model(str(tmp_path / "bare.safetensors"))


def test_embedded_model_missing_is_said_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(registry, "ASSETS", tmp_path)
    registry.rendered_actions.cache_clear()
    try:
        with pytest.raises(WeightsError, match="python -m stam_core train"):
            model_info("stam-actions")
        with caplog.at_level(logging.WARNING):
            published = [f"stam-{n}" for n in PUBLISHED]
            timesformers = [f"timesformer-{size}" for size in ("base", "hr", "l")]
            assert [info.name for info in list_models()] == [*published, *timesformers]
        assert "stam-actions is not listed" in caplog.text
    finally:
        registry.rendered_actions.cache_clear()


def test_embedded_model_takes_its_sizes_from_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "ASSETS", tmp_path)
    monkeypatch.setattr(models, "ASSETS", tmp_path)
    registry.rendered_actions.cache_clear()
    info = tiny_info()
    write_described(tmp_path / "stam-actions.safetensors", info)
    try:
        loaded = load_model("stam-actions")
        assert loaded.info == model_info("stam-actions")
        assert loaded.info.name == "stam-actions"
        assert loaded.info.config == info.config
        assert loaded.info.weights.embedded
        assert "label 0, label 1, label 2" in loaded.info.summary
        assert list_models()[0].name == "stam-actions"
    finally:
        registry.rendered_actions.cache_clear()


def described(tmp_path: Path, **metadata: str) -> ModelInfo:
    path = tmp_path / "file.safetensors"
    path.write_bytes(b"")
    return describe_model(path, metadata_of(tiny_info()) | metadata)


def test_description_makes_the_round_trip(tmp_path: Path) -> None:
    info = tiny_info(time_norm="pre", time_activation="gelu", time_final_norm=False)
    path = tmp_path / "file.safetensors"
    path.write_bytes(b"")
    again = describe_model(path, metadata_of(info))
    assert (again.config, again.labels) == (info.config, info.labels)
    assert again.preprocessing == info.preprocessing


def config_json(**changes: object) -> str:
    return json.dumps(json.loads(metadata_of(tiny_info())["config"]) | changes)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"family": "resnet"}, r"family 'resnet'; known families: stam"),
        ({"config": "{"}, "config is not JSON"),
        ({"config": "[" * 100_000}, "config is not JSON"),
        ({"config": "[1]"}, "config is not a JSON object"),
        ({"config": config_json(depht=3)}, "config has unknown fields: 'depht'"),
        (
            {"config": config_json(depth=3.0)},
            r"depth must be a whole number from 1 to 64, not '3.0'",
        ),
        ({"config": config_json(depth=True)}, "depth must be a whole number"),
        ({"config": config_json(depth=-1)}, "depth must be a whole number"),
        ({"config": config_json(width=10**400)}, "width must be a whole number from 1 to 4096"),
        ({"config": config_json(mlp_ratio=float("nan"))}, "mlp_ratio must be a number"),
        ({"config": config_json(time_norm="sideways")}, "time_norm must be one of"),
        ({"config": config_json(time_norm=["pre"])}, "time_norm must be one of"),
        ({"config": config_json(qkv_bias=1)}, "qkv_bias must be true or false"),
        ({"config": config_json(heads=3)}, "width 16 is not a multiple of heads 3"),
        ({"config": config_json(time_heads=5)}, "width 16 is not a multiple of time_heads 5"),
        ({"config": config_json(patch_size=7)}, "side 16 is not a multiple of patch_size 7"),
        ({"labels": "[]"}, "0 labels for 3 classes"),
        ({"labels": '["a", "b", 3]'}, "labels must be a list of strings"),
        ({"labels": '{"a": 1}'}, "labels must be a list of strings"),
        ({"labels": json.dumps(["a", "b", "c" * 201])}, "1 to 200 characters"),
        ({"labels": '["a", "b", " "]'}, "1 to 200 characters"),
        ({"preprocessing": "{}"}, "preprocessing lacks fields: resize_side, side"),
        ({"preprocessing": '{"resize_side": 20, "side": 24}'}, "makes 24 px, the model takes 16"),
        ({"preprocessing": '{"resize_side": 10, "side": 16}'}, "smaller than side 16"),
        (
            {"preprocessing": '{"resize_side": 20, "side": 16, "std": [1, 0, 1]}'},
            "std must be a number from 0.001 to 10",
        ),
        (
            {"preprocessing": '{"resize_side": 20, "side": 16, "mean": [0, 0]}'},
            "mean must be a list of 3 numbers",
        ),
    ],
)
def test_bad_description_is_refused(tmp_path: Path, metadata: dict[str, str], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        described(tmp_path, **metadata)


def test_missing_part_of_a_description_is_named(tmp_path: Path) -> None:
    metadata = metadata_of(tiny_info())
    del metadata["labels"]
    with pytest.raises(WeightsError, match="its metadata lacks labels"):
        describe_model(tmp_path / "x.safetensors", metadata)


def test_sizes_that_the_file_does_not_hold_take_no_memory(tmp_path: Path) -> None:
    """A file may promise 13 thousand million numbers; the tensors it has are looked at first."""
    info = tiny_info()
    huge = config_json(width=4096, depth=64, heads=64, time_feedforward=65_536, time_depth=64)
    write_described(tmp_path / "huge.safetensors", info, config=huge)
    with pytest.raises(WeightsError, match=r"missing.*spatial\.blocks\.2\."):
        load_model(str(tmp_path / "huge.safetensors"))


def test_replacing_labels_keeps_infos_apart() -> None:
    info = tiny_info()
    assert metadata_of(replace(info, labels=("x", "y", "é")))["labels"] == '["x", "y", "é"]'
