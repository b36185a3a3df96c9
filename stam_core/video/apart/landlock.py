"""Landlock, in Linux since 5.13: from here on only the program's own libraries can be opened.

What is open already stays usable, so a file reaches a confined process as a descriptor.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every processor
_ASK_VERSION = 1
_PATH_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_PR_SET_NO_NEW_PRIVS = 38

# version -> bits of all accesses to files that it knows: each version added one
_FILE_BITS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NET_BITS, _NET_SINCE = 2, 4  # bind and connect, TCP
_SCOPES, _SCOPES_SINCE = 3, 6  # abstract sockets, signals


def allow_only(folders: Iterable[Path]) -> bool:
    """Refuse this thread, and all it starts, every file but those to be read in some folders.

    Args:
        folders: with the program's libraries; those that do not exist are left out.

    Returns:
        False where the system has no Landlock; nothing is changed then.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    if version < 1:
        return False
    handled = (1 << _FILE_BITS.get(version, max(_FILE_BITS.values()))) - 1
    net = (1 << _NET_BITS) - 1 if version >= _NET_SINCE else 0
    scopes = _SCOPES if version >= _SCOPES_SINCE else 0
    size = 24 if version >= _SCOPES_SINCE else 16 if version >= _NET_SINCE else 8
    rules = ctypes.create_string_buffer(struct.pack("=QQQ", handled, net, scopes), 24)
    ruleset = libc.syscall(_CREATE_RULESET, rules, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    try:
        for folder in folders:
            if folder.exists():
                _allow_reading(libc, ruleset, folder)
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            return False
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow_reading(libc: ctypes.CDLL, ruleset: int, folder: Path) -> None:
    access = _READ_FILE | (_READ_DIR if folder.is_dir() else 0)
    descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = ctypes.create_string_buffer(struct.pack("=Qi", access, descriptor), 12)
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(descriptor)
