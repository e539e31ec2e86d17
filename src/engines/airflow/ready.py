"""A process that has imported Airflow, kept beside this one: commands that are asked of the same AIRFLOW_HOME are forks of it.

To import Airflow and to make its APIs takes most of what a command takes, and a lesson or a lab asks several. The process is this one's own: it ends
with it. Where processes do not fork, each command makes its imports itself.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from warm import client

Process = client.Fork | subprocess.Popen

FUNCTIONS = "engines.airflow.command"
MODULES = ("engines.airflow.preloaded",)
"""What is imported. It is read from the sources when the process starts; what the forks import besides, such as a file with a DAG, is read by each."""

SOCKET = "WARM_AIRFLOW"
"""Environment variable by which a process that this one starts is told of the one that has imported Airflow last."""

_servers: dict[tuple[str, str, str], client.Warm] = {}


def begin(
    python: Path,
    function: str,
    words: Sequence[str],
    variables: Mapping[str, str],
    *,
    files: Sequence[int] = (0, 1, 2),
    folder: str | Path | None = None,
) -> Process:
    """Starts what a function of `engines.airflow.command` does: `airflow`, `task_runs` or `script`.

    Args:
        python: of Airflow's environment.
        function: its name.
        words: what it is given.
        variables: of the environment, as `home.environment` has them: those of one AIRFLOW_HOME and folder of DAGs share a process.
        files: descriptors of its input, output and errors.
        folder: that it works in.
    """
    settings = {"environment": dict(variables), "files": files, "folder": folder}
    for _ in range(2 if client.FORKS else 0):  # one that was kept may have ended, as all do when memory runs out
        try:
            return _server(python, variables).fork(FUNCTIONS, function, list(words), **settings)
        except client.WarmError:
            end()
    return client.cold(FUNCTIONS, function, list(words), python=python, **settings)


def script(
    python: Path,
    words: Sequence[str],
    variables: Mapping[str, str],
    *,
    files: Sequence[int] = (0, 1, 2),
    keep: Mapping[str, str] | None = None,
) -> Process:
    """Starts a script, `words`, that sets Airflow up for its own `variables`: in a fork of a process that was started for others, if this one was told of such.

    Args:
        python: of Airflow's environment.
        words: its file, and what it is given.
        variables: of its environment.
        files: descriptors of its input, output and errors.
        keep: the variables of a process to start and keep, if this one was told of none.
    """
    settings = {"environment": dict(variables), "files": files}
    try:
        if keep and client.FORKS:
            return _server(python, keep).fork(FUNCTIONS, "script", list(words), **settings)
        return client.Warm(Path(os.environ[SOCKET])).fork(FUNCTIONS, "script", list(words), **settings)
    except (KeyError, OSError, client.WarmError):
        return client.cold(FUNCTIONS, "script", list(words), python=python, **settings)


def _server(python: Path, variables: Mapping[str, str]) -> client.Warm:
    key = str(python), variables["AIRFLOW_HOME"], variables["AIRFLOW__CORE__DAGS_FOLDER"]
    if key not in _servers or not _servers[key].is_there:
        # The home is in the command of the process and of its forks: so that it is known whose they are.
        _servers[key] = client.Warm.own(MODULES, variables, [variables["AIRFLOW_HOME"]], python=python)
        os.environ[SOCKET] = str(_servers[key].path)
    return _servers[key]


def wait(process: Process, seconds: float | None = None) -> int:
    """Waits for the end of a command; returns its exit status.

    Raises:
        TimeoutError: it has not ended in time.
    """
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise TimeoutError from None


def end() -> None:
    """Ends the processes that are kept."""
    while _servers:
        _servers.popitem()[1].end()
