from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import parity

from benchmarks import parity_timesformer
from stam_core.models import stam, stam_official
from stam_core.models.stam import Stam, StamConfig

STAM_OUTPUTS = {
    "logits",
    "logits while recording",
    "inter.frame_cls",
    "inter.clip_embedding",
    "inter.logits_mean_aggregate",
    "inter.logits_without_qkv_bias",
    "inter.attn_spatial.0",
    "inter.attn_spatial.1",
    "inter.attn_spatial.2",
    "inter.attn_temporal.0",
    "inter.attn_temporal.1",
    "inter.rollout_spatial",
    "inter.rollout_temporal",
}
Report = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Report:
    """(exit code, outputs by name) of one run."""

    def run(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
        code = parity.main([str(folder), "--json", *options])
        entries = json.loads(capsys.readouterr().out)["comparisons"]
        return code, {entry["output"]: entry for entry in entries}

    return run


@pytest.fixture
def stam_copy(shared: Path, tmp_path: Path) -> Callable[..., Path]:
    """A folder with a copy of the STAM fixture, changed by a function."""

    def make(change: Callable[[dict[str, torch.Tensor], dict[str, Any]], None]) -> Path:
        facts = json.loads((shared / "parity" / "stam_a.json").read_text())
        tensors = load_file(shared / "parity" / "stam_a.safetensors")
        del facts["sha256"]
        change(tensors, facts)
        save_file(tensors, tmp_path / "stam_a.safetensors")
        (tmp_path / "stam_a.json").write_text(json.dumps(facts))
        return tmp_path

    return make


def test_all_golden_numbers_are_met(shared: Path, report: Report) -> None:
    code, outputs = report(shared / "parity")
    assert code == 0
    assert all(entry["ok"] for entry in outputs.values())
    assert outputs["logits"]["difference"] <= 2e-5


def test_stam_alone_with_every_intermediate_output(shared: Path, report: Report) -> None:
    code, outputs = report(shared / "parity", "--only", "stam")
    assert code == 0
    model_outputs = {name for name, entry in outputs.items() if entry["fixture"] == "stam_a"}
    assert model_outputs == STAM_OUTPUTS
    assert {entry["family"] for entry in outputs.values()} == {"stam"}
    assert all(entry["difference"] is not None for entry in outputs.values())
    assert outputs["stam"]["fixture"] == outputs["stam_squish"]["fixture"] == "preproc_a"
    indices = [name for name, entry in outputs.items() if entry["fixture"] == "sampling_a"]
    assert len(indices) >= 10


MAPS_OF = {
    "timesformer_divided_a": {"inter.attn_spatial", "inter.attn_temporal"},
    "timesformer_joint_a": {"inter.attn_joint"},
    "timesformer_space_a": {"inter.attn_spatial"},
    "hf_timesformer_a": {"inter.attn_spatial", "inter.attn_temporal"},
}


@pytest.mark.parametrize("name", list(MAPS_OF))
def test_timesformer_with_every_intermediate_output(
    shared: Path, tmp_path: Path, report: Report, name: str
) -> None:
    for path in (shared / "parity").glob(f"{name}.*"):
        shutil.copyfile(path, tmp_path / path.name)
    code, outputs = report(tmp_path)
    assert code == 0
    assert all(entry["difference"] is not None for entry in outputs.values())
    maps = {output for output in outputs if "attn" in output}
    assert maps == {f"{kind}.{layer}" for kind in MAPS_OF[name] for layer in range(3)}
    assert {"logits", "logits while recording", "inter.clip_embedding"} <= outputs.keys()
    if name != "hf_timesformer_a":
        assert {"logits_resized", "inter.tokens_before_norm"} <= outputs.keys()


def test_tokens_in_the_wrong_order_are_seen(
    shared: Path, tmp_path: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Place and frame swapped: rows still sum to 1, logits are right, and the map is not."""
    for path in (shared / "parity").glob("timesformer_joint_a.*"):
        shutil.copyfile(path, tmp_path / path.name)
    monkeypatch.setattr(parity_timesformer, "official_order", lambda tokens, n_frames: tokens)
    code, outputs = report(tmp_path)
    assert code == 1
    assert outputs["logits"]["ok"]
    assert not outputs["inter.attn_joint.0"]["ok"]


def test_timesformers_input_and_frames(shared: Path, tmp_path: Path, report: Report) -> None:
    for path in [*(shared / "parity").glob("preproc_a.*"), shared / "parity" / "sampling_a.json"]:
        shutil.copyfile(path, tmp_path / path.name)
    code, outputs = report(tmp_path, "--only", "timesformer")
    assert code == 0
    assert outputs["timesformer_crop1"]["difference"] <= 1e-6
    assert outputs["300 frames at 30, 8 one in 32, view 2 of 3"]["difference"] == 0.0


def test_families_to_come_are_said_to_be_missing(
    shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parity.main([str(shared / "parity"), "--only", "swin3d"]) == 2
    printed = capsys.readouterr().out
    assert "not implemented" in printed
    assert "0 outputs compared, 0 beyond tolerance" in printed


@pytest.mark.parametrize(
    "output", ["logits", "inter.attn_spatial.1", "inter.attn_temporal.0", "inter.rollout_spatial"]
)
def test_one_number_a_little_off_is_seen(
    stam_copy: Callable[..., Path], report: Report, output: str
) -> None:
    def change(tensors: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
        tensors[output].view(-1)[-1] += 5e-5

    code, outputs = report(stam_copy(change))
    assert code == 1
    assert not outputs[output]["ok"]
    assert outputs[output]["difference"] == pytest.approx(5e-5, rel=0.1)
    wrong = {name for name, entry in outputs.items() if not entry["ok"]}
    assert wrong <= {output, "logits while recording"}


def test_the_usual_wrong_epsilon_is_seen(
    shared: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stam, "LAYER_NORM_EPS", 1e-6)
    code, outputs = report(shared / "parity", "--only", "stam")
    assert code == 1
    assert outputs["logits"]["difference"] == pytest.approx(1.5e-3, rel=0.5)


def test_another_shape_and_numbers_that_are_not_finite(
    stam_copy: Callable[..., Path], report: Report
) -> None:
    def change(tensors: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
        tensors["inter.frame_cls"] = tensors["inter.frame_cls"][:, :3].contiguous()
        tensors["input"][0, 0, 0, 0] = math.nan

    code, outputs = report(stam_copy(change))
    assert code == 1
    assert outputs["inter.frame_cls"]["error"] == "shape [2, 4, 32] instead of [2, 3, 32]"
    assert outputs["logits"]["error"] == "not finite"


def test_unknown_output_is_not_passed_over(stam_copy: Callable[..., Path], report: Report) -> None:
    def change(tensors: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
        tensors["inter.new"] = torch.zeros(1)
        facts["io_keys"].append("inter.new")

    code, outputs = report(stam_copy(change))
    assert code == 0
    assert outputs["inter.new"]["difference"] is None


def test_state_that_does_not_load_is_a_failure_with_a_reason(
    stam_copy: Callable[..., Path], report: Report
) -> None:
    def change(tensors: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
        del tensors["norm.weight"]

    code, outputs = report(stam_copy(change))
    assert code == 1
    assert "1 missing: norm.weight" in outputs["all outputs"]["error"]


def test_file_other_than_the_one_described(shared: Path, tmp_path: Path, report: Report) -> None:
    shutil.copy(shared / "parity" / "stam_a.json", tmp_path)
    shutil.copyfile(shared / "parity" / "preproc_a.safetensors", tmp_path / "stam_a.safetensors")
    code, outputs = report(tmp_path)
    assert code == 1
    assert "other SHA-256" in outputs["all outputs"]["error"]


@pytest.mark.parametrize(
    ("n_frames", "indices", "error"),
    [
        (300, [0] + [18] * 15, ""),
        (300, None, "kept, unlike by the official loader"),
        (299, list(range(16)), "dropped, unlike by the official loader"),
    ],
)
def test_wrong_frame_indices_are_seen(
    tmp_path: Path, report: Report, n_frames: int, indices: list[int] | None, error: str
) -> None:
    case = {"n_frames": n_frames, "fps": 30.0, "clip_len": 16, "frame_rate": 1.6}
    facts = {"model": "frame sampling", "stam": {"cases": [case | {"indices": indices}]}}
    (tmp_path / "sampling_x.json").write_text(json.dumps(facts))
    code, outputs = report(tmp_path)
    (entry,) = outputs.values()
    assert (code, entry["ok"], entry["error"]) == (1, False, error)


def test_official_indices_by_hand(tmp_path: Path, report: Report) -> None:
    case = {"n_frames": 40, "fps": 10.0, "clip_len": 4, "frame_rate": 2.5, "indices": [0, 4, 8, 12]}
    facts = {"model": "frame sampling", "stam": {"cases": [case]}}
    (tmp_path / "sampling_x.json").write_text(json.dumps(facts))
    assert report(tmp_path)[0] == 0


def test_folder_without_fixtures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert parity.main([str(tmp_path)]) == 2
    assert "There is no fixture in" in capsys.readouterr().err
    (tmp_path / "x.json").write_text('{"model": "Perceiver"}')
    assert parity.main([str(tmp_path)]) == 2
    assert "not implemented" in capsys.readouterr().out
    assert parity.main([str(tmp_path), "--only", "stam"]) == 2
    assert "no fixture of 'stam'" in capsys.readouterr().err
    (tmp_path / "x.json").write_text("{")
    assert parity.main([str(tmp_path)]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_temporal_stage_equals_pytorchs_own_encoder() -> None:
    """What the official code builds, made here from PyTorch's modules: no golden file needed."""
    config = StamConfig(
        side=16, patch_size=8, width=24, depth=1, heads=2, num_frames=5, time_depth=3,
        time_heads=4, time_feedforward=40, num_classes=6,
    )  # fmt: skip
    model = Stam(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.3)
    layer = nn.TransformerEncoderLayer(d_model=24, nhead=4, dim_feedforward=40)
    encoder = nn.TransformerEncoder(layer, 3, nn.LayerNorm(24), enable_nested_tensor=False).eval()
    prefix = "aggregate.transformer_enc."
    state = stam_official.to_official(model.state_dict())
    encoder.load_state_dict(
        {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}
    )
    embeddings = torch.randn(2, 5, 24)
    with torch.no_grad():
        cls = state["aggregate.cls_token"].expand(2, -1, -1)
        tokens = torch.cat([cls, embeddings], dim=1) + state["aggregate.pos_embed"]
        expected = encoder(tokens.transpose(0, 1))[0]
        torch.testing.assert_close(model.embed_clip(embeddings), expected, atol=1e-5, rtol=0)
