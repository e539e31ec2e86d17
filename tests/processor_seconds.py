"""With `--seconds FOLDER`, pytest notes the processor seconds of each test file there, and shows them at its end: `tools.checks.seconds`.

Seconds of a test are those of its worker and of the children that it waited for, from the set-up to the end of the tear-down; the import of its
file is part of them. What forks of a warm process use is noted by their server: here a variable says in which file.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.checks import seconds
from warm import usage

NOTEBOOKS = "tests/notebooks/test_notebooks.py"
"""A file whose tests each have a notebook of their own: that is what their seconds are noted for."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seconds", type=Path, help="a folder of its own for the processor seconds of this run")


def pytest_configure(config: pytest.Config) -> None:
    if folder := config.getoption("seconds"):
        config.pluginmanager.register(Accounting(folder.absolute(), hasattr(config, "workerinput")))


def used(*whose: int) -> float:
    """Processor seconds of this process; by default with those of the children that it has waited for."""
    whose = whose or (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.seconds(resource.getrusage(one)) for one in whose)


class Accounting:
    def __init__(self, folder: Path, is_worker: bool) -> None:
        self._folder, self._is_worker = folder, is_worker
        self._noted = 0.0  # of this process alone
        if not is_worker:
            if folder.exists() and not (folder / seconds.PYTEST).exists():
                raise pytest.UsageError(f"--seconds {folder}: it is there and holds something else. Name a new folder.")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / seconds.PYTEST).touch()

    @contextlib.contextmanager
    def _of(self, file: str) -> Iterator[None]:
        path = str(self._folder / file.replace("/", "+"))
        os.environ[usage.FILE] = path
        before, own = used(), used(resource.RUSAGE_SELF)
        try:
            yield
        finally:
            usage.count_tfx()
            usage.note({"seconds": used() - before}, path)
            self._noted += used(resource.RUSAGE_SELF) - own

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        with self._of(collector.nodeid) if isinstance(collector, pytest.File) else contextlib.nullcontext():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        name = item.nodeid.partition("::")[0]
        if name == NOTEBOOKS and "notebook" in item.fixturenames:
            name = os.path.relpath(item.callspec.params["notebook"], item.config.rootpath)
        with self._of(name):
            return (yield)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        path = str(self._folder / seconds.PYTEST)
        # Children of the controller are the workers, which have noted their own.
        usage.note({"seconds": used(resource.RUSAGE_SELF) - self._noted}, path)
        # A server that ends with this process was waited for too late to be in any sum: what its forks have noted counts.
        os.environ.pop(usage.FILE, None)
        if not self._is_worker:
            usage.note({"ended": int(exitstatus), "chosen": session.config.getoption("markexpr")}, path)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("processor seconds")
        terminalreporter.write_line(seconds.table(seconds.read(self._folder)))
