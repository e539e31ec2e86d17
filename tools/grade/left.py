"""Copies what a submission left in a folder. Names, kinds and sizes of files are the student's: nothing is followed or trusted."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

FILES, FILE_BYTES, ALL_BYTES, DEPTH = 2000, 64 * 2**20, 128 * 2**20, 12
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def copy(
    folder: str | Path, into: Path, skip: Callable[[str], bool] = lambda name: False, within: int | None = None
) -> list[str]:
    """Copies the ordinary files under a folder, and returns a sentence for each thing that was left out.

    Links, pipes, devices and sockets are left out, and what is beyond the limits. No process may be writing there any more.

    Args:
        folder: what is copied; no part of its name after `within` may be a link.
        into: where to; made if need be.
        skip: says of a relative name that it is passed over, without a sentence.
        within: a descriptor of the folder in which `folder` is looked for.
    """
    handle = within
    opened = []
    try:
        for part in Path(folder).parts if within is not None else [folder]:
            handle = os.open(part, _OPEN | os.O_DIRECTORY, dir_fd=handle)
            opened.append(handle)
        return _Copy(into, skip).copy(handle)
    except OSError:
        return ["There is no workspace: the notebook did not begin the lab, or removed the folder."]
    finally:
        for one in opened:
            os.close(one)


class _Copy:
    """One copy, and how much it has taken."""

    def __init__(self, into: Path, skip: Callable[[str], bool]) -> None:
        self.into, self.skip, self.files, self.bytes, self.notes = into, skip, 0, 0, []

    def copy(self, top: int) -> list[str]:
        self.into.mkdir(parents=True, exist_ok=True)
        for place, folders, names, handle in os.fwalk(".", dir_fd=top):
            prefix = place[2:] + "/" if place != "." else ""
            for name in sorted([*names, *folders]):
                if self.files >= FILES:
                    return [*self.notes, f"More than {FILES} files: the rest of the workspace was left out."]
                reason = self._take(prefix + name, name, handle)
                if reason and not self.skip(prefix + name):
                    self.notes.append(f"{ascii(prefix + name)[:120]} was left out: {reason}")
            folders[:] = sorted(folders) if prefix.count("/") < DEPTH else []
        return self.notes

    def _take(self, relative: str, name: str, folder: int) -> str | None:
        """Copies one file; returns why not."""
        try:
            relative.encode()
            found = os.lstat(name, dir_fd=folder)
            if stat.S_ISDIR(found.st_mode) or self.skip(relative):
                return None
            if not stat.S_ISREG(found.st_mode):
                return "it is no ordinary file."
            if found.st_size > FILE_BYTES or self.bytes + found.st_size > ALL_BYTES:
                return f"with {found.st_size:,} bytes it is too large."
            with open(os.open(name, _OPEN, dir_fd=folder), "rb") as source:
                target = self.into / relative
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as made:
                    shutil.copyfileobj(source, made)
            self.files, self.bytes = self.files + 1, self.bytes + found.st_size
        except (OSError, UnicodeEncodeError):
            return "it cannot be read."
        return None
