"""The program that confines; see the package's docstring."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys

from tools.grade.confine import frames, pack, room, system, watch
from tools.grade.confine.plan import CONTAINER, NAMESPACES, ROOT_NAMESPACES, USER_NAMESPACES, Plan

INSIDE = 1000
"""User id of the command in a user namespace, as seen inside."""


def main(_: None = None) -> int:
    """Reads the plan, confines, runs, reports. Exit code 0 means that the report is complete.

    A warm process calls it in a fork. All that is of a submission comes by standard input, so that no other fork has it in its memory.
    """
    plan = Plan.loads(sys.stdin.read())
    if sys.platform == "linux":
        system.hide_memory()
        if plan.how != CONTAINER:  # there, the parent is outside, and the process ends with the container
            system.die_with_parent()
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("800")  # should the machine run out of memory, this goes first
    os.nice(5)
    if plan.core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {plan.core})
    if plan.how not in NAMESPACES:
        room.plain(plan, plan.uid)
        _report(plan, plan.room)
        return 0
    _new_namespaces(plan)
    first = os.fork()  # the first process of the new process namespace
    if first:
        return os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
    try:
        system.die_with_parent()
        system.hide_memory()
        room.build(plan, plan.uid if plan.how == ROOT_NAMESPACES else INSIDE)
        system.loopback_up()
        _report(plan, room.SCRATCH)
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(1)


def _new_namespaces(plan: Plan) -> None:
    kinds = system.NEWNS | system.NEWUTS | system.NEWIPC | system.NEWPID | system.NEWNET
    if plan.how == USER_NAMESPACES:
        system.unshare_user(kinds, INSIDE, INSIDE)
    else:
        system.unshare(kinds)


def _report(plan: Plan, scratch: str) -> None:
    out = os.fdopen(os.dup(1), "wb")
    ended = watch.run(plan, scratch, lambda line: frames.write(out, frames.LINE, line))
    notes = []
    for found in pack.pack(plan.collect.replace("{scratch}", scratch)):
        if isinstance(found, str):
            notes.append(found)
            continue
        name, pieces = found
        frames.write(out, frames.NAME, name.encode())
        for piece in pieces:
            frames.write(out, frames.DATA, piece)
    frames.write(out, frames.END, json.dumps({**dataclasses.asdict(ended), "notes": notes[:20]}).encode())


if __name__ == "__main__":
    sys.exit(main())
