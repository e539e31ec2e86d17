"""Every lesson and solution runs and shows what is committed; every lab runs unsolved. One test for each."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tools.notebooks import run


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "notebook" in metafunc.fixturenames:
        named = metafunc.config.getoption("notebook")
        # The later in the course, the longer it takes, and labs are short: so that at the end no worker waits for another's.
        notebooks = [Path(name) for name in named] or sorted(run.all_notebooks()[::-1], key=run.is_lab)
        metafunc.parametrize("notebook", notebooks, ids=[f"{run.kind(path)}-{path.stem}" for path in notebooks])


@pytest.mark.slow
def test_notebook_runs_and_shows_what_is_committed(notebook, record_property, pytestconfig):
    result = run.run(notebook, pytestconfig.getoption("notebook_timeout") or run.TIMEOUT)
    record_property("notebook", dataclasses.asdict(result))
    if result.problem:
        pytest.fail(f"{result.notebook}\n{result.problem}", pytrace=False)


@pytest.mark.parametrize("folder", run.FOLDERS)
def test_folder_holds_notebooks(folder, pytestconfig):
    """A folder that is empty by mistake must not look like one whose notebooks all pass."""
    if pytestconfig.getoption("notebook"):
        pytest.skip("only the named notebooks were asked for")
    if folder != "notebooks" and not run.notebooks("solutions") and not run.notebooks("labs"):
        pytest.skip(f"{folder}/ holds no notebooks yet: the labs come after lessons 00 to 03")
    assert run.notebooks(folder), f"{folder}/ holds no notebook"
