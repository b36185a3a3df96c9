"""What a decoding process takes from itself before it sees the first file.

Every measure that this system has is taken; which ones those are is told to the parent.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from stam_core.limits import MIB, VideoLimits
from stam_core.video.apart.landlock import allow_only
from stam_core.video.apart.seccomp import refuse_calls

MEMORY, TIME, WRITING = "memory bounded", "processor time bounded", "no growing files"
OPENING, CALLS = "no other files", "no sockets, processes or signals"
ALL_DEFENCES = (MEMORY, TIME, WRITING, OPENING, CALLS)
OPEN_FILES = 64  # descriptors: a decoder needs about ten
SPARE_SECONDS = 2.0  # the parent's own deadline comes first


def confine(limits: VideoLimits, libraries: Iterable[Path]) -> tuple[str, ...]:
    """Give up whatever decoding does not need, for good.

    Args:
        limits: address space and processor time.
        libraries: folders from which modules may still be loaded.

    Returns:
        The defences that are in force, of ALL_DEFENCES.
    """
    taken = _bound_resources(limits)
    if allow_only(libraries):
        taken = (*taken, OPENING)
    if refuse_calls():
        taken = (*taken, CALLS)
    return taken


def start_clock(limits: VideoLimits) -> None:
    """Bound one file's processor time and time by the clock; beyond them the process ends.

    The parent keeps time too; this is for the case that it is gone.

    Args:
        limits: of one file.
    """
    if sys.platform == "win32":
        return
    import resource

    used = time.process_time()
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    seconds = int(used) + limits.cpu_seconds + 1
    if hard != resource.RLIM_INFINITY:
        seconds = min(seconds, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))
    signal.setitimer(signal.ITIMER_REAL, limits.deadline_seconds + SPARE_SECONDS)


def stop_clock() -> None:
    """The file is done; waiting for the next one may take any time."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, 0)


def _bound_resources(limits: VideoLimits) -> tuple[str, ...]:
    """Address space, processor time, sizes of files, open files, no core files."""
    if sys.platform == "win32":  # no such limits there; the parent's clock remains
        return ()
    import resource

    life_seconds = limits.cpu_seconds * limits.worker_clips + 60
    bounds = [
        (MEMORY, resource.RLIMIT_AS, limits.worker_mib * MIB),
        (TIME, resource.RLIMIT_CPU, life_seconds),
        (WRITING, resource.RLIMIT_FSIZE, 0),
        ("", resource.RLIMIT_NOFILE, OPEN_FILES),
        ("", resource.RLIMIT_CORE, 0),
    ]
    taken = []
    for name, kind, value in bounds:
        _, hard = resource.getrlimit(kind)
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (most, most))
        except (OSError, ValueError):  # macOS refuses some; the others still count
            continue
        taken.append(name)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    os.umask(0o077)
    if sys.platform == "darwin":  # it accepts the limit on memory, and does not keep it
        taken = [name for name in taken if name != MEMORY]
    return tuple(name for name in taken if name)
