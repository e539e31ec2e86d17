"""How a confined run reports: frames of a kind, a length, and that many bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

LINE, NAME, DATA, END = b"L", b"N", b"D", b"E"
"""A line that the command sent; the name of a file that it left, and a piece of its content; how it ended, as JSON."""
MOST = 16 * 2**20
"""Bytes in a frame."""

_HEAD = struct.Struct(">cI")


def write(stream: BinaryIO, kind: bytes, content: bytes) -> None:
    """Writes a frame."""
    stream.write(_HEAD.pack(kind, len(content)) + content)
    stream.flush()


def read(stream: BinaryIO, most: int) -> Iterator[tuple[bytes, bytes]]:
    """Yields the frames until the stream ends.

    Raises:
        ValueError: there are more than `most` bytes, or something that is no frame.
    """
    while head := stream.read(_HEAD.size):
        if len(head) < _HEAD.size:
            raise ValueError("a frame is cut off")
        kind, size = _HEAD.unpack(head)
        most -= size
        if kind not in (LINE, NAME, DATA, END) or size > MOST or most < 0:
            raise ValueError("what came is no frame, or too much")
        content = stream.read(size)
        if len(content) < size:
            raise ValueError("a frame is cut off")
        yield kind, content
