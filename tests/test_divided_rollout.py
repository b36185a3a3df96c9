from __future__ import annotations

import pytest
import torch
from einops import rearrange
from torch import nn

from stam_core.explain.divided import divided_row, joint_row, row_scores
from stam_core.explain.meeting_steps import meeting_steps
from stam_core.explain.rollout import rollout
from stam_core.models.timesformer import TimeSformer, TimeSformerConfig
from stam_core.record import listen
from stam_core.types import DividedTrace, JointTrace

T, H, W = 3, 2, 4  # all different: swapped axes cannot go unseen
N = H * W
L = 3


def random_maps(*shape: int) -> torch.Tensor:
    return (2 * torch.randn(*shape, dtype=torch.float64)).softmax(dim=-1)


def dense_layer(space: torch.Tensor, time: torch.Tensor, residual: float) -> torch.Tensor:
    """One layer [1+T*N,1+T*N], entry by entry from W[p,t -> q,s] = S_t[p,q] T_q[t,s]."""

    def s(t: int, p: int, q: int) -> float:  # tokens 0..N of frame t
        return float((1 - residual) * space[t, p, q] + residual * (p == q))

    def m(q: int, t: int, other: int) -> float:  # place q of 0..N-1
        return float((1 - residual) * time[q, t, other] + residual * (t == other))

    def at(t: int, p: int) -> int:
        return 1 + t * N + p

    dense = torch.zeros(1 + T * N, 1 + T * N, dtype=torch.float64)
    dense[0, 0] = sum(s(t, 0, 0) for t in range(T)) / T
    for t in range(T):
        for p in range(N):
            dense[at(t, p), 0] = s(t, 1 + p, 0)
        for q in range(N):
            for other in range(T):
                dense[0, at(other, q)] += s(t, 0, 1 + q) * m(q, t, other) / T
                for p in range(N):
                    dense[at(t, p), at(other, q)] = s(t, 1 + p, 1 + q) * m(q, t, other)
    return dense


@pytest.mark.parametrize("residual", [0.0, 0.5, 0.8])
def test_divided_equals_the_rollout_of_the_dense_matrix(residual: float) -> None:
    space, time = random_maps(L, T, N + 1, N + 1), random_maps(L, N, T, T)
    dense = [dense_layer(space[layer], time[layer], residual) for layer in range(L)]
    for matrix in dense:
        torch.testing.assert_close(matrix.sum(dim=1), torch.ones(1 + T * N, dtype=torch.float64))
    expected = (dense[2] @ dense[1] @ dense[0])[0]  # the later layer on the left
    row = divided_row(space, time, residual=residual)
    torch.testing.assert_close(row, expected)
    torch.testing.assert_close(
        divided_row(space, time, residual=residual, start_layer=2), (dense[2] @ dense[1])[0]
    )


def between_frames(dense: torch.Tensor) -> torch.Tensor:
    """[1+T*N,1+T*N] -> [T+1,T+1], entry by entry: the mean of those that ask, the sum of keys."""
    groups = [[0], *([1 + t * N + p for p in range(N)] for t in range(T))]
    rows = [
        [sum(float(dense[i, j]) for i in asking for j in asked) / len(asking) for asked in groups]
        for asking in groups
    ]
    return torch.tensor(rows, dtype=torch.float64)


def toy_trace(scheme: str) -> tuple[DividedTrace | JointTrace, list[torch.Tensor], torch.Tensor]:
    """A trace of random maps, the dense layers with a residual of 0.3, and the first without."""
    logits, none = torch.zeros(2, dtype=torch.float64), torch.zeros(0)
    if scheme == "joint":
        maps = random_maps(L, 1 + T * N, 1 + T * N)
        eye = torch.eye(1 + T * N, dtype=torch.float64)
        joint = JointTrace(logits, none, maps, "mean", (H, W))
        return joint, [0.7 * layer + 0.3 * eye for layer in maps], maps[0]
    space, time = random_maps(L, T, N + 1, N + 1), random_maps(L, N, T, T)
    dense = [dense_layer(space[layer], time[layer], 0.3) for layer in range(L)]
    divided = DividedTrace(logits, none, space, "mean", (H, W), none, time)
    return divided, dense, dense_layer(space[0], time[0], 0.0)


@pytest.mark.parametrize("scheme", ["divided", "joint"])
def test_each_layers_product_between_frames_is_that_of_the_dense_matrices(scheme: str) -> None:
    trace, dense, bare = toy_trace(scheme)
    steps = meeting_steps(trace, residual=0.3)
    assert [step.layer for step in steps] == [1, 2, 3]
    product = torch.eye(1 + T * N, dtype=torch.float64)
    for step, layer in zip(steps, dense, strict=True):
        product = layer @ product  # the later layer on the left
        torch.testing.assert_close(step.mixed, between_frames(layer))
        torch.testing.assert_close(step.product, between_frames(product))
        torch.testing.assert_close(step.row, product[0])
        torch.testing.assert_close(step.product.sum(dim=1), torch.ones(T + 1, dtype=torch.float64))
    torch.testing.assert_close(steps[0].alone, bare[0])


def test_the_last_step_is_the_rollout_that_is_explained() -> None:
    divided, joint = toy_trace("divided")[0], toy_trace("joint")[0]
    assert isinstance(divided, DividedTrace)
    assert isinstance(joint, JointTrace)
    assert divided.space_maps is not None
    assert divided.time_maps is not None
    assert joint.joint_maps is not None
    options = {"residual": 0.5, "discard_ratio": 0.4}
    expected = divided_row(divided.space_maps, divided.time_maps, **options)
    torch.testing.assert_close(meeting_steps(divided, **options)[-1].row, expected)
    expected = joint_row(joint.joint_maps, **options)
    torch.testing.assert_close(meeting_steps(joint, **options)[-1].row, expected)


@pytest.mark.parametrize("discard", [0.0, 0.4, 0.9])
def test_shares_add_up(discard: float) -> None:
    space, time = random_maps(L, T, N + 1, N + 1), random_maps(L, N, T, T)
    row = divided_row(space, time, discard_ratio=discard)
    assert row.sum() == pytest.approx(1)
    assert row.min() >= 0
    scores = row_scores(row, T, (H, W))
    assert scores.patches is not None
    assert scores.frames is not None
    assert scores.patches.shape == (T, H, W)
    torch.testing.assert_close(scores.frames, scores.patches.sum(dim=(1, 2)))
    assert scores.unattributed is not None
    assert float(scores.frames.sum()) + scores.unattributed == pytest.approx(1)


def test_only_the_weakest_frames_are_discarded() -> None:
    """Time has no CLS key: frame 0 is dropped like any other where it is the weakest."""
    space = torch.eye(N + 1, dtype=torch.float64).expand(1, T, -1, -1).clone()
    space[:, :, 0] = 0.0
    space[0, :, 0, 1] = 1.0  # CLS looks at patch 0 alone
    time = torch.tensor([0.1, 0.3, 0.6], dtype=torch.float64).expand(1, N, T, T)
    row = divided_row(space, time, residual=0.0, discard_ratio=0.34)  # int(0.34 * 3) = 1 of 3
    assert row[1::N].tolist() == pytest.approx([0.0, 1 / 3, 2 / 3])
    row = divided_row(space, time, residual=0.0, discard_ratio=0.99)
    assert row[1::N].tolist() == pytest.approx([0.0, 0.0, 1.0])


def test_uniform_attention_by_hand() -> None:
    space = torch.full((1, T, N + 1, N + 1), 1 / (N + 1))
    time = torch.full((1, N, T, T), 1 / T)
    row = divided_row(space, time, residual=0.5)
    assert float(row[0]) == pytest.approx(0.5 + 0.5 / (N + 1))
    assert row[1:].tolist() == pytest.approx([0.5 / (N + 1) / T] * (T * N))


def test_identity_attention_leaves_all_on_cls() -> None:
    space = torch.eye(N + 1).expand(L, T, -1, -1)
    time = torch.eye(T).expand(L, N, -1, -1)
    row = divided_row(space, time)
    assert row.tolist() == pytest.approx([1.0] + [0.0] * (T * N))


def test_one_patch_of_one_frame_is_traced_to_its_place() -> None:
    """CLS looks at patch 5 everywhere; there, time copies frame 2: one cell lights, no stripe."""
    space = torch.eye(N + 1).repeat(1, T, 1, 1)
    space[0, :, 0] = 0.0
    space[0, :, 0, 1 + 5] = 1.0
    time = torch.eye(T).repeat(1, N, 1, 1)
    time[0, 5] = torch.tensor([0.0, 0.0, 1.0])
    scores = row_scores(divided_row(space, time, residual=0.0), T, (H, W))
    expected = torch.zeros(T, H, W)
    expected[2, 1, 1] = 1.0  # patch 5 = row 1, column 1 of a grid 4 wide
    assert scores.patches is not None
    assert torch.equal(scores.patches, expected)
    assert scores.unattributed == 0.0


def test_permuting_patches_or_frames_permutes_the_scores() -> None:
    space, time = random_maps(L, T, N + 1, N + 1), random_maps(L, N, T, T)
    grid = divided_row(space, time)[1:].view(T, N)
    places, frames = torch.randperm(N), torch.randperm(T)
    keys = torch.cat([torch.zeros(1, dtype=torch.long), 1 + places])
    moved = divided_row(space[:, :, keys][..., keys], time[:, places])[1:].view(T, N)
    torch.testing.assert_close(moved, grid[:, places])
    moved = divided_row(space[:, frames], time[:, :, frames][..., frames])[1:].view(T, N)
    torch.testing.assert_close(moved, grid[frames])


def test_joint_is_the_plain_rollout() -> None:
    maps = random_maps(L, 1 + T * N, 1 + T * N)
    torch.testing.assert_close(
        joint_row(maps, residual=0.3, discard_ratio=0.2),
        rollout(maps, residual=0.3, discard_ratio=0.2)[0],
    )


def linear_model(scheme: str) -> TimeSformer:
    """A model of one layer that passes on exactly what its attention says: values as they are."""
    width = 6
    model = TimeSformer(
        TimeSformerConfig(
            scheme=scheme, side=16, patch_size=4, width=width, depth=1, heads=1, num_frames=T
        )
    ).eval()
    block = model.blocks[0]
    names = ["norm1", "norm2", "temporal_norm1", "temporal_fc"]
    for name in names:
        if hasattr(block, name):
            setattr(block, name, nn.Identity())
    with torch.no_grad():
        for name in ("attn", "temporal_attn"):
            if hasattr(block, name):
                attention = block.get_submodule(name)
                qkv, proj = attention.get_submodule("qkv"), attention.get_submodule("proj")
                for linear in (qkv, proj):
                    linear.bias.zero_()
                qkv.weight.normal_()
                qkv.weight[2 * width :] = torch.eye(width)
                proj.weight.copy_(torch.eye(width))
        for parameter in block.get_submodule("mlp").parameters():
            parameter.zero_()
        model.pos_embed.normal_()
        model.cls_token.normal_()
        if scheme != "space":
            model.time_embed.normal_()
    return model


def test_divided_says_what_a_real_layer_passes_on() -> None:
    """With values passed on as they are, CLS comes out as the rollout's mixture of all tokens.

    out = (x + S (y + T y)): S~ and T~ hold half of each sum, and CLS skips T, so a patch's share
    counts four times and that of CLS twice.
    """
    model = linear_model("divided")
    x = torch.rand(1, T, 3, 16, 16)
    with (
        torch.no_grad(),
        listen(model.space_attention, lambda a: a.mean(dim=1)) as space,
        listen(model.time_attention, lambda a: a.mean(dim=1)) as time,
    ):
        cls, patches = model.embed_patches(x)
        out, _ = model.encode(x)
    maps = torch.stack([space[0][0]]), torch.stack([time[0][0]])
    row = divided_row(*maps)
    expected = 2 * row[0] * cls[0, 0] + 4 * row[1:] @ rearrange(patches[0], "t p d -> (t p) d")
    torch.testing.assert_close(out[0, 0], expected, atol=1e-4, rtol=1e-4)


def test_joint_says_what_a_real_layer_passes_on() -> None:
    model = linear_model("joint")
    x = torch.rand(1, T, 3, 16, 16)
    with torch.no_grad(), listen(model.joint_attention, lambda a: a.mean(dim=1)) as heard:
        cls, patches = model.embed_patches(x)
        out, _ = model.encode(x)
    row = joint_row(heard[0][0])
    tokens = torch.cat([cls[0], rearrange(patches[0], "t p d -> (t p) d")])
    torch.testing.assert_close(out[0, 0], 2 * row @ tokens, atol=1e-4, rtol=1e-4)
