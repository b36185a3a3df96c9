"""One folder for everything the app puts on disk: swept by age and by size, gone at the end."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

_LOG = logging.getLogger(__name__)

KEPT_SECONDS = 3600  # then a file is deleted
SWEEP_SECONDS = 60.0
REST_SECONDS = 1.0  # between two sweeps, however much comes
PREFIX = "stam-app-"
VARIABLE = "GRADIO_TEMP_DIR"  # gradio puts uploads and made files there


class TemporaryFolder:
    """Uploads, made files and whatever else libraries need a place for."""

    def __init__(self, *, kept_bytes: int, kept_seconds: float = KEPT_SECONDS) -> None:
        """Make it, readable by this user only, and have gradio and `tempfile` use it.

        Args:
            kept_bytes: of all files together; beyond them the oldest are deleted.
            kept_seconds: after which a file is deleted.
        """
        above = os.environ.get(VARIABLE)
        if above:
            Path(above).mkdir(parents=True, exist_ok=True)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=above or None)).resolve()
        self.kept_seconds = kept_seconds
        self.kept_bytes = kept_bytes
        self._stopped = False
        self._wake = threading.Event()
        # Not one in the other: gradio hands out what lies in its own folder without copying it.
        uploads, others = self.path / "uploads", self.path / "others"
        for folder in (uploads, others):
            folder.mkdir()
        os.environ[VARIABLE], tempfile.tempdir = str(uploads), str(others)

    def keep_swept(self, also: Callable[[], None]) -> None:
        """Sweep every minute and soon after each upload, beside whatever else is going on.

        Args:
            also: to be done each time.
        """

        def work() -> None:
            while not self._stopped:
                self._wake.wait(SWEEP_SECONDS)
                self._wake.clear()
                if not self._stopped:
                    also()
                    self.sweep()
                    time.sleep(REST_SECONDS)

        threading.Thread(target=work, name="sweep", daemon=True).start()

    def sweep_soon(self) -> None:
        """Something came; returns at once."""
        self._wake.set()

    def sweep(self, now: float | None = None) -> int:
        """Delete what is too old, then the oldest of what is too much.

        Args:
            now: seconds since 1970; None: the clock's.

        Returns:
            How many files were deleted.
        """
        now = time.time() if now is None else now
        found = sorted(self._files(), reverse=True)  # the newest first
        kept, deleted = 0, 0
        for changed, size, file in found:
            kept += size
            if now - changed > self.kept_seconds or kept > self.kept_bytes:
                with contextlib.suppress(OSError):  # gone already, or held open on Windows
                    file.unlink()
                    deleted += 1
                    if file.parent.parent != self.path:
                        file.parent.rmdir()  # each upload has a folder of its own
        if deleted:
            _LOG.info("swept", extra={"facts": {"files": deleted}})
        return deleted

    def remove(self) -> None:
        """Delete everything."""
        self._stopped = True
        self._wake.set()
        shutil.rmtree(self.path, ignore_errors=True)

    def _files(self) -> list[tuple[float, int, Path]]:
        """(when changed, bytes, path) of each file; one that vanishes meanwhile is left out."""
        found = []
        for file in self.path.rglob("*"):
            try:
                about = file.lstat()
            except FileNotFoundError:
                continue
            if not file.is_dir():
                found.append((about.st_mtime, about.st_size, file))
        return found
