"""Lab 2: cells of a notebook become a module that TFX can import."""

from __future__ import annotations

import importlib
import linecache
import sys

import pandas as pd
import pytest

from course import checks
from course.checks import session
from course.labs import lab_2_model

NAME = "of_a_student"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs cells as IPython does: each under a name by which its source can be found."""
    monkeypatch.setattr(session._session, "lab", checks.Lab("lab-2-model", "student-1", tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    names, count = {"lab": lab_2_model}, iter(range(100))

    def cell(source):
        name = f"<cell {next(count)}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        exec(compile(source, name, "exec"), names)
        return names

    yield cell
    sys.modules.pop(NAME, None)


def test_cells_make_up_a_module(run):
    run(f'import math\nRADIUS = 2\nlab.as_module("{NAME}")\n')
    run(f'def area():\n    return round(math.pi * RADIUS, 1)\n\n\nlab.as_module("{NAME}")\n')
    module = importlib.import_module(NAME)
    assert module.area() == 6.3
    assert not hasattr(module, "lab")


def test_cell_that_is_run_again_takes_its_place(run):
    run(f'def area():\n    return 1\n\n\nlab.as_module("{NAME}")')
    assert importlib.import_module(NAME).area() == 1
    run(f'def area():\n    return 2\n\n\nlab.as_module("{NAME}")')
    assert importlib.import_module(NAME).area() == 2


@pytest.mark.parametrize("name", ["json", "pandas", "Mine", "of mine", "../x", ""])
def test_names_that_cannot_be_are_refused(run, name):
    with pytest.raises(ValueError, match=r"module|name"):
        run(f'lab.as_module("{name}")')


def test_call_outside_of_a_cell_is_told(run):
    with pytest.raises(RuntimeError, match="stores the cell"):
        exec(compile(f'lab.as_module("{NAME}")', "<nowhere>", "exec"), {"lab": lab_2_model})


@pytest.mark.slow
@pytest.mark.xdist_group("tfx")
def test_flights_become_examples_without_their_gaps():
    import tensorflow as tf

    flights = pd.DataFrame(
        {"id": [1, 2], "temp": [3.5, None], "seats": pd.array([None, 7], "Int64"), "dest": ["BOS", "SFO"]}
    )
    first, second = (tf.train.Example.FromString(one) for one in lab_2_model.to_examples(flights))
    assert sorted(first.features.feature) == ["dest", "id", "temp"]
    assert sorted(second.features.feature) == ["dest", "id", "seats"]
    assert second.features.feature["seats"].int64_list.value[:] == [7]
    assert first.features.feature["dest"].bytes_list.value[:] == [b"BOS"]
