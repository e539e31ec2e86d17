"""System calls that a submission is refused: those that reach for the kernel, other processes, and memory that is nobody's to count.

The namespaces hold without this; it takes away what has most often held the faults of the kernel.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import tempfile
from typing import IO

_REFUSED = (
    "ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd mount umount2 pivot_root chroot unshare "
    "setns open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr kexec_load kexec_file_load "
    "init_module finit_module delete_module bpf perf_event_open userfaultfd io_uring_setup io_uring_enter "
    "io_uring_register keyctl add_key request_key open_by_handle_at swapon swapoff reboot sethostname "
    "setdomainname iopl ioperm acct settimeofday clock_settime clock_adjtime adjtimex quotactl shmget "
    "msgget"
)
_ABSENT = ("clone3", "memfd_create", "memfd_secret")
"""Answered with "there is no such call": callers then use another. Memory of memfd belongs to no process and would not be counted."""
_NEW_USER = 0x10000000


def program() -> IO[bytes]:
    """The filter as bubblewrap reads it; of sockets it leaves those of this machine and of the internet.

    Raises:
        RuntimeError: the system's libseccomp is not installed.
    """
    try:
        from pyseccomp import ALLOW, EQ, ERRNO, GT, MASKED_EQ, Arg, SyscallFilter
    except (ImportError, RuntimeError, OSError) as error:
        raise RuntimeError(f"libseccomp is not installed ({error}): apt install libseccomp2") from error
    rules = SyscallFilter(ALLOW)
    rules.add_rule(
        ERRNO(0), "sched_setaffinity"
    )  # says that it is done: a submission stays on the core that it was given
    for names, answer in ((_REFUSED.split(), errno.EPERM), (_ABSENT, errno.ENOSYS)):
        for name in names:
            with contextlib.suppress(ValueError, OSError):  # a call that this machine, or its libseccomp, does not know
                rules.add_rule(ERRNO(answer), name)
    rules.add_rule(ERRNO(errno.EPERM), "clone", Arg(0, MASKED_EQ, _NEW_USER, _NEW_USER))
    others = set(range(socket.AF_INET6)) - {socket.AF_UNIX, socket.AF_INET}
    for refused in (Arg(0, GT, socket.AF_INET6), *(Arg(0, EQ, family) for family in sorted(others))):
        rules.add_rule(ERRNO(errno.EINVAL), "socket", refused)  # which libzmq takes for "no interfaces to list"
    file = tempfile.TemporaryFile()  # noqa: SIM115
    rules.export_bpf(file)
    file.seek(0)
    return file
