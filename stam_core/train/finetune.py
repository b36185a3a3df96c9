"""Fine-tune a STAM on a folder of one's own clips: `class name/clip.mp4`."""

from __future__ import annotations

import csv
import hashlib
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from stam_core.models.stam import Stam
from stam_core.train.checkpoint import write_checkpoint
from stam_core.train.clip_cache import CacheSpec, decode_into_cache
from stam_core.train.distributed import first_process_first, wait_for_all, world
from stam_core.train.errors import TrainingError
from stam_core.train.files import check_writable, guarded, write_json, write_whole
from stam_core.train.finetune_options import FineTuneOptions
from stam_core.train.finetune_stages import TrainingClips, train_all, train_on_embeddings
from stam_core.train.folder import LabelledClip, Skipped, count_by_class, list_clips, split_clips
from stam_core.train.run import joined_run, plain
from stam_core.train.start import replace_head, start_model
from stam_core.train.validate import validate
from stam_core.types import Progress

_SHOWN = 3  # reasons repeated in a message


@dataclass(frozen=True)
class FineTuned:
    """What a fine-tuning made and from what."""

    checkpoint: Path
    labels: tuple[str, ...]  # [K]
    n_train: int
    n_val: int
    n_skipped: int
    notes: tuple[str, ...]  # sentences about classes
    validation: dict[str, Any] | None  # "top1", "top5", "per_class", "clips"; None: nothing to
    work_folder: Path


@dataclass(frozen=True)
class _Clips:
    """The usable clips and what was left out."""

    clips: list[LabelledClip]
    skipped: list[Skipped]
    notes: list[str]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(sorted({clip.label for clip in self.clips if clip.split == "train"}))

    def of(self, split: str) -> list[LabelledClip]:
        return [clip for clip in self.clips if clip.split == split]


def fine_tune(options: FineTuneOptions, progress: Progress | None = None) -> FineTuned:
    """Teach a model the classes of a folder and write it, with its figures beside it as JSON.

    Decoded clips, the unfinished training, metrics, curves and `skipped.csv` stay in
    `options.work_folder`; the same command run again goes on from there.

    Args:
        options: which clips, from which weights, how much.
        progress: called with a word and the share of its part done.

    Raises:
        StamError: the folder is of no use, the start does not exist, a file cannot be written, or
            the work folder is of other options.
        TrainingStoppedError: a signal asked for it; everything is saved.
    """
    with joined_run(options, progress) as (device, report):
        return _fine_tune(replace(options, device=device), report)


def _fine_tune(options: FineTuneOptions, report: Progress) -> FineTuned:
    began = time.monotonic()
    check_writable(options.out)
    found, skipped = list_clips(options.data)
    torch.manual_seed(options.seed)
    stam, preprocessing = start_model(options)
    cache = CacheSpec(options.work_folder / "clips", stam.config.num_frames, preprocessing)
    with first_process_first(), guarded(options.work_folder):
        data = _usable(found, skipped, cache, options, report)
    options = replace(options, clips_digest=_digest(data.clips))
    labels = data.labels
    replace_head(stam, len(labels))
    stam.to(options.device)
    clips = TrainingClips.of(data.of("train"), labels, cache)
    stage = train_on_embeddings if options.freeze == "space" else train_all
    figures = stage(stam, clips, preprocessing, options, report)
    result = None
    if world().rank == 0:
        stam.half().float()  # the file holds float16: what is validated is what is written
        result = validate(stam, data.of("val"), labels, cache, report)
        _write(stam, data, figures, result, options, time.monotonic() - began, cache)
    wait_for_all()
    return FineTuned(
        checkpoint=options.out,
        labels=labels,
        n_train=len(data.of("train")),
        n_val=len(data.of("val")),
        n_skipped=len(data.skipped),
        notes=tuple(data.notes),
        validation=result,
        work_folder=options.work_folder,
    )


def _usable(
    found: Sequence[LabelledClip],
    skipped: Sequence[Skipped],
    cache: CacheSpec,
    options: FineTuneOptions,
    report: Progress,
) -> _Clips:
    """Decode, split, and see that enough is left; `skipped.csv` says what is not used and why."""
    usable, unreadable = decode_into_cache(found, cache, workers=options.workers, progress=report)
    clips, notes = split_clips(usable, val_share=options.val_share, seed=options.seed)
    data = _Clips(clips, [*skipped, *unreadable], notes)
    if world().rank == 0:
        _write_skipped(options.work_folder / "skipped.csv", data.skipped)
    lost = sorted({clip.label for clip in found} - {clip.label for clip in usable})
    notes += [f"{label!r} has no usable clip and is left out." for label in lost]
    if len(data.labels) < 2:
        reasons = " ".join(dict.fromkeys(entry.reason for entry in unreadable[:_SHOWN]))
        raise TrainingError(
            f"Fewer than two classes have a clip that can be trained on; {len(unreadable)} of "
            f"{len(found)} clips cannot be used. {reasons} "
            f"All reasons: {options.work_folder / 'skipped.csv'}"
        )
    return data


def _write_skipped(path: Path, skipped: Sequence[Skipped]) -> None:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["clip", "reason"])
    rows.writerows([str(entry.path), entry.reason] for entry in skipped)
    data = text.getvalue().encode("utf-8", "backslashreplace")
    write_whole(path, lambda part: part.write_bytes(data))


def _digest(clips: Sequence[LabelledClip]) -> str:
    rows = sorted((clip.label, clip.path.name, clip.split) for clip in clips)
    return f"{len(rows)} clips, {hashlib.sha256(repr(rows).encode()).hexdigest()[:8]}"


def _write(
    stam: Stam,
    data: _Clips,
    figures: dict[str, float],
    validation: dict[str, Any] | None,
    options: FineTuneOptions,
    seconds: float,
    cache: CacheSpec,
) -> None:
    """The checkpoint and, beside it, what is known about it."""
    recipe = {key: value for key, value in plain(options).items() if value not in (None, "")}
    private = ("data", "out", "work", "start_weights")  # places on this machine
    write_checkpoint(
        options.out,
        stam,
        labels=data.labels,
        preprocessing=cache.preprocessing,
        recipe={key: value for key, value in recipe.items() if key not in private},
    )
    write_json(
        options.out.with_suffix(".json"),
        {
            "labels": list(data.labels),
            "clips": {
                "train": count_by_class(data.clips, "train"),
                "val": count_by_class(data.clips, "val"),
                "skipped": len(data.skipped),
            },
            "notes": data.notes,
            "training": figures,
            "validation": validation,
            "validation_clips": [_shown(clip.path) for clip in data.of("val")],
            "options": plain(options),
            "seconds": round(seconds, 1),
        },
    )


def _shown(path: Path) -> str:
    """Class and file, which tell a clip within its folder; undecodable bytes made visible."""
    return f"{path.parent.name}/{path.name}".encode("utf-8", "backslashreplace").decode()
