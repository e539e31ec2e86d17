"""Reads what a submission left in its workspace. Names, kinds and sizes of files are the student's: nothing is followed or trusted."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import BinaryIO

FILES, FILE_BYTES, ALL_BYTES, DEPTH = 2000, 64 * 2**20, 128 * 2**20, 12
_CHUNK = 2**20


def pack(folder: str) -> Iterator[tuple[str, Iterator[bytes]] | str]:
    """Yields each ordinary file under a folder: relative name and content in pieces; and a sentence for what was left out.

    Links, pipes, devices and sockets are left out, and what is beyond the limits. No process may be writing there any more.
    """
    try:
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        yield "There is no workspace: the notebook did not begin the lab, or removed the folder."
        return
    try:
        yield from _Walk().walk(top, "", 0)
    finally:
        os.close(top)


class _Walk:
    """One packing, and how much it has taken."""

    def __init__(self) -> None:
        self.files = self.bytes = 0

    def walk(self, folder: int, prefix: str, depth: int) -> Iterator[tuple[str, Iterator[bytes]] | str]:
        for name in sorted(os.listdir(folder)):
            shown = ascii(prefix + name)[:120]
            if self.files >= FILES:
                yield f"More than {FILES} files: the rest of the workspace was left out."
                return
            try:
                name.encode("utf-8")
                kind = os.lstat(name, dir_fd=folder)
                if stat.S_ISDIR(kind.st_mode) and depth < DEPTH:
                    inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                    try:
                        yield from self.walk(inner, f"{prefix}{name}/", depth + 1)
                    finally:
                        os.close(inner)
                elif stat.S_ISREG(kind.st_mode):
                    yield from self.file(folder, name, prefix, kind.st_size, shown)
                else:
                    yield f"{shown} was left out: it is no ordinary file."
            except (OSError, UnicodeEncodeError):
                yield f"{shown} was left out: it cannot be read."

    def file(
        self, folder: int, name: str, prefix: str, size: int, shown: str
    ) -> Iterator[tuple[str, Iterator[bytes]] | str]:
        if size > FILE_BYTES or self.bytes + size > ALL_BYTES:
            yield f"{shown} was left out: with {size:,} bytes it is too large."
            return
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(name, flags, dir_fd=folder), "rb", closefd=True) as stream:
            self.files += 1
            self.bytes += size
            yield prefix + name, _pieces(stream, size)


def _pieces(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """The content, and not more than the size that was allowed, should the file be growing."""
    while size > 0 and (piece := stream.read(min(_CHUNK, size))):
        size -= len(piece)
        yield piece
