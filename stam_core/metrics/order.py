"""Does time matter? The same model with its temporal transformer replaced by a mean of embeddings.

A mean does not know the order of what it is taken over: a clip and the same clip played backwards
have one mean, so between two actions that are each other backwards no classifier on the mean can do
better than half. What a model does better there it owes to its temporal stage.

Two kinds of replacement, because either alone could be waved away:

* *untrained*: the shipped temporal stage is given the mean in place of every frame, or once. It was
  never trained on that, so it may fail for that reason too.
* *trained*: classifiers learned on the mean of the frozen embeddings. They are trained on fewer
  clips than the model, so beside them stand the same classifiers on the frames *in order*, trained
  on the same clips in the same way: the difference of the two is what order is worth.

What the scores do NOT mean: that a model trained from the start without time would do this badly;
its frame embeddings could carry motion blur or posture cues that these were not asked to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from stam_core.actions import LABELS, TIME_PAIRS
from stam_core.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stam_core.record import VideoModel

_AT_ONCE = 256  # clips through the temporal stage together
_HIDDEN = 128  # of the two-layer classifier
_STEPS = 600  # of training: about 40 times over 4,000 clips; more changes nothing
_BATCH = 256


@dataclass(frozen=True)
class OrderRow:
    """One way to turn a clip's frame embeddings into an answer, and how good it is."""

    name: str
    knows_order: bool
    trained_here: bool  # on the clips' embeddings, each clip judged by one that has not seen it
    top1: float  # share in [0,1] of all clips
    pairs_top1: float | None  # share of clips of a time pair, among all labels; None: no such clip
    direction: float | None  # share of the same clips, among the pair's two labels: chance is 0.5
    clips: int
    pair_clips: int


def partners(labels: Sequence[str]) -> NDArray[np.int64]:
    """[K] for each label the index of the one it is backwards; -1 where there is none."""
    found = np.full(len(labels), -1, dtype=np.int64)
    for first, second in TIME_PAIRS:
        if first in labels and second in labels:
            a, b = labels.index(first), labels.index(second)
            found[a], found[b] = b, a
    return found


def class_indices(actions: NDArray[np.int64], labels: Sequence[str]) -> NDArray[np.int64]:
    """[n] indices into the renderer's labels -> into the model's; -1 where it lacks the action."""
    column = [labels.index(label) if label in labels else -1 for label in LABELS]
    return np.array(column, dtype=np.int64)[actions]


def time_matters(
    model: VideoModel,
    embeddings: torch.Tensor,
    targets: NDArray[np.int64],
    labels: Sequence[str],
    *,
    folds: int = 5,
    steps: int = _STEPS,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> list[OrderRow]:
    """Compare the model with its replacements on the same clips.

    Args:
        model: in eval mode, on `device`; only its temporal stage and head are used.
        embeddings: [n,T,D] frame embeddings of the clips, float32.
        targets: [n] class of each clip, index into `labels`.
        labels: [K] of the model.
        folds: parts into which the clips fall for the trained classifiers; each part is judged by
            classifiers trained on the others.
        steps: of their training, each on 256 clips.
        seed: of the folds, the first weights, the batches and the shuffled order.
        device: of the model.

    Returns:
        The model as it is, then its replacements.

    Raises:
        ParameterError: fewer clips than folds, or a clip without a class.
    """
    n, num_frames, width = embeddings.shape
    if n < max(folds, 2) or folds < 2:
        raise ParameterError(f"{folds} folds need at least as many clips (and 2), got {n}.")
    if targets.min() < 0:
        raise ParameterError("Some clips have no class among the model's labels; leave them out.")
    order = torch.argsort(
        torch.rand(n, num_frames, generator=torch.Generator().manual_seed(seed)), dim=1
    )
    mean = embeddings.mean(dim=1)  # [n,D]
    shuffled = embeddings.gather(1, order[..., None].expand(-1, -1, width))
    asked: list[tuple[str, bool, torch.Tensor]] = [
        ("temporal transformer", True, embeddings),
        ("the same, frames shuffled", False, shuffled),
        ("the same, mean in place of each frame", False, mean[:, None].expand_as(embeddings)),
        ("the same, mean once", False, mean[:, None]),
    ]
    rows = [
        _row(name, knows, False, _classify(model, tokens, device), targets, labels)
        for name, knows, tokens in asked
    ]
    for name, knows, features in (
        ("classifier on the mean", False, mean),
        ("classifier on the frames in order", True, embeddings.flatten(1)),
    ):
        for kind, build in (("linear", _linear), ("two-layer", _two_layer)):
            logits = _held_out_logits(
                features, targets, len(labels), build, folds=folds, steps=steps, seed=seed
            )
            rows.append(_row(f"{kind} {name}", knows, True, logits, targets, labels))
    return rows


def _classify(model: VideoModel, tokens: torch.Tensor, device: str | torch.device) -> torch.Tensor:
    """[n,m,D] -> [n,K] logits of the model's temporal stage and head."""
    with torch.inference_mode():
        parts = [
            model.classify(part.to(device)).float().cpu() for part in torch.split(tokens, _AT_ONCE)
        ]
    return torch.cat(parts)


def _row(
    name: str,
    knows_order: bool,
    trained_here: bool,
    logits: torch.Tensor,
    targets: NDArray[np.int64],
    labels: Sequence[str],
) -> OrderRow:
    values = logits.numpy()
    right = values.argmax(axis=1) == targets
    other = partners(labels)[targets]
    paired = np.flatnonzero(other >= 0)
    own = values[paired, targets[paired]]
    rival = values[paired, other[paired]]
    # a tie says nothing about the direction: half
    direction = (own > rival) + 0.5 * (own == rival)
    return OrderRow(
        name=name,
        knows_order=knows_order,
        trained_here=trained_here,
        top1=float(right.mean()),
        pairs_top1=float(right[paired].mean()) if len(paired) else None,
        direction=float(direction.mean()) if len(paired) else None,
        clips=len(targets),
        pair_clips=len(paired),
    )


def _linear(width: int, n_classes: int) -> nn.Module:
    return nn.Linear(width, n_classes)


def _two_layer(width: int, n_classes: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(width, _HIDDEN), nn.GELU(), nn.Dropout(0.1), nn.Linear(_HIDDEN, n_classes)
    )


def _held_out_logits(
    features: torch.Tensor,
    targets: NDArray[np.int64],
    n_classes: int,
    build: Callable[[int, int], nn.Module],
    *,
    folds: int,
    steps: int,
    seed: int,
) -> torch.Tensor:
    """[n,K]; each clip's by the classifier that was trained without its fold."""
    fold_of = torch.from_numpy(np.random.default_rng(seed).permutation(len(features)) % folds)
    classes = torch.from_numpy(targets)
    logits = torch.zeros(len(features), n_classes)
    with torch.random.fork_rng(devices=[]):
        for fold in range(folds):
            torch.manual_seed(seed + fold)
            inside, outside = fold_of == fold, fold_of != fold
            mean, std = features[outside].mean(dim=0), features[outside].std(dim=0).clamp_min(1e-6)
            classifier = build(features.shape[1], n_classes)
            _train(classifier, (features[outside] - mean) / std, classes[outside], steps)
            with torch.inference_mode():
                logits[inside] = classifier.eval()((features[inside] - mean) / std)
    return logits


def _train(classifier: nn.Module, x: torch.Tensor, y: torch.Tensor, steps: int) -> None:
    """AdamW, cosine from 1e-2 to 0; deterministic from torch's seed on one machine."""
    optimiser = torch.optim.AdamW(classifier.parameters(), lr=1e-2, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        part = torch.randint(len(x), (min(_BATCH, len(x)),))
        optimiser.zero_grad()
        F.cross_entropy(classifier(x[part]), y[part]).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
