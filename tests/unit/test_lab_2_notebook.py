"""Lab 2: cells of a notebook become a module that TFX can import."""

from __future__ import annotations

import importlib
import sys

import pandas as pd
import pytest
import student_lab

from course import checks
from course.checks import session
from course.labs import cells, lab_2_model

NAME = "of_a_student"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(session._session, "lab", checks.Lab("lab-2-model", "student-1", tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield student_lab.cells({"lab": lab_2_model})
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


def test_cells_that_begin_with_the_same_name_lose_nothing_without_a_word(run):
    """The second would have taken the place of the first, and `area` would have been gone."""
    run(f'LIMIT = 1\n\n\ndef area():\n    return LIMIT\n\n\nlab.as_module("{NAME}")')
    with pytest.raises(ValueError, match="defines LIMIT again, and would take the place of a cell that defines area"):
        run(f'LIMIT = 2\n\n\ndef side():\n    return LIMIT\n\n\nlab.as_module("{NAME}")')
    assert importlib.import_module(NAME).area() == 1


def test_cell_that_defines_all_of_two_takes_the_place_of_both(run, tmp_path):
    run(f'import math\n\nlab.as_module("{NAME}")')
    for cell in (
        "def one():\n    return 1",
        "def two():\n    return 2",
        "def two():\n    return 2\n\n\ndef one():\n    return 3",
    ):
        run(f'{cell}\n\n\nlab.as_module("{NAME}")')
    assert importlib.import_module(NAME).one() == 3
    assert (tmp_path / "code" / f"{NAME}.py").read_text().count("def ") == 2


def test_edited_cell_is_known_by_its_id(run, monkeypatch):
    """Whatever it defines now: what was taken out of it is gone."""
    monkeypatch.setattr(cells, "current", lambda: "cell-1")
    run(f'RADIUS = 1\n\n\ndef area():\n    return RADIUS\n\n\nlab.as_module("{NAME}")')
    run(f'def side():\n    return 4\n\n\nlab.as_module("{NAME}")')
    module = importlib.import_module(NAME)
    assert module.side() == 4
    assert not hasattr(module, "area")


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
