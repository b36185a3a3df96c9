"""A filter in Linux's kernel: no child processes, no sockets, no writing, no signals to others.

What it refuses answers "not permitted" and does not end the process. Reading files is left to
Landlock, which knows paths.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

# name: (number on x86-64, number on arm64); None where the processor has no such call
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # processes and their memory
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "kcmp": (312, 272), "userfaultfd": (323, 282),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    # sockets, and ways around a filter
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200),
    "listen": (50, 201), "accept": (43, 202), "accept4": (288, 242), "sendto": (44, 206),
    "sendmsg": (46, 211), "sendmmsg": (307, 269),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    # files other than reading
    "creat": (85, None), "truncate": (76, 45), "rename": (82, None), "renameat": (264, 38),
    "renameat2": (316, 276), "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None),
    "link": (86, None), "linkat": (265, 37), "unlink": (87, None), "unlinkat": (263, 35),
    "symlink": (88, None), "symlinkat": (266, 36), "mknod": (133, None), "mknodat": (259, 33),
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "chown": (92, None),
    "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54),
    "open_by_handle_at": (304, 265),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    # other processes' share of the processor
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119), "sched_setattr": (314, 274),
    # the system
    "mount": (165, 40), "umount2": (166, 39), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "mount_setattr": (442, 442), "unshare": (272, 97), "setns": (308, 268),
    "chroot": (161, 51), "pivot_root": (155, 41), "bpf": (321, 280), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218), "perf_event_open": (298, 241),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "reboot": (169, 142),
    "shmget": (29, 194), "shmat": (30, 196), "msgget": (68, 186), "semget": (64, 190),
    "mq_open": (240, 180),
}  # fmt: skip
_CLONE, _CLONE3, _OPEN, _OPENAT, _OPENAT2 = (56, 220), (435, 435), (2, None), (257, 56), (437, 437)
_KILL, _TGKILL, _PRLIMIT, _AFFINITY = (62, 129), (234, 131), (302, 261), (203, 122)
_FCNTL, _IOCTL = (72, 25), (16, 29)
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column, audit number

_CLONE_THREAD = 0x00010000
# Through these a process has the kernel send signals to another: F_SETOWN, F_SETSIG, F_SETOWN_EX,
# F_SETLEASE, F_NOTIFY of fcntl; FIOSETOWN, SIOCSPGRP, FIOASYNC of ioctl. All else stays allowed.
_FCNTL_SIGNALS = (8, 10, 15, 1024, 1026)
_IOCTL_SIGNALS = (0x8901, 0x8902, 0x5452)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_X32 = 0x40000000  # a second numbering of calls on x86-64

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF instructions
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM
_UNKNOWN = 0x00050000 | errno.ENOSYS  # glibc then takes the older call, which can be looked into
_KILL_PROCESS = 0x80000000
_AT_NUMBER, _AT_ARCHITECTURE = 0, 4  # places in the kernel's record of a call

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def refuse_calls() -> bool:
    """Install the filter for this thread and all it will start; False where there is none.

    Only ever strengthened, never lifted. To be called before other threads exist.
    """
    if sys.platform != "linux" or platform.machine() not in _ARCHITECTURES or sys.maxsize < 2**32:
        return False
    column, architecture = _ARCHITECTURES[platform.machine()]
    code = b"".join(_filter(column, architecture, os.getpid()))
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    done: int = libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)
    return done == 0


def _filter(column: int, architecture: int, pid: int) -> list[bytes]:
    """The instructions, in order; each is 8 bytes."""
    program = [
        _step(_LOAD, _AT_ARCHITECTURE),
        _step(_EQUAL, architecture, 1, 0),
        _step(_RETURN, _KILL_PROCESS),
        _step(_LOAD, _AT_NUMBER),
    ]
    if column == 0:
        program += [_step(_AT_LEAST, _X32, 0, 1), _step(_RETURN, _REFUSE)]
    for numbers in _REFUSED.values():
        program += _rule(numbers[column], [_step(_RETURN, _REFUSE)])
    for numbers in (_CLONE3, _OPENAT2):  # their arguments lie in memory, where nobody can look
        program += _rule(numbers[column], [_step(_RETURN, _UNKNOWN)])
    program += _rule(_CLONE[column], _if_bits(0, _CLONE_THREAD, _ALLOW, _REFUSE))
    program += _rule(_OPEN[column], _if_bits(1, _WRITING, _REFUSE, _ALLOW))
    program += _rule(_OPENAT[column], _if_bits(2, _WRITING, _REFUSE, _ALLOW))
    program += _rule(_KILL[column], _if_equal(0, (pid,)))
    program += _rule(_TGKILL[column], _if_equal(0, (pid,)))
    program += _rule(_PRLIMIT[column], _if_equal(0, (0, pid)))
    program += _rule(_AFFINITY[column], _if_equal(0, (0, pid)))
    program += _rule(_FCNTL[column], _unless_equal(1, _FCNTL_SIGNALS))
    program += _rule(_IOCTL[column], _unless_equal(1, _IOCTL_SIGNALS))
    return [*program, _step(_RETURN, _ALLOW)]


def _rule(number: int | None, body: list[bytes]) -> list[bytes]:
    """What happens at one call; every body ends in an answer."""
    return [] if number is None else [_step(_EQUAL, number, 0, len(body)), *body]


def _if_bits(argument: int, bits: int, then: int, otherwise: int) -> list[bytes]:
    return [
        _step(_LOAD, _at_argument(argument)),
        _step(_ANY_BIT, bits, 0, 1),
        _step(_RETURN, then),
        _step(_RETURN, otherwise),
    ]


def _if_equal(argument: int, values: tuple[int, ...]) -> list[bytes]:
    body = [_step(_LOAD, _at_argument(argument))]
    for value in values:
        body += [_step(_EQUAL, value, 0, 1), _step(_RETURN, _ALLOW)]
    return [*body, _step(_RETURN, _REFUSE)]


def _unless_equal(argument: int, values: tuple[int, ...]) -> list[bytes]:
    body = [_step(_LOAD, _at_argument(argument))]
    for value in values:
        body += [_step(_EQUAL, value, 0, 1), _step(_RETURN, _REFUSE)]
    return [*body, _step(_RETURN, _ALLOW)]


def _at_argument(index: int) -> int:
    return 16 + 8 * index  # its lower half, on processors that put that first


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
