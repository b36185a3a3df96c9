"""TimeSformer: one transformer over the patches of all frames, with three ways of attending.

Source: Bertasius, Wang and Torresani, "Is Space-Time Attention All You Need for Video
Understanding?", arXiv 2102.05095. Unlike in STAM, patches of different frames meet in every layer
(but for scheme "space"), so nothing of one clip can be reused for another.

    divided   each patch attends to its own place in all frames, then to all places of its own frame
    joint     every patch attends to every patch of every frame
    space     each frame by itself; only the frames' CLS tokens are averaged at the end

Where the released code and the paper differ, this follows the code, as the weights do: in divided
attention CLS takes no part in time, and what it gains in space is the mean over the frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from timm.layers.patch_embed import PatchEmbed
from torch import nn

from stam_core.models.conv_stem import stem_embedding
from stam_core.models.timesformer_layers import (
    LAYER_NORM_EPS,
    DividedBlock,
    frame_tokens,
    full_block,
    join_tokens,
)
from stam_core.types import Scheme


@dataclass(frozen=True)
class TimeSformerConfig:
    """Sizes and scheme of a TimeSformer; the defaults are the published one of 8 frames."""

    scheme: Literal["divided", "joint", "space"] = "divided"
    side: int = 224  # S, pixels
    patch_size: int = 16  # pixels
    stem_width: int = 0  # channels of a convolutional stem's first step; 0: none, as published
    width: int = 768  # D
    depth: int = 12  # layers
    heads: int = 12  # of the attention in space and of that in time
    mlp_ratio: float = 4.0
    num_frames: int = 8  # T
    num_classes: int = 400  # K

    @property
    def time_depth(self) -> int:
        """Layers in which frames meet: all of them."""
        return self.depth

    @property
    def time_heads(self) -> int:
        """Heads in which frames meet."""
        return self.heads


class TimeSformer(nn.Module):
    """Patches of all frames, CLS, positions in space and time, the layers and the head."""

    def __init__(self, config: TimeSformerConfig) -> None:
        """Random weights; `models.weights` fills them."""
        super().__init__()
        self.config = config
        embed = (
            stem_embedding(config.stem_width, config.side)
            if config.stem_width
            else partial(PatchEmbed, strict_img_size=False)
        )
        self.patch_embed: nn.Module = embed(
            img_size=config.side, patch_size=config.patch_size, in_chans=3, embed_dim=config.width
        )
        n_patches = (config.side // config.patch_size) ** 2
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + n_patches, config.width))
        if config.scheme != "space":
            self.time_embed = nn.Parameter(torch.zeros(1, config.num_frames, config.width))
        layer = DividedBlock if config.scheme == "divided" else full_block
        self.blocks = nn.ModuleList(
            layer(config.width, config.heads, config.mlp_ratio) for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.width, eps=LAYER_NORM_EPS)
        self.head = nn.Linear(config.width, config.num_classes)
        self.reset()

    def reset(self) -> None:
        """Draw random weights, as for any ViT.

        The authors start from a picture model with `temporal_fc` and `time_embed` at zero, blind to
        the order of frames; from scratch there is nothing to protect, and both are drawn.
        """
        for name, parameter in self.named_parameters():
            if name.startswith("patch_embed."):
                continue  # keeps PyTorch's own start for convolutions
            if parameter.ndim == 2 or name.endswith(("_embed", "_token")):
                nn.init.trunc_normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    @property
    def scheme(self) -> Scheme:
        """How space and time are joined."""
        return self.config.scheme

    @property
    def space_attention(self) -> list[nn.Module]:
        """Attention within a frame, first layer first; maps [B*T,H,N+1,N+1], key 0 is CLS.

        Each has a switch `fused_attn` and a tap `attn_drop`; none in the scheme "joint".
        """
        return [] if self.config.scheme == "joint" else self._attention("attn")

    @property
    def time_attention(self) -> list[nn.Module]:
        """Attention between frames at one place; maps [B*N,H,T,T]. In the scheme "divided" only."""
        return self._attention("temporal_attn") if self.config.scheme == "divided" else []

    @property
    def joint_attention(self) -> list[nn.Module]:
        """Attention between all patches; maps [B,H,1+T*N,1+T*N]. In the scheme "joint" only.

        Patch p of frame t is token 1 + t*N + p.
        """
        return self._attention("attn") if self.config.scheme == "joint" else []

    def _attention(self, name: str) -> list[nn.Module]:
        return [block.get_submodule(name) for block in self.blocks]

    def embed_patches(
        self, x: torch.Tensor, positions: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Input x [B,T,3,y,x] -> CLS [B,1,D] and patches [B,T,N,D], all with their positions."""
        b, t = x.shape[:2]
        size = self.config.patch_size
        grid = x.shape[-2] // size, x.shape[-1] // size
        patches = self.patch_embed(rearrange(x, "b t c y x -> (b t) c y x"))  # [B*T,N,D]
        patches = patches + self._places(grid)
        patches = rearrange(patches, "(b t) p d -> b t p d", b=b, t=t)
        if self.config.scheme != "space":
            patches = patches + self._times(t, positions)
        return (self.cls_token + self.pos_embed[:, :1]).expand(b, -1, -1), patches

    def _places(self, grid: tuple[int, int]) -> torch.Tensor:
        """The patches' positions in space [1,h*w,D]; of another grid than ours the nearest."""
        own = self.pos_embed[:, 1:]
        side = self.config.side // self.config.patch_size
        if grid == (side, side):
            return own
        pictures = rearrange(own, "a (h w) d -> a d h w", h=side)
        return rearrange(F.interpolate(pictures, size=grid, mode="nearest"), "a d h w -> a (h w) d")

    def _times(self, n_frames: int, positions: torch.Tensor | None) -> torch.Tensor:
        """The frames' positions in time [...,n,1,D]; of another number of frames the nearest."""
        if positions is not None:
            return self.time_embed[0, positions][..., None, :]
        own: torch.Tensor = self.time_embed
        if n_frames not in (0, own.shape[1]):
            own = F.interpolate(own.mT, size=n_frames, mode="nearest").mT
        return own[:, :n_frames, None]

    def encode(
        self, x: torch.Tensor, positions: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """All tokens after the last layer, before the final norm.

        Args:
            x: [B,n,3,y,x]; any n. Without frames CLS passes the layers alone.
            positions: [n] or [B,n], the slot 0..T-1 whose time embedding each frame gets; None: as
                the authors do, 0..T-1, stretched over n frames where n is not T.

        Returns:
            CLS [B,1,D], in the scheme "space" one of every frame [B,n,D]; patches [B,n,N,D].
        """
        for tokens in self.encode_by_layer(x, positions):
            last = tokens
        return last

    def encode_by_layer(
        self, x: torch.Tensor, positions: torch.Tensor | None = None
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """As `encode`, after each layer."""
        cls, patches = self.embed_patches(x, positions)
        b, t, p, _ = patches.shape
        if t == 0:
            for block in self.blocks:
                cls = block.cls_alone(cls) if isinstance(block, DividedBlock) else block(cls)
                yield cls, patches
        elif self.config.scheme == "divided":
            for block in self.blocks:
                cls, patches = block(cls, patches)
                yield cls, patches
        elif self.config.scheme == "joint":
            tokens = join_tokens(cls, patches)
            for block in self.blocks:
                tokens = block(tokens)
                yield tokens[:, :1], rearrange(tokens[:, 1:], "b (t p) d -> b t p d", t=t, p=p)
        else:
            tokens = frame_tokens(cls, patches)
            for block in self.blocks:
                tokens = block(tokens)
                by_frame = rearrange(tokens, "(b t) n d -> b t n d", b=b)
                yield by_frame[:, :, 0], by_frame[:, :, 1:]

    def embed_clip(self, x: torch.Tensor, positions: torch.Tensor | None = None) -> torch.Tensor:
        """What the head sees: [B,n,3,y,x] -> [B,D]; see `encode`."""
        return self.read(self.encode(x, positions)[0])

    def read(self, cls: torch.Tensor) -> torch.Tensor:
        """CLS as `encode` gives it -> what the head sees [B,D]."""
        clip_embedding: torch.Tensor = self.norm(cls.mean(dim=1))
        return clip_embedding

    def embed_frames(self, x: torch.Tensor) -> torch.Tensor:
        """The frames themselves, flattened: x [B,T,3,S,S] -> [B,T,3*S*S].

        There is no stage that sees one frame alone, so what stands for a frame is the frame. With
        `classify` it answers for edited clips as a staged model does, only not any faster.
        """
        return x.flatten(2)

    def classify(
        self, embeddings: torch.Tensor, positions: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The whole model on frames from `embed_frames`.

        Args:
            embeddings: [B,n,3*S*S]; any n, 0 included (the answer of CLS alone).
            positions: [n] or [B,n], the slot 0..T-1 whose time embedding each frame gets;
                None: 0..n-1.

        Returns:
            Logits [B,K].
        """
        if positions is None:
            positions = torch.arange(embeddings.shape[1], device=embeddings.device)
        return self(self._pictures(embeddings), positions)  # type: ignore[no-any-return]

    def classify_depths(self, embeddings: torch.Tensor) -> torch.Tensor:
        """The head on CLS after each layer: [B,n,3*S*S] -> logits [L,B,K].

        The last is `classify`. The head was trained on the last layer alone: what it says of an
        earlier one is a reading, not an answer.
        """
        slots = torch.arange(embeddings.shape[1], device=embeddings.device)
        layers = self.encode_by_layer(self._pictures(embeddings), slots)
        return torch.stack([self.head(self.read(cls)) for cls, _ in layers])

    def _pictures(self, embeddings: torch.Tensor) -> torch.Tensor:
        side = self.config.side
        return rearrange(embeddings, "b n (c y x) -> b n c y x", c=3, y=side, x=side)

    def forward(self, x: torch.Tensor, positions: torch.Tensor | None = None) -> torch.Tensor:
        """Input x [B,n,3,y,x] -> logits [B,K]; see `encode`."""
        logits: torch.Tensor = self.head(self.embed_clip(x, positions))
        return logits
