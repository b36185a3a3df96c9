"""Reading checkpoint files, which are untrusted: their bytes decide what they are, no code runs."""

from __future__ import annotations

import pickle
import re
import stat
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from stam_core.errors import WeightsError
from stam_core.models.cache import file_sha256

Format = Literal["safetensors", "PyTorch", "PyTorch before 1.6"]

MAX_ENTRIES = 20_000  # of a zip; the published STAM has about 230
MAX_HEADER_BYTES = 100_000_000  # of a safetensors file, the format's own limit
# Where the weights stand in a file that holds more than weights; the first that is there counts.
WRAPPERS = ("model", "state_dict", "model_state")
_LEGACY_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"  # a number, pickled, after the pickle's protocol
ANOTHER = "Fetch or copy it again, or choose another file."


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The tensors of one file, as stored."""

    path: Path
    format: Format
    n_bytes: int
    sha256: str
    tensors: dict[str, torch.Tensor] = field(repr=False)
    metadata: dict[str, str] = field(repr=False)  # empty unless the file is safetensors
    notes: tuple[str, ...] = ()


def read_checkpoint(path: Path) -> Checkpoint:
    """Every tensor of a `.pth` or safetensors file, on the CPU; pickled code is refused, not run.

    Raises:
        WeightsError: The file is absent, a directory, damaged, of another format, or holds code.
    """
    kind = detect_format(path)
    notes: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    if kind == "safetensors":
        tensors, metadata = _read_safetensors(path)
    else:
        tensors, notes = _unwrap(_read_pickled(path, kind), path)
    n_bytes = path.stat().st_size
    return Checkpoint(path, kind, n_bytes, file_sha256(path), tensors, metadata, notes)


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file without its tensors; empty for every other format.

    Raises:
        WeightsError: As `read_checkpoint`.
    """
    if detect_format(path) != "safetensors":
        return {}
    with _readable(path), safe_open(path, "pt") as file:
        return file.metadata() or {}


def detect_format(path: Path) -> Format:
    """What a checkpoint file is, by its first bytes.

    Raises:
        WeightsError: It is none, or there is no such file.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            with path.open("rb") as file:
                head = file.read(16)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise WeightsError(
            f"The checkpoint {str(path)[:300]!r} cannot be opened ({reason}). Check its path."
        ) from error
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "no ordinary file"
        raise WeightsError(f"{path.name!r} is {what}. Give the path of a checkpoint file.")
    header_bytes = int.from_bytes(head[:8], "little")
    if head[8:9] == b"{" and header_bytes <= MAX_HEADER_BYTES:
        return "safetensors"
    if head.startswith(b"PK\x03\x04"):
        return "PyTorch"
    if head[2:].startswith(_LEGACY_MAGIC):
        return "PyTorch before 1.6"
    if head[:1] == b"\x80":  # how pickles of protocol 2 and later begin
        raise WeightsError(
            f"{path.name!r} is a Python pickle that PyTorch did not write; it may hold code, so it "
            f"was refused. {ANOTHER}"
        )
    what = "is neither a PyTorch nor a safetensors checkpoint" if head else "is empty"
    raise WeightsError(f"{path.name!r} {what}. {ANOTHER}")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turns whatever the reader of a hostile or damaged file raises into a WeightsError."""
    try:
        yield
    except WeightsError:
        raise
    except Exception as error:  # unpickling arbitrary bytes can raise nearly anything
        refused = re.search(r"GLOBAL ([\w.]{1,80})", str(error))
        if refused or isinstance(error, pickle.UnpicklingError):
            raise _holds_code(path, refused[1] if refused else "or Python objects") from error
        raise WeightsError(
            f"The checkpoint {path.name!r} is damaged or incomplete. {ANOTHER}"
        ) from error


def _holds_code(path: Path, what: str) -> WeightsError:
    return WeightsError(
        f"The checkpoint {path.name!r} holds code ({what}), refused: weights need none. "
        "Take the file from its official source, or a .safetensors file."
    )


def _read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    with _readable(path):
        with safe_open(path, "pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
        return load_file(path), metadata


def _read_pickled(path: Path, kind: Format) -> object:
    with _readable(path):
        if kind == "PyTorch":
            _check_zip(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what PyTorch warns of, it then refuses
            # Mapped, so that only what is copied into the model is read; older files cannot be.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=kind == "PyTorch")


def _check_zip(path: Path) -> None:
    """Refuse archives that unpack to more than the file holds; PyTorch itself never compresses."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.filename.endswith("/constants.pkl") for entry in entries):
        raise _holds_code(path, "TorchScript")
    unpacked = sum(entry.file_size for entry in entries)
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    if not stored or unpacked > path.stat().st_size or len(entries) > MAX_ENTRIES:
        raise WeightsError(
            f"{path.name!r} is a zip archive that PyTorch did not write ({len(entries):,} entries, "
            f"{unpacked:,} bytes unpacked) and was refused. {ANOTHER}"
        )


def _unwrap(content: object, path: Path) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """The tensors in what a pickled file holds, and a note on where they stood."""
    notes: tuple[str, ...] = ()
    if isinstance(content, dict):
        for name in WRAPPERS:
            if isinstance(content.get(name), dict):
                others = [str(key)[:40] for key in content if key != name]
                notes = (f"Weights taken from {name!r}.",)
                if others:
                    notes = (f"Weights taken from {name!r}; left aside: {', '.join(others[:8])}.",)
                content = content[name]
                break
    if not isinstance(content, dict) or not content:
        raise WeightsError(
            f"The checkpoint {path.name!r} holds no weights: expected named tensors, alone or "
            f"under {', '.join(map(repr, WRAPPERS))}. {ANOTHER}"
        )
    wrong = [key for key, value in content.items() if not _is_plain(key, value)]
    if wrong:
        shown = ", ".join(repr(str(key)[:60]) for key in wrong[:8])
        raise WeightsError(
            f"The checkpoint {path.name!r} holds {len(wrong):,} entries that are no weights: "
            f"{shown}. {ANOTHER}"
        )
    return dict(content), notes


def _is_plain(key: object, value: object) -> bool:
    return (
        isinstance(key, str) and isinstance(value, torch.Tensor) and value.layout == torch.strided
    )
