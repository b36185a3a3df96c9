"""Clips decoded once: small squares of a few dozen frames each, in the work folder.

Of every clip two kinds of frames are kept, both u8:

    exact [T,S,S,3]    what the app shows the model of this clip: for validation
    dense [3T,R,R,3]   three times as many frames, with a margin of pixels: training picks and crops

The central frames of 3T equal parts hold those of T equal parts: every third, from the second on.

A file per clip, written whole, so that a run that was killed decodes only what is missing.
"""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stam_core.engine import DISPLAY_SIDE
from stam_core.errors import SamplingError, VideoError
from stam_core.train.files import write_whole
from stam_core.train.folder import LabelledClip, Skipped
from stam_core.types import Preprocessing, Progress
from stam_core.video import open_clip, preprocess

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)
MARGIN = 1.15  # side of the dense frames over the model's, so that crops can move
DENSE = 3  # dense frames per frame of the model; odd, so that the exact ones are among them
_VERSION = 1  # of what is stored
_CRASHED = "its decoding crashed"


@dataclass(frozen=True)
class CacheSpec:
    """What is kept of a clip."""

    folder: Path
    num_frames: int  # T
    preprocessing: Preprocessing

    def file(self, path: Path) -> Path:
        """Where a clip's frames lie; another file at the same place has another one.

        Raises:
            OSError: there is no such clip.
        """
        facts = path.stat()
        identity = (str(path.resolve()), facts.st_size, facts.st_mtime_ns)
        rule = (self.num_frames, sorted(asdict(self._plain()).items()), MARGIN, DENSE, _VERSION)
        digest = hashlib.sha256(repr((identity, rule)).encode("utf-8", "surrogateescape"))
        return self.folder / f"{digest.hexdigest()[:24]}.npz"

    def _plain(self) -> Preprocessing:
        """The same squares as values 0..1: what the model subtracts plays no part here."""
        return replace(self.preprocessing, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    @property
    def dense_side(self) -> int:
        """R, pixels."""
        return round(self.preprocessing.side * MARGIN)

    def decode(self, path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The exact and the dense frames of a clip.

        Raises:
            VideoError: it cannot be decoded.
            SamplingError: it holds no frames.
        """
        rule = self._plain()
        wider = replace(
            rule,
            side=self.dense_side,
            resize_side=max(round(rule.resize_side * MARGIN), self.dense_side),
        )
        clip = open_clip(
            path,
            num_frames=DENSE * self.num_frames,
            policy="uniform",
            short_side=max(DISPLAY_SIDE, rule.resize_side),  # as the engine, so that bits agree
        )
        return _squares(clip.frames[DENSE // 2 :: DENSE], rule), _squares(clip.frames, wider)


def _squares(frames: NDArray[np.uint8], rule: Preprocessing) -> NDArray[np.uint8]:
    """[n,H,W,3] -> [n,S,S,3]."""
    values, _ = preprocess(frames, rule)
    squares: NDArray[np.uint8] = (values * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return np.ascontiguousarray(squares)


def decode_into_cache(
    clips: Sequence[LabelledClip], spec: CacheSpec, *, workers: int, progress: Progress
) -> tuple[list[LabelledClip], list[Skipped]]:
    """Decode what the cache lacks; clips that cannot be used are skipped, not fatal.

    Args:
        clips: to decode.
        spec: where to and what of them.
        workers: processes; 1 decodes in this one.
        progress: called with a word and the share done.

    Returns:
        The usable clips in the order given, and the others with the reason.

    Raises:
        TrainingError: the cache cannot be written.
    """
    spec.folder.mkdir(parents=True, exist_ok=True)
    reasons: dict[Path, str | None] = {}
    paths = [clip.path for clip in clips]
    results = _in_processes(paths, spec, workers) if workers > 1 else _one_by_one(paths, spec)
    for done, (path, reason) in enumerate(results, start=1):
        reasons[path] = reason
        progress("decoding clips", done / len(paths))
    usable = [clip for clip in clips if reasons[clip.path] is None]
    skipped = [Skipped(path, reasons[path] or "") for path in paths if reasons[path] is not None]
    return usable, skipped


def _one_by_one(paths: Sequence[Path], spec: CacheSpec) -> Iterator[tuple[Path, str | None]]:
    for path in paths:
        yield path, store_clip(path, spec)


def _in_processes(
    paths: Sequence[Path], spec: CacheSpec, workers: int
) -> Iterator[tuple[Path, str | None]]:
    """Decode in several processes; a clip that kills its process is tried once more, alone."""
    todo = [path for path in paths if not _is_stored(path, spec)]
    for path in paths:
        if path not in set(todo):
            yield path, None
    work = partial(store_clip, spec=spec)
    context = multiprocessing.get_context("spawn")
    left = list(todo)
    if todo:
        with ProcessPoolExecutor(min(workers, len(todo)), mp_context=context) as pool:
            futures = {pool.submit(work, path): path for path in todo}
            for future in as_completed(futures):
                try:
                    reason = future.result()
                except BrokenProcessPool:
                    continue  # of this clip or of another one: told apart below
                left.remove(futures[future])
                yield futures[future], reason
    for path in left:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            try:
                reason = pool.submit(work, path).result()
            except BrokenProcessPool:
                reason = _CRASHED
        yield path, reason


def _is_stored(path: Path, spec: CacheSpec) -> bool:
    try:
        return spec.file(path).exists()
    except OSError:
        return False


def store_clip(path: Path, spec: CacheSpec) -> str | None:
    """Decode one clip into the cache, unless it is there; why it cannot be used, or None.

    Raises:
        TrainingError: the cache cannot be written.
    """
    try:
        target = spec.file(path)
        if target.exists():
            return None
        exact, dense = spec.decode(path)
    except (VideoError, SamplingError) as error:
        return str(error)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        return getattr(error, "strerror", None) or str(error)

    def write(part: Path) -> None:
        with part.open("wb") as file:
            np.savez(file, exact=exact, dense=dense)

    write_whole(target, write)
    return None


def load_frames(spec: CacheSpec, path: Path, kind: str) -> NDArray[np.uint8]:
    """The "exact" or "dense" frames of a stored clip."""
    with np.load(spec.file(path)) as stored:
        frames: NDArray[np.uint8] = stored[kind]
    return frames
