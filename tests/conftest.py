"""What all tests share: the repository on the path, the report of the notebooks, processor seconds, and which tests a worker has together."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# `tools` is a folder of the repository, not an installed package; `sample_lesson` lies beside this file.
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
# As in the course's kernel: threads of OpenMP and of OpenBLAS sleep while they wait, instead of keeping a core busy.
os.environ |= {"OMP_WAIT_POLICY": "passive", "OPENBLAS_THREAD_TIMEOUT": "4"}
# Several workers share the cores, so each has TensorFlow's work done by one thread: the same numbers, a tenth fewer processor seconds.
os.environ |= {"TF_NUM_INTEROP_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
pytest_plugins = ("processor_seconds", "worker_groups")
ENVIRONMENT = dict(os.environ)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--notebook", action="append", default=[], help="run only this notebook (tests/notebooks)")
    parser.addoption("--notebook-timeout", type=float, default=None, help="seconds for a notebook in an engine")


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def first_environment() -> dict[str, str]:
    """The environment before any test has imported a library that adds to it."""
    return ENVIRONMENT


@pytest.fixture(scope="module")
def own_environment(first_environment: dict[str, str]) -> Iterator[None]:
    """That environment. TensorFlow and TFX set variables that kernels would inherit, and that their server is chosen by: another one would import TFX again."""
    from warm import usage

    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - first_environment.keys() - {usage.FILE}:
            if not name.startswith("PYTEST_"):
                patch.delenv(name)
        for name, value in first_environment.items():
            patch.setenv(name, value)
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the table of notebooks and writes it to out/reports/notebooks.md, when notebooks were run."""
    from tools.notebooks import run

    reports = [
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if hasattr(report, "user_properties")
    ]
    properties = [dict(report.user_properties) for report in reports if getattr(report, "when", "") == "call"]
    results = [run.Result(**found["notebook"]) for found in properties if "notebook" in found]
    if results:
        terminalreporter.section("notebooks")
        terminalreporter.write_line(run.report(results).split("\n\n##")[0])
        if not terminalreporter.config.getoption("notebook"):
            run.write_report(results)
            terminalreporter.write_line(f"(also in {run.shown(run.REPORT)})")
