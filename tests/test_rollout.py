"""Oracles: properties that rollout has by its definition, whatever the model."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from stam_core.explain.rollout import discard_lowest, mix_residual, rollout


def random_maps(layers: int = 4, n: int = 7) -> torch.Tensor:
    return torch.rand(layers, n, n, dtype=torch.float64).softmax(-1)


@pytest.mark.parametrize("layers", [1, 2, 5])
def test_uniform_attention_has_a_closed_form(layers):
    n = 6
    uniform = torch.full((layers, n, n), 1 / n, dtype=torch.float64)
    expected = 2.0**-layers * torch.eye(n, dtype=torch.float64) + (1 - 2.0**-layers) / n
    torch.testing.assert_close(rollout(uniform), expected)


def test_identity_attention_stays_identity():
    eye = torch.eye(5).expand(3, 5, 5)
    torch.testing.assert_close(rollout(eye), torch.eye(5))


def test_later_layer_stands_on_the_left():
    """0 copies 1 in the last layer, 1 copies 2 in the first: then 0 holds 2, not the reverse."""
    first, last = torch.eye(3), torch.eye(3)
    first[1] = torch.tensor([0.0, 0.0, 1.0])
    last[0] = torch.tensor([0.0, 1.0, 0.0])
    rolled = rollout(torch.stack([first, last]), residual=0.0)
    assert rolled[0].tolist() == [0.0, 0.0, 1.0]
    wrong_way = rollout(torch.stack([last, first]), residual=0.0)
    assert wrong_way[0].tolist() == [0.0, 1.0, 0.0]


def test_two_layers_by_hand():
    a1 = torch.tensor([[0.5, 0.5], [0.25, 0.75]])
    a2 = torch.tensor([[0.2, 0.8], [1.0, 0.0]])
    # 0.5 A + 0.5 I: [[.75,.25],[.125,.875]] and [[.6,.4],[.5,.5]]; the later one on the left
    expected = torch.tensor([[0.5, 0.5], [0.4375, 0.5625]])
    torch.testing.assert_close(rollout(torch.stack([a1, a2])), expected)


def test_permuting_the_patches_permutes_the_rollout():
    maps = random_maps()
    order = torch.tensor([0, 3, 1, 6, 5, 2, 4])
    permuted = rollout(maps[:, order][:, :, order])
    torch.testing.assert_close(permuted, rollout(maps)[order][:, order])


@pytest.mark.parametrize("discard_ratio", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("residual", [0.0, 0.3, 0.9])
def test_rows_sum_to_one(discard_ratio, residual):
    rolled = rollout(random_maps() * 5, residual=residual, discard_ratio=discard_ratio)
    torch.testing.assert_close(rolled.sum(-1), torch.ones(7, dtype=torch.float64))
    assert (rolled >= 0).all()


def test_rows_are_renormalised_before_the_residual_is_mixed():
    """Max fusion leaves rows with a sum above 1; the residual share must stay what was asked."""
    maps = random_maps(1)
    assert torch.allclose(mix_residual(maps[0] * 7, 0.5), mix_residual(maps[0], 0.5))


def test_cls_only_is_row_zero():
    maps = torch.rand(4, 3, 7, 7).softmax(-1)  # [L,T,n,n]
    torch.testing.assert_close(rollout(maps, cls_only=True), rollout(maps)[:, 0])


def test_start_layer_leaves_out_the_earlier_ones():
    maps = random_maps()
    torch.testing.assert_close(rollout(maps, start_layer=3), rollout(maps[2:]))


def test_discarding_drops_the_lowest_but_never_cls_nor_the_last_key():
    row = torch.tensor([[0.01, 0.4, 0.1, 0.3, 0.19]])
    assert (discard_lowest(row, 0.5) > 0).tolist() == [[True, True, False, True, False]]
    assert (discard_lowest(row, 0.99) > 0).tolist() == [[True, True, False, False, False]]
    assert torch.equal(discard_lowest(row, 0.1), row)


def test_equals_the_golden_rollouts(shared):
    golden = load_file(shared / "parity" / "stam_a.safetensors")
    space = torch.stack([golden[f"inter.attn_spatial.{i}"].mean(1) for i in range(3)])
    time = torch.stack([golden[f"inter.attn_temporal.{i}"].mean(1) for i in range(2)])
    torch.testing.assert_close(rollout(space), golden["inter.rollout_spatial"], atol=1e-6, rtol=0)
    torch.testing.assert_close(rollout(time), golden["inter.rollout_temporal"], atol=1e-6, rtol=0)
