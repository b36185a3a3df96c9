"""The stages of training that see pictures: space (where joints are), and those of both."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from stam_core.actions.pose_loss import PoseHeads, PoseTruth, mirror_frames, pose_loss
from stam_core.actions.store import ClipStore
from stam_core.evaluate import to_input
from stam_core.models.stam import Stam
from stam_core.train.loop import Batch, Figures, Stage, available_threads
from stam_core.train.options import PREPROCESSING, TrainOptions, autocast
from stam_core.train.products import plain_products
from stam_core.train.stores import Stores
from stam_core.train.time_stage import timed_loss, turn_time
from stam_core.types import Progress

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer

# Share of the spatial steps that see plain walls only, and share after which all have the full
# variety.
_PLAIN_UNTIL, _FULL_FROM = 0.08, 0.25
_HEADS_STEPS = 150  # for fresh read-outs of a spatial stage that came trained
# Weight of the joints' loss beside the label's, when both stages learn together.
POSE_WEIGHT = 0.3
_JOINT_LR, _CLIPS_AT_LR = 1.5e-4, 8  # learning rate of both stages together, for so many clips
# What the joint stage reads of the frames of a clip: when, the pictures, and what `PoseTruth` asks.
_OF_FRAMES = ("key_frames", "frames", "joints", "depths", "inside", "deciding", "cover")


def train_space(
    model: Stam, heads: PoseHeads, stores: Stores, options: TrainOptions, report: Progress
) -> Figures:
    """Learn where joints are from single frames: plain walls first, then the full variety."""
    with plain_products(_within_frames(model)):
        return _learn_frames(model, heads, stores, options, report)


def _learn_frames(
    model: Stam, heads: PoseHeads, stores: Stores, options: TrainOptions, report: Progress
) -> Figures:
    modules = nn.ModuleDict({"spatial": model.spatial, "heads": heads})
    threads = available_threads(options)
    stage = Stage("space", modules, options, steps=options.space_steps, lr=1e-3, threads=threads)

    def draw(done: float) -> Batch:
        return draw_frames(stores, options, done, stage.generator)

    def loss(parts: nn.ModuleDict, batch: Batch) -> tuple[torch.Tensor, Figures]:
        x, asked = seen_frames(tuple(rows.to(options.device) for rows in batch))
        with autocast(options):
            tokens = cast("VisionTransformer", parts["spatial"]).forward_features(x)
        heads = cast("PoseHeads", parts["heads"])
        side = options.config.side
        return pose_loss(heads, tokens.float(), asked, side=side)

    modules.train()
    return stage.run(draw, loss, report)


def train_heads(
    model: Stam, heads: PoseHeads, store: ClipStore, options: TrainOptions, report: Progress
) -> Figures:
    """Learn to read joints off a spatial stage that came trained and stays as it is.

    Read-outs are not kept with a model; fresh ones would teach it noise at first.
    """
    modules = nn.ModuleDict({"heads": heads})
    threads = available_threads(options)
    stage = Stage("heads", modules, options, steps=_HEADS_STEPS, lr=3e-3, threads=threads)

    def loss(parts: nn.ModuleDict, batch: Batch) -> tuple[torch.Tensor, Figures]:
        x, asked = seen_clips(tuple(rows.to(options.device) for rows in batch))
        with torch.no_grad(), autocast(options):
            tokens = model.spatial.forward_features(x)
        asker = cast("PoseHeads", parts["heads"])
        return pose_loss(asker, tokens.float(), asked, side=options.config.side)

    model.eval()
    modules.train()
    return stage.run(lambda done: draw_clips(store, options, stage.generator), loss, report)


def draw_frames(
    stores: Stores, options: TrainOptions, done: float, generator: torch.Generator
) -> Batch:
    """Single frames for a share of the stage `done`: [n,S,S,3], whether mirrored, their truth."""
    share = min(max((done - _PLAIN_UNTIL) / (_FULL_FROM - _PLAIN_UNTIL), 0.0), 1.0)
    n_full = round(share * options.batch_frames)
    batches = [
        _sample_frames(store, n, generator)
        for store, n in ((stores.full, n_full), (stores.plain, options.batch_frames - n_full))
        if n
    ]
    frames, *truth = (torch.cat(parts) for parts in zip(*batches, strict=True))
    flipped = torch.rand(len(frames), generator=generator) < 0.5
    return frames, flipped, *truth


def seen_frames(batch: Batch) -> tuple[torch.Tensor, PoseTruth]:
    """Of `draw_frames`: model input [n,3,S,S], and what is asked about it."""
    frames, flipped, *truth = batch
    return mirror_frames(to_input(frames, PREPROCESSING), PoseTruth(*truth), flipped)


def _sample_frames(store: ClipStore, n: int, generator: torch.Generator) -> Batch:
    """`n` frames of random clips: pictures [n,S,S,3], and their `PoseTruth` in its order."""
    clip = torch.randint(len(store), (n,), generator=generator).numpy()
    t = torch.randint(store.frames.shape[1], (n,), generator=generator).numpy()
    return (
        torch.from_numpy(store.frames[clip, t]),
        torch.from_numpy(store.joints[clip, t]),
        torch.from_numpy(store.depths[clip, t]),
        torch.from_numpy(store.inside[clip, t]),
        torch.from_numpy(store.deciding[clip, t]),
        torch.from_numpy(store.cover[clip, t]),
        torch.from_numpy(store.labels[clip]),
    )


def train_joint(
    model: Stam, heads: PoseHeads, stores: Stores, options: TrainOptions, report: Progress
) -> Figures:
    """Both stages together, on clips that neither has seen.

    The label now teaches the spatial stage too what the temporal one needs of a frame; joints go on
    to be asked for, so that it does not learn the clips by heart instead.
    """
    if options.begin_with is not None and options.space_steps == 0:
        train_heads(model, heads, stores.fresh, options, report)
    with plain_products(_within_frames(model)):
        return _learn_clips(model, heads, stores, options, report)


def _within_frames(model: Stam) -> list[nn.Module]:
    return [block.get_submodule("attn") for block in model.spatial.blocks]


def _clips_a_step(options: TrainOptions) -> int:
    return max(1, options.batch_frames // options.config.num_frames)


def _learn_clips(
    model: Stam, heads: PoseHeads, stores: Stores, options: TrainOptions, report: Progress
) -> Figures:
    modules = nn.ModuleDict({"model": model, "heads": heads})
    # Adam's rate goes with the root of the batch (Malladi et al., arXiv 2205.10287).
    lr = options.joint_lr or _JOINT_LR * math.sqrt(_clips_a_step(options) / _CLIPS_AT_LR)
    threads = available_threads(options)
    stage = Stage("joint", modules, options, steps=options.joint_steps, lr=lr, threads=threads)

    def draw(done: float) -> Batch:
        return draw_clips(stores.fresh, options, stage.generator)

    def loss(parts: nn.ModuleDict, batch: Batch) -> tuple[torch.Tensor, Figures]:
        batch = tuple(tensor.to(options.device) for tensor in batch)
        x, asked = seen_clips(batch)
        _, labels, key_frames = batch[:3]
        clips, num_frames = key_frames.shape
        whole = cast("Stam", parts["model"])
        with autocast(options):
            tokens = whole.spatial.forward_features(x).float()
        embeddings = tokens[:, 0].view(clips, num_frames, -1)
        value, figures = timed_loss(whole.temporal, whole.head, embeddings, key_frames, labels)
        pose, found = pose_loss(
            cast("PoseHeads", parts["heads"]), tokens, asked, side=whole.config.side
        )
        return value + POSE_WEIGHT * pose, {**figures, **found}

    modules.train()
    return stage.run(draw, loss, report)


def draw_clips(store: ClipStore, options: TrainOptions, generator: torch.Generator) -> Batch:
    """Whole clips: whether mirrored [B], labels [B], then `_OF_FRAMES` [B,T,...].

    Args:
        store: to draw from.
        options: how many frames a batch has.
        generator: settles which.
    """
    n_clips = _clips_a_step(options)
    clip = torch.randint(len(store), (n_clips,), generator=generator).numpy()
    flipped = torch.rand(n_clips, generator=generator) < 0.5
    labels = torch.from_numpy(store.labels[clip])
    rows = tuple(torch.from_numpy(getattr(store, name)[clip]) for name in _OF_FRAMES)
    *frames, labels = turn_time(rows, labels, generator)
    return flipped, labels, *frames


def seen_clips(batch: Batch) -> tuple[torch.Tensor, PoseTruth]:
    """Of `draw_clips`: the frames as model input [B*T,3,S,S], and what is asked about them."""
    flipped, labels, key_frames, *rows = batch
    num_frames = key_frames.shape[1]
    frames, *truth = (tensor.flatten(0, 1) for tensor in rows)
    truth.append(labels.repeat_interleave(num_frames))
    x = to_input(frames, PREPROCESSING)
    return mirror_frames(x, PoseTruth(*truth), flipped.repeat_interleave(num_frames))
