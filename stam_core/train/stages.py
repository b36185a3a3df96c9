"""The stages of training that see pictures: space (where joints are), and both together."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from stam_core.actions.pose_loss import PoseHeads, PoseTruth, mirror_frames, pose_loss
from stam_core.actions.store import ClipStore
from stam_core.evaluate import to_input
from stam_core.models.stam import Stam
from stam_core.train.loop import Batch, Figures, Stage, available_threads
from stam_core.train.options import PREPROCESSING, TrainOptions, autocast
from stam_core.train.time_stage import timed_loss, turn_time
from stam_core.types import Progress

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer

# Share of the spatial steps that see plain walls only, and share after which all have the full
# variety.
_PLAIN_UNTIL, _FULL_FROM = 0.08, 0.25


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
        frames, *truth = (torch.cat(parts) for parts in zip(*batches, strict=True))
        flipped = torch.rand(len(frames), generator=stage.generator) < 0.5
        return frames, flipped, *truth

    def loss(parts: nn.ModuleDict, batch: Batch) -> tuple[torch.Tensor, Figures]:
        frames, flipped, *truth = (rows.to(options.device) for rows in batch)
        x, asked = mirror_frames(to_input(frames, PREPROCESSING), PoseTruth(*truth), flipped)
        with autocast(options):
            tokens = cast("VisionTransformer", parts["spatial"]).forward_features(x)
        heads = cast("PoseHeads", parts["heads"])
        side = options.config.side
        return pose_loss(heads, tokens.float(), asked, side=side)

    modules.train()
    return stage.run(draw, loss, report)


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
    model: Stam,
    heads: PoseHeads,
    plain: ClipStore,
    full: ClipStore,
    options: TrainOptions,
    report: Progress,
) -> Figures:
    """Both stages together, gently, as `train_time` does: by the label, and a little by when."""
    modules = nn.ModuleDict({"model": model})
    threads = available_threads(options)
    stage = Stage("joint", modules, options, steps=options.joint_steps, lr=1e-4, threads=threads)
    batch_clips = max(1, options.batch_frames // options.config.num_frames)

    def draw(done: float) -> Batch:
        clip = torch.randint(len(full), (batch_clips,), generator=stage.generator)
        frames = torch.from_numpy(full.frames[clip.numpy()])
        flipped = torch.rand(batch_clips, generator=stage.generator) < 0.5
        frames = torch.where(flipped.view(-1, 1, 1, 1, 1), frames.flip(-2), frames)
        keys = torch.from_numpy(full.key_frames)[clip]
        return turn_time((frames, keys), torch.from_numpy(full.labels)[clip], stage.generator)

    def loss(parts: nn.ModuleDict, batch: Batch) -> tuple[torch.Tensor, Figures]:
        frames, keys, targets = (rows.to(options.device) for rows in batch)
        whole = cast("Stam", parts["model"])
        with autocast(options):
            embeddings = whole.embed_frames(to_input(frames, PREPROCESSING))
        return timed_loss(whole.temporal, whole.head, embeddings.float(), keys, targets)

    modules.eval()  # no dropout: threads would draw it in no certain order
    return stage.run(draw, loss, report)
