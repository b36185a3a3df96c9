"""Training the models that take a clip whole: where joints are first, then actions.

As for the embedded model, a label alone teaches so small a model nothing. So its layers first see
clips of a single frame, whose patches say what they show; attention in time has no part in that and
begins at nothing, as the authors of TimeSformer begin from a model of pictures. Then all of it
learns actions from whole clips, and the patches go on to be asked.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from stam_core.actions.pose_loss import MotionHeads, motion_loss, patch_pose_loss, pose_loss
from stam_core.models.timesformer import TimeSformer
from stam_core.models.timesformer_layers import DividedBlock
from stam_core.train.loop import Batch, Figures, Stage, available_threads
from stam_core.train.options import TrainOptions, autocast
from stam_core.train.products import plain_products
from stam_core.train.stages import POSE_WEIGHT, draw_clips, draw_frames, seen_clips, seen_frames
from stam_core.train.time_stage import label_loss

if TYPE_CHECKING:
    from stam_core.actions.pose_loss import PoseHeads
    from stam_core.train.stores import Stores
    from stam_core.types import Progress

# Height of the waves that tell frames apart at first: the size of the patches' positions.
_TIME_HEIGHT = 0.2
_LONGEST_WAVE = 64.0  # frames
_LR = 3e-4


@torch.no_grad()
def begin_in_space(model: TimeSformer) -> None:
    """Attention in time adds nothing yet, and the frames' positions are waves."""
    for block in model.blocks:
        if isinstance(block, DividedBlock):
            nn.init.zeros_(block.temporal_fc.weight)
            nn.init.zeros_(block.temporal_fc.bias)
    if model.config.scheme != "space":
        model.time_embed.copy_(_TIME_HEIGHT * waves(*model.time_embed.shape[1:])[None])


def waves(num_frames: int, width: int) -> torch.Tensor:
    """Sines and cosines of growing length: [T,D], neighbours alike.

    Source: Vaswani et al., arXiv 1706.03762, section 3.5.
    """
    half = -(-width // 2)
    rates = torch.exp(-math.log(_LONGEST_WAVE) * torch.arange(half) / max(1, half - 1))
    angles = torch.arange(num_frames)[:, None] * rates  # [T,D/2]
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]


def _over_short_rows(model: TimeSformer) -> list[nn.Module]:
    """Attention within frames or over them; the rows of joint attention are long."""
    return [*model.space_attention, *model.time_attention]


def _in_time(model: TimeSformer) -> list[nn.Parameter]:
    """What only clips of several frames can teach."""
    parts = ("temporal_norm1", "temporal_attn", "temporal_fc")
    return [
        parameter
        for block in model.blocks
        for name, parameter in block.named_parameters()
        if name.split(".")[0] in parts
    ]


def train_frames(
    model: TimeSformer, heads: PoseHeads, stores: Stores, options: TrainOptions, report: Progress
) -> Figures:
    """Learn where joints are from clips of one frame, which may stand at any place in time."""
    for parameter in _in_time(model):
        parameter.requires_grad_(False)
    with plain_products(_over_short_rows(model)):
        figures = _learn_frames(model, heads, stores, options, report)
    for parameter in _in_time(model):
        parameter.requires_grad_(True)
    return figures


def _learn_frames(
    model: TimeSformer, heads: PoseHeads, stores: Stores, options: TrainOptions, report: Progress
) -> Figures:
    modules = nn.ModuleDict({"model": model, "heads": heads})
    threads = available_threads(options)
    stage = Stage("space", modules, options, steps=options.space_steps, lr=1e-3, threads=threads)

    def draw(done: float) -> Batch:
        batch = draw_frames(stores, options, done, stage.generator)
        n_slots = options.config.num_frames
        slots = torch.randint(n_slots, (len(batch[0]), 1), generator=stage.generator)
        return slots, *batch

    def loss(parts: nn.ModuleDict, batch: Batch) -> tuple[torch.Tensor, Figures]:
        slots, *rest = (rows.to(options.device) for rows in batch)
        x, asked = seen_frames(tuple(rest))
        learner = cast("TimeSformer", parts["model"])
        with autocast(options):
            cls, patches = learner.encode(x[:, None], slots)
            tokens = learner.norm(torch.cat([cls, patches[:, 0]], dim=1))  # [n,1+N,D]
        asker = cast("PoseHeads", parts["heads"])
        return pose_loss(asker, tokens.float(), asked, side=options.config.side)

    modules.train()
    return stage.run(draw, loss, report)


def train_clips(
    model: TimeSformer, heads: PoseHeads, stores: Stores, options: TrainOptions, report: Progress
) -> Figures:
    """Learn actions from whole clips.

    The patches of each frame go on to say what they show, and also where each joint was a while ago
    and where it will be, which attention in time has to find out. A stem that came trained stays as
    it is: its way back is a quarter of all time.
    """
    model.patch_embed.requires_grad_(options.begin_with is None)
    with plain_products(_over_short_rows(model)):
        figures = _learn_clips(model, heads, stores, options, report)
    model.patch_embed.requires_grad_(True)
    return figures


def _learn_clips(
    model: TimeSformer, heads: PoseHeads, stores: Stores, options: TrainOptions, report: Progress
) -> Figures:
    motion = MotionHeads(options.config.width).to(options.device)
    modules = nn.ModuleDict({"model": model, "heads": heads, "motion": motion})
    threads = available_threads(options)
    stage = Stage(
        "joint",
        modules,
        options,
        steps=options.joint_steps,
        lr=options.joint_lr or _LR,
        threads=threads,
    )

    def draw(done: float) -> Batch:
        return draw_clips(stores.fresh, options, stage.generator)

    def loss(parts: nn.ModuleDict, batch: Batch) -> tuple[torch.Tensor, Figures]:
        batch = tuple(tensor.to(options.device) for tensor in batch)
        x, asked = seen_clips(batch)
        labels = batch[1]
        learner = cast("TimeSformer", parts["model"])
        with autocast(options):
            cls, patches = learner.encode(x.view(len(labels), -1, *x.shape[1:]))
            logits = learner.head(learner.read(cls))
            shown = learner.norm(patches)  # [B,T,N,D]
        value, figures = label_loss(logits.float(), labels)
        asker, guesser = cast("PoseHeads", parts["heads"]), cast("MotionHeads", parts["motion"])
        side = options.config.side
        pose, found = patch_pose_loss(asker, shown.float().flatten(0, 1), asked, side=side)
        moved, told = motion_loss(guesser, shown.float(), asked, side=side)
        return value + POSE_WEIGHT * (pose + moved), {**figures, **found, **told}

    modules.train()
    return stage.run(draw, loss, report)
