"""Calls of Linux that Python 3.11 does not have."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = (
    1,
    2,
    4,
    8,
    32,
    4096,
    16384,
    1 << 18,
)
_NOATIME, _NODIRATIME, _RELATIME = 1024, 2048, 1 << 21
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_PDEATHSIG, _DUMPABLE, _CAPBSET_DROP, _NO_NEW_PRIVS, _AMBIENT, _AMBIENT_CLEAR_ALL = 1, 4, 24, 38, 47, 4
_CAPABILITIES_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> int:
    result = getattr(_libc, name)(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Moves this process (or, for processes, its children) into new namespaces."""
    _call("unshare", flags)


def unshare_user(flags: int, user: int, group: int) -> None:
    """Moves this process into a new user namespace, and in it into others: it has every right in them, and none beside.

    Args:
        flags: of the other namespaces.
        user: its user id there; group: its group id.
    """
    outside = os.geteuid(), os.getegid()
    unshare(flags | NEWUSER)
    maps = {"setgroups": "deny", "uid_map": f"{user} {outside[0]} 1", "gid_map": f"{group} {outside[1]} 1"}
    for name, text in maps.items():
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, options: str | None = None) -> None:
    """mount(2)."""
    _call(
        "mount",
        os.fsencode(source),
        os.fsencode(target),
        kind and kind.encode(),
        ctypes.c_ulong(flags),
        options and options.encode(),
    )


def bind(source: str, target: str, writable: bool = False) -> None:
    """Shows a file or folder, and what is mounted under it, at another place."""
    mount(source, target, flags=MS_BIND | MS_REC)
    for place in _mounted_under(target):
        flags = _flags(place) | MS_NOSUID | MS_REMOUNT | MS_BIND | (0 if writable else MS_RDONLY)
        mount("none", place, flags=flags)


def _mounted_under(target: str) -> list[str]:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        places = [line.split()[4].encode("utf-8", "surrogateescape").decode("unicode_escape") for line in file]
    return sorted({place for place in places if place == target or place.startswith(target.rstrip("/") + "/")})


def _flags(place: str) -> int:
    """The flags of a mount. Inside a user namespace those that are set have to stay."""
    kept = {
        os.ST_NOSUID: MS_NOSUID,
        os.ST_NODEV: MS_NODEV,
        os.ST_NOEXEC: MS_NOEXEC,
        os.ST_NOATIME: _NOATIME,
        os.ST_NODIRATIME: _NODIRATIME,
        os.ST_RELATIME: _RELATIME,
        os.ST_RDONLY: MS_RDONLY,
    }
    there = os.statvfs(place).f_flag
    return sum(flag for bit, flag in kept.items() if there & bit)


def pivot(room: str) -> None:
    """Makes a mounted folder the whole file system of this process, and takes the old one away."""
    number = _PIVOT_ROOT[os.uname().machine]
    os.chdir(room)
    _call("syscall", number, b".", b".")
    _call("umount2", b".", 2)  # the old root lies over the new one; MNT_DETACH
    os.chdir("/")


def die_with_parent() -> None:
    """Lets Linux kill this process when its parent ends."""
    _call("prctl", _PDEATHSIG, 9, 0, 0, 0)


def hide_memory() -> None:
    """Lets no process of the same user look into this one."""
    _call("prctl", _DUMPABLE, 0, 0, 0, 0)


def show_memory() -> None:
    """Lets processes of the same user look into this one, as into any program that was started."""
    _call("prctl", _DUMPABLE, 1, 0, 0, 0)


def give_up_capabilities() -> None:
    """This process has no capability any more, as no program that it starts; without this, it keeps those of its user namespace until it becomes one."""
    _call("prctl", _AMBIENT, _AMBIENT_CLEAR_ALL, 0, 0, 0)
    _call("capset", struct.pack("Ii", _CAPABILITIES_3, 0), bytes(24))


def drop_capabilities() -> None:
    """No program that is started from now on has a capability."""
    for capability in range(64):
        try:
            _call("prctl", _CAPBSET_DROP, capability, 0, 0, 0)
        except OSError:
            break


def no_new_privileges() -> None:
    """No program that is started from now on has more rights than this process."""
    _call("prctl", _NO_NEW_PRIVS, 1, 0, 0, 0)


def loopback_up() -> None:
    """Starts the one network interface of a new network namespace: the machine itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = bytearray(struct.pack("16sh22x", b"lo", 0))
        fcntl.ioctl(sock, 0x8913, request)
        flags = struct.unpack_from("16sh", request)[1] | 1
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh22x", b"lo", flags))


def seccomp(program: bytes) -> None:
    """Applies a filter of system calls to this process and all that it starts."""

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    filled = Program(len(program) // 8, program)
    _call("prctl", 22, 2, ctypes.byref(filled), 0, 0)
