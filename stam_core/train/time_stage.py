"""The stage of training that sees embeddings only: which action a row of frames shows, and when."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from stam_core.actions.motions import LABELS
from stam_core.actions.store import ClipStore
from stam_core.evaluate import reversed_label, to_input
from stam_core.models.stam import Stam
from stam_core.record import listen
from stam_core.train.distributed import world
from stam_core.train.files import guarded, write_whole
from stam_core.train.loop import Batch, Figures, Stage
from stam_core.train.options import PREPROCESSING, TrainOptions, autocast
from stam_core.train.stores import Stores
from stam_core.types import Progress

if TYPE_CHECKING:
    from stam_core.actions.pose_loss import PoseHeads
    from stam_core.models.stam import TemporalTransformer

_CLIPS_A_PART = 20 * len(LABELS)  # whose embeddings are kept together
_NOISE = 0.1  # of embeddings, whose values have a standard deviation of about 1
# Weight of the attention's loss: enough for the temporal CLS to look at the frames in which the
# action happens, too little to cost accuracy.
_ATTENTION_WEIGHT = 0.2


def train_time(
    model: Stam, heads: PoseHeads, stores: Stores, options: TrainOptions, report: Progress
) -> Figures:
    """Learn actions from stored frame embeddings; the spatial stage stays as it is."""
    modules = nn.ModuleDict({"temporal": model.temporal, "head": model.head})
    stage = Stage("time", modules, options, steps=options.time_steps, lr=7e-4)
    if stage.done == stage.steps:
        return stage.figures
    folder = options.work_folder / "embeddings"
    stored = stored_embeddings(model, stores.full, options, report, folder=folder)
    labels = torch.from_numpy(stores.full.labels)
    key_frames = torch.from_numpy(stores.full.key_frames)

    def draw(done: float) -> Batch:
        clip = torch.randint(len(stored), (options.batch_clips,), generator=stage.generator)
        embeddings, keys, targets = turn_time(
            (stored[clip], key_frames[clip]), labels[clip], stage.generator
        )
        noise = _NOISE * torch.randn(embeddings.shape, generator=stage.generator)
        return embeddings + noise, keys, targets

    def loss(parts: nn.ModuleDict, batch: Batch) -> tuple[torch.Tensor, Figures]:
        embeddings, keys, targets = (rows.to(options.device) for rows in batch)
        temporal = cast("TemporalTransformer", parts["temporal"])
        return timed_loss(temporal, parts["head"], embeddings, keys, targets)

    modules.train()
    return stage.run(draw, loss, report)


def timed_loss(
    temporal: TemporalTransformer,
    head: nn.Module,
    embeddings: torch.Tensor,
    key_frames: torch.Tensor,
    targets: torch.Tensor,
) -> tuple[torch.Tensor, Figures]:
    """The label's loss, and a little of the attention's: embeddings [B,T,D], key frames [B,T]."""
    positions = torch.arange(embeddings.shape[1], device=embeddings.device)
    with _heard(temporal) as maps:
        clip_embedding = temporal(embeddings, positions)
    value, figures = label_loss(head(clip_embedding), targets)
    looked = attention_loss(maps, key_frames)
    return value + _ATTENTION_WEIGHT * looked, {**figures, "attention": float(looked.detach())}


def label_loss(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, Figures]:
    """Cross-entropy with a little smoothing, and top-1: logits [B,K], targets [B]."""
    loss = F.cross_entropy(logits, targets, label_smoothing=0.05)
    return loss, {"top1": float((logits.argmax(-1) == targets).float().mean())}


@contextmanager
def _heard(temporal: TemporalTransformer) -> Iterator[list[torch.Tensor]]:
    """The attention maps [B,H,T+1,T+1] of every layer, first layer first, gradients and all."""
    maps: list[torch.Tensor] = []
    attention = [layer.get_submodule("attn") for layer in temporal.layers]
    with listen(attention, maps.append):
        yield maps


def attention_loss(maps: list[torch.Tensor], key_frames: torch.Tensor) -> torch.Tensor:
    """How far the temporal CLS's attention is from the key frames.

    Divergence of each layer's attention to the frames, mean over heads, from one that gives every
    key frame the same; mean over layers and over the clips that have a key frame.

    Args:
        maps: [B,H,T+1,T+1] of each layer, CLS first.
        key_frames: [B,T] bool.
    """
    wanted = key_frames.float()
    counts = wanted.sum(dim=1)  # [B]
    share = wanted / counts.clamp_min(1.0)[:, None]
    losses = []
    for attention in maps:
        row = attention.mean(dim=1)[:, 0, 1:]  # [B,T]
        looked = row / row.sum(dim=1, keepdim=True).clamp_min(1e-6)
        cross = -(share * looked.clamp_min(1e-6).log()).sum(dim=1)
        losses.append((cross - counts.clamp_min(1.0).log()) * (counts > 0))
    mean: torch.Tensor = torch.stack(losses).mean(dim=0).sum() / (counts > 0).sum().clamp_min(1)
    return mean


def turn_time(
    clips: tuple[torch.Tensor, ...], labels: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, ...]:
    """Vary time: trim a little at either end, and play half of the time-pair clips backwards.

    Args:
        clips: [B,T,...] each: what is known of the frames; all are turned alike.
        labels: [B].
        generator: settles which and how much.

    Returns:
        As many rows of T frames, and their labels: backwards, a clip of a time pair is the other.
    """
    n, num_frames = clips[0].shape[:2]
    start = torch.randint(3, (n, 1), generator=generator)
    end = num_frames - 1 - torch.randint(3, (n, 1), generator=generator)
    steps = torch.linspace(0.0, 1.0, num_frames)
    index = (start + (end - start) * steps).round().long()  # [B,T]
    partner = torch.tensor([LABELS.index(reversed_label(label) or label) for label in LABELS])
    drawn = torch.rand(n, generator=generator) < 0.5
    turned = (partner[labels] != labels) & drawn
    index = torch.where(turned[:, None], index.flip(1), index)
    rows = torch.arange(n)[:, None]
    return *(frames[rows, index] for frames in clips), torch.where(turned, partner[labels], labels)


def stored_embeddings(
    model: Stam, store: ClipStore, options: TrainOptions, report: Progress, *, folder: Path
) -> torch.Tensor:
    """Frame embeddings of every clip, [n,T,D]; kept in `folder`, part by part.

    A run that was killed goes on with the next part. Every other pack of clips is mirrored.
    """
    key = _digest(model.spatial)
    parts = []
    for first in range(0, len(store), _CLIPS_A_PART):
        clips = range(first, min(first + _CLIPS_A_PART, len(store)))
        file = folder / f"{first:06d}.safetensors"
        part = _kept(file, key, len(clips))
        if part is None:
            # A clone, because what inference mode made cannot enter a gradient.
            part = _embedded(model, store, options, clips).clone()
            if world().rank == 0:
                _keep(file, part, key)
        parts.append(part)
        report("embedding frames", clips.stop / len(store))
    return torch.cat(parts)


@torch.inference_mode()
def _embedded(model: Stam, store: ClipStore, options: TrainOptions, clips: range) -> torch.Tensor:
    model.eval()
    rows = []
    for first in range(clips.start, clips.stop, len(LABELS)):
        last = min(first + len(LABELS), clips.stop)
        pictures = store.frames[first:last].copy()  # the store is read-only
        frames = torch.from_numpy(pictures).to(options.device)
        mirrored = first // len(LABELS) % 2 == 1
        x = to_input(frames.flip(-2) if mirrored else frames, PREPROCESSING)
        with autocast(options):
            # Copied: a view of CLS would keep all tokens, 10 GB in the end.
            rows.append(model.embed_frames(x).float().to("cpu", copy=True))
    return torch.cat(rows)


def _digest(module: nn.Module) -> str:
    """Of all weights."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _keep(file: Path, embeddings: torch.Tensor, key: str) -> None:
    with guarded(file.parent):
        file.parent.mkdir(exist_ok=True)
    tensors = {"embeddings": embeddings}
    write_whole(file, lambda part: save_file(tensors, part, metadata={"spatial": key}))


def _kept(file: Path, key: str, n_clips: int) -> torch.Tensor | None:
    """What an earlier run left, if it is of the same weights and clips."""
    try:
        with safe_open(file, framework="pt") as stored:
            if (stored.metadata() or {}).get("spatial") != key:
                return None
            embeddings: torch.Tensor = stored.get_tensor("embeddings")
    except (FileNotFoundError, SafetensorError):
        return None
    return embeddings if len(embeddings) == n_clips else None
