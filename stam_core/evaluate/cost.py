"""What one clip costs a model: multiply-accumulates and parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from stam_core.models import build_model

if TYPE_CHECKING:
    from stam_core.types import ModelInfo


def gmacs_per_clip(info: ModelInfo) -> float:
    """1e9 multiply-accumulates of matrix products and convolutions for one clip, one view.

    Counted by torch over the model's own forward pass, on tensors without data: shapes decide.
    Published "GFLOPs" of video models are these, not twice as many.

    Args:
        info: of the model.
    """
    with torch.device("meta"):
        model = build_model(info)
        side = info.preprocessing.side
        x = torch.empty(1, info.num_frames, 3, side, side)
    # The plain kernel: attention is then counted as the two matrix products it is, everywhere.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        model(x)
    return float(counter.get_total_flops()) / 2 / 1e9
