"""Memory that a worker fills with frames and its parent reads: no name, so nothing is left over.

Linux: an anonymous file that can neither grow nor shrink, so that a worker cannot pull it away
under its parent. Other Unixes: a temporary file without a name. Windows: a section that vanishes
with its last user.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import sys
import tempfile

import numpy as np
from numpy.typing import NDArray


class FrameMemory:
    """A block of bytes shared with one worker; pages cost memory only once they are written."""

    def __init__(self, n_bytes: int) -> None:
        """Make a block.

        Args:
            n_bytes: the most that a worker can hand back.
        """
        self.n_bytes = n_bytes
        self.descriptor: int | None = None
        self.tag: str | None = None
        if sys.platform == "win32":
            self.tag = f"stam-{secrets.token_hex(16)}"
            self._map = mmap.mmap(-1, n_bytes, tagname=self.tag)
        else:
            self.descriptor = _anonymous_file(n_bytes)
            self._map = mmap.mmap(self.descriptor, n_bytes)

    def take_frames(self, shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
        """A copy of the frames that lie at the beginning; the block is given back to the system.

        Args:
            shape: (T, H, W, 3), checked to fit.
        """
        count = int(np.prod(shape))
        frames = np.frombuffer(self._map, np.uint8, count).reshape(shape).copy()
        self.empty()
        return frames

    def empty(self) -> None:
        """Free the pages that were written."""
        if sys.platform == "linux":
            self._map.madvise(mmap.MADV_REMOVE)

    def close(self) -> None:
        """Free everything; a second time does nothing."""
        with contextlib.suppress(BufferError):  # being read: freed when that is done
            self._map.close()
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def attach(descriptor: int | None, tag: str | None, n_bytes: int) -> mmap.mmap:
    """The worker's side of a block.

    Args:
        descriptor: inherited; None on Windows.
        tag: of the section on Windows.
        n_bytes: its size.
    """
    if sys.platform == "win32":
        return mmap.mmap(-1, n_bytes, tagname=tag)
    assert descriptor is not None
    return mmap.mmap(descriptor, n_bytes)


def _anonymous_file(n_bytes: int) -> int:
    if sys.platform == "linux":
        import fcntl

        descriptor = os.memfd_create("stam-frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(descriptor, n_bytes)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        return descriptor
    with tempfile.TemporaryFile() as file:  # deleted already; lives on in the descriptor
        file.truncate(n_bytes)
        return os.dup(file.fileno())
