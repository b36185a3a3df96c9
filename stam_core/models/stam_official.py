"""The names that the published STAM files give to their weights, and ours.

Source: repository Alibaba-MIIL/STAM (Apache-2.0): 228 names whatever the number of frames.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch

from stam_core.models.stam import StamConfig

# (official, ours), tried in order; each is a prefix or an inner part that occurs once in a name.
_PARTS = (
    ("aggregate.transformer_enc.", "temporal."),
    ("aggregate.", "temporal."),
    (".self_attn.in_proj_", ".attn.qkv."),
    (".self_attn.out_proj.", ".attn.proj."),
)


def is_official(names: Mapping[str, object]) -> bool:
    """Whether these are the names of a published file: ours start with the stage."""
    return not any(name.startswith(("spatial.", "temporal.")) for name in names)


def our_name(official: str) -> str:
    """`blocks.0.norm1.weight` -> `spatial.blocks.0.norm1.weight`, and so on."""
    name = official
    for theirs, ours in _PARTS:
        name = name.replace(theirs, ours)
    if name.startswith(("temporal.", "head.")):
        return name
    return f"spatial.{name}"


def official_name(ours: str) -> str:
    """The inverse of `our_name`."""
    if ours.startswith("spatial."):
        return ours.removeprefix("spatial.")
    name = re.sub(r"^temporal\.(layers|norm)\.", r"aggregate.transformer_enc.\1.", ours)
    name = re.sub(r"^temporal\.", "aggregate.", name)
    name = name.replace(".attn.qkv.", ".self_attn.in_proj_")
    return name.replace(".attn.proj.", ".self_attn.out_proj.")


def from_official(
    state: Mapping[str, torch.Tensor], config: StamConfig
) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """Our names for an official state, and notes on what was put in.

    Files from before the official commit "fix qkv bias" (the v1 files) hold no bias of the spatial
    queries, keys and values; the official code then ran without one, which is the same as zeros.
    """
    renamed = {our_name(name): tensor for name, tensor in state.items()}
    layers = [f"spatial.blocks.{layer}.attn.qkv" for layer in range(config.depth)]
    has_bias = any(f"{layer}.bias" in renamed for layer in layers)
    has_weights = all(f"{layer}.weight" in renamed for layer in layers)
    if not config.qkv_bias or has_bias or not has_weights:
        return renamed, ()
    for layer in layers:
        renamed[f"{layer}.bias"] = torch.zeros(3 * config.width)
    note = (
        f"The file holds no attn.qkv.bias in any of its {config.depth} blocks, "
        "like the first published version: taken as zero."
    )
    return renamed, (note,)


def to_official(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state under the official names."""
    return {official_name(name): tensor for name, tensor in state.items()}
