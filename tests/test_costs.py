from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from stam_core.cost_records import model_sizes
from stam_core.costs import SCHEMES, Sizes, SwinSizes, cost, video_swin
from stam_core.errors import ParameterError, UnknownNameError
from stam_core.models.registry import rendered_actions
from stam_core.models.stam import Stam, StamConfig
from stam_core.models.timesformer import TimeSformer, TimeSformerConfig

BILLION = 10**9


def counted(model: nn.Module, attention: list[nn.Module], x: torch.Tensor) -> int:
    """Multiply-accumulates that torch counts; on the meta device nothing is computed."""
    for module in attention:
        module.fused_attn = False
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(x)
    assert counter.get_total_flops() % 2 == 0
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("scheme", ["space", "joint", "divided"])
@pytest.mark.parametrize(("frames", "side"), [(8, 224), (16, 96)])
def test_timesformer_as_counted(scheme: str, frames: int, side: int) -> None:
    with torch.device("meta"):
        model = TimeSformer(TimeSformerConfig(scheme=scheme, num_frames=frames, side=side))
        x = torch.empty(1, frames, 3, side, side)
    attention = model.space_attention + model.time_attention + model.joint_attention
    expected = cost(scheme, Sizes(frames=frames, side=side))
    assert counted(model, attention, x) == pytest.approx(expected.macs, rel=1e-6)
    assert sum(p.numel() for p in model.parameters()) == expected.parameters


@pytest.mark.parametrize("frames", [8, 16, 64])
def test_stam_as_counted(frames: int) -> None:
    with torch.device("meta"):
        model = Stam(StamConfig(num_frames=frames))
        x = torch.empty(1, frames, 3, 224, 224)
    expected = cost("factorised", Sizes(frames=frames))
    assert counted(model, model.space_attention + model.time_attention, x) == pytest.approx(
        expected.macs, rel=1e-6
    )
    assert sum(p.numel() for p in model.parameters()) == expected.parameters


def test_the_embedded_stam_as_counted() -> None:
    """Its layers; its embedding is a convolutional stem, which the formulas do not know."""
    info = rendered_actions("stam-actions")
    with torch.device("meta"):
        plain = replace(info.config, stem_width=0)
        model = Stam(plain)
        x = torch.empty(1, plain.num_frames, 3, plain.side, plain.side)
    expected = cost("factorised", model_sizes(info))
    assert expected.steps[1].times == 3  # not the published six
    assert counted(model, model.space_attention + model.time_attention, x) == pytest.approx(
        expected.macs, rel=1e-6
    )
    assert sum(p.numel() for p in model.parameters()) == expected.parameters


@pytest.mark.parametrize("name", ["timesformer-actions", "joint-actions"])
def test_the_embedded_timesformers_as_counted(name: str) -> None:
    info = rendered_actions(name)
    with torch.device("meta"):
        model = TimeSformer(replace(info.config, stem_width=0))
        x = torch.empty(1, info.num_frames, 3, info.config.side, info.config.side)
    attention = model.space_attention + model.time_attention + model.joint_attention
    expected = cost(info.scheme, model_sizes(info))
    assert counted(model, attention, x) == pytest.approx(expected.macs, rel=1e-6)
    assert sum(p.numel() for p in model.parameters()) == expected.parameters


@pytest.mark.parametrize(("frames", "side"), [(16, 224), (32, 224), (16, 250)])
def test_video_swin_as_counted(frames: int, side: int) -> None:
    from torchvision.models.video import swin3d_t

    with torch.device("meta"):
        model = swin3d_t()
        x = torch.empty(1, 3, frames, side, side)
    tiny = SwinSizes(width=96, depths=(2, 2, 6, 2), heads=(3, 6, 12, 24))
    expected = video_swin(frames, side, swin=tiny)
    assert counted(model, [], x) == pytest.approx(expected.macs, rel=0.01)
    assert sum(p.numel() for p in model.parameters()) == expected.parameters


@pytest.mark.parametrize(
    ("scheme", "sizes", "billions"),
    [
        ("space", Sizes(frames=8), 140.5),
        ("joint", Sizes(frames=8), 179.6),
        ("divided", Sizes(frames=8), 195.8),
        ("divided", Sizes(frames=16, side=448), 1702.7),
        ("divided", Sizes(frames=96), 2379.9),
        ("factorised", Sizes(frames=16), 281.6),
        ("factorised", Sizes(frames=64), 1126.2),
        ("mixing", Sizes(frames=8, classes=600), 140.6),
        ("mixing", Sizes(frames=16, classes=600), 281.1),
        ("windows", Sizes(frames=16), 140.67),
        ("windows", Sizes(frames=32), 281.33),
    ],
)
def test_what_the_official_codes_were_counted_to_need(
    scheme: str, sizes: Sizes, billions: float
) -> None:
    assert cost(scheme, sizes).macs / BILLION == pytest.approx(billions, rel=0.001)


def test_parameters_of_models_we_do_not_have() -> None:
    assert cost("mixing", Sizes(classes=600)).parameters + 461_400 == pytest.approx(
        94.41e6, rel=1e-4
    )  # their file also holds a classifier that is never used
    assert cost("windows").parameters == pytest.approx(88.049e6, rel=1e-4)
    # the paper's own table, without positions in time
    assert cost("sparse", Sizes(frames=8)).parameters == pytest.approx(121.4e6, rel=0.003)
    assert cost("axial", Sizes(frames=8)).parameters == pytest.approx(156.8e6, rel=0.003)


@pytest.mark.parametrize(
    ("frames", "joint", "divided", "stam"), [(16, 448, 390, 280), (64, 3966, 1572, 1119)]
)
def test_what_is_told_of_the_layers(frames: int, joint: int, divided: int, stam: int) -> None:
    sizes = Sizes(frames=frames)
    told = [cost(scheme, sizes).layers / BILLION for scheme in ("joint", "divided", "factorised")]
    assert [round(value) for value in told] == [joint, divided, stam]


def test_linear_layers_dominate_short_clips() -> None:
    assert all(cost(scheme).linear > cost(scheme).attention for scheme in SCHEMES)
    long = cost("joint", Sizes(frames=64))
    assert long.attention > 2 * long.linear


def test_what_the_lesson_says_of_long_clips() -> None:
    short, long = Sizes(), Sizes(frames=64)
    joint = cost("joint", long)
    assert 0.70 < joint.attention / joint.layers < 0.75  # nearly three quarters
    for scheme in ("divided", "factorised"):
        assert cost(scheme, long).layers / cost(scheme, short).layers == pytest.approx(4, rel=0.01)
        assert cost(scheme, long).linear / cost(scheme, long).layers > 0.95


def test_what_divided_attention_pays_for_looking_twice() -> None:
    """12 n D^2 as every layer, and 5 n D^2 more."""
    sizes = Sizes()
    n, width = sizes.frames * sizes.patches, sizes.width
    told = sizes.depth * 17 * n * width**2
    assert cost("divided", sizes).linear == pytest.approx(told, rel=0.005)


def test_pairs_by_hand() -> None:
    """4 frames of 4 x 4 patches, one layer."""
    sizes = Sizes(frames=4, side=64, patch=16, width=8, heads=2, depth=1, classes=1)
    pairs = {scheme: cost(scheme, sizes).pairs for scheme in SCHEMES if scheme != "windows"}
    assert pairs == {
        "space": 4 * 17**2,
        "joint": 65**2,
        "divided": 16 * 16 + 4 * 17**2,
        "sparse": 64 * (4 * 4 + 1) + 65 * (2 * 4 + 1),
        "axial": 16 * 16 + 2 * 16 * 5**2,
        "factorised": 4 * 17**2 + 6 * 5**2,  # six temporal layers
        "mixing": 4 * 17**2 + 5**2,
    }
    keys = {scheme: cost(scheme, sizes).keys_per_query for scheme in pairs}
    assert keys == {
        "space": 17,
        "joint": 65,
        "divided": 4 + 17,
        "sparse": 17 + 9,
        "axial": 4 + 5 + 5,
        "factorised": 17,
        "mixing": 17,
    }


def test_joint_by_hand() -> None:
    sizes = Sizes(frames=1, side=2, patch=1, width=2, heads=2, depth=3, mlp_ratio=1, classes=5)
    found = cost("joint", sizes)
    assert found.linear == 3 * 5 * (4 + 2) * 2 * 2  # layers, tokens
    assert found.attention == 3 * 2 * 5 * 5 * 2
    assert found.embedding == 4 * 3 * 2
    assert found.head == 2 * 5
    assert found.map_bytes == 3 * 2 * 5 * 5 * 4  # layers, heads
    assert found.largest_map_bytes == 2 * 5 * 5 * 4


def test_windows_grow_with_the_clip_and_joint_with_its_square() -> None:
    short, long = Sizes(frames=32), Sizes(frames=64)
    assert cost("windows", long).pairs == 2 * cost("windows", short).pairs
    ratio = cost("joint", long).pairs / cost("joint", short).pairs
    assert ratio == pytest.approx(4, rel=0.01)


def test_one_layer_more_costs_the_same_again() -> None:
    one, two, three = (cost("divided", Sizes(depth=depth)).macs for depth in (1, 2, 3))
    assert three - two == two - one


def test_errors() -> None:
    with pytest.raises(UnknownNameError, match=r"no attention scheme 'full'.*joint"):
        cost("full")
    with pytest.raises(ParameterError, match=r"230 pixels is no multiple of patches of 16.*224"):
        Sizes(side=230)
    with pytest.raises(ParameterError, match="frames must be at least 1"):
        replace(Sizes(), frames=0)
