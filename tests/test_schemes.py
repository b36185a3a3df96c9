"""Models of every attention scheme in front of the recorder, the methods and the engine."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from app.controls import methods_for
from app.explained import with_methods
from app.visit import Visit
from stam_core import Engine
from stam_core.edits import Edit, Slot
from stam_core.errors import ParameterError
from stam_core.explain import EXPLAINERS, configure, methods_of, run
from stam_core.explain.divided import divided_row
from stam_core.explain.flows import FLOWS
from stam_core.explain.game import FrameGame
from stam_core.explain.leave_out import LeaveOneOut
from stam_core.explain.rollout import rollout
from stam_core.explain.shapley import Shapley
from stam_core.explain.sufficiency import SufficientFrames
from stam_core.models import MODELS, model_info
from stam_core.models.described import metadata_of
from stam_core.record import RECORDERS, RecordingError, Subject, listen, record
from stam_core.record import subject as subject_module
from stam_core.types import DividedTrace, Explanation, JointTrace, SpaceTrace, Target
from tests.test_record import hooks_of
from tests.toys import SCHEMES, info_of, toy_model, toy_of

WHOLE = tuple(scheme for scheme in SCHEMES if scheme != "factorised")
T, N, H, L = 4, 16, 4, 3  # of the toys; heads and frames are told apart by what they sum to
TARGET = Target(1)


def explain(name: str, subject: Subject, **parameters: object) -> Explanation:
    method = configure(EXPLAINERS[name], info_of(subject.scheme), parameters)
    return run(method, subject, TARGET if EXPLAINERS[name].info.uses_target else None)


def attention_of(model: torch.nn.Module) -> list[torch.nn.Module]:
    return [module for module in model.modules() if hasattr(module, "fused_attn")]


def test_every_scheme_has_its_recorder_and_its_flow() -> None:
    assert set(RECORDERS) == set(FLOWS) == set(SCHEMES)


# --- recording ---


@pytest.mark.parametrize("maps", ["rows", "mean", "max", "min", "full"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_recorded_pass_answers_as_a_plain_one(scheme, maps):
    subject = toy_of(scheme)
    plain = subject.model(subject.x[None])[0]
    trace = record(subject.model, subject.x, maps=maps, patch_grid=(4, 4))
    torch.testing.assert_close(trace.logits, plain, atol=1e-5, rtol=0)
    assert hooks_of(subject.model) == 0
    assert all(module.fused_attn for module in attention_of(subject.model))


def test_divided_trace():
    subject = toy_of("divided")
    full, mean = (subject.trace(maps) for maps in ("full", "mean"))
    assert isinstance(full, DividedTrace)
    assert isinstance(mean, DividedTrace)
    assert full.space_maps.shape == (L, T, H, N + 1, N + 1)
    assert full.time_maps.shape == (L, N, H, T, T)
    torch.testing.assert_close(mean.space_maps, full.space_maps.mean(dim=2))
    torch.testing.assert_close(mean.time_maps, full.time_maps.mean(dim=2))
    torch.testing.assert_close(mean.space_cls_rows, full.space_maps[:, :, :, 0])
    torch.testing.assert_close(mean.time_received, full.time_maps.mean(dim=(1, 3)))
    for rows in (mean.space_maps, mean.time_maps, mean.time_received):
        torch.testing.assert_close(rows.sum(-1), torch.ones(rows.shape[:-1]))


def test_joint_trace():
    subject = toy_of("joint")
    full, largest = (subject.trace(maps) for maps in ("full", "max"))
    assert isinstance(full, JointTrace)
    assert isinstance(largest, JointTrace)
    assert full.joint_maps.shape == (L, H, 1 + T * N, 1 + T * N)
    torch.testing.assert_close(largest.joint_maps, full.joint_maps.amax(dim=1))
    torch.testing.assert_close(largest.cls_rows, full.joint_maps[:, :, 0])


def test_space_trace_is_that_of_each_frame_alone():
    subject = toy_of("space")
    trace = subject.trace("mean")
    assert isinstance(trace, SpaceTrace)
    for t in range(T):
        alone = record(subject.model, subject.x[t, None], maps="mean", patch_grid=(4, 4))
        torch.testing.assert_close(trace.space_maps[:, t], alone.space_maps[:, 0])


@pytest.mark.parametrize("scheme", WHOLE)
def test_the_switches_are_restored_after_an_error(scheme, monkeypatch):
    model = toy_model(scheme)

    def fail(*tokens: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("in the middle")

    monkeypatch.setattr(model.blocks[1], "forward", fail)
    model.blocks[0].attn.fused_attn = False  # was off before: stays off
    with pytest.raises(RuntimeError, match="in the middle"):
        record(model, torch.rand(T, 3, 32, 32), patch_grid=(4, 4))
    assert hooks_of(model) == 0
    assert [block.attn.fused_attn for block in model.blocks] == [False, True, True]


def test_a_layer_that_was_not_heard_is_an_error(monkeypatch):
    model = toy_model("divided")
    other = toy_model("divided")
    bypassed = [*model.time_attention[:2], other.time_attention[2]]
    monkeypatch.setattr(type(model), "time_attention", bypassed)
    with pytest.raises(RecordingError, match=r"heard 1 times, but was \[1, 1, 0\]"):
        record(model, torch.rand(T, 3, 32, 32), patch_grid=(4, 4))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_large_maps_are_not_kept_before_a_method_asks(scheme, monkeypatch):
    monkeypatch.setattr(subject_module, "FIRST_MAPS_BYTES", 100)
    subject = toy_of(scheme)
    assert subject.trace().maps == "rows"
    small = subject.n_bytes
    assert subject.trace() is subject.traces["rows"]
    explain("rollout", subject)
    assert set(subject.traces) == {"rows", "mean"}
    assert subject.n_bytes > small


# --- rollout and attention ---


def test_divided_rollout_follows_the_models_own_maps():
    subject = toy_of("divided")
    full = subject.trace("full")
    found = explain("rollout", subject, residual=0.3, discard_ratio=0.4, start_layer=2)
    row = divided_row(
        full.space_maps.mean(2), full.time_maps.mean(2),
        residual=0.3, discard_ratio=0.4, start_layer=2,
    )  # fmt: skip
    np.testing.assert_allclose(found.patches.flatten(), row[1:], rtol=1e-5)
    assert found.unattributed == pytest.approx(float(row[0]), rel=1e-5)


def test_joint_rollout_is_the_plain_one_over_all_tokens():
    subject = toy_of("joint")
    maps = subject.trace("full").joint_maps.amax(dim=1)
    found = explain("rollout", subject, head_fusion="max", discard_ratio=0.5)
    row = rollout(maps, discard_ratio=0.5)[0]
    np.testing.assert_allclose(found.patches.flatten(), row[1:], rtol=1e-5)
    np.testing.assert_allclose(found.frames, row[1:].view(T, N).sum(1), rtol=1e-5)


def test_space_rollout_gives_each_frame_an_equal_share():
    subject = toy_of("space")
    whole, alone = explain("rollout", subject), explain("spatial-rollout", subject)
    np.testing.assert_allclose(whole.patches, alone.patches / T, rtol=1e-5)


@pytest.mark.parametrize("fusion", ["mean", "max", "min"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_rollout_adds_up_to_one(scheme, fusion):
    found = explain("rollout", toy_of(scheme), head_fusion=fusion, discard_ratio=0.3)
    assert found.patches.sum() + found.unattributed == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(found.frames, found.patches.sum((1, 2)), rtol=1e-5)


def test_one_cell_lights_where_attention_was_set_by_hand_and_no_stripe():
    """CLS looks at patch 6 in every frame; there, time copies frame 2."""
    subject = toy_of("divided")
    space = torch.eye(N + 1).repeat(L, T, 1, 1)
    space[-1, :, 0] = torch.nn.functional.one_hot(torch.tensor(1 + 6), N + 1)
    time = torch.eye(T).repeat(L, N, 1, 1)
    time[-1, 6] = torch.tensor([0.0, 0.0, 1.0, 0.0])
    trace = subject.trace("mean")
    subject.traces["mean"] = dataclasses.replace(trace, space_maps=space, time_maps=time)
    found = explain("rollout", subject, residual=0.0)
    expected = np.zeros((T, 4, 4), np.float32)
    expected[2, 1, 2] = 1.0  # patch 6 of a grid 4 wide
    np.testing.assert_allclose(found.patches, expected, atol=1e-6)


def test_joint_attention_by_hand():
    subject = toy_of("joint")
    rows = torch.zeros(L, H, 1 + T * N)
    rows[1, 2, 1 + 3 * N + 5] = 0.75
    rows[1, 2, 0] = 0.25
    subject.traces["mean"] = dataclasses.replace(subject.trace("mean"), cls_rows=rows)
    found = explain("spatial-attention", subject, layer="2", head="3")
    assert found.patches[3, 1, 1] == found.patches.sum() == 0.75
    found = explain("temporal-attention", subject, layer="2", head="3")
    assert found.frames.tolist() == [0.0, 0.0, 0.0, 0.75]
    assert found.unattributed == 0.25


def test_divided_temporal_attention_is_what_frames_are_given():
    subject = toy_of("divided")
    found = explain("temporal-attention", subject, layer="1", head="2")
    given = subject.trace("full").time_maps[0, :, 1].mean(dim=(0, 1))  # [T]
    np.testing.assert_allclose(found.frames, given, rtol=1e-5)
    assert found.frames.sum() == pytest.approx(1.0)


# --- gradients ---


def maps_and_gradients(subject: Subject, lists: list[list[torch.nn.Module]]):
    """Maps and gradients of each list, by one graph from the pixels on."""
    modules = [module for some in lists for module in some]
    x = subject.x.clone().requires_grad_()
    with listen(modules, lambda attended: attended) as heard:
        value = subject.model(x[None])[0, TARGET.index]
    maps = [calls[0] for calls in heard]
    return [(m.detach(), g) for m, g in zip(maps, torch.autograd.grad(value, maps), strict=True)]


def shares(row: torch.Tensor) -> np.ndarray:
    return (row[1:] / row[1:].sum()).view(T, 4, 4).numpy()


def test_divided_relevance_equals_the_dense_matrices():
    """(I + S)(I + T) of each layer, entry by entry, the later layer on the left."""
    subject = toy_of("divided")
    model = subject.model
    pairs = maps_and_gradients(subject, [model.space_attention, model.time_attention])
    weighted = [(m * g).clamp_min(0).mean(dim=1) for m, g in pairs]
    size = 1 + T * N
    rolled = torch.eye(size)
    for within, between in zip(weighted[:L], weighted[L:], strict=True):
        s, time = torch.zeros(size, size), torch.zeros(size, size)
        for t in range(T):
            at = 1 + t * N
            s[0, 0] += within[t, 0, 0]
            s[0, at : at + N] = within[t, 0, 1:]
            s[at : at + N, 0] = within[t, 1:, 0]
            s[at : at + N, at : at + N] = within[t, 1:, 1:]
            for other in range(T):
                for q in range(N):
                    time[at + q, 1 + other * N + q] = between[q, t, other]
        rolled = (torch.eye(size) + s) @ (torch.eye(size) + time) @ rolled
    expected = rolled[0]
    found = explain("gradient-attention", subject)
    np.testing.assert_allclose(found.patches, shares(expected), rtol=1e-3, atol=1e-6)
    assert found.details["relevance"] == pytest.approx(float(expected[1:].sum()), rel=1e-3)


def test_joint_relevance_is_chefers_rule():
    subject = toy_of("joint")
    rolled = torch.eye(1 + T * N)
    for m, g in maps_and_gradients(subject, [subject.model.joint_attention]):
        rolled = rolled + (m * g).clamp_min(0).mean(dim=1)[0] @ rolled
    found = explain("gradient-attention", subject)
    np.testing.assert_allclose(found.patches, shares(rolled[0]), rtol=1e-3, atol=1e-6)
    assert found.patches.sum() == pytest.approx(1.0, abs=1e-5)


def test_space_relevance_weighs_frames_by_their_gradients():
    subject = toy_of("space")
    rolled = torch.eye(N + 1).repeat(T, 1, 1)
    for m, g in maps_and_gradients(subject, [subject.model.space_attention]):
        rolled = rolled + (m * g).clamp_min(0).mean(dim=1) @ rolled
    row = torch.cat([torch.zeros(1), rolled[:, 0, 1:].flatten()])
    found = explain("gradient-attention", subject)
    np.testing.assert_allclose(found.patches, shares(row), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("scheme", WHOLE)
def test_grad_cam_in_one_graph_from_the_pixels(scheme):
    subject = toy_of(scheme)
    x = subject.x.clone().requires_grad_()
    entered = []
    block = subject.model.blocks[-1]
    handle = block.attn.register_forward_pre_hook(lambda _m, given: entered.append(given[0]))
    value = subject.model(x[None])[0, TARGET.index]
    handle.remove()
    (gradient,) = torch.autograd.grad(value, entered)
    tokens, gradient = entered[0].detach(), gradient
    if scheme == "joint":
        tokens, gradient = (part[0, 1:].view(T, N, -1) for part in (tokens, gradient))
    else:
        tokens, gradient = tokens[:, 1:], gradient[:, 1:]
    expected = torch.einsum("tnd,td->tn", tokens, gradient.mean(1)).clamp_min(0).view(T, 4, 4)
    np.testing.assert_allclose(explain("grad-cam", subject).patches, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("scheme", WHOLE)
def test_integrated_gradients_add_up(scheme):
    found = explain("integrated-gradients", toy_of(scheme), steps=64, baseline="black")
    assert found.details["relative_delta"] < 0.03
    assert found.patches.sum() == pytest.approx(
        found.details["value"] - found.details["baseline_value"], rel=0.05
    )


# --- other choices of frames ---


@pytest.mark.parametrize("places", ["keep", "close"])
@pytest.mark.parametrize("scheme", WHOLE)
def test_a_dropped_frame_is_a_shorter_clip(scheme, places):
    subject = toy_of(scheme)
    found = LeaveOneOut(places=places).scores(subject, TARGET).frames
    model, whole = subject.model, subject.model(subject.x[None])[0, 1]
    for t in range(T):
        kept = torch.tensor([other for other in range(T) if other != t])
        slots = kept if places == "keep" else torch.arange(T - 1)
        without = model(subject.x[None, kept], slots)[0, 1]
        assert float(found[t]) == pytest.approx(float(whole - without), abs=1e-4)


@pytest.mark.parametrize("removal", ["mean", "hold"])
def test_other_removals_fill_the_slot(removal):
    subject = toy_of("divided")
    kept = torch.tensor([[True, False, False, True]])
    x = subject.x.clone()
    x[1] = x.mean(0) if removal == "mean" else x[0]
    x[2] = subject.x.mean(0) if removal == "mean" else x[3]
    found = FrameGame(subject, TARGET, removal).values(kept)
    torch.testing.assert_close(found, subject.model(x[None])[:, 1], atol=1e-4, rtol=0)


@pytest.mark.parametrize("scheme", WHOLE)
def test_shapley_of_whole_passes_adds_up(scheme):
    subject = toy_of(scheme)
    found = Shapley().scores(subject, TARGET)
    assert found.details["evaluations"] == 2**T
    assert abs(found.details["sum_error"]) < 1e-4
    ends = subject.model(subject.x[None])[0, 1] - subject.model(subject.x[None, :0])[0, 1]
    assert float(found.frames.sum()) == pytest.approx(float(ends), abs=1e-3)


def test_many_whole_passes_are_sampled(monkeypatch):
    monkeypatch.setattr("stam_core.explain.shapley.EXACT_WHOLE_FRAMES", T - 1)
    found = Shapley(pairs=8).scores(toy_of("joint"), TARGET)
    assert "low" in found.series
    assert "low" not in Shapley(pairs=8).scores(toy_of("factorised"), TARGET).series


def test_whole_passes_are_counted():
    assert explain("leave-one-out", toy_of("factorised")).passes == 1.0
    # The clip, and it four times without a frame: 1 + 4 * 3/4, beyond the recorded pass.
    assert explain("leave-one-out", toy_of("divided")).passes == pytest.approx(5.0)
    found = explain("occlusion", toy_of("joint"), frame="2")
    assert found.passes == pytest.approx(1 + 1 + 4)  # four squares of 2 in a grid of 4 x 4
    assert explain("occlusion", toy_of("factorised"), frame="2").passes == pytest.approx(2.0)


@pytest.mark.parametrize("scheme", WHOLE)
def test_the_decision_is_read_after_each_layer(scheme):
    subject = toy_of(scheme)
    depth = explain("decision-curve", subject).series["depth"]
    assert depth.shape == (L,)
    assert depth[-1] == pytest.approx(float(subject.trace().logits[1]), abs=1e-4)


def test_occlusion_covers_the_clip_itself():
    subject = toy_of("divided")
    found = explain("occlusion", subject, frame="3", window=4, value="mean").patches[2]
    x = subject.x.clone()
    x[2] = x.mean(dim=(0, 2, 3))[:, None, None]
    fall = subject.model(subject.x[None])[0, 1] - subject.model(x[None])[0, 1]
    np.testing.assert_allclose(found, float(fall), atol=1e-4)


# --- the engine and the page ---


@pytest.fixture(scope="module", params=WHOLE)
def engine(request, tmp_path_factory):
    info = info_of(request.param)
    path = tmp_path_factory.mktemp("weights") / "toy.safetensors"
    save_file(toy_model(request.param).state_dict(), path, metadata=metadata_of(info))
    return Engine(str(path), device="cpu")


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(3).integers(0, 256, (9, 40, 56, 3), dtype=np.uint8)


def test_engine_answers_and_edits(engine, frames):
    assert engine.dtype == torch.float32  # "auto": whole passes are compared
    clip = engine.open(frames)
    own = engine.predict(clip).logits
    np.testing.assert_allclose(engine.edit(clip, frames=range(T)).logits, own, atol=1e-5)
    order = [3, 1, 1, 0]
    rebuilt = engine.predict(engine.open(clip.frames[order])).logits
    np.testing.assert_allclose(engine.edit(clip, frames=order).logits, rebuilt, atol=1e-5)
    spliced = engine.assemble([clip], Edit(tuple(Slot(t) for t in order)))
    np.testing.assert_allclose(spliced.logits, rebuilt, atol=1e-5)
    assert np.isfinite(engine.edit(clip, frames=[]).logits).all()


def test_engine_offers_what_applies_and_says_why_not(engine, frames):
    clip = engine.open(frames)
    offered = methods_of(engine.info)
    assert "rollout" in offered
    assert "temporal-rollout" not in offered
    with pytest.raises(
        ParameterError, match=f"Temporal rollout .*{engine.info.scheme}.*factorised"
    ):
        engine.explain(clip, method="temporal-rollout")
    found = engine.explain(clip, method="leave-one-out")
    assert found.passes == pytest.approx(5.0)
    assert "time_start_layer" not in engine.explain(clip).parameters


def test_the_page_falls_back_to_methods_that_apply(engine):
    visit = with_methods(
        Visit(heat="spatial-rollout", heat_parameters={"residual": 0.1}, bars="temporal-rollout"),
        engine.info,
    )
    assert visit.heat in methods_for("patches", engine.info)
    assert visit.bars in methods_for("frames", engine.info)
    kept = engine.info.scheme == "space"
    assert (visit.heat == "spatial-rollout") == kept
    assert (visit.heat_parameters == {"residual": 0.1}) == kept


@pytest.mark.parametrize("name", [name for name in MODELS if name.startswith("timesformer")])
def test_published_models_offer_their_authors_choice_of_frames(name):
    info = model_info(name)
    rate = {"timesformer-base": 32, "timesformer-hr": 16, "timesformer-l": 4}[name]
    assert info.official_fps == 30 / rate
    assert info.official_rule == "spread"


def test_a_search_of_whole_passes_lets_others_in(monkeypatch):
    """A step is a few sets; until a size is known whole, nothing is said that was not before."""
    monkeypatch.setattr(FrameGame, "subsets_per_step", 2)
    subject = toy_of("joint")
    *partial, last = SufficientFrames(exhaustive=2).stream(subject, Target(0, foil=1))
    monkeypatch.undo()
    assert len(partial) >= 1
    assert all(not scores.frames.any() for scores in partial)
    at_once = SufficientFrames(exhaustive=2).scores(subject, Target(0, foil=1))
    assert torch.equal(last.frames, at_once.frames)
    torch.testing.assert_close(last.series["best_lead"], at_once.series["best_lead"])
