"""The file system that a confined command sees: programs and course to read, one folder to write, nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tools.grade.confine import system
from tools.grade.confine.plan import Plan

SCRATCH = "/scratch"
SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/fonts",
    "/var/cache/fontconfig",
)
_DEVICES = ("null", "zero", "full", "random", "urandom")
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nstudent:x:{uid}:{uid}:student:/scratch/home:/bin/sh\n",
    "etc/group": "root:x:0:\nstudent:x:{uid}:\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


def build(plan: Plan, uid: int) -> None:
    """Puts the file system together and moves into it. To be called in namespaces of its own.

    Args:
        plan: what is to be seen.
        uid: user id of the command, as seen inside.
    """
    room = os.path.realpath(plan.room)
    system.mount("none", "/", flags=system.MS_REC | system.MS_PRIVATE)
    safe = system.MS_NOSUID | system.MS_NODEV
    system.mount("room", room, "tmpfs", safe, "size=16m,mode=755")
    scratch = room + SCRATCH
    os.mkdir(scratch)
    options = f"size={plan.limits.disk},nr_inodes=20000,mode=700,uid={uid},gid={uid}"
    system.mount("scratch", scratch, "tmpfs", safe, options)
    for name in ("home", "tmp", "out", "folder"):
        os.mkdir(f"{scratch}/{name}")
    os.mkdir(f"{room}/tmp")
    system.bind(f"{scratch}/tmp", f"{room}/tmp", writable=True)
    for path in (*SYSTEM, *plan.visible):
        _show(path, room)
    _devices(room)
    for name, text in _FILES.items():
        _write(f"{room}/{name}", text.format(uid=uid))
    if plan.given:
        shutil.copytree(plan.given, f"{scratch}/folder", dirs_exist_ok=True)
    for path in (scratch, *(f"{scratch}/{name}" for name in ("home", "tmp", "out"))):
        os.chown(path, uid, uid)
    for path in (Path(f"{scratch}/folder"), *Path(f"{scratch}/folder").rglob("*")):
        os.chown(path, uid, uid)
    os.makedirs(room + plan.folder, exist_ok=True)
    system.bind(f"{scratch}/folder", room + plan.folder, writable=True)
    os.makedirs(f"{room}/proc")
    system.mount("proc", f"{room}/proc", "proc", safe | system.MS_NOEXEC)
    for name in ("sys", "sysrq-trigger", "irq", "bus", "fs"):
        if os.path.exists(f"{room}/proc/{name}"):
            system.bind(f"{room}/proc/{name}", f"{room}/proc/{name}")
    system.pivot(room)
    system.mount("none", "/", flags=system.MS_REMOUNT | system.MS_BIND | safe | system.MS_RDONLY)


def _show(path: str, room: str) -> None:
    if os.path.islink(path) and path.count("/") == 1:  # /bin is a link to usr/bin nearly everywhere
        os.symlink(os.readlink(path), room + path)
        return
    if not os.path.exists(path):
        return
    target = room + path
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        _write(target, "")
    system.bind(path, target)


def _devices(room: str) -> None:
    os.mkdir(f"{room}/dev")
    for name in _DEVICES:
        _write(f"{room}/dev/{name}", "")
        system.mount(f"/dev/{name}", f"{room}/dev/{name}", flags=system.MS_BIND)
    for name, target in {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}.items():
        os.symlink(target, f"{room}/dev/{name}")
    os.mkdir(f"{room}/dev/shm")
    system.mount("shm", f"{room}/dev/shm", "tmpfs", system.MS_NOSUID | system.MS_NODEV, "size=64m,mode=1777")


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def plain(plan: Plan, uid: int | None) -> None:
    """Without namespaces: a folder on disk, in which the course's data is found where the notebook looks for it."""
    room = Path(plan.room)
    top, folder = Path(plan.top), Path(plan.folder)
    own = room / "course" / folder.relative_to(top)
    for made in (room / "home", room / "tmp", room / "out", own):
        made.mkdir(parents=True, exist_ok=True)
    for name in ("data", "src", "out/data"):
        if (top / name).exists():
            (room / "course" / name).parent.mkdir(exist_ok=True)
            (room / "course" / name).symlink_to(top / name)
    if plan.given:
        shutil.copytree(plan.given, own, dirs_exist_ok=True)
    if uid is not None:
        for path in (room, *room.rglob("*")):
            os.chown(path, uid, uid, follow_symlinks=False)
    os.chdir(own)
