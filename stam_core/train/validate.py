"""How good a fine-tuned model is on the clips that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from stam_core.evaluate import to_input
from stam_core.models.stam import Stam
from stam_core.train.clip_cache import CacheSpec, load_frames
from stam_core.train.folder import LabelledClip
from stam_core.types import Progress

_CLIPS_AT_ONCE = 8


@torch.inference_mode()
def validate(
    stam: Stam,
    clips: Sequence[LabelledClip],
    labels: Sequence[str],
    cache: CacheSpec,
    report: Progress,
) -> dict[str, Any] | None:
    """Top-1, top-5 and top-1 by label, on the frames that the app would show the model.

    Args:
        stam: the model.
        clips: held out.
        labels: [K] of the model.
        cache: holds the clips' frames.
        report: called with a word and the share done.

    Returns:
        "top1", "top5" and "per_class" in [0,1], "clips"; None where there is no clip.
    """
    if not clips:
        return None
    stam.eval()
    device = next(stam.parameters()).device
    targets = torch.tensor([list(labels).index(clip.label) for clip in clips])
    ranks = []
    for first in range(0, len(clips), _CLIPS_AT_ONCE):
        some = clips[first : first + _CLIPS_AT_ONCE]
        frames = torch.stack(
            [torch.from_numpy(load_frames(cache, clip.path, "exact")) for clip in some]
        )
        logits = stam(to_input(frames.to(device), cache.preprocessing)).float().cpu()
        true = logits.gather(1, targets[first : first + len(some), None])
        ranks.append((logits > true).sum(dim=1))
        report("validating", (first + len(some)) / len(clips))
    rank = torch.cat(ranks)
    right = (rank == 0).double()
    return {
        "top1": float(right.mean()),
        "top5": float((rank < 5).double().mean()),
        "clips": len(clips),
        "per_class": {
            label: float(right[targets == k].mean())
            for k, label in enumerate(labels)
            if bool((targets == k).any())
        },
    }
