"""Rendered clips on disk: a large training set, rendered once by several processes.

Layout of a store's folder: `frames.npy` [n,T,H,W,3] u8, filled in chunks; `truth-00000.npz` per
chunk, written after the chunk's frames, so that a store cut short goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stam_core.actions.dataset import RenderSpec, render_clips
from stam_core.actions.truth import patch_cover
from stam_core.types import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK = 32  # clips rendered between two writes
# Raised with every change of what is rendered or stored: an older store is not gone on with.
VERSION = 3
_TRUTH = ("labels", "joints", "depths", "inside", "key_frames", "deciding")  # of RenderedClips


@dataclass(frozen=True, eq=False)
class ClipStore:
    """What training reads. Frames stay on disk until they are indexed."""

    frames: NDArray[np.uint8]  # [n,T,H,W,3] memory-mapped
    labels: NDArray[np.int64]  # [n]
    joints: NDArray[np.float32]  # [n,T,J,2] pixels
    depths: NDArray[np.float32]  # [n,T,J] body heights
    inside: NDArray[np.bool_]  # [n,T,J] the joint is in the picture and can be told
    key_frames: NDArray[np.bool_]  # [n,T] the moving parts move most
    deciding: NDArray[np.bool_]  # [n,T] the action is under way and to be seen
    cover: NDArray[np.uint8]  # [n,T,N,C] how much of each patch shows what, in 255ths

    def __len__(self) -> int:
        """N."""
        return len(self.labels)


def store_folder(
    cache: Path, n: int, *, seed: int, first: int, spec: RenderSpec, grid: int
) -> Path:
    """The folder inside `cache` for exactly these clips."""
    key = repr((VERSION, n, seed, first, sorted(asdict(spec).items()), grid))
    return cache / f"clips-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def open_store(
    cache: Path,
    n: int,
    *,
    seed: int,
    first: int = 0,
    spec: RenderSpec,
    grid: int,
    workers: int,
    progress: Progress | None = None,
) -> ClipStore:
    """Render what `cache` lacks of clips `first` to `first + n - 1` of `seed`; open them all."""
    folder = store_folder(cache, n, seed=seed, first=first, spec=spec, grid=grid)
    folder.mkdir(parents=True, exist_ok=True)
    shape = (n, spec.num_frames, spec.height, spec.width, 3)
    if not (folder / "frames.npy").exists():
        np.lib.format.open_memmap(
            folder / "frames.npy", mode="w+", dtype=np.uint8, shape=shape
        ).flush()
    starts = range(0, n, CHUNK)
    missing = [start for start in starts if not _truth_file(folder, start).exists()]
    work = partial(_fill_chunk, folder=folder, n=n, seed=seed, first=first, spec=spec, grid=grid)
    if workers > 1 and len(missing) > 1:
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            for done, _ in enumerate(pool.imap_unordered(work, missing), start=1):
                if progress:
                    progress("rendering clips", done / len(missing))
    else:
        for done, start in enumerate(missing, start=1):
            work(start)
            if progress:
                progress("rendering clips", done / len(missing))
    truth = []
    for start in starts:
        with np.load(_truth_file(folder, start)) as loaded:
            truth.append({name: loaded[name] for name in (*_TRUTH, "cover")})
    joined = {name: np.concatenate([part[name] for part in truth]) for name in truth[0]}
    return ClipStore(frames=np.load(folder / "frames.npy", mmap_mode="r"), **joined)


def _truth_file(folder: Path, start: int) -> Path:
    return folder / f"truth-{start // CHUNK:05d}.npz"


def _fill_chunk(
    start: int, *, folder: Path, n: int, seed: int, first: int, spec: RenderSpec, grid: int
) -> None:
    """Render one chunk; its truth appears only after its frames are written."""
    count = min(CHUNK, n - start)
    clips = render_clips(count, seed=seed, first=first + start, spec=spec)
    frames = np.load(folder / "frames.npy", mmap_mode="r+")
    frames[start : start + count] = clips.frames
    frames.flush()
    target = _truth_file(folder, start)
    partial_file = target.with_suffix(".part.npz")
    truth = {name: getattr(clips, name) for name in _TRUTH}
    np.savez(partial_file, cover=patch_cover(clips.parts, grid), **truth)
    partial_file.replace(target)
