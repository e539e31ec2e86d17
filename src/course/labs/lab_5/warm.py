"""A process that has imported TFX, and forks for each step of a pipeline: `python -m course.labs.lab_5.warm`.

On Kubeflow each step is a container that imports TFX anew, six to ten seconds long. Here the imports are made once. A step is a process of
its own all the same: it begins without any module of a student's package, and nothing of it stays when it ends.

It reads an order on each line of its input, in JSON, and answers with a line: the exit status of the step, negative for a signal. With
`--once` it imports nothing before, takes one order and ends with the step's status: where a process that has loaded TensorFlow must not fork.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import traceback
from typing import Any

ONCE = "--once"
IMPORTED = (
    "tensorflow",
    "keras",
    "tensorflow_transform",
    "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_entrypoint_utils",
    "tfx.orchestration.kubeflow.v2.file_based_example_gen.driver",
    "tfx.components.evaluator.executor",
    "flights.kubeflow.entrypoint",
    "flights.kubeflow.baseline",
    "flights.kubeflow.compiler",
    "flights.pipeline",
)


def main() -> None:
    """Imports, and then takes orders until its input ends."""
    with open(os.devnull, "w") as nowhere:
        answers = os.fdopen(os.dup(1), "w")
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        for name in IMPORTED:
            importlib.import_module(name)
        gc.freeze()
        for line in sys.stdin:
            print(_forked(json.loads(line)), file=answers, flush=True)


def _forked(order: dict[str, Any]) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        status = _step(order)
    except BaseException as error:
        traceback.print_exc()
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # what the parent has registered for its own end is not this process's


def _step(order: dict[str, Any]) -> int:
    """Runs a step in this process.

    Args:
        order: `module` and `function` to call with `argument`, `folder` to work in, `path` that packages are found on first, `without`:
            folder below which none are found, `log`: file for what is printed.
    """
    from flights.runners.common import end_with_parent

    end_with_parent()
    nothing, log = os.open(os.devnull, os.O_RDONLY), os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, number)
    os.chdir(order["folder"])
    sys.path[:] = [order["path"], *(path for path in sys.path if path and not path.startswith(order["without"]))]
    importlib.invalidate_caches()
    return getattr(importlib.import_module(order["module"]), order["function"])(order["argument"])


def once() -> int:
    """Takes one order in this process."""
    try:
        return _step(json.loads(sys.stdin.readline()))
    except BaseException as error:
        traceback.print_exc()
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    if ONCE in sys.argv:
        sys.exit(once())
    main()
