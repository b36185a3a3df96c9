"""Which clips a model still finds hard: those it should see more often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from stam_core.train.time_stage import stored_embeddings

if TYPE_CHECKING:
    from stam_core.actions.store import ClipStore
    from stam_core.models.stam import Stam
    from stam_core.train.options import TrainOptions
    from stam_core.types import Progress

_HARD_SHARE = 0.5  # of the clips drawn; the others are any
# Losses count no more than this: what the model is sure of and wrong about may not be there to see.
_MOST = 3.0


def clip_chances(
    model: Stam, store: ClipStore, options: TrainOptions, report: Progress
) -> torch.Tensor:
    """How likely each clip of a store is to be drawn: [n], sum 1.

    Half of it is the same for all, the other half in proportion to the label's loss (Shrivastava et
    al., "Training Region-based Object Detectors with Online Hard Example Mining", arXiv 1604.03540,
    ask anew in every step; here every clip is asked once, which costs a third of a step's work).

    Args:
        model: whose losses count.
        store: of the clips.
        options: its work folder keeps the embeddings, for a run that goes on.
        report: called with a word and the share done.
    """
    losses = clip_losses(model, store, options, report).clamp_max(_MOST)
    same = torch.full_like(losses, 1.0 / len(losses))
    return (1.0 - _HARD_SHARE) * same + _HARD_SHARE * losses / losses.sum()


@torch.no_grad()
def clip_losses(
    model: Stam, store: ClipStore, options: TrainOptions, report: Progress
) -> torch.Tensor:
    """Cross-entropy of each clip's label as it is: [n] float32 on the CPU."""
    model.eval()
    folder = options.work_folder / "embeddings-hard"
    embeddings = stored_embeddings(model, store, options, report, folder=folder)
    losses = []
    for first in range(0, len(store), options.batch_clips):
        rows = slice(first, first + options.batch_clips)
        logits = model.classify(embeddings[rows].to(options.device)).float().cpu()
        targets = torch.from_numpy(store.labels[rows])
        losses.append(F.cross_entropy(logits, targets, reduction="none"))
    return torch.cat(losses)
