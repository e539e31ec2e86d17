"""The graph of a pipeline, for Airflow, which cannot import it: taken from the pipeline itself, and kept until its sources change.

In the environment that has TFX `python -m engines.airflow.graph` makes the pipeline and prints its nodes. Airflow reads the file with the
DAG every half minute; so what was printed is kept in a file, under a name that follows from the sources and the settings.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engines.airflow.project import ROOT, Project, ProjectError, load
from warm import client

SOURCES = ("*.py", "*.pbtxt")

PATIENCE = 280
"""Seconds that the pipeline may take to be made: ten, on a machine that has nothing else to do."""


QUIET = {
    "PYTHONUNBUFFERED": "1",
    # A log is read by a person who looks for a reason.
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "-1",
    "PYTHONWARNINGS": "ignore",
}
"""Environment variables of each process that makes or runs a pipeline."""


@dataclasses.dataclass(frozen=True)
class Graph:
    """The nodes of a pipeline.

    Attributes:
        upstream: for each node, in the pipeline's order, those that it waits for.
    """

    upstream: Mapping[str, tuple[str, ...]]

    @property
    def first(self) -> list[str]:
        """The nodes that wait for no other."""
        return [node for node, before in self.upstream.items() if not before]


def read(project: Project, folder: Path | None = None) -> Graph:
    """The graph, from its file, which is made first when there is none for these sources.

    Args:
        project: the pipeline.
        folder: where graphs are kept; without one, `graphs` in AIRFLOW_HOME.

    Raises:
        ProjectError: the pipeline cannot be made; the message is that of the process that tried.
    """
    folder = folder or Path(os.environ["AIRFLOW_HOME"]) / "graphs"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{fingerprint(project)}.json"
    if not path.exists():
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # scheduler and web server want it at the same time
            if not path.exists():
                _keep(path, _ask(project))
    found = json.loads(path.read_text())
    # A failure is kept as well: the same sources would fail again, ten seconds later.
    if "error" in found:
        raise ProjectError(found["error"])
    return Graph({node: tuple(before) for node, before in found["upstream"].items()})


def fingerprint(project: Project) -> str:
    """Another text after each change of a source file, of what is installed, or of the settings."""
    digest = hashlib.sha256(project.to_json().encode())
    digest.update(python().encode())
    for path in _sources(project):
        digest.update(str(path).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _sources(project: Project) -> Iterator[Path]:
    """The files of this package, and of those that make the pipeline and the configuration."""
    names = {"engines", *(path.partition(":")[0].partition(".")[0] for path in (project.pipeline, project.config))}
    for name in sorted(names):
        for pattern in SOURCES:
            yield from sorted(_folder_of(name, project.python_path).rglob(pattern))


def _folder_of(package: str, python_path: tuple[str, ...]) -> Path:
    """Where a package lies, found without importing it."""
    found = next((Path(folder, package) for folder in python_path if Path(folder, package).is_dir()), None)
    spec = None if found else importlib.util.find_spec(package)
    if spec and spec.submodule_search_locations:
        found = Path(next(iter(spec.submodule_search_locations)))
    if not found:
        where = ", ".join(python_path) or "python_path, which is empty"
        raise ProjectError(f"There is no package {package!r} in {where}.")
    return found


def python() -> str:
    """The interpreter that has TFX: ENGINES_PYTHON, or that of `.venv`."""
    return os.environ.get("ENGINES_PYTHON") or str(ROOT / ".venv" / "bin" / "python")


def environment(project: Project) -> dict[str, str]:
    """The environment variables of a process that makes or runs the pipeline."""
    return (
        os.environ
        | QUIET
        | {
            "PYTHONPATH": os.pathsep.join(project.python_path),
            "PATH": os.pathsep.join([str(Path(python()).parent), os.environ.get("PATH", "")]),
        }
    )


def prepare(project: Project, folder: Path) -> None:
    """Makes the graph in this process, which has TFX at hand, so that Airflow need not start another for it."""
    path = folder / f"{fingerprint(project)}.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _keep(path, {"upstream": make(project)})


def _keep(path: Path, found: dict[str, Any]) -> None:
    """Writes a graph, whole or not at all."""
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps(found))
    beside.replace(path)


def _ask(project: Project) -> dict[str, Any]:
    """What the process says that makes the pipeline, or why it could not."""
    try:
        done = subprocess.run(
            [python(), "-m", "engines.airflow.graph"],
            input=project.to_json(),
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment(project),
            timeout=PATIENCE,
            check=False,
        )
    except FileNotFoundError:
        return {"error": f"{python()} is missing: `make environment` makes it."}
    except subprocess.TimeoutExpired:
        raise ProjectError(
            f"The pipeline {project.pipeline} was not made within {PATIENCE} s; it will be tried again."
        ) from None
    if done.returncode:
        return {"error": "\n".join(done.stderr.strip().splitlines()[-12:])}
    return {"upstream": json.loads(done.stdout.splitlines()[-1])}


def make(project: Project) -> dict[str, list[str]]:
    """The nodes of the pipeline and what each waits for; in the environment that has TFX."""
    from engines.quiet import import_quietly

    import_quietly()
    from tfx.dsl.compiler import compiler

    pipeline = compiler.Compiler().compile(project.create()(project.make_config((project.calendar.first,) * 2)))
    nodes = [node.pipeline_node for node in pipeline.nodes]
    return {node.node_info.id: list(node.upstream_nodes) for node in nodes}


def main(_: object = None) -> None:
    """Reads a project, and prints the nodes of its pipeline."""
    print(json.dumps(make(load(sys.stdin.read()))), flush=True)


if __name__ == "__main__":
    status = client.forked("engines.airflow.graph", "main", None)
    sys.exit(main() if status is None else status)
