"""Airflow's command, a question to its REST API, or a script, in a fork of a process that has imported Airflow (`engines.airflow.ready`). For Airflow's environment."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from warm.loading import quickly


def airflow(words: Sequence[str]) -> None:
    """What `airflow WORDS` does; ends with its exit status."""
    with quickly():
        from airflow.__main__ import main
    sys.argv = ["airflow", *words]
    main()


def task_runs(words: Sequence[str]) -> None:
    """Prints what became of all runs of a DAG, the only word, as JSON: what `python -m engines.airflow.rest DAG` does."""
    from engines.airflow import rest

    rest.main(*words)


def script(words: Sequence[str]) -> None:
    """What `python FILE WORDS` does."""
    sys.argv = list(words)
    sys.path.insert(0, str(Path(words[0]).parent))
    with quickly():
        import airflow  # noqa: F401
    runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    airflow(sys.argv[1:])
