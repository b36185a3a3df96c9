"""Files that are written whole or not at all: a kill or a full disc leaves the former one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError

from stam_core.train.errors import TrainingError


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Write beside `path`, force it to the disc, then rename it to `path`.

    Args:
        path: of the file to write or replace; its folder is made where it is missing.
        write: fills the file it is given.

    Raises:
        TrainingError: the file cannot be written; a former one is untouched.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    # torch's and safetensors' own writers report a full disc with errors of their own.
    except (OSError, RuntimeError, SafetensorError) as error:
        _discard(part)
        raise TrainingError(_why_not(path, error)) from error
    # Ctrl-C and our own bugs: no half-written file may stay behind; the error goes on its way.
    except BaseException:
        _discard(part)
        raise
    return path


def write_json(path: Path, value: object) -> Path:
    """Write a value as indented JSON, whole or not at all.

    Raises:
        TrainingError: the file cannot be written.
    """
    text = json.dumps(value, indent=2) + "\n"
    return write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))


def write_state(path: Path, state: dict[str, object]) -> Path:
    """Write a dict of tensors, numbers and texts, whole or not at all.

    Raises:
        TrainingError: the file cannot be written.
    """
    return write_whole(path, lambda part: torch.save(state, part))


def check_writable(path: Path) -> None:
    """See, before hours of work, that a file can be written at `path`.

    Raises:
        TrainingError: it is a folder, or its folder cannot be written to.
    """
    if path.is_dir():
        raise TrainingError(f"{str(path)!r} is a folder. Name a file to write the checkpoint to.")
    probe = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise TrainingError(_why_not(path, error)) from error


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn a place that cannot be written or read into an error that says so.

    Raises:
        TrainingError: the block met an OSError.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise TrainingError(_why_not(path, error)) from error


def _sync_folder(folder: Path) -> None:
    """Force the renaming itself to the disc; systems without folder handles do so by themselves."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _discard(part: Path) -> None:
    try:
        part.unlink(missing_ok=True)
    except OSError:  # what made the writing fail may forbid this too; the error is already told
        return


def _why_not(path: Path, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error).splitlines()[0][:200]
    return (
        f"Cannot write {str(path)!r}: {reason}. What was there before is untouched. "
        "Make room or choose another place, then run the same command again."
    )
