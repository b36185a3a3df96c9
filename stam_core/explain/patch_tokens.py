"""What the model makes of each patch before any attention: pixels to numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch

if TYPE_CHECKING:
    from torch import nn

    from stam_core.record import Subject

EMBEDDING = "patch_embed"  # what vision transformers call the module


@torch.no_grad()
def patch_tokens(subject: Subject, frame: int) -> torch.Tensor | None:
    """The embedding of one frame's patches, without positions.

    Args:
        subject: The clip before the model.
        frame: 0..T-1.

    Returns:
        [N,D] float32 on the CPU, patches row by row; None where the model has no such module.
    """
    modules = cast("nn.Module", subject.model).named_modules()
    embed = next((part for name, part in modules if name.split(".")[-1] == EMBEDDING), None)
    if embed is None:
        return None
    tokens: torch.Tensor = embed(subject.x[frame : frame + 1])[0]
    return tokens.float().cpu()
