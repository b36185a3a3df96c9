"""Clips decoded ahead in worker processes by torch's DataLoader, which survives their deaths.

A damaged file can kill the process that decodes it, and DataLoader then gives up. Here every worker
writes down which clip it has in hand; when one dies, those clips are tried again, each alone in a
process of its own, and the others go on.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from stam_core.evaluate.errors import EvaluationError
from stam_core.evaluate.lists import Entry
from stam_core.evaluate.protocol import DecodedClip

logger = logging.getLogger(__name__)

Decode = Callable[[Path], DecodedClip]  # has to travel to other processes
CLIP_SECONDS = 300  # a decoder that needs longer for one clip is stopped
READY_AHEAD = 2  # clips that each worker decodes ahead, at least
IDLE = -1
# No thread of this process is copied half-way, and CUDA does not live through a fork.
START_METHOD = "spawn"


class _Clips(Dataset[tuple[int, DecodedClip]]):
    """Clips by their place; notes in `in_hand` what each worker is at."""

    def __init__(self, entries: Sequence[Entry], decode: Decode, in_hand: torch.Tensor) -> None:
        self.entries, self.decode, self.in_hand = entries, decode, in_hand

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, place: int) -> tuple[int, DecodedClip]:
        worker = get_worker_info()
        if worker is None:
            return place, self.decode(self.entries[place].path)
        self.in_hand[worker.id] = place
        with _time_limit():
            clip = self.decode(self.entries[place].path)
        self.in_hand[worker.id] = IDLE
        return place, clip


def decoded_clips(
    entries: Sequence[Entry], decode: Decode, *, workers: int, ahead: int = 0
) -> Iterator[tuple[Entry, DecodedClip]]:
    """Every entry with its pixels, in order but for those whose decoder died.

    Args:
        entries: to decode.
        decode: of one file.
        workers: processes; 0: in this one, unprotected.
        ahead: clips to have ready in all; at least two per worker.

    Raises:
        EvaluationError: the processes do not even start.
    """
    waiting = list(entries)
    while waiting:
        in_hand = torch.full((max(1, workers),), IDLE)
        in_hand.share_memory_()  # type: ignore[no-untyped-call]
        done: set[int] = set()
        for place, clip in _until_one_dies(waiting, decode, in_hand, workers, ahead):
            done.add(place)
            yield waiting[place], clip
        if len(done) == len(waiting):
            return
        suspects = [place for place in in_hand.tolist() if place != IDLE and place not in done]
        if not suspects and not done:
            raise EvaluationError(
                "The processes that decode do not start. In a script of your own, call the "
                'evaluation below `if __name__ == "__main__":`; or use --workers 0.'
            )
        for place in sorted(set(suspects)):
            done.add(place)
            yield waiting[place], decode_alone(waiting[place].path, decode)
        waiting = [entry for place, entry in enumerate(waiting) if place not in done]


def _until_one_dies(
    waiting: Sequence[Entry],
    decode: Decode,
    in_hand: torch.Tensor,
    workers: int,
    ahead: int,
) -> Iterator[tuple[int, DecodedClip]]:
    """What a DataLoader gives until it ends or a worker dies."""
    loader: DataLoader[Any] = DataLoader(
        _Clips(waiting, decode, in_hand),
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_it_is,
        worker_init_fn=_one_thread,
        multiprocessing_context=START_METHOD if workers else None,
        prefetch_factor=max(READY_AHEAD, -(-ahead // workers)) if workers else None,
    )
    clips = _quietly(loader)
    while True:
        try:
            found = next(clips)
        except StopIteration:
            return
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            logger.info("a decoding process died: %s", error)
            return
        yield found


def _quietly(loader: DataLoader[Any]) -> Iterator[tuple[int, DecodedClip]]:
    """Begin to load, without torch's SIGCHLD handler.

    That handler raises in the main thread at any moment, also in the midst of writing a result;
    DataLoader finds a dead worker by itself within five seconds of waiting for it.
    """
    if not hasattr(signal, "SIGCHLD") or threading.current_thread() is not threading.main_thread():
        return iter(loader)
    before = signal.getsignal(signal.SIGCHLD)
    try:
        return iter(loader)
    finally:
        signal.signal(signal.SIGCHLD, before)


def _as_it_is(sample: Any) -> Any:  # noqa: ANN401 - DataLoader's own signature
    return sample  # arrays travel through the pipe: /dev/shm is 64 MB in many containers


def _one_thread(worker: int) -> None:
    """Decode with one thread: as many workers as cores do the work, the model has the rest."""
    del worker
    use_one_thread()


def use_one_thread() -> None:
    """Keep torch and the decoder of this process to one thread each."""
    from stam_core.video import decode_decord

    torch.set_num_threads(1)
    for name in ("DECODE_THREADS", "SHRINK_THREADS"):
        if hasattr(decode_decord, name):
            setattr(decode_decord, name, 1)


class _time_limit:  # noqa: N801 - reads as a statement
    """Ends this process when the block takes too long: the decoder cannot be asked to stop."""

    def __enter__(self) -> None:
        if hasattr(signal, "SIGALRM") and _in_main_thread():
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(CLIP_SECONDS)

    def __exit__(self, *_: object) -> None:
        if hasattr(signal, "SIGALRM") and _in_main_thread():
            signal.alarm(0)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def decode_alone(path: Path, decode: Decode) -> DecodedClip:
    """Decode one clip in a process of its own, which may die of it.

    Args:
        path: of the file.
        decode: of one file.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_decode_into, args=(sender, decode, path), daemon=True)
    process.start()
    sender.close()
    try:
        with suppress(EOFError, OSError):  # nothing was sent: the process died
            if receiver.poll(CLIP_SECONDS + 60):
                clip: DecodedClip = receiver.recv()
                return clip
    finally:
        receiver.close()
        process.join(5)
        if process.is_alive():
            process.kill()
            process.join()
    return DecodedClip(None, death_of_decoder(process.exitcode))


def _decode_into(sender: Connection, decode: Decode, path: Path) -> None:
    use_one_thread()
    with _time_limit():
        clip = decode(path)
    sender.send(clip)
    sender.close()


def death_of_decoder(exit_code: int | None) -> str:
    """Why a clip is unusable whose decoder died twice.

    Args:
        exit_code: of the second process; negative: the signal that ended it; None: not known.
    """
    how = "" if exit_code is None else f" (exit code {exit_code})"
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        if name == "SIGALRM":
            return f"Decoding takes more than {CLIP_SECONDS} s."
        how = f" ({name})"
    return f"The decoder's process died of the clip{how}, also when it was tried alone."
