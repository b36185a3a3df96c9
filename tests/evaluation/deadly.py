"""Decoders that kill their process, for other processes to import."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np

from stam_core.evaluate.protocol import DecodedClip, Protocol, decode_clip

GOOD = DecodedClip(np.zeros((1, 3, 2, 2), np.uint8))


def dies_of_some(path: Path) -> DecodedClip:
    """Dies of "dead", once of "shy" (it leaves a mark), reads the others."""
    if path.name.startswith("dead"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if path.name.startswith("shy") and not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return GOOD


def dies_or_decodes(path: Path, protocol: Protocol) -> DecodedClip:
    """Dies of "dead", decodes the others."""
    if path.name.startswith("dead"):
        os.kill(os.getpid(), signal.SIGKILL)
    return decode_clip(path, protocol)
