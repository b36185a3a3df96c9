"""A video file as decoders get it: by its path, or as a descriptor that somebody else opened."""

from __future__ import annotations

import hashlib
import io
import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from stam_core.errors import VideoError

NAME_LENGTH = 60  # characters of a file name repeated in a message
WHAT_TO_CHOOSE = "Choose an mp4, mov, mkv, webm, avi or gif file."
READ_BYTES = 2**20  # at once


def display_name(path: Path) -> str:
    """The file's name as a message may show it: no folders, no control characters, not too long.

    Args:
        path: any path; its name is untrusted text.
    """
    kept = "".join(c for c in path.name if unicodedata.category(c)[0] != "C")
    return kept if len(kept) <= NAME_LENGTH else kept[: NAME_LENGTH - 1] + "…"


@dataclass(frozen=True)
class VideoFile:
    """Where the bytes are, and what the file is called in messages.

    With a descriptor the path is never used: a decoder that is confined to what it was handed has
    no other way, and a file that is exchanged meanwhile stays the one that was looked at.
    """

    path: Path
    name: str  # tamed; see `display_name`
    descriptor: int | None = None

    @classmethod
    def at(cls, path: str | Path) -> VideoFile:
        """The file at a path.

        Args:
            path: of the file; whether it exists shows when it is read.
        """
        return cls(Path(path), display_name(Path(path)))

    def head(self, n_bytes: int) -> bytes:
        """The first bytes, fewer where the file is shorter.

        Raises:
            VideoError: absent, unreadable, or not an ordinary file.
        """
        if self.descriptor is None:
            self._check_kind()
        return self.part(0, n_bytes)

    def part(self, start: int, n_bytes: int) -> bytes:
        """Some bytes from a place on, fewer where the file ends.

        Args:
            start: bytes from the beginning.
            n_bytes: at most.

        Raises:
            VideoError: absent or unreadable.
        """
        try:
            if self.descriptor is not None:
                return _read_all(self.descriptor, start, n_bytes)
            with self.path.open("rb") as file:
                file.seek(start)
                return file.read(n_bytes)
        except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
            raise self.unreadable(error) from error

    def n_bytes(self) -> int:
        """Size of the file.

        Raises:
            VideoError: absent or unreadable.
        """
        try:
            found = self.path.stat() if self.descriptor is None else os.fstat(self.descriptor)
        except (OSError, ValueError) as error:
            raise self.unreadable(error) from error
        return found.st_size

    def whole(self) -> io.BytesIO:
        """All bytes in memory; only for files whose size was checked.

        Raises:
            VideoError: unreadable.
        """
        return io.BytesIO(self.part(0, self.n_bytes()))

    def opened(self) -> tuple[str, dict[str, str]]:
        """Address and options under which FFmpeg opens this file and can open no other.

        Raises:
            VideoError: the descriptor is no longer good.
        """
        if self.descriptor is None:
            # The prefix keeps names like "http:clip.mp4" from being read as addresses.
            return f"file:{self.path.absolute()}", {"protocol_whitelist": "file"}
        try:
            os.lseek(self.descriptor, 0, os.SEEK_SET)  # it reads on from where the last one stopped
        except OSError as error:
            raise self.unreadable(error) from error
        return "fd:", {"protocol_whitelist": "fd", "fd": str(self.descriptor)}

    def digest(self, whole_up_to: int) -> str:
        """SHA-256 over all bytes, or over size and both ends of a file too large to read for it.

        Args:
            whole_up_to: bytes; of larger files only the first and last MiB are read.

        Raises:
            VideoError: unreadable.
        """
        size = self.n_bytes()
        sha = hashlib.sha256()
        if size > whole_up_to:
            sha.update(f"{size} bytes, both ends".encode())
            sha.update(self.part(0, READ_BYTES))
            sha.update(self.part(size - READ_BYTES, READ_BYTES))
            return sha.hexdigest()
        for start in range(0, size, READ_BYTES):
            sha.update(self.part(start, READ_BYTES))
        return sha.hexdigest()

    def unreadable(self, error: OSError | ValueError) -> VideoError:
        """The sentence for a file that cannot be read.

        Args:
            error: as the system raised it.
        """
        reason = getattr(error, "strerror", None) or "its name is not valid"
        return VideoError(
            f'"{self.name}" cannot be read ({reason}). Check its name and permissions.'
        )

    def _check_kind(self) -> None:
        """Before anything is opened: opening a pipe would wait for somebody to write into it."""
        try:
            is_folder, exists = self.path.is_dir(), self.path.exists()
            is_file = self.path.is_file()
        except (OSError, ValueError) as error:
            raise self.unreadable(error) from error
        if is_folder:
            raise VideoError(f'"{self.name}" is a folder. Choose one video file inside it.')
        if not exists:
            raise VideoError(f'There is no file "{self.name}" at that place. Check the path.')
        if not is_file:
            raise VideoError(f'"{self.name}" is not an ordinary file. {WHAT_TO_CHOOSE}')


def _read_all(descriptor: int, start: int, n_bytes: int) -> bytes:
    pieces = []
    while n_bytes > 0:
        # A read gives less than was asked for at 2 GiB and on some file systems.
        piece = os.pread(descriptor, min(n_bytes, 2**30), start)
        if not piece:
            break
        pieces.append(piece)
        start, n_bytes = start + len(piece), n_bytes - len(piece)
    return b"".join(pieces)
