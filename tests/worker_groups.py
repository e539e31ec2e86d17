"""Which tests one of several workers has together (`--dist loadgroup`): those that share a run, a server, a browser, or the import of TFX.

With `--no-loadscope-reorder` groups begin in the order of their first tests: what is long comes first, and short tests fill the last minutes.

pytest-xdist 3.8 tells a group by the end of a test's id, which it cannot write to that of pytest 9.2 (pytest-dev/pytest-xdist, issue 1386): without
`_name` it would take no group for one, and say nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

WHOLE = ("browser", "grading", "pipeline")
"""Folders whose files share a run of the pipeline, a server or a browser."""
BROKEN = "test_broken_notebooks.py"
"""A file whose tests share notebooks that were executed."""
SHORT = ("unit", "contract")
"""Folders whose tests are thousands, and short."""
WITH_TFX = ("tfx", "labs_tfx")
"""Two groups, which are all that imports TFX itself unless long tests are run: unit tests, those of labs in the second, and half of the pipeline's files each."""
WAITING = ("browser", "grading")
"""Folders whose tests wait as long as they work: for pages, and for what is to be stopped when its time is over."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Adds groups to those that files name themselves, and puts the tests in order, when it is known which there are.

    The tests of a file that share one of its fixtures are a group, too.
    """
    together = _pipeline_groups(config, items)
    for item in items:
        if _is_whole(item):
            item.add_marker(pytest.mark.xdist_group(together.get(item.path, item.path.stem)))
        elif item.path.name.startswith("test_lab_") and item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("labs"))  # beside its own: the two names together are the group's
        elif not item.get_closest_marker("xdist_group") and _shares_a_fixture(item):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
        if config.getoption("loadgroup", False):
            _name(item)
    yield
    items[:] = _in_order(items)


def _is_whole(item: pytest.Item) -> bool:
    return item.path.parent.name in WHOLE or item.path.name == BROKEN


def _pipeline_groups(config: pytest.Config, items: list[pytest.Item]) -> dict[Path, str]:
    """For each file of the pipeline, which of two workers has it: a third one need not import TFX. Long tests are too many for two."""
    if "not long" not in config.option.markexpr:
        return {}
    files = sorted({item.path for item in items if item.path.parent.name == "pipeline"})
    return {path: WITH_TFX[number % 2] for number, path in enumerate(files)}


def _in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Files of the pipeline, notebooks with what waits among them, files with long tests, and last what is short."""
    with_long = {item.path for item in items if item.get_closest_marker("long")}

    def place(item: pytest.Item) -> int:
        if item.path.parent.name not in SHORT or _is_whole(item):
            return 0 if item.path.parent.name == "pipeline" else 1
        return 2 if item.path in with_long else 3

    ordered = sorted(items, key=place)
    short = sum(place(item) > 1 for item in items)
    return [*_spread(ordered[: len(items) - short]), *ordered[len(items) - short :]]


def _spread(items: list[pytest.Item]) -> list[pytest.Item]:
    """The same tests; files that wait are among the others instead of one after the other, when cores would have nothing to do."""
    units = [
        list(found) for _, found in itertools.groupby(items, lambda one: one.path if _is_whole(one) else one.nodeid)
    ]
    waiting = [unit for unit in units if unit[0].path.parent.name in WAITING or unit[0].path.name == BROKEN]
    others = [unit for unit in units if unit not in waiting]
    apart = len(others) // (len(waiting) + 1)
    for place, unit in enumerate(waiting, 1):
        others.insert(place * apart + place - 1, unit)
    return [item for unit in others for item in unit]


def _shares_a_fixture(item: pytest.Item) -> bool:
    """Whether each worker with a test of this file would make a fixture for the whole file; an environment is made in no time."""
    known = getattr(item, "_fixtureinfo", None)
    found = known.name2fixturedefs.items() if known else ()
    return any(one and one[-1].scope == "module" and not name.endswith("own_environment") for name, one in found)


def _name(item: pytest.Item) -> None:
    groups = sorted({mark.args[0] for mark in item.iter_markers("xdist_group")})
    if groups and hasattr(item, "_id"):
        item._id = type(item._id).parse(f"{item.nodeid}@{'_'.join(groups)}")
