"""What processes have used, for who measures: lines of JSON in the file that a variable names. Without the variable, nothing is written.

    {"seconds": 1.5, "server": PATH}    processor seconds of a fork when it has ended, with those of its children that were waited for; of a server,
                                        those of its imports
    {"waited": PATH}                    who has started this server has waited for its end: what it and its forks used is in that process's own sum
    {"count": "imports"}                a process has imported TFX
    {"count": "pipelines"}              a run has reached Pusher, on whichever engine

A server outlives who orders forks, or ends unseen, so that `getrusage` in a test shows no second of it.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
from collections.abc import Mapping
from resource import struct_rusage
from typing import Any

FILE = "WARM_USAGE"
"""Environment variable: the file."""

_counted = False


def note(line: Mapping[str, Any], path: str | None = None) -> None:
    """Appends a line to the file that the variable names, or to another; a file that cannot be written is none."""
    if path := path or os.environ.get(FILE):
        with contextlib.suppress(OSError), open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def seconds(used: struct_rusage) -> float:
    """Processor seconds, the system's for it included."""
    return used.ru_utime + used.ru_stime


def count_tfx() -> None:
    """Notes, once, that this process has imported TFX, if it has; from then on, each time that Pusher works in it or in a fork of it."""
    global _counted
    pusher = sys.modules.get("tfx.components.pusher.executor")  # `tfx.v1` imports it with all else
    if _counted or not pusher or not os.environ.get(FILE):
        return
    _counted = True
    note({"count": "imports"})
    push = pusher.Executor.Do

    @functools.wraps(push)
    def counted(*arguments: Any, **named: Any) -> None:
        note({"count": "pipelines"})
        push(*arguments, **named)

    pusher.Executor.Do = counted
