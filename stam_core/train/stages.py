"""The three stages of training: space (where joints are), time (actions), then both together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import nn

from stam_core.actions.motions import LABELS
from stam_core.actions.pose_loss import PoseHeads, mirror_frames, pose_loss
from stam_core.actions.store import ClipStore
from stam_core.evaluate import reversed_label, to_input
from stam_core.models.stam import Stam
from stam_core.train.loop import Batch, Figures, Stage, available_threads
from stam_core.train.options import PREPROCESSING, TrainOptions
from stam_core.types import Progress

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer

# Share of the spatial steps that see plain walls only, and share after which all have the full
# variety.
_PLAIN_UNTIL, _FULL_FROM = 0.15, 0.45


def train_space(
    model: Stam,
    heads: PoseHeads,
    plain: ClipStore,
    full: ClipStore,
    options: TrainOptions,
    report: Progress,
) -> Figures:
    """Learn where joints are from single frames: plain walls first, then the full variety."""
    modules = nn.ModuleDict({"spatial": model.spatial, "heads": heads})
    threads = available_threads(options)
    stage = Stage("space", modules, options, steps=options.space_steps, lr=1e-3, threads=threads)

    def draw(done: float) -> Batch:
        share = min(max((done - _PLAIN_UNTIL) / (_FULL_FROM - _PLAIN_UNTIL), 0.0), 1.0)
        n_full = round(share * options.batch_frames)
        batches = [
            _sample_frames(store, n, stage.generator)
            for store, n in ((full, n_full), (plain, options.batch_frames - n_full))
            if n
        ]
        frames, joints, depths, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
        flipped = torch.rand(len(frames), generator=stage.generator) < 0.5
        return frames, joints, depths, labels, flipped

    def loss(parts: nn.ModuleDict, batch: Batch) -> tuple[torch.Tensor, Figures]:
        frames, joints, depths, labels, flipped = (rows.to(options.device) for rows in batch)
        x = to_input(frames, PREPROCESSING)
        x, joints, depths = mirror_frames(x, joints, depths, flipped)
        with _precision(options):
            tokens = cast("VisionTransformer", parts["spatial"]).forward_features(x)
        heads = cast("PoseHeads", parts["heads"])
        side = options.config.side
        return pose_loss(heads, tokens.float(), joints, depths, labels, side=side)

    modules.train()
    return stage.run(draw, loss, report)


def _sample_frames(store: ClipStore, n: int, generator: torch.Generator) -> Batch:
    """`n` frames of random clips: pictures [n,S,S,3], joints [n,J,2], depths [n,J], labels [n]."""
    clip = torch.randint(len(store), (n,), generator=generator).numpy()
    t = torch.randint(store.frames.shape[1], (n,), generator=generator).numpy()
    return (
        torch.from_numpy(store.frames[clip, t]),
        torch.from_numpy(store.joints[clip, t]),
        torch.from_numpy(store.depths[clip, t]),
        torch.from_numpy(store.labels[clip]),
    )


@torch.inference_mode()
def embed_store(
    model: Stam, store: ClipStore, options: TrainOptions, report: Progress
) -> torch.Tensor:
    """Frame embeddings of every clip, [n,T,D]; every other pack of clips is mirrored."""
    model.eval()
    rows = []
    for pack, first in enumerate(range(0, len(store), len(LABELS))):
        pictures = store.frames[first : first + len(LABELS)].copy()  # the store is read-only
        frames = torch.from_numpy(pictures).to(options.device)
        x = to_input(frames.flip(-2) if pack % 2 else frames, PREPROCESSING)
        with _precision(options):
            rows.append(model.embed_frames(x).float().cpu())
        report("embedding frames", min(1.0, (first + len(LABELS)) / len(store)))
    return torch.cat(rows)


def train_time(
    model: Stam,
    heads: PoseHeads,
    plain: ClipStore,
    full: ClipStore,
    options: TrainOptions,
    report: Progress,
) -> Figures:
    """Learn actions from stored frame embeddings; the spatial stage stays as it is."""
    modules = nn.ModuleDict({"temporal": model.temporal, "head": model.head})
    stage = Stage("time", modules, options, steps=options.time_steps, lr=7e-4)
    if stage.done == stage.steps:
        return stage.figures
    # A clone, because what inference mode made cannot enter a gradient.
    stored = embed_store(model, full, options, report).clone()
    labels = torch.from_numpy(full.labels)

    def draw(done: float) -> Batch:
        clip = torch.randint(len(stored), (options.batch_clips,), generator=stage.generator)
        embeddings, targets = turn_time(stored[clip], labels[clip], stage.generator)
        noise = 0.1 * torch.randn(embeddings.shape, generator=stage.generator)
        return embeddings + noise, targets

    def loss(parts: nn.ModuleDict, batch: Batch) -> tuple[torch.Tensor, Figures]:
        embeddings, targets = (rows.to(options.device) for rows in batch)
        positions = torch.arange(embeddings.shape[1], device=embeddings.device)
        return _label_loss(parts["head"](parts["temporal"](embeddings, positions)), targets)

    modules.train()
    return stage.run(draw, loss, report)


def turn_time(
    clips: torch.Tensor, labels: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Vary time: trim a little at either end, and play half of the time-pair clips backwards.

    Args:
        clips: [B,T,...].
        labels: [B].
        generator: settles which and how much.

    Returns:
        As many clips of T frames, and their labels: backwards, a clip of a time pair is the other.
    """
    num_frames = clips.shape[1]
    start = torch.randint(3, (len(clips), 1), generator=generator)
    end = num_frames - 1 - torch.randint(3, (len(clips), 1), generator=generator)
    steps = torch.linspace(0.0, 1.0, num_frames)
    index = (start + (end - start) * steps).round().long()  # [B,T]
    partner = torch.tensor([LABELS.index(reversed_label(label) or label) for label in LABELS])
    drawn = torch.rand(len(clips), generator=generator) < 0.5
    turned = (partner[labels] != labels) & drawn
    index = torch.where(turned[:, None], index.flip(1), index)
    rows = torch.arange(len(clips))[:, None]
    return clips[rows, index], torch.where(turned, partner[labels], labels)


def train_joint(
    model: Stam,
    heads: PoseHeads,
    plain: ClipStore,
    full: ClipStore,
    options: TrainOptions,
    report: Progress,
) -> Figures:
    """Both stages together, gently, by the label alone."""
    modules = nn.ModuleDict({"model": model})
    threads = available_threads(options)
    stage = Stage("joint", modules, options, steps=options.joint_steps, lr=3e-5, threads=threads)
    batch_clips = max(1, options.batch_frames // options.config.num_frames)

    def draw(done: float) -> Batch:
        clip = torch.randint(len(full), (batch_clips,), generator=stage.generator)
        frames = torch.from_numpy(full.frames[clip.numpy()])
        flipped = torch.rand(batch_clips, generator=stage.generator) < 0.5
        frames = torch.where(flipped.view(-1, 1, 1, 1, 1), frames.flip(-2), frames)
        return turn_time(frames, torch.from_numpy(full.labels)[clip], stage.generator)

    def loss(parts: nn.ModuleDict, batch: Batch) -> tuple[torch.Tensor, Figures]:
        frames, targets = (rows.to(options.device) for rows in batch)
        with _precision(options):
            logits = parts["model"](to_input(frames, PREPROCESSING))
        return _label_loss(logits.float(), targets)

    modules.eval()  # no dropout: threads would draw it in no certain order
    return stage.run(draw, loss, report)


def _label_loss(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, Figures]:
    loss = F.cross_entropy(logits, targets, label_smoothing=0.05)
    return loss, {"top1": float((logits.argmax(-1) == targets).float().mean())}


@contextmanager
def _precision(options: TrainOptions) -> Iterator[None]:
    """Autocast to bf16 where the options ask for it."""
    device_type = torch.device(options.device).type
    with torch.autocast(device_type, torch.bfloat16, enabled=options.precision == "bf16"):
        yield
