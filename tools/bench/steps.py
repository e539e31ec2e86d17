"""What a step of the compiled pipeline costs before and while it works: `python -m tools.bench.steps` prints a table.

Each step is a process that imports TensorFlow and TFX anew. The imports are measured in a process that does what the step does until its
executor is there, and nothing more; beside them stands TensorFlow alone. Processor seconds, because they depend less on what else the machine does.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time

from tools.bench.process import Row, run

LOAD = """
import sys
from engines.kubeflow import entrypoint
import gc
gc.disable()
entrypoint.Task(sys.argv[1], None, None, []).load()
gc.freeze()
"""
"""The beginning of a step: `entrypoint.main` as far as the executor. Without the last line, the end would look through all that was imported."""

AS_A_STEP = {"_KFP_RUNTIME": "true", "TF_CPP_MIN_LOG_LEVEL": "2"}


def steps() -> list[Row]:
    """A run of the sample by processes that import anew, as containers do, and one by forks of a process that has imported.

    For TensorFlow alone, for each step of the first, and for all steps of each.
    """
    from engines.kubeflow import processes
    from engines.quiet import import_quietly
    from flights.config import Config

    import_quietly()
    from engines.kubeflow import runner as kubeflow
    from flights.pipeline import create_components

    executors: dict[str, str] = {}
    spent: dict[str, float] = {}

    def before(command: list[str]) -> bool:
        executors[processes.task_folder(command).name] = command[command.index("--executor_class_path") + 1]
        return False

    def report(node) -> None:
        spent[node.node] = children_seconds() - start - sum(spent.values())

    with tempfile.TemporaryDirectory() as folder:
        start = children_seconds()
        kubeflow.run(Config(output_root=folder), create_components, report, before=before, imports_once=False)
    with tempfile.TemporaryDirectory() as folder:
        so_far = children_seconds()
        kubeflow.run(Config(output_root=folder), create_components)
        forked = children_seconds() - so_far
    _, _, cpu, peak = run([sys.executable, "-c", "import tensorflow"], AS_A_STEP)
    rows = [Row("`import tensorflow`, alone", None, cpu, peak, "")]
    for name, whole in spent.items():
        loaded = run([sys.executable, "-c", LOAD, executors[name]], AS_A_STEP)[2]
        rows.append(Row(f"Kubeflow's step {name}, by processes", None, whole, 0, "", f"imports {loaded:.1f}"))
    every = "all steps of the compiled pipeline, {}, the sample"
    rows.append(Row(every.format("by processes that import anew"), None, sum(spent.values()), 0, ""))
    rows.append(Row(every.format("forked from one process"), None, forked, 0, ""))
    return rows


def children_seconds() -> float:
    """Processor seconds of the processes that were started here and have ended, with those that they started."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    began = time.monotonic()
    for row in steps():
        print(f"| {row.what} | {row.cpu_seconds:.1f} | {row.remark} |", flush=True)
    print(f"{time.monotonic() - began:.0f} s in all")
