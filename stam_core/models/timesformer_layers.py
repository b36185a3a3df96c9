"""The layers of TimeSformer, and how its tokens are laid out for them.

Source: Bertasius, Wang and Torresani, arXiv 2102.05095, as the released code has it.
"""

from __future__ import annotations

from functools import partial

import torch
from einops import rearrange
from timm.layers.mlp import Mlp
from timm.models.vision_transformer import Block
from torch import nn

from stam_core.models.stam import AttentionTap, TimeAttention

LAYER_NORM_EPS = 1e-6  # unlike STAM's 1e-5; the published weights were trained with it


class DividedBlock(nn.Module):
    """Attention in time, attention in space, feed-forward; each after a LayerNorm, with a residual.

    The names are those of the released code.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: float) -> None:
        """A layer of these sizes; as many heads in time as in space."""
        super().__init__()
        norm = partial(nn.LayerNorm, width, eps=LAYER_NORM_EPS)
        self.temporal_norm1 = norm()
        self.temporal_attn = TimeAttention(width, heads)
        self.temporal_fc = nn.Linear(width, width)
        self.norm1 = norm()
        self.attn = TimeAttention(width, heads)
        self.norm2 = norm()
        self.mlp = Mlp(width, hidden_features=int(width * mlp_ratio))

    def forward(
        self, cls: torch.Tensor, patches: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """CLS [B,1,D] and patches [B,T,N,D], T at least 1 -> the same."""
        b, t, p, _ = patches.shape
        places = rearrange(patches, "b t p d -> (b p) t d")
        moved = self.temporal_fc(self.temporal_attn(self.temporal_norm1(places)))
        patches = patches + rearrange(moved, "(b p) t d -> b t p d", b=b)
        mixed = self.attn(self.norm1(frame_tokens(cls, patches)))
        mixed = rearrange(mixed, "(b t) n d -> b t n d", b=b)  # n = 1+N
        cls = cls + mixed[:, :, 0].mean(dim=1, keepdim=True)
        patches = patches + mixed[:, :, 1:]
        tokens = self.feed_forward(join_tokens(cls, patches))
        return tokens[:, :1], rearrange(tokens[:, 1:], "b (t p) d -> b t p d", t=t, p=p)

    def feed_forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """[B,n,D] -> [B,n,D], each token by itself."""
        out: torch.Tensor = tokens + self.mlp(self.norm2(tokens))
        return out

    def cls_alone(self, cls: torch.Tensor) -> torch.Tensor:
        """CLS [B,1,D] where there is no frame: it attends to itself."""
        return self.feed_forward(cls + self.attn(self.norm1(cls)))


def frame_tokens(cls: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
    """A copy of CLS [B,1,D] before the patches [B,T,N,D] of every frame -> [B*T,1+N,D]."""
    copies = cls[:, None].expand(-1, patches.shape[1], -1, -1)  # [B,T,1,D]
    return rearrange(torch.cat([copies, patches], dim=2), "b t n d -> (b t) n d")


def join_tokens(cls: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
    """CLS [B,1,D], then all patches [B,T,N,D], frame after frame -> [B,1+T*N,D]."""
    return torch.cat([cls, rearrange(patches, "b t p d -> b (t p) d")], dim=1)


def full_block(width: int, heads: int, mlp_ratio: float) -> Block:
    """A layer of an ordinary ViT, for the schemes "joint" and "space"."""
    block = Block(
        width,
        heads,
        mlp_ratio=mlp_ratio,
        qkv_bias=True,
        # timm hints at a class here, and takes whatever makes a module
        norm_layer=partial(nn.LayerNorm, eps=LAYER_NORM_EPS),  # type: ignore[arg-type]
    )
    block.get_submodule("attn").attn_drop = AttentionTap()
    return block
