"""From answers to figures: top-1, top-5, the table of classes, what could not be used and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stam_core.video.source import display_name

EXAMPLES = 3  # clips named for each reason
TOP = 5


@dataclass(frozen=True)
class ClipResult:
    """One clip's line."""

    index: int  # its place in the list
    path: str  # as the list or the folder has it
    target: int  # class index of its label
    predicted: int | None  # class index; None: the clip could not be used
    probability: float | None  # of the predicted class, in [0,1]
    rank: int | None  # of the true class: 1 is the likeliest
    reason: str = ""  # why it could not be used
    official_drops: bool | None = None  # would the authors' loader drop it? None: not known


@dataclass(frozen=True)
class ClassScore:
    """One class in the table."""

    label: str
    clips: int  # listed
    used: int
    top1: float | None  # share of the used clips, in [0,1]; None: none could be used
    top5: float | None
    taken_for: str | None  # the class that its clips are most often taken for instead
    taken_for_clips: int


@dataclass(frozen=True)
class ReasonGroup:
    """Clips that could not be used for the same reason."""

    reason: str  # without the file's name
    clips: int
    examples: tuple[str, ...]  # paths


@dataclass(frozen=True)
class OfficialLoader:
    """What the authors' loader would have made of these clips."""

    dropped: int  # usable clips that it drops without a word
    share: float  # of the usable clips, in [0,1]
    top1_of_kept: float | None  # over the clips it keeps: the published figure's own terms
    top5_of_kept: float | None


@dataclass(frozen=True)
class RunFacts:
    """How an evaluation was run, and how fast."""

    engine: str  # "dataloader" or "ray"
    device: str
    dtype: str
    batch: int
    workers: int  # processes that decode (per rank)
    threads: int  # CPU threads of the model (per rank)
    processes: int  # that share the list under torchrun
    clips: int  # answered or found unusable by this run and the ones that it goes on from
    seconds: float  # that this took, without loading the model
    gmacs_per_clip: float  # 1e9 multiply-accumulates of matrix products and convolutions
    parameters: int

    @property
    def videos_per_second(self) -> float | None:
        """Clips by the clock, decoding included; None where nothing was left to do."""
        return self.clips / self.seconds if self.clips and self.seconds > 0 else None


@dataclass(frozen=True)
class EvaluationReport:
    """Everything an evaluation found out."""

    model: str
    weights_sha256: str | None
    published: Mapping[str, float]  # figures that the model's authors state
    data: str
    protocol: str
    labels: tuple[str, ...]  # [K] the model's
    clips: tuple[ClipResult, ...]  # in the order of the list
    unknown_classes: Mapping[str, int]  # label that the model does not know -> clips it costs
    notes: tuple[str, ...]  # sentences for the person
    run: RunFacts

    @property
    def used(self) -> list[ClipResult]:
        """The clips that have an answer."""
        return [clip for clip in self.clips if clip.rank is not None]

    @property
    def top1(self) -> float | None:
        """Share of the usable clips whose likeliest class is the true one."""
        return top_share(self.used, 1)

    @property
    def top5(self) -> float | None:
        """Share of the usable clips whose true class is among the five likeliest."""
        return top_share(self.used, TOP)

    @property
    def top1_of_all(self) -> float | None:
        """As `top1` over all clips of known classes: one that cannot be used counts as wrong."""
        return top_share(self.clips, 1)

    @property
    def top5_of_all(self) -> float | None:
        """As `top5` over all clips of known classes: one that cannot be used counts as wrong."""
        return top_share(self.clips, TOP)

    @property
    def official_loader(self) -> OfficialLoader | None:
        """What the authors' loader would have dropped; None where the model has none."""
        told = [clip for clip in self.used if clip.official_drops is not None]
        if not told:
            return None
        kept = [clip for clip in told if not clip.official_drops]
        dropped = len(told) - len(kept)
        return OfficialLoader(
            dropped, dropped / len(told), top_share(kept, 1), top_share(kept, TOP)
        )

    @property
    def unusable(self) -> tuple[ReasonGroup, ...]:
        """Why clips could not be used, the most frequent reason first."""
        groups: dict[str, list[str]] = {}
        for clip in self.clips:
            if clip.rank is None:
                groups.setdefault(kind_of_reason(clip.reason, clip.path), []).append(clip.path)
        ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
        return tuple(
            ReasonGroup(reason, len(paths), tuple(paths[:EXAMPLES])) for reason, paths in ordered
        )

    @property
    def per_class(self) -> tuple[ClassScore, ...]:
        """The classes that occur, in the model's order."""
        by_class: dict[int, list[ClipResult]] = {}
        for clip in self.clips:
            by_class.setdefault(clip.target, []).append(clip)
        return tuple(self._class_score(index, by_class[index]) for index in sorted(by_class))

    def _class_score(self, index: int, clips: Sequence[ClipResult]) -> ClassScore:
        used = [clip for clip in clips if clip.rank is not None]
        wrong = Counter(c.predicted for c in used if c.predicted not in (index, None))
        other, times = wrong.most_common(1)[0] if wrong else (None, 0)
        return ClassScore(
            label=self.labels[index],
            clips=len(clips),
            used=len(used),
            top1=top_share(used, 1),
            top5=top_share(used, TOP),
            taken_for=None if other is None else self.labels[other],
            taken_for_clips=times,
        )

    def confusion(self) -> tuple[list[int], NDArray[np.int64]]:
        """Which classes occur, as truth or as answer [n], and how often row is taken for column.

        Returns:
            Class indices [n] in the model's order, and counts [n,n].
        """
        pairs = [(clip.target, clip.predicted) for clip in self.clips if clip.predicted is not None]
        classes = sorted({index for pair in pairs for index in pair})
        place = {index: row for row, index in enumerate(classes)}
        counts = np.zeros((len(classes), len(classes)), np.int64)
        for target, predicted in pairs:
            counts[place[target], place[predicted]] += 1
        return classes, counts


def top_share(clips: Sequence[ClipResult], k: int) -> float | None:
    """Share of clips whose true class is among the `k` likeliest; None of no clips."""
    if not clips:
        return None
    return sum(clip.rank is not None and clip.rank <= k for clip in clips) / len(clips)


def kind_of_reason(reason: str, path: str) -> str:
    """A reason without what belongs to one file: its name, its numbers, the advice.

    Args:
        reason: one sentence or two; what to do next comes after the first.
        path: of the file, as listed.
    """
    name = display_name(Path(path))
    fact = reason.replace(f'file "{name}"', "file").replace(f'"{name}"', "the file")
    fact = re.split(r"(?<=[^\s.])[.!?] +(?=[A-Z])", fact, maxsplit=1)[0]
    fact = re.sub(r"\d[\d,.]*", "#", fact).strip().rstrip(".")
    return fact[:1].upper() + fact[1:] if fact else "No reason was given"
