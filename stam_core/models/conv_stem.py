"""A few convolutions before the patches are cut: what a small ViT learns from few pictures with.

Source: Xiao et al., "Early Convolutions Help Transformers See Better", arXiv 2106.14881. A patch
then also sees some 45 pixels around its own, the nearer the more: a map over patches is a little
less sharp than it is drawn.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from timm.layers.hybrid_embed import HybridEmbed
from timm.layers.norm import LayerNorm2d
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

STRIDE = 8  # pixels from one column of the stem's features to the next


class ResidualBlock(nn.Module):
    """Norm, and two 3x3 convolutions, added to what came in."""

    def __init__(self, channels: int) -> None:
        """As many channels out as in."""
        super().__init__()
        self.norm = LayerNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n,C,y,x] -> [n,C,y,x]."""
        hidden = F.relu(self.conv1(F.relu(self.norm(x))))
        out: torch.Tensor = x + self.conv2(hidden)
        return out


class ConvStem(nn.Sequential):
    """Three steps down, each halving the picture; residual blocks after the second and third."""

    def __init__(self, width: int) -> None:
        """`width` channels after the first step, twice and four times as many after the next."""
        self.num_features = 4 * width
        down = partial(nn.Conv2d, kernel_size=3, stride=2, padding=1)
        super().__init__(
            down(3, width),
            nn.ReLU(),
            down(width, 2 * width),
            ResidualBlock(2 * width),
            LayerNorm2d(2 * width),
            nn.ReLU(),
            down(2 * width, 4 * width),
            ResidualBlock(4 * width),
            ResidualBlock(4 * width),
            LayerNorm2d(4 * width),
            nn.ReLU(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n,3,S,S] -> [n,4*width,S/8,S/8]; channels last in memory, twice as fast on a CPU."""
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in self:
            x = layer(x)
        return x


def stem_embedding(width: int, side: int) -> Callable[..., HybridEmbed]:
    """What timm's VisionTransformer makes its patch embedding with.

    Args:
        width: channels of the stem's first step.
        side: S, pixels; a multiple of the patch size, and that of 8.
    """

    def build(*, patch_size: int, **arguments: Any) -> HybridEmbed:  # noqa: ANN401 - timm's own
        return HybridEmbed(
            ConvStem(width),
            patch_size=patch_size // STRIDE,
            feature_size=side // STRIDE,
            feature_ratio=STRIDE,
            **arguments,
        )

    return build
