"""Copies what students hand in, or leave in a folder. Names, kinds and sizes of files are theirs: nothing is followed or trusted."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

FILES, FILE_BYTES, ALL_BYTES, DEPTH = 2000, 64 * 2**20, 128 * 2**20, 12
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Copy:
    """What is copied to one folder, and a sentence for each thing that was left out: links, pipes, devices, and what is beyond the limits.

    No process may be writing there any more.
    """

    def __init__(self, into: Path, hidden: bool = True) -> None:
        """Makes the folder; `hidden` says whether names that begin with a dot are taken."""
        self.into, self.hidden, self.files, self.bytes, self.notes = into, hidden, 0, 0, []
        into.mkdir(parents=True, exist_ok=True)

    def folder(self, folder: str | Path, within: int | None = None) -> None:
        """Copies what is in a folder.

        Args:
            folder: its name; no part of it may be a link.
            within: a descriptor of the folder in which it lies.

        Raises:
            OSError: there is none.
        """
        handle, opened = within, []
        try:
            for part in Path(folder).parts if within is not None else [folder]:
                handle = os.open(part, _OPEN | os.O_DIRECTORY, dir_fd=handle)
                opened.append(handle)
            for place, folders, names, inner in os.fwalk(".", dir_fd=handle):
                prefix = place[2:] + "/" if place != "." else ""
                for name in sorted([*names, *folders]):
                    if self.files >= FILES:
                        self.notes.append(f"More than {FILES} files: the rest was left out.")
                        return
                    if self.hidden or name[0] != ".":
                        self.take(name, prefix + name, inner)
                deep = prefix.count("/") >= DEPTH
                folders[:] = [] if deep else sorted(name for name in folders if self.hidden or name[0] != ".")
        finally:
            for one in opened:
                os.close(one)

    def take(self, name: str | Path, target: str, within: int | None = None) -> None:
        """Copies one file, if it is one, to `target` in the folder; `within` as for folders."""
        if reason := self._take(name, target, within):
            self.notes.append(f"{ascii(target)[:120]} was left out: {reason}")

    def _take(self, name: str | Path, target: str, within: int | None) -> str | None:
        try:
            target.encode()
            found = os.lstat(name, dir_fd=within)
            if stat.S_ISDIR(found.st_mode):
                return None
            if not stat.S_ISREG(found.st_mode):
                return "it is no ordinary file."
            if found.st_size > FILE_BYTES or self.bytes + found.st_size > ALL_BYTES:
                return f"with {found.st_size:,} bytes it is too large."
            path = self.into / target
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(os.open(name, _OPEN, dir_fd=within), "rb") as source, path.open("xb") as made:
                shutil.copyfileobj(source, made)
            os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
            self.files, self.bytes = self.files + 1, self.bytes + found.st_size
        except (OSError, UnicodeEncodeError):
            return "it cannot be read."
        return None
