from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from stam_core.errors import WeightsError
from stam_core.models import (
    MODELS,
    build_model,
    load_info,
    load_model,
    timesformer_official,
)
from stam_core.models.described import metadata_of
from stam_core.models.timesformer import TimeSformer, TimeSformerConfig
from stam_core.record import listen
from stam_core.types import ModelInfo, Preprocessing, WeightsInfo

T, GRID = 3, 2
SCHEMES = ["divided", "joint", "space"]


def tiny_info(**changes: object) -> ModelInfo:
    sizes: dict[str, object] = {
        "side": 16,
        "patch_size": 8,
        "width": 12,
        "depth": 2,
        "heads": 2,
        "mlp_ratio": 2.0,
        "num_frames": T,
        "num_classes": 3,
    }
    config = TimeSformerConfig(**(sizes | changes))
    return ModelInfo(
        name="tiny",
        title="tiny",
        family="timesformer",
        config=config,
        labels=tuple(f"label {k}" for k in range(config.num_classes)),
        num_frames=config.num_frames,
        preprocessing=Preprocessing(
            resize_side=16, side=16, mean=(0.45,) * 3, std=(0.225,) * 3, resampling="plain"
        ),
        sampling="uniform",
        official_fps=None,
        weights=WeightsInfo(source="tiny", licence="ours", embedded=False),
        paper="2102.05095",
        summary="",
    )


def tiny(scheme: str = "divided") -> TimeSformer:
    """A small model whose every number is drawn: none is blind to the order of frames."""
    model = build_model(tiny_info(scheme=scheme))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.4)
    assert isinstance(model, TimeSformer)
    return model


def clips(n_clips: int = 2, n_frames: int = T) -> torch.Tensor:
    return torch.randn(n_clips, n_frames, 3, 16, 16)


@pytest.mark.parametrize("scheme", SCHEMES)
@torch.no_grad()
def test_every_promised_map_is_heard_and_listening_changes_nothing(scheme: str) -> None:
    model, x = tiny(scheme), clips()
    plain = model(x)
    kinds = {
        "space": (model.space_attention, (2 * T, 2, 5, 5)),
        "time": (model.time_attention, (2 * 4, 2, T, T)),
        "joint": (model.joint_attention, (2, 2, 1 + 4 * T, 1 + 4 * T)),
    }
    expected = {"divided": {"space", "time"}, "joint": {"joint"}, "space": {"space"}}[scheme]
    assert {kind for kind, (modules, _) in kinds.items() if modules} == expected
    for kind in expected:
        modules, shape = kinds[kind]
        assert len(modules) == 2
        with listen(modules, torch.clone) as heard:
            torch.testing.assert_close(model(x), plain, atol=1e-5, rtol=0)
        for (maps,) in heard:
            assert maps.shape == shape
            torch.testing.assert_close(maps.sum(dim=-1), torch.ones(shape[:-1]))
        assert all(module.fused_attn for module in modules)
    torch.testing.assert_close(model(x), plain, atol=0, rtol=0)


@pytest.mark.parametrize("scheme", SCHEMES)
@torch.no_grad()
def test_clips_of_a_batch_do_not_meet(scheme: str) -> None:
    model, x = tiny(scheme), clips(3)
    alone = torch.cat([model(clip[None]) for clip in x])
    torch.testing.assert_close(model(x), alone, atol=1e-5, rtol=0)


@torch.no_grad()
def test_order_of_frames_matters_to_all_but_space() -> None:
    x = clips()
    changes = {}
    for scheme in SCHEMES:
        model = tiny(scheme)
        changes[scheme] = (model(x) - model(x.flip(1))).abs().max()
    assert changes["space"] < 1e-5
    assert changes["divided"] > 1e-2
    assert changes["joint"] > 1e-2


@torch.no_grad()
def test_cls_takes_no_part_in_time() -> None:
    """Where attention in space passes nothing on, a change of the frames does not reach CLS."""
    model, x = tiny(), clips()
    for attention in model.space_attention:
        for parameter in attention.get_submodule("proj").parameters():
            parameter.zero_()
    cls, patches = model.encode(x)
    other_cls, other_patches = model.encode(clips())
    torch.testing.assert_close(cls, other_cls, atol=0, rtol=0)
    assert not torch.allclose(patches, other_patches)


@torch.no_grad()
def test_time_joins_one_place_across_frames_and_no_other() -> None:
    """With attention in space off, patch 1 of frame 0 reaches patch 1 of every frame alone."""
    model, x = tiny(), clips(1)
    for attention in model.space_attention:
        for parameter in attention.get_submodule("proj").parameters():
            parameter.zero_()
    changed = x.clone()
    changed[0, 0, :, :8, 8:] += 1.0  # patch 1: top right
    _, patches = model.encode(x)
    _, other = model.encode(changed)
    moved = (patches - other).abs().amax(dim=-1)[0] > 1e-6  # [T,N]
    assert moved.tolist() == [[False, True, False, False]] * T


@pytest.mark.parametrize("scheme", SCHEMES)
@torch.no_grad()
def test_classify_answers_for_edited_clips(scheme: str) -> None:
    model, x = tiny(scheme), clips()
    frames = model.embed_frames(x)
    assert frames.shape == (2, T, 3 * 16 * 16)
    torch.testing.assert_close(model.classify(frames), model(x), atol=1e-6, rtol=0)
    chosen = torch.tensor([2, 0])
    own = model.classify(frames[:, chosen], chosen)
    assert own.shape == (2, 3)
    each = torch.cat([model.classify(frames[:1, chosen], chosen), own[1:]])
    torch.testing.assert_close(own, each, atol=1e-5, rtol=0)
    # Attention does not know the order tokens stand in: with their slots they may be swapped.
    swapped = model.classify(frames[:, chosen.flip(0)], chosen.flip(0))
    torch.testing.assert_close(own, swapped, atol=1e-5, rtol=0)
    per_clip = model.classify(frames[:, chosen], torch.stack([chosen, chosen]))
    torch.testing.assert_close(own, per_clip, atol=1e-6, rtol=0)


@pytest.mark.parametrize("scheme", SCHEMES)
@torch.no_grad()
def test_no_frame_at_all(scheme: str) -> None:
    model = tiny(scheme)
    nothing = model.classify(torch.zeros(2, 0, 3 * 16 * 16))
    assert nothing.shape == (2, 3)
    assert nothing.isfinite().all()
    torch.testing.assert_close(nothing[0], nothing[1])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_gradients_reach_every_number(scheme: str) -> None:
    model = tiny(scheme).train()
    model(clips()).square().sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # a key's bias adds the same to every score of a query; it is inside qkv.bias, seen as a whole
    assert without == []


@torch.no_grad()
def test_conv_stem() -> None:
    model = build_model(tiny_info(stem_width=4))
    assert model(clips()).shape == (2, 3)


def test_fresh_weights_are_not_blind_to_order() -> None:
    model = build_model(tiny_info())
    assert isinstance(model, TimeSformer)
    assert model.time_embed.any()
    assert all(block.temporal_fc.weight.any() for block in model.blocks)


@pytest.mark.parametrize(
    ("name", "frames", "side", "top1", "n_bytes"),
    [
        ("timesformer-base", 8, 224, 77.9, 486_265_408),
        ("timesformer-hr", 16, 448, 79.6, 488_096_320),
        ("timesformer-l", 96, 224, 80.6, None),
    ],
)
def test_published_facts(
    name: str, frames: int, side: int, top1: float, n_bytes: int | None
) -> None:
    info = MODELS[name]()
    assert info.name == name
    assert info.config == TimeSformerConfig(side=side, num_frames=frames)
    assert info.published["kinetics400_top1_percent"] == top1
    assert "CC-BY-NC" in info.weights.licence
    assert info.weights.source.startswith("https://")
    assert info.weights.n_bytes == n_bytes
    assert info.preprocessing.mean == (0.45, 0.45, 0.45)
    assert info.preprocessing.std == (0.225, 0.225, 0.225)
    assert info.preprocessing.resize_side == info.preprocessing.side == side
    assert len(info.labels) == 400
    with torch.device("meta"):
        parameters = sum(p.numel() for p in build_model(info).parameters())
    assert n_bytes in (None, 4 * parameters)


def published_names(info: ModelInfo, form: str) -> dict[str, torch.Tensor]:
    state = build_model(info).state_dict()
    if form == "hugging face":
        return timesformer_official.to_hugging_face(state)
    prefix = {"official": "model.", "several GPUs": "module.model.", "bare": ""}[form]
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("form", ["official", "several GPUs", "bare", "hugging face"])
def test_every_published_form_loads(tmp_path: Path, scheme: str, form: str) -> None:
    info = tiny_info(scheme=scheme)
    state = published_names(info, form)
    path = tmp_path / "weights.pyth"
    torch.save({"epoch": 3, "model_state": state} if form != "hugging face" else state, path)
    loaded = load_info(info, weights=path)
    assert loaded.info is info
    for name, tensor in zip(loaded.model.state_dict(), state.values(), strict=True):
        assert torch.equal(loaded.model.state_dict()[name], tensor), name
    told = " ".join(loaded.report.notes)
    assert ("'model.'" in told) == (form in ("official", "several GPUs"))
    assert ("transformers" in told) == (form == "hugging face")


def test_hugging_face_names_as_the_golden_file_has_them(shared: Path) -> None:
    from safetensors import safe_open

    with safe_open(shared / "parity" / "hf_timesformer_a.safetensors", "pt") as file:
        theirs = {n for n in file.keys() if "." in n and not n.startswith("inter.")}  # noqa: SIM118
    with torch.device("meta"):
        ours = build_model(tiny_info(depth=3)).state_dict()
    assert set(timesformer_official.to_hugging_face(ours)) == theirs
    assert {timesformer_official.our_name(name) for name in theirs} == set(ours)


def test_a_file_that_does_not_fit_is_reported_in_its_own_names(tmp_path: Path) -> None:
    info = tiny_info()
    state = published_names(info, "hugging face")
    del state["timesformer.encoder.layer.1.temporal_dense.bias"]
    state["timesformer.encoder.layer.7.extra"] = torch.zeros(2)
    state["classifier.weight"] = torch.zeros(5, 12)
    save_file(state, tmp_path / "x.safetensors")
    with pytest.raises(WeightsError) as caught:
        load_info(info, weights=tmp_path / "x.safetensors")
    told = str(caught.value)
    assert "classifier.weight [5, 12] instead of [3, 12]" in told
    assert "1 missing: timesformer.encoder.layer.1.temporal_dense.bias" in told
    assert "1 unexpected: timesformer.encoder.layer.7.extra" in told
    assert "a TimeSformer of divided attention, 3 frames, 4 patches, 5 classes, width 12" in told


def test_another_scheme_is_recognised(tmp_path: Path) -> None:
    save_file(published_names(tiny_info(scheme="joint"), "bare"), tmp_path / "x.safetensors")
    with pytest.raises(WeightsError, match="TimeSformer of joint attention, 3 frames"):
        load_info(tiny_info(), weights=tmp_path / "x.safetensors")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_described_file_opens_as_its_own_model(tmp_path: Path, scheme: str) -> None:
    info = tiny_info(scheme=scheme)
    path = tmp_path / "mine.safetensors"
    save_file(build_model(info).state_dict(), path, metadata=metadata_of(info))
    loaded = load_model(str(path))
    assert isinstance(loaded.model, TimeSformer)
    assert (loaded.info.family, loaded.info.paper) == ("timesformer", "2102.05095")
    assert loaded.info.config == info.config
    assert loaded.info.preprocessing == info.preprocessing


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scheme": "diagonal"}, "scheme must be one of"),
        ({"heads": 5}, "width 12 is not a multiple of heads 5"),
        ({"patch_size": 5}, "side 16 is not a multiple of patch_size 5"),
    ],
)
def test_bad_description_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    info = tiny_info()
    bad = replace(info, config=replace(info.config, **changes))
    path = tmp_path / "bad.safetensors"
    save_file(build_model(info).state_dict(), path, metadata=metadata_of(bad))
    with pytest.raises(WeightsError, match=message):
        load_model(str(path))
