"""Integrated gradients and occlusion, against closed forms and whole forward passes."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from stam_core.explain import gradients
from stam_core.explain.baselines import baseline, blurred
from stam_core.explain.captum_bridge import integrate
from stam_core.explain.game import FrameGame
from stam_core.explain.integrated import EmbeddingGradients, IntegratedGradients
from stam_core.explain.occlusion import Occlusion, most_effective_frame, windows
from stam_core.record import Subject
from stam_core.types import Target, Trace
from tests.toys import toy_subject

TARGET = Target(1)


class LinearModel(nn.Module):
    """Embeddings are linear in pixels, logits linear in the mean of embeddings."""

    scheme = "factorised"
    space_attention: tuple[nn.Module, ...] = ()
    time_attention: tuple[nn.Module, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.of_pixels = nn.Parameter(torch.randn(6, 3 * 8 * 8), requires_grad=False)
        self.of_time = nn.Parameter(torch.randn(3, 6), requires_grad=False)  # [T,D]
        self.head = nn.Parameter(torch.randn(5, 6), requires_grad=False)

    def embed_frames(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(2) @ self.of_pixels.T

    def classify(self, embeddings: torch.Tensor, positions: torch.Tensor | None = None):
        at = torch.arange(embeddings.shape[1]) if positions is None else positions
        return (embeddings * self.of_time[at]).sum(1) @ self.head.T


def linear_subject() -> Subject:
    """Three frames of 8 x 8 pixels in 2 x 2 patches, with a trace made by hand."""
    model, x = LinearModel(), torch.rand(3, 3, 8, 8)
    embeddings = model.embed_frames(x[None])[0]
    rows = torch.full((1, 3, 1, 5), 0.2)
    trace = Trace(
        logits=model.classify(embeddings[None])[0],
        frame_embeddings=embeddings,
        space_cls_rows=rows,
        space_maps=None,
        time_maps=torch.full((1, 1, 4, 4), 0.25),
        maps="mean",
        patch_grid=(2, 2),
    )
    return Subject(model, x, (2, 2), traces={"mean": trace})


def sums_per_patch(pixels: torch.Tensor) -> torch.Tensor:
    """[3,3,8,8] -> [3,2,2], by slices."""
    quarters = [[pixels[..., i : i + 4, j : j + 4].sum((1, 2, 3)) for j in (0, 4)] for i in (0, 4)]
    return torch.stack([torch.stack(row, dim=-1) for row in quarters], dim=-2)


@pytest.mark.parametrize("kind", ["black", "blur", "mean", "still"])
def test_integrated_gradients_of_a_linear_model_are_weights_times_difference(kind):
    subject = linear_subject()
    model, target = subject.model, Target(4, foil=2)
    found = IntegratedGradients(baseline=kind, steps=7).scores(subject, target)
    head = model.head[4] - model.head[2]
    weights = ((model.of_time * head) @ model.of_pixels).view(3, 3, 8, 8)
    expected = sums_per_patch(weights * (subject.x - baseline(subject, kind)))
    torch.testing.assert_close(found.patches, expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.frames, expected.sum((1, 2)), rtol=1e-3, atol=1e-3)
    assert abs(found.details["delta"]) < 1e-3


@pytest.mark.parametrize("kind", ["zero", "mean"])
def test_embedding_gradients_of_a_linear_model(kind):
    subject = linear_subject()
    model, own = subject.model, subject.trace().frame_embeddings
    start = own.mean(0) if kind == "mean" else torch.zeros(6)
    expected = ((own - start) * model.of_time * model.head[1]).sum(-1)
    found = EmbeddingGradients(baseline=kind, steps=8).scores(subject, TARGET)
    torch.testing.assert_close(found.frames, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("target", [TARGET, Target(3, foil=0)])
@pytest.mark.parametrize("kind", ["zero", "mean"])
def test_embedding_gradients_add_up_to_the_rise(kind, target):
    subject = toy_subject()
    found = EmbeddingGradients(baseline=kind, steps=256).scores(subject, target)
    own = subject.trace().frame_embeddings
    start = own.mean(0).expand(4, -1) if kind == "mean" else torch.zeros(4, 32)
    values = target.of(subject.classify(torch.stack([own, start])))
    rise = float(values[0] - values[1])
    assert float(found.frames.sum()) == pytest.approx(rise, abs=0.02 * abs(rise) + 1e-3)
    assert found.details["relative_delta"] < 0.02
    assert found.details["value"] - found.details["baseline_value"] == pytest.approx(rise, abs=1e-4)


def test_integrated_gradients_add_up_to_the_rise_and_more_steps_come_closer():
    subject = toy_subject()
    few = IntegratedGradients(baseline="black", steps=4).scores(subject, TARGET)
    many = IntegratedGradients(baseline="black", steps=64).scores(subject, TARGET)
    logits = subject.model(torch.stack([subject.x, torch.zeros_like(subject.x)]))
    rise = float(logits[0, 1] - logits[1, 1])
    assert many.details["value"] - many.details["baseline_value"] == pytest.approx(rise, abs=1e-4)
    assert float(many.patches.sum()) - rise == pytest.approx(many.details["delta"], abs=1e-3)
    assert many.details["relative_delta"] < 0.02
    assert many.details["relative_delta"] <= few.details["relative_delta"]
    torch.testing.assert_close(many.frames, many.patches.sum((1, 2)))


def test_a_foil_is_the_difference_of_two_targets():
    for method in (
        IntegratedGradients(steps=4),
        EmbeddingGradients(steps=8),
        Occlusion(frame="2"),
    ):
        subject = toy_subject()
        one, other = (method.scores(subject, Target(i)) for i in (3, 0))
        both = method.scores(subject, Target(3, foil=0))
        for output in ("frames", "patches"):
            if getattr(both, output) is not None:
                expected = getattr(one, output) - getattr(other, output)
                torch.testing.assert_close(getattr(both, output), expected, rtol=1e-3, atol=1e-4)


def test_recomputing_groups_of_frames_changes_nothing_but_the_cost(monkeypatch):
    whole = IntegratedGradients(steps=4).scores(toy_subject(), TARGET)
    monkeypatch.setattr(gradients, "BYTES_AT_ONCE", 1)  # frame by frame
    grouped = IntegratedGradients(steps=4).scores(toy_subject(), TARGET)
    torch.testing.assert_close(grouped.patches, whole.patches, rtol=1e-3, atol=1e-5)
    assert (whole.passes, grouped.passes) == (15.0, 19.0)


def test_integrated_gradients_stream_the_way_so_far():
    parts = list(IntegratedGradients(baseline="mean", steps=10).stream(toy_subject(), TARGET))
    assert [part.done for part in parts] == [0.4, 0.8, 1.0]
    assert parts[0].details == {}
    assert not torch.equal(parts[0].patches, parts[-1].patches)


def test_stretches_of_the_way_add_up():
    """The value is the sum of cubes: 3 points of Gauss-Legendre on each stretch are exact."""
    end, middle = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.25, 0.5]])

    def cubes(clips: torch.Tensor) -> torch.Tensor:
        return (clips**3).sum((1, 2))

    first = integrate(cubes, torch.zeros_like(end), middle, steps=3, clips_at_once=1)
    second = integrate(cubes, middle, end, steps=3, clips_at_once=2)
    torch.testing.assert_close(first + second, torch.tensor([[1.0, 8.0]]), rtol=1e-5, atol=1e-6)


def test_a_clip_that_stands_still_gets_nothing_against_still():
    subject = toy_subject()
    still = Subject(subject.model, subject.x[:1].repeat(4, 1, 1, 1), (4, 4))
    found = IntegratedGradients(baseline="still", steps=4).scores(still, TARGET)
    assert found.patches.abs().max() < 1e-6
    assert found.details["relative_delta"] < 1.0


def test_black_is_black_for_a_model_whose_input_is_centred():
    subject = Subject(toy_subject().model, torch.rand(4, 3, 32, 32), (4, 4),
                      input_mean=(0.5, 0.4, 0.3), input_std=(0.5, 0.2, 0.1))  # fmt: skip
    black, grey = baseline(subject, "black"), baseline(subject, "grey")
    torch.testing.assert_close(black[2, :, 5, 7], torch.tensor([-1.0, -2.0, -3.0]))
    torch.testing.assert_close(grey[0, :, 31, 0], torch.tensor([0.0, 0.5, 2.0]))


def test_blur_keeps_what_is_plain_and_wipes_out_what_is_fine():
    plain = torch.full((2, 3, 16, 16), 0.3)
    torch.testing.assert_close(blurred(plain, sigma=4.0), plain)
    checks = ((torch.arange(16)[:, None] + torch.arange(16)) % 2).float().expand(1, 3, -1, -1)
    assert (blurred(checks, sigma=4.0) - 0.5).abs().max() < 0.05
    dot = torch.zeros(1, 1, 31, 31)
    dot[..., 15, 15] = 1.0
    smooth = blurred(dot, sigma=2.0)[0, 0]
    assert smooth.sum() == pytest.approx(1.0, abs=1e-3)
    assert smooth[15, 17] / smooth[15, 15] == pytest.approx(2.718281828**-0.5, abs=1e-4)


def test_windows_tile_the_grid():
    tiles = windows((3, 5), 2)
    assert tiles.shape == (6, 3, 5)
    assert (tiles.sum(0) == 1).all()
    assert tiles[0].tolist() == [[True, True, False, False, False]] * 2 + [[False] * 5]
    assert int(tiles[5].sum()) == 1  # the corner: row 2, column 4


@pytest.mark.parametrize("value", ["grey", "blur", "mean"])
@pytest.mark.parametrize("window", [1, 3])
def test_occlusion_is_what_whole_forward_passes_give(value, window):
    subject = toy_subject()
    found = Occlusion(frame="3", window=window, value=value).scores(subject, Target(2)).patches
    if value == "grey":
        fill = torch.full((3, 32, 32), 0.5)
    elif value == "blur":
        fill = blurred(subject.x[2:3], sigma=8.0)[0]
    else:
        fill = subject.x.mean((0, 2, 3))[:, None, None].expand(3, 32, 32)
    whole = subject.model(subject.x[None])[0, 2]
    expected = torch.zeros(4, 4, 4)
    for top in range(0, 4, window):
        for left in range(0, 4, window):
            clip = subject.x.clone()
            rows, columns = slice(8 * top, 8 * (top + window)), slice(8 * left, 8 * (left + window))
            clip[2, :, rows, columns] = fill[:, rows, columns]
            fall = whole - subject.model(clip[None])[0, 2]
            expected[2, top : top + window, left : left + window] = fall
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=2e-5)
    assert (found[[0, 1, 3]] == 0).all()


def test_occlusion_of_all_frames_is_that_of_each():
    subject = toy_subject()
    together = Occlusion(frame="all").scores(subject, TARGET)
    each = sum(Occlusion(frame=str(i)).scores(subject, TARGET).patches for i in (1, 2, 3, 4))
    torch.testing.assert_close(together.patches, each)
    assert together.passes == 1.0 + 4.0  # 4 squares in each of 4 frames, 4 frames a pass
    assert together.details == {}


def test_occlusion_takes_the_frame_whose_removal_moves_the_class_most():
    subject = toy_subject()
    own = subject.trace().frame_embeddings
    falls = []
    for frame in range(4):
        kept = torch.tensor([i for i in range(4) if i != frame])
        without = subject.model.classify(own[None, kept], kept)[0, 1]
        falls.append(abs(float(without - subject.trace().logits[1])))
    expected = falls.index(max(falls))
    assert most_effective_frame(FrameGame(subject, TARGET)) == expected
    found = Occlusion().scores(subject, TARGET)
    assert found.details["frame"] == expected + 1
    assert (found.patches[expected] != 0).any()


def test_covering_with_what_is_there_changes_nothing():
    subject = toy_subject()
    grey = Subject(subject.model, torch.full((4, 3, 32, 32), 0.5), (4, 4))
    assert Occlusion(frame="all").scores(grey, TARGET).patches.abs().max() < 1e-5


def test_occlusion_on_probabilities():
    subject = toy_subject()
    falls = Occlusion(frame="1", window=4, scale="probability").scores(subject, TARGET).patches[0]
    clip = subject.x.clone()
    clip[0] = 0.5
    before, after = subject.model(torch.stack([subject.x, clip])).softmax(-1)[:, 1]
    torch.testing.assert_close(falls, (before - after).expand(4, 4), rtol=1e-3, atol=1e-5)


def test_captum_waits_until_it_is_asked():
    code = "import sys, stam_core.explain; print('captum' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"
