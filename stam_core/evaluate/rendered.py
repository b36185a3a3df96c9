"""How good a model is: top-1, top-5 and reversed time pairs on freshly rendered clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from stam_core.actions.dataset import RenderedClips, RenderSpec, rendered_batches
from stam_core.actions.motions import LABELS, TIME_PAIRS
from stam_core.errors import ParameterError
from stam_core.types import Preprocessing, Progress

_CLIPS_AT_ONCE = 32  # bounds memory: 32 clips of 16 frames at 112 px are 77 MB as float32


def to_input(frames: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """Frames already of the model's side, [...,S,S,3] u8, to model input [...,3,S,S] f32."""
    values = frames.movedim(-1, -3).float().div_(255.0)
    mean = torch.tensor(preprocessing.mean, device=frames.device)[:, None, None]
    std = torch.tensor(preprocessing.std, device=frames.device)[:, None, None]
    return values.sub_(mean).div_(std)


def reversed_label(label: str) -> str | None:
    """What a clip of `label` shows when played backwards; None where that is not another action."""
    for first, second in TIME_PAIRS:
        if label in (first, second):
            return second if label == first else first
    return None


def evaluate_rendered(
    model: nn.Module,
    preprocessing: Preprocessing,
    n: int = 1000,
    *,
    seed: int = 1,
    labels: Sequence[str] = LABELS,
    num_frames: int = 16,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Render `n` clips of the full variety and score the model on them.

    Args:
        model: clip input [B,T,3,S,S] -> logits [B,K].
        preprocessing: of the model; clips are rendered at its side, so only mean and std are
            applied.
        n: how many clips; the actions take turns.
        seed: of the clips. The shipped model has seen no seed below 2**32.
        labels: [K] the model's, in its order.
        num_frames: T.
        workers: processes that render.
        progress: called with a word and the share done.

    Returns:
        "top1", "top5", "reversed_pairs" (share of time-pair clips that, played backwards, are
        recognised as the other action; None where there is none) in [0,1]; "clips",
        "reversed_clips", "seed", and "per_class" top-1 by label.

    Raises:
        ParameterError: the model knows none of the rendered actions, or `n` is not positive.
    """
    missing = sorted(set(LABELS) - set(labels))
    if missing:
        raise ParameterError(
            "Rendered clips need a model that knows their actions; "
            f"this one lacks {', '.join(missing)}."
        )
    if n < 1:
        raise ParameterError(f"At least one clip is needed, got {n}.")
    column = torch.tensor([list(labels).index(label) for label in LABELS])
    spec = RenderSpec(width=preprocessing.side, height=preprocessing.side, num_frames=num_frames)
    ranks: list[torch.Tensor] = []
    targets: list[torch.Tensor] = []
    backwards: list[torch.Tensor] = []
    done = 0
    batches = rendered_batches(n, seed=seed, spec=spec, workers=workers, batch=_CLIPS_AT_ONCE)
    for clips in batches:
        ranks_here, backwards_here = _score(model, preprocessing, clips, column)
        ranks.append(ranks_here)
        backwards.append(backwards_here)
        targets.append(torch.from_numpy(clips.labels))
        done += len(clips)
        if progress:
            progress("evaluating", done / n)
    return _summary(torch.cat(ranks), torch.cat(targets), torch.cat(backwards), seed)


def _score(
    model: nn.Module, preprocessing: Preprocessing, clips: RenderedClips, column: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rank of the true label per clip, [n]; per time-pair clip: is it the other one backwards?"""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            device = next((p.device for p in model.parameters()), torch.device("cpu"))
            x = to_input(torch.from_numpy(clips.frames).to(device), preprocessing)
            logits = model(x).float().cpu()
            true = logits.gather(1, column[torch.from_numpy(clips.labels)][:, None])
            ranks = (logits > true).sum(dim=1)
            others = [reversed_label(LABELS[k]) for k in clips.labels]
            paired = [i for i, other in enumerate(others) if other is not None]
            expected = [LABELS.index(others[i] or "") for i in paired]
            if not paired:
                return ranks, torch.zeros(0, dtype=torch.bool)
            answer = model(x[paired].flip(1)).argmax(dim=1).cpu()
            return ranks, answer == column[torch.tensor(expected)]
    finally:
        model.train(was_training)


def _summary(
    ranks: torch.Tensor, targets: torch.Tensor, backwards: torch.Tensor, seed: int
) -> dict[str, Any]:
    right = ranks == 0
    return {
        "top1": float(right.float().mean()),
        "top5": float((ranks < 5).float().mean()),
        "clips": len(ranks),
        "reversed_pairs": float(backwards.float().mean()) if len(backwards) else None,
        "reversed_clips": len(backwards),
        "seed": seed,
        "per_class": {
            label: float(np.mean(right[targets == k].numpy()))
            for k, label in enumerate(LABELS)
            if bool((targets == k).any())
        },
    }
