"""STAM: a spatial transformer per frame, then a temporal transformer over the frame embeddings.

Source: Sharir, Noy and Zelnik-Manor, "An Image is Worth 16x16 Words, What is a Video Worth?",
arXiv 2103.13915. The factorisation is strict: patches of different frames never meet; only the T
frame embeddings do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from timm.layers.patch_embed import PatchEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from stam_core.models.conv_stem import stem_embedding
from stam_core.models.time_choices import classify_choices
from stam_core.types import Scheme

# timm's own default is 1e-6; the published weights were trained with torch's (logits move by 1e-3).
LAYER_NORM_EPS = 1e-5


@dataclass(frozen=True)
class StamConfig:
    """Sizes and variants of a STAM; the defaults are STAM-16 as published."""

    side: int = 224  # S, pixels
    patch_size: int = 16  # pixels
    stem_width: int = 0  # channels of a convolutional stem's first step; 0: none, as published
    width: int = 768  # D
    depth: int = 12  # spatial layers
    heads: int = 12  # spatial heads
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    num_frames: int = 16  # T
    time_depth: int = 6  # temporal layers
    time_heads: int = 8
    time_feedforward: int = 2048  # hidden width of the temporal feed-forward
    time_norm: Literal["post", "pre"] = "post"
    time_activation: Literal["relu", "gelu"] = "relu"
    time_final_norm: bool = True
    num_classes: int = 400  # K
    dropout: float = 0.1  # temporal stage, training only

    @property
    def scheme(self) -> Scheme:
        """Space first, then time."""
        return "factorised"


class AttentionTap(nn.Identity):
    """Sees the attention [B,H,n,n] after softmax whenever its layer's `fused_attn` is off."""

    p = 0.0  # timm's fused path asks for the dropout rate of what stands here while training


class TimeAttention(nn.Module):
    """Multi-head self-attention over frame tokens; the same switch and tap as timm's attention."""

    def __init__(self, width: int, heads: int) -> None:
        """Projections for `heads` heads of `width / heads` channels each."""
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.fused_attn = True
        self.qkv = nn.Linear(width, 3 * width)
        self.attn_drop = AttentionTap()
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """[B,n,D] -> [B,n,D]."""
        q, k, v = rearrange(
            self.qkv(tokens), "b n (three h d) -> three b h n d", three=3, h=self.heads
        )
        if self.fused_attn:
            mixed = F.scaled_dot_product_attention(q, k, v)
        else:
            attention = self.attn_drop((q * self.scale @ k.mT).softmax(dim=-1))  # [B,H,n,n]
            mixed = attention @ v
        projected: torch.Tensor = self.proj(rearrange(mixed, "b h n d -> b n (h d)"))
        return projected


class TimeLayer(nn.Module):
    """Attention and feed-forward, each with a residual; LayerNorm after (published) or before."""

    def __init__(self, config: StamConfig) -> None:
        """Layer of the width and variant that `config` names."""
        super().__init__()
        self.pre_norm = config.time_norm == "pre"
        self.attn = TimeAttention(config.width, config.time_heads)
        self.norm1 = nn.LayerNorm(config.width, eps=LAYER_NORM_EPS)
        self.linear1 = nn.Linear(config.width, config.time_feedforward)
        self.activation = nn.ReLU() if config.time_activation == "relu" else nn.GELU()
        self.linear2 = nn.Linear(config.time_feedforward, config.width)
        self.norm2 = nn.LayerNorm(config.width, eps=LAYER_NORM_EPS)
        self.dropout = nn.Dropout(config.dropout)

    def feed_forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """[B,n,D] -> [B,n,D], each token by itself."""
        hidden = self.dropout(self.activation(self.linear1(tokens)))
        out: torch.Tensor = self.dropout(self.linear2(hidden))
        return out

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """[B,n,D] -> [B,n,D]."""
        if self.pre_norm:
            tokens = tokens + self.dropout(self.attn(self.norm1(tokens)))
            return tokens + self.feed_forward(self.norm2(tokens))
        tokens = self.norm1(tokens + self.dropout(self.attn(tokens)))
        normed: torch.Tensor = self.norm2(tokens + self.feed_forward(tokens))
        return normed


class TemporalTransformer(nn.Module):
    """CLS and frame embeddings with learned positions through the temporal layers; returns CLS."""

    def __init__(self, config: StamConfig) -> None:
        """T+1 positions: index 0 belongs to CLS, index 1+t to frame t."""
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, config.num_frames + 1, config.width))
        self.layers = nn.ModuleList(TimeLayer(config) for _ in range(config.time_depth))
        norm = partial(nn.LayerNorm, config.width, eps=LAYER_NORM_EPS)
        self.norm = norm() if config.time_final_norm else nn.Identity()
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)

    def tokens(self, embeddings: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """CLS and the frame embeddings [B,n,D], each with its position -> [B,n+1,D]."""
        cls = (self.cls_token + self.pos_embed[:, :1]).expand(len(embeddings), -1, -1)  # [B,1,D]
        return torch.cat([cls, embeddings + self.pos_embed[0, 1 + positions]], dim=1)

    def forward(self, embeddings: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """[B,n,D] frame embeddings at `positions` [n] or [B,n] (0..T-1) -> clip embedding [B,D]."""
        tokens = self.tokens(embeddings, positions)
        for layer in self.layers:
            tokens = layer(tokens)
        clip_embedding: torch.Tensor = self.norm(tokens[:, 0])
        return clip_embedding


def spatial_transformer(config: StamConfig) -> VisionTransformer:
    """The ViT that sees one frame at a time, with a named tap after each softmax."""
    embed = stem_embedding(config.stem_width, config.side) if config.stem_width else PatchEmbed
    spatial = VisionTransformer(
        embed_layer=embed,
        img_size=config.side,
        patch_size=config.patch_size,
        embed_dim=config.width,
        depth=config.depth,
        num_heads=config.heads,
        mlp_ratio=config.mlp_ratio,
        qkv_bias=config.qkv_bias,
        num_classes=0,
        norm_layer=partial(nn.LayerNorm, eps=LAYER_NORM_EPS),
    )
    for block in spatial.blocks:
        block.get_submodule("attn").attn_drop = AttentionTap()
    return spatial


class Stam(nn.Module):
    """The two stages and the head; between `embed_frames` and `classify` frames can be edited."""

    def __init__(self, config: StamConfig) -> None:
        """Random weights; `models.weights` fills them."""
        super().__init__()
        self.config = config
        self.spatial = spatial_transformer(config)
        self.temporal = TemporalTransformer(config)
        self.head = nn.Linear(config.width, config.num_classes)

    @property
    def scheme(self) -> Scheme:
        """How space and time are joined."""
        return self.config.scheme

    @property
    def space_attention(self) -> list[nn.Module]:
        """The spatial layers' attention, first layer first: `fused_attn`, tap `attn_drop`."""
        return [block.get_submodule("attn") for block in self.spatial.blocks]

    @property
    def time_attention(self) -> list[nn.Module]:
        """The temporal layers' attention, first layer first: `fused_attn`, tap `attn_drop`."""
        return [layer.get_submodule("attn") for layer in self.temporal.layers]

    def embed_frames(self, x: torch.Tensor) -> torch.Tensor:
        """Each frame by itself: x [B,T,3,S,S] -> [B,T,D], CLS after the spatial final norm."""
        frames = rearrange(x, "b t c y x -> (b t) c y x")
        cls = self.spatial.forward_features(frames)[:, 0]  # [B*T,D]
        return rearrange(cls, "(b t) d -> b t d", b=len(x))

    def embed_clip(
        self, embeddings: torch.Tensor, positions: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Frame embeddings [B,n,D] -> clip embedding [B,D], what the head sees; see `classify`."""
        if positions is None:
            positions = torch.arange(embeddings.shape[1], device=embeddings.device)
        clip_embedding: torch.Tensor = self.temporal(embeddings, positions)
        return clip_embedding

    def classify(
        self, embeddings: torch.Tensor, positions: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The temporal stage and head.

        Args:
            embeddings: [B,n,D]; any n, 0 included (the answer of the temporal CLS alone).
            positions: [n] or [B,n], the slot 0..T-1 whose position embedding each frame gets;
                None: 0..n-1.

        Returns:
            Logits [B,K].
        """
        logits: torch.Tensor = self.head(self.embed_clip(embeddings, positions))
        return logits

    def classify_choices(
        self, embeddings: torch.Tensor, frames: torch.Tensor, places: torch.Tensor
    ) -> torch.Tensor:
        """`classify(embeddings[frames], places)` without gradients, in about half the time.

        Args:
            embeddings: [V,D] what is chosen from.
            frames: [M,n] of 0..V-1.
            places: [M,n] slots 0..T-1.

        Returns:
            Logits [M,K].
        """
        return classify_choices(self.temporal, self.head, embeddings, frames, places)

    def classify_depths(self, embeddings: torch.Tensor) -> torch.Tensor:
        """The head on CLS after each temporal layer: [B,n,D] -> logits [L,B,K].

        The last is `classify`. The head was trained on the last layer alone: what it says of an
        earlier one is a reading, not an answer.
        """
        temporal = self.temporal
        slots = torch.arange(embeddings.shape[1], device=embeddings.device)
        tokens = temporal.tokens(embeddings, slots)
        read = []
        for layer in temporal.layers:
            tokens = layer(tokens)
            read.append(self.head(temporal.norm(tokens[:, 0])))
        return torch.stack(read)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Input x [B,T,3,S,S] -> logits [B,K]."""
        return self.classify(self.embed_frames(x))
