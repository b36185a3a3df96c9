from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import stam_core.models as models
from stam_core.errors import WeightsError
from stam_core.models import LoadedModel, build_model, load_model, stam_official
from stam_core.models.checkpoint import detect_format, read_checkpoint, read_metadata
from stam_core.models.registry import stam_kinetics
from stam_core.types import ModelInfo

State = dict[str, torch.Tensor]

# STAM-16 as published in every respect but its widths: 228 names, 12 + 6 layers, 400 classes.
NARROW = {"side": 32, "width": 24, "heads": 2, "time_feedforward": 32}


def narrow(frames: int) -> ModelInfo:
    info = stam_kinetics(frames)
    return replace(info, config=replace(info.config, **NARROW))


@pytest.fixture
def _narrow_models(monkeypatch: pytest.MonkeyPatch) -> None:
    for frames in (8, 16, 32, 64):
        monkeypatch.setitem(models.MODELS, f"stam-{frames}", lambda frames=frames: narrow(frames))


@pytest.fixture
def model() -> nn.Module:
    """A model with every number random: what is loaded nowhere would be seen."""
    model = build_model(narrow(16))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.05)
    return model


def official(model: nn.Module) -> State:
    return stam_official.to_official(model.state_dict())


def save(path: Path, content: object, **options: object) -> Path:
    torch.save(content, path, **options)  # type: ignore[arg-type]
    return path


pytestmark = pytest.mark.usefixtures("_narrow_models")


def assert_same(loaded: LoadedModel, model: nn.Module) -> None:
    expected = model.state_dict()
    actual = loaded.model.state_dict()
    assert actual.keys() == expected.keys()
    for name, tensor in actual.items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, expected[name]), name


def test_official_structure(tmp_path: Path, model: nn.Module) -> None:
    path = save(tmp_path / "stam_16.pth", {"model": official(model)})
    loaded = load_model("stam-16", weights=path)
    assert len(read_checkpoint(path).tensors) == 228
    assert_same(loaded, model)
    assert loaded.report.path == path
    assert loaded.report.source == "stam_16.pth"
    assert loaded.report.format == "PyTorch"
    assert loaded.report.n_bytes == path.stat().st_size
    assert loaded.report.sha256 == sha256(path.read_bytes()).hexdigest()
    assert loaded.report.notes == ("Weights taken from 'model'.",)
    x = torch.rand(1, 16, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded.model(x), model(x))


def test_loaded_model_owns_its_numbers(tmp_path: Path, model: nn.Module) -> None:
    """The file is mapped while it is read: afterwards it may be changed or deleted."""
    path = save(tmp_path / "stam_16.pth", {"model": official(model)})
    loaded = load_model("stam-16", weights=path)
    with path.open("r+b") as file:
        file.write(b"\0" * path.stat().st_size)
    path.unlink()
    assert_same(loaded, model)
    assert not any(tensor.is_meta for tensor in loaded.model.state_dict().values())
    assert all(parameter.requires_grad for parameter in loaded.model.parameters())


@pytest.mark.parametrize("wrapper", ["model", "state_dict", "model_state"])
def test_wrapped_with_other_things_beside(tmp_path: Path, model: nn.Module, wrapper: str) -> None:
    path = save(tmp_path / "x.pth", {wrapper: OrderedDict(official(model)), "epoch": 3})
    loaded = load_model("stam-16", weights=path)
    assert_same(loaded, model)
    assert loaded.report.notes == (f"Weights taken from {wrapper!r}; left aside: epoch.",)


def test_bare_state(tmp_path: Path, model: nn.Module) -> None:
    loaded = load_model("stam-16", weights=save(tmp_path / "x.pth", official(model)))
    assert_same(loaded, model)
    assert loaded.report.notes == ()


def test_our_own_names_and_string_path(tmp_path: Path, model: nn.Module) -> None:
    path = save(tmp_path / "x.pth", model.state_dict())
    assert_same(load_model("stam-16", weights=str(path)), model)


def test_file_from_before_pytorch_1_6(tmp_path: Path, model: nn.Module) -> None:
    content = {"model": official(model)}
    path = save(tmp_path / "x.pth", content, _use_new_zipfile_serialization=False)
    loaded = load_model("stam-16", weights=path)
    assert loaded.report.format == "PyTorch before 1.6"
    assert_same(loaded, model)


def test_safetensors_under_official_names_and_a_wrong_ending(
    tmp_path: Path, model: nn.Module
) -> None:
    path = tmp_path / "x.pth"
    save_file(official(model), path)
    loaded = load_model("stam-16", weights=path)
    assert loaded.report.format == "safetensors"
    assert_same(loaded, model)


def test_half_precision_is_converted_and_reported(tmp_path: Path, model: nn.Module) -> None:
    halves = {name: tensor.half() for name, tensor in official(model).items()}
    loaded = load_model("stam-16", weights=save(tmp_path / "x.pth", {"model": halves}))
    assert loaded.report.notes[-1] == "Numbers of type float16 converted to float32."
    assert_same(loaded, model.half().float())


def test_first_published_version_without_qkv_bias(tmp_path: Path, model: nn.Module) -> None:
    state = official(model)
    v1 = {name: tensor for name, tensor in state.items() if not name.endswith("attn.qkv.bias")}
    assert len(v1) == 228 - 12
    loaded = load_model("stam-16", weights=save(tmp_path / "v1.pth", {"model": v1}))
    assert "no attn.qkv.bias in any of its 12 blocks" in loaded.report.notes[-1]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("spatial.") and name.endswith("attn.qkv.bias"):
                parameter.zero_()
    assert_same(loaded, model)


def test_qkv_bias_missing_in_some_blocks_only(tmp_path: Path, model: nn.Module) -> None:
    state = official(model)
    del state["blocks.3.attn.qkv.bias"]
    with pytest.raises(WeightsError, match=r"1 missing: blocks\.3\.attn\.qkv\.bias\."):
        load_model("stam-16", weights=save(tmp_path / "x.pth", {"model": state}))


def test_wrong_model_names_the_right_one(tmp_path: Path) -> None:
    path = save(tmp_path / "stam_32.pth", {"model": official(build_model(narrow(32)))})
    message = (
        r"'stam_32\.pth' does not belong to stam-16\. 1 of another shape: aggregate\.pos_embed "
        r"\[1, 33, 24\] instead of \[1, 17, 24\]\. .*STAM of 32 frames, 400 classes"
    )
    with pytest.raises(WeightsError, match=message):
        load_model("stam-16", weights=path)


def test_published_sizes_are_recognised(tmp_path: Path) -> None:
    """The shapes of the real STAM-32 in a file of a few bytes: each tensor repeats one number."""
    with torch.device("meta"):
        real = build_model(stam_kinetics(32)).state_dict()
    state = {
        name: torch.zeros(1).expand(tensor.shape)
        for name, tensor in stam_official.to_official(real).items()
    }
    path = save(tmp_path / "x.pth", {"model": state})
    assert path.stat().st_size < 200_000
    with pytest.raises(WeightsError, match=r"classes and width 768: choose stam-32\.$"):
        load_model("stam-16", weights=path)


def test_every_kind_of_mismatch_in_one_message(tmp_path: Path, model: nn.Module) -> None:
    state = official(model)
    state["blocks.0.mlp.fc1.weight"] = state["blocks.0.mlp.fc1.weight"].T.contiguous()
    del state["norm.bias"]
    state["ema.decay"] = torch.zeros(1)
    message = (
        r"1 of another shape: blocks\.0\.mlp\.fc1\.weight \[24, 96\] instead of \[96, 24\]; "
        r"1 missing: norm\.bias; 1 unexpected: ema\.decay\."
    )
    with pytest.raises(WeightsError, match=message):
        load_model("stam-16", weights=save(tmp_path / "x.pth", {"model": state}))


def test_long_lists_are_cut(tmp_path: Path, model: nn.Module) -> None:
    state = {f"module.{name}": tensor for name, tensor in official(model).items()}
    with pytest.raises(WeightsError, match=r"228 missing: .* and 220 more") as caught:
        load_model("stam-16", weights=save(tmp_path / "x.pth", state))
    assert "Every name begins with 'module'" in str(caught.value)
    assert len(str(caught.value)) < 2_000


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite(tmp_path: Path, model: nn.Module, value: float) -> None:
    state = official(model)
    state["head.weight"][3, 5] = value
    with pytest.raises(WeightsError, match=r"not finite, first in 'head\.weight'"):
        load_model("stam-16", weights=save(tmp_path / "x.pth", state))


def test_large_finite_numbers_are_no_error(tmp_path: Path, model: nn.Module) -> None:
    state = official(model)
    state["head.weight"][:] = 3e38  # their sum is infinite in float32
    loaded = load_model("stam-16", weights=save(tmp_path / "x.pth", state))
    assert torch.equal(loaded.model.head.weight, state["head.weight"])


def test_whole_numbers_are_refused(tmp_path: Path, model: nn.Module) -> None:
    state = official(model)
    state["head.bias"] = state["head.bias"].to(torch.int8)
    with pytest.raises(WeightsError, match=r"'head\.bias' as torch\.int8.*not quantised"):
        load_model("stam-16", weights=save(tmp_path / "x.pth", state))


class Code:
    """Runs a command when it is unpickled by a careless reader."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
def test_code_is_refused_and_does_not_run(tmp_path: Path, zipped: bool, protocol: int) -> None:
    content = {"model": {"cls_token": Code(f"touch {tmp_path / 'ran'}")}}
    path = save(
        tmp_path / "x.pth",
        content,
        _use_new_zipfile_serialization=zipped,
        pickle_protocol=protocol,
    )
    with pytest.raises(WeightsError, match=r"'x\.pth'.* holds? code.*refused") as caught:
        load_model("stam-16", weights=path)
    if protocol == 2:
        assert "(posix.system)" in str(caught.value) or "(nt.system)" in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_plain_pickle_is_refused_and_does_not_run(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(pickle.dumps(Code(f"touch {tmp_path / 'ran'}")))
    with pytest.raises(WeightsError, match="may hold code, so it was refused"):
        load_model("stam-16", weights=path)
    assert not (tmp_path / "ran").exists()


def test_torchscript_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w") as archive:  # the two entries by which PyTorch knows one
        archive.writestr("x/constants.pkl", b"\x80\x02).")
        archive.writestr("x/data.pkl", b"\x80\x02}.")
        archive.writestr("x/version", b"3\n")
    with pytest.raises(WeightsError, match=r"holds code \(TorchScript\)"):
        load_model("stam-16", weights=path)


@pytest.mark.parametrize("content", [[1, 2], {}, {"model": 3}, {"model": {}}, torch.zeros(2), "x"])
def test_files_without_weights(tmp_path: Path, content: object) -> None:
    with pytest.raises(WeightsError, match="no weights"):
        load_model("stam-16", weights=save(tmp_path / "x.pth", content))


def test_entries_that_are_no_tensors_are_named(tmp_path: Path, model: nn.Module) -> None:
    state: dict[object, object] = {**official(model), "head.bias": 3.0, 7: torch.zeros(1)}
    state["norm.bias"] = torch.zeros(24).to_sparse()
    message = r"3 entries that are no weights: 'norm\.bias', 'head\.bias', '7'"
    with pytest.raises(WeightsError, match=message):
        load_model("stam-16", weights=save(tmp_path / "x.pth", state))


@pytest.mark.parametrize("kept", [0.0, 0.0005, 0.02, 0.5, 0.999])
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_truncated(tmp_path: Path, model: nn.Module, kind: str, kept: float) -> None:
    path = tmp_path / "x.pth"
    if kind == "safetensors":
        save_file(official(model), path)
    else:
        save(path, {"model": official(model)}, _use_new_zipfile_serialization=kind == "zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(WeightsError, match="again, or choose another file"):
        load_model("stam-16", weights=path)


@pytest.mark.parametrize(
    "start", [b"", b"PK\x03\x04", b"\x80\x02", b"<html>", b"\x89HDF\r\n\x1a\n"]
)
def test_garbage(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(start + torch.randint(256, (5_000,), dtype=torch.uint8).numpy().tobytes())
    with pytest.raises(WeightsError, match=r"'x\.pth'.*choose another file"):
        load_model("stam-16", weights=path)


def test_spoilt_bytes_inside_never_escape_as_another_error(
    tmp_path: Path, model: nn.Module
) -> None:
    """Any byte of the pickled structure changed: a readable error, or the very same weights."""
    path = save(tmp_path / "x.pth", {"head.bias": torch.ones(3)})
    whole = bytearray(path.read_bytes())
    start = whole.index(b"\x80\x02")
    for at in range(start, start + 160, 3):
        spoilt = whole.copy()
        spoilt[at] ^= 0xFF
        path.write_bytes(spoilt)
        with pytest.raises(WeightsError):
            load_model("stam-16", weights=path)


def test_zip_bomb(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", b"\x80\x02}.")
        archive.writestr("x/data/0", b"\0" * 50_000_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(WeightsError, match="zip archive that PyTorch did not write"):
        load_model("stam-16", weights=path)


def test_zip_whose_entries_overlap(tmp_path: Path) -> None:
    """Each entry counts the same bytes again: together they claim more than the file has."""
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", b"\0" * 10_000)
        first = archive.infolist()[0]
        for number in range(5):
            again = zipfile.ZipInfo(f"x/data/{number}")
            again.file_size = again.compress_size = first.file_size
            again.CRC, again.header_offset = first.CRC, first.header_offset
            archive.filelist.append(again)
    with pytest.raises(WeightsError, match="zip archive that PyTorch did not write"):
        load_model("stam-16", weights=path)


def test_absent_folder_and_devices(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"cannot be opened \(No such file.*Check its path"):
        load_model("stam-16", weights=tmp_path / "absent.pth")
    with pytest.raises(WeightsError, match="is a folder"):
        load_model("stam-16", weights=tmp_path)
    with pytest.raises(WeightsError, match="cannot be opened"):
        load_model("stam-16", weights="x\0y")
    with pytest.raises(WeightsError, match="cannot be opened"):
        load_model("stam-16", weights="x" * 5_000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WeightsError, match="no ordinary file"):
        load_model("stam-16", weights=tmp_path / "pipe")


def test_format_and_metadata_without_reading_tensors(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "a", metadata={"family": "x"})
    save(tmp_path / "b", {"a": torch.zeros(2)})
    assert detect_format(tmp_path / "a") == "safetensors"
    assert detect_format(tmp_path / "b") == "PyTorch"
    assert read_metadata(tmp_path / "a") == {"family": "x"}
    assert read_metadata(tmp_path / "b") == {}
