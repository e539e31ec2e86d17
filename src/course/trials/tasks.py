"""Runs a compiled pipeline, each task in a process of its own: a step of a trial.

    main([SPECIFICATION, IMAGE, RUNS, PARAMETERS, LAST])

The tasks find packages in the folder IMAGE, work in an empty folder, and leave what they make below RUNS; PARAMETERS, as JSON, are those of the run. Of the tasks that could begin,
the one named LAST does only when there is no other: what does not wait for it has begun by then, as on a cluster, where they run side by side.
"""

from __future__ import annotations

import json
from pathlib import Path

from course.labs.lab_5 import separate_process

THROUGH = "course.trials.watched_task"


def main(arguments: list[str]) -> int:
    """Runs it; returns the exit status."""
    from kfp.local import graph_utils

    specification, image, runs, parameters, last = arguments
    here = Path.cwd()
    given = json.loads(parameters)
    given["data_root"] = str(here / given["data_root"])
    destination = {"filesystem": {"base_directory": str(here / given["push_destination"])}}
    given["push_destination"] = json.dumps(destination)

    def ordered(waits: dict[str, list[str]]) -> list[str]:
        """The tasks, the first of them at the end, as kfp takes them."""
        done: list[str] = []
        while rest := sorted((name for name in waits if name not in done), key=lambda name: (name == last, name)):
            done.append(next((name for name in rest if set(waits[name]) <= set(done)), rest[0]))
        return done[::-1]

    graph_utils.topological_sort = ordered
    try:
        separate_process.run(here / specification, here / image, here, here / runs, given, lambda *_: None, [THROUGH])
    except separate_process.StepError as error:
        print(error)
        return 1
    return 0
