"""The two ways to fine-tune: on stored frame embeddings, or all layers on the pictures."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from timm.data.mixup import mixup_target
from timm.loss.cross_entropy import SoftTargetCrossEntropy
from timm.optim import (  # type: ignore[attr-defined]
    param_groups_layer_decay,
    param_groups_weight_decay,
)
from torch import nn

from stam_core.evaluate import to_input
from stam_core.models.stam import Stam
from stam_core.train.augment import Augmentation, augment_clip, jitter_times, may_flip
from stam_core.train.clip_cache import CacheSpec, load_frames
from stam_core.train.distributed import wait_for_all, world
from stam_core.train.files import write_whole
from stam_core.train.finetune_options import FineTuneOptions
from stam_core.train.folder import LabelledClip
from stam_core.train.loop import Batch, Figures, Stage, available_threads
from stam_core.train.options import autocast
from stam_core.types import Preprocessing, Progress

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Any

STAGE = "fine-tune"
_NOISE = 0.1  # of embeddings, whose values have a standard deviation of about 1
_SEEDS = 2**31


@dataclass(frozen=True, eq=False)
class TrainingClips:
    """The clips of the training split, their classes and where their frames are."""

    paths: list[Path]
    targets: torch.Tensor  # [n] index into labels
    labels: tuple[str, ...]
    cache: CacheSpec

    @classmethod
    def of(
        cls, clips: Sequence[LabelledClip], labels: tuple[str, ...], cache: CacheSpec
    ) -> TrainingClips:
        """From a folder's clips."""
        targets = torch.tensor([labels.index(clip.label) for clip in clips])
        return cls([clip.path for clip in clips], targets, labels, cache)

    def __len__(self) -> int:
        """N."""
        return len(self.paths)

    def dense(self, index: int) -> torch.Tensor:
        """[3T,3,R,R] u8."""
        frames = load_frames(self.cache, self.paths[index], "dense")
        return torch.from_numpy(frames).permute(0, 3, 1, 2)


def train_on_embeddings(
    stam: Stam,
    clips: TrainingClips,
    preprocessing: Preprocessing,
    options: FineTuneOptions,
    report: Progress,
) -> Figures:
    """The spatial stage stays as it is: time and the head learn from stored frame embeddings."""
    modules = nn.ModuleDict({"temporal": stam.temporal, "head": stam.head})
    stage = Stage(STAGE, modules, options, steps=options.steps, lr=options.highest_lr)
    if stage.done < stage.steps:
        stored = embed_clips(stam, clips, preprocessing, options, report)  # [n,V,3T,D]
    n_frames = stam.config.num_frames

    def draw(done: float) -> Batch:
        generator = stage.generator
        rows = torch.randint(len(clips), (options.batch,), generator=generator)
        views = torch.randint(options.views, (options.batch,), generator=generator)
        times = jitter_times(stored.shape[2], n_frames, options.batch, generator)
        chosen = stored[rows[:, None], views[:, None], times].float()  # [B,T,D]
        chosen = chosen + _NOISE * torch.randn(chosen.shape, generator=generator)
        share = _mixing(options.mixup, generator)
        mixed = chosen * share + chosen.flip(0) * (1.0 - share)
        return mixed, _soft(clips.targets[rows], share, clips, options), clips.targets[rows]

    def loss(parts: nn.ModuleDict, batch: Batch) -> tuple[torch.Tensor, Figures]:
        embeddings, soft, targets = (rows.to(options.device) for rows in batch)
        positions = torch.arange(n_frames, device=embeddings.device)
        return _soft_loss(parts["head"](parts["temporal"](embeddings, positions)), soft, targets)

    modules.train()
    return stage.run(draw, loss, report)


def train_all(
    stam: Stam,
    clips: TrainingClips,
    preprocessing: Preprocessing,
    options: FineTuneOptions,
    report: Progress,
) -> Figures:
    """All layers learn from augmented clips, the lower ones more slowly."""
    modules = nn.ModuleDict({"model": stam})
    stage = Stage(
        STAGE,
        modules,
        options,
        steps=options.steps,
        lr=options.highest_lr,
        threads=available_threads(options),
        groups=_groups(stam, options),
    )
    how = _augmentation(clips, options)
    n_frames = stam.config.num_frames

    def draw(done: float) -> Batch:
        generator, n = stage.generator, options.batch
        rows = torch.randint(len(clips), (n,), generator=generator)
        seeds = torch.randint(_SEEDS, (n,), generator=generator)
        share = _mixing(options.mixup, generator)
        soft = _soft(clips.targets[rows], share, clips, options)
        # A row knows its partner in the mixture, so that processes need not share pictures.
        each = torch.full((n,), share)
        return rows, rows.flip(0), seeds, seeds.flip(0), each, soft, clips.targets[rows]

    picture = partial(_picture, clips=clips, how=how, num_frames=n_frames)

    def loss(parts: nn.ModuleDict, batch: Batch) -> tuple[torch.Tensor, Figures]:
        rows, partners, seeds, their_seeds, shares, soft, targets = batch
        x = to_input(torch.stack([*map(picture, rows, seeds)]).to(options.device), preprocessing)
        if float(shares[0]) < 1.0:
            others = torch.stack([*map(picture, partners, their_seeds)]).to(options.device)
            share = float(shares[0])
            x = x.mul_(share).add_(to_input(others, preprocessing), alpha=1.0 - share)
        with autocast(options):
            logits = parts["model"](x)
        return _soft_loss(logits.float(), soft.to(logits.device), targets.to(logits.device))

    modules.train()
    return stage.run(draw, loss, report)


def _picture(
    row: torch.Tensor,
    seed: torch.Tensor,
    *,
    clips: TrainingClips,
    how: Augmentation,
    num_frames: int,
) -> torch.Tensor:
    """One training clip, augmented, [T,S,S,3] u8."""
    generator = torch.Generator().manual_seed(int(seed))
    dense = clips.dense(int(row))
    times = jitter_times(len(dense), num_frames, 1, generator)[0]
    return augment_clip(dense[times], how, generator).permute(0, 2, 3, 1)


def _augmentation(clips: TrainingClips, options: FineTuneOptions) -> Augmentation:
    flip = may_flip(clips.labels) if options.flip == "auto" else options.flip == "on"
    side = clips.cache.preprocessing.side
    return Augmentation(side, min_crop=options.min_crop, colour=options.colour, flip=flip)


@torch.inference_mode()
def embed_clips(
    stam: Stam,
    clips: TrainingClips,
    preprocessing: Preprocessing,
    options: FineTuneOptions,
    report: Progress,
) -> torch.Tensor:
    """Embeddings of every training clip's dense frames in several views, [n,V,3T,D] float16.

    The first view is the whole picture, the others are augmented. A file per clip, so that a run
    that was killed embeds only what is missing; processes share the work.
    """
    stam.eval()
    how = _augmentation(clips, options)
    folder = options.work_folder / "embeddings"
    key = _embedding_key(stam, how, options)
    files = [folder / f"{clips.cache.file(path).stem}-{key}.npy" for path in clips.paths]
    folder.mkdir(parents=True, exist_ok=True)
    here = world()
    mine = [index for index in range(len(clips)) if index % here.size == here.rank]
    for done, index in enumerate(mine, start=1):
        if not files[index].exists():
            views = [
                _embed_view(stam, clips, index, preprocessing, how, options, view)
                for view in range(options.views)
            ]
            _store(files[index], torch.stack(views).half().numpy())
        report("embedding frames", done / len(mine))
    wait_for_all()
    return torch.from_numpy(np.stack([np.load(file) for file in files]))


def _store(file: Path, values: np.ndarray[Any, Any]) -> None:
    def write(part: Path) -> None:
        with part.open("wb") as opened:
            np.save(opened, values)

    write_whole(file, write)


def _embed_view(
    stam: Stam,
    clips: TrainingClips,
    index: int,
    preprocessing: Preprocessing,
    how: Augmentation,
    options: FineTuneOptions,
    view: int,
) -> torch.Tensor:
    """One view of all dense frames of a clip, [3T,D]."""
    if view == 0:
        how = Augmentation.whole(how.side)
    # Named, not numbered: another clip more or less in the folder changes nothing here.
    path = clips.paths[index]
    name = zlib.crc32(os.fsencode(f"{path.parent.name}/{path.name}"))
    generator = torch.Generator().manual_seed((options.seed * 1_000 + view) * 2**32 + name)
    frames = augment_clip(clips.dense(index), how, generator).permute(0, 2, 3, 1)
    x = to_input(frames.to(options.device), preprocessing)
    with autocast(options):
        embeddings = stam.embed_frames(x[None])[0]
    return embeddings.float().cpu()


def _embedding_key(stam: Stam, how: Augmentation, options: FineTuneOptions) -> str:
    digest = hashlib.sha256(repr((how, options.views, options.seed)).encode())
    for value in stam.spatial.state_dict().values():
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def _groups(stam: Stam, options: FineTuneOptions) -> Iterable[dict[str, Any]]:
    """Parameters with their share of the learning rate: every spatial layer less than the next."""
    decay = options.weight_decay
    groups: list[dict[str, Any]] = param_groups_layer_decay(
        stam.spatial, weight_decay=decay, layer_decay=options.layer_decay
    )
    for module in (stam.temporal, stam.head):
        groups += param_groups_weight_decay(module, weight_decay=decay)
    return groups


def _mixing(alpha: float, generator: torch.Generator) -> float:
    """The share of a batch in its mixture with itself reversed; 1: nothing is mixed."""
    if not alpha:
        return 1.0
    seed = int(torch.randint(_SEEDS, (), generator=generator))
    return float(np.random.default_rng(seed).beta(alpha, alpha))


def _soft(
    targets: torch.Tensor, share: float, clips: TrainingClips, options: FineTuneOptions
) -> torch.Tensor:
    smoothing, n = options.label_smoothing, len(clips.labels)
    soft: torch.Tensor = mixup_target(targets, n, share, smoothing)  # type: ignore[no-untyped-call]
    return soft


def _soft_loss(
    logits: torch.Tensor, soft: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, Figures]:
    value: torch.Tensor = SoftTargetCrossEntropy()(logits, soft)  # type: ignore[no-untyped-call]
    return value, {"top1": float((logits.argmax(-1) == targets).float().mean())}
