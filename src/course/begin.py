"""The first line of every lesson: `workspace = course.begin("NN-name")`."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TextIO

from course import errors, formatters, progress, quiet, style

_MADE_HERE = ".made-by-course"
_held: dict[tuple[int, Path], TextIO] = {}
"""The marks that this process has locked, open as long as it lives. With its number, since a fork inherits them without the locks."""

_begun: list[str] = []
"""The lessons that this process has begun, the last one last."""


def lesson() -> str:
    """The name that `begin` was told last, "" before it was called."""
    return _begun[-1] if _begun else ""


def begin(lesson: str) -> Path:
    """Prepares the notebook: quiet logs, house style, views of TFX's objects, a progress bar, an empty folder.

    Args:
        lesson: name of the notebook without its ending, such as `00-first-pipeline`.

    Returns:
        Absolute path of an existing, empty folder of this lesson's own, `$COURSE_OUT/lessons/<lesson>`. `COURSE_OUT` is
        `out/` of the repository unless the environment says otherwise. What an earlier run left there is removed. While
        another kernel works there, it is `<lesson>-2`, and a sentence says so.

    Raises:
        ValueError: the name is not one that a folder can safely have.
        FileExistsError: the folder holds files that `begin` did not make room for.
    """
    quiet.logs()
    style.use()
    formatters.register()
    errors.register()
    progress.register()
    workspace = fresh_workspace(lesson)
    _begun.append(lesson)
    return workspace


def fresh_workspace(lesson: str) -> Path:
    """Empties and returns the lesson's folder. Removes only a folder that this function made before, and none that is in use.

    The mark that says so lies beside the folder, so that the folder itself is empty; the kernel that works in the folder holds a
    lock on the mark. A symbolic link in the folder's place is removed, never followed.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", lesson):
        raise ValueError(f"{lesson!r} cannot name a folder. Use the notebook's name, such as '00-first-pipeline'.")
    lessons = output_root() / "lessons"
    lessons.joinpath(_MADE_HERE).mkdir(parents=True, exist_ok=True)
    name = next(name for name in _names(lesson) if _take(lessons, name))
    if name != lesson:
        shown = f"{lessons.parent.name}/lessons"
        print(f"Another kernel is working in {shown}/{lesson}; this one has a folder of its own, {shown}/{name}.")
    return lessons / name


def _names(lesson: str) -> Iterator[str]:
    """Folders for a lesson, best first: the one that this kernel had before it was restarted, then the lesson's name, then numbers."""
    marks = output_root() / "lessons" / _MADE_HERE
    kernel = _kernel()
    before = [
        mark.name for mark in sorted(marks.glob(f"{lesson}-*")) if re.fullmatch(r"-\d+", mark.name[len(lesson) :])
    ]
    yield from (name for name in (lesson, *before) if kernel and kernel == _owner(marks / name))
    yield lesson
    yield from (f"{lesson}-{number}" for number in count(2))


def _take(lessons: Path, name: str) -> bool:
    """Locks a folder for the life of this process and empties it. False when another kernel has it.

    Raises:
        FileExistsError: the folder holds files that this module did not make room for.
    """
    folder, mark = lessons / name, lessons / _MADE_HERE / name
    made_here = mark.exists()
    if not made_here and not folder.is_symlink() and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(
            f"{folder} holds files that course.begin did not put there. Move them away, or set COURSE_OUT."
        )
    if not _lock(mark):
        return False
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    return True


def _lock(mark: Path) -> bool:
    """Locks a mark and writes the kernel into it.

    The lock is one of POSIX: it goes with the process, however that ends, and no child inherits it. The process loses it when it closes
    *any* handle of the file, so none of its own marks is opened a second time.
    """
    if (os.getpid(), mark) in _held:
        return True
    file = mark.open("a+", encoding="utf-8")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.close()
        return False
    except OSError:
        pass  # a file system without locks: as if nobody else were there
    file.truncate(0)
    file.write(_kernel())
    file.flush()
    _held[os.getpid(), mark] = file
    return True


def _owner(mark: Path) -> str:
    """The kernel that last had a folder, "" when none did."""
    if (os.getpid(), mark) in _held:
        return _kernel()
    with contextlib.suppress(OSError):
        return mark.read_text(encoding="utf-8")
    return ""


def _kernel() -> str:
    """What this kernel is called, by its connection file: it keeps the name when it is restarted. "" outside of a kernel."""
    if "ipykernel.kernelapp" in sys.modules:
        from ipykernel.connect import get_connection_file

        with contextlib.suppress(RuntimeError):  # the application was imported and does not run here
            return Path(get_connection_file()).stem
    return ""


def output_root() -> Path:
    """Where everything that runs writes: `$COURSE_OUT`, else `out/` in the repository, else `out/` in the current folder."""
    chosen = os.environ.get("COURSE_OUT")
    if chosen:
        return Path(chosen).expanduser().resolve()
    repository = Path(__file__).resolve().parents[2]
    base = repository if (repository / "pyproject.toml").exists() else Path.cwd()
    return (base / "out").resolve()
