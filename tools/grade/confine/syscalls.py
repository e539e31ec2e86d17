"""System calls that a submission is refused: those that reach for other processes, the kernel, mounts, namespaces, uncounted memory.

The namespaces hold without this; it takes away what has most often held the faults of the kernel.
"""

from __future__ import annotations

import os
import struct

_REFUSED = {
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "pidfd_getfd": 438,
    "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "unshare": 272, "setns": 308, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "mount_setattr": 442,
    "kexec_load": 246, "kexec_file_load": 320, "init_module": 175, "finit_module": 313, "delete_module": 176,
    "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "io_uring_setup": 425, "io_uring_enter": 426,
    "io_uring_register": 427, "keyctl": 250, "add_key": 248, "request_key": 249, "open_by_handle_at": 304,
    "swapon": 167, "swapoff": 168, "reboot": 169, "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173,
    "acct": 163, "settimeofday": 164, "clock_settime": 227, "clock_adjtime": 305, "adjtimex": 159, "quotactl": 179,
    "shmget": 29, "msgget": 68,
}  # fmt: skip
"""Answered with "operation not permitted"."""
_ABSENT = {"clone3": 435, "memfd_create": 319, "memfd_secret": 447}
"""Answered with "there is no such call": callers then use another. Memory of memfd belongs to no process and would not be counted."""
_PRETENDED = {"sched_setaffinity": 203}
"""Answered with "done", and nothing is done: a submission stays on the core that it was given."""

_EPERM, _ENOSYS, _CLONE, _CLONE_NEWUSER, _X86_64 = 1, 38, 56, 0x10000000, 0xC000003E
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000


def program() -> bytes | None:
    """The filter for this machine; None where its numbers of calls are not those of x86-64."""
    if os.uname().machine != "x86_64":
        return None
    lines = [_line(_LOAD, 4), _line(_EQUAL, _X86_64, 1, 0), _line(_RETURN, _ERROR | _EPERM)]
    lines += [_line(_LOAD, 0), _line(_AT_LEAST, 0x40000000, 0, 1), _line(_RETURN, _ERROR | _EPERM)]
    for calls, answer in ((_REFUSED, _EPERM), (_ABSENT, _ENOSYS), (_PRETENDED, 0)):
        for number in calls.values():
            lines += [_line(_EQUAL, number, 0, 1), _line(_RETURN, _ERROR | answer)]
    lines += [_line(_EQUAL, _CLONE, 0, 3), _line(_LOAD, 16), _line(_ANY_BIT, _CLONE_NEWUSER, 0, 1)]
    lines += [_line(_RETURN, _ERROR | _EPERM), _line(_RETURN, _ALLOW)]
    return b"".join(lines)


def _line(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)
