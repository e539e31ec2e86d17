"""`flights` where each copied file takes a second, so that there is time to kill Pusher while it copies."""

from __future__ import annotations

import time
from collections.abc import Sequence


def main(words: Sequence[str]) -> int:
    """Does what the command does."""
    from engines.quiet import import_quietly

    import_quietly()
    from tfx.dsl.io import fileio

    from flights import cli

    copy = fileio.copy

    def slow_copy(source: str, target: str, overwrite: bool = False) -> None:
        copy(source, target, overwrite)
        time.sleep(1)

    fileio.copy = slow_copy
    return cli.main(words)
