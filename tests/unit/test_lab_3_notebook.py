"""Lab 3: cells of a notebook become the files of a package that can be imported."""

from __future__ import annotations

import importlib
import sys

import pytest
import student_lab

from course import checks
from course.checks import session
from course.labs import lab_3_pipeline
from course.labs.lab_3 import package


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(session._session, "lab", checks.Lab("lab-3-pipeline", "student-1", tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    package.begin(tmp_path)
    yield student_lab.cells({"lab": lab_3_pipeline})
    package.forget()


def imported(name):
    return importlib.import_module(f"my_flights.{name}")


def test_cells_make_up_files_that_import_each_other(run, tmp_path):
    run('import math\n\nlab.save("features")')
    run('RADIUS = 2\n\nlab.save("features")')
    run('def area():\n    return round(math.pi * RADIUS, 1)\n\n\nlab.save("features")\n')
    run('from my_flights.features import area\n\n\ndef twice():\n    return 2 * area()\n\n\nlab.save("model")')
    assert imported("model").twice() == 12.6
    assert not hasattr(imported("features"), "lab")
    assert "lab.save" not in (tmp_path / "package" / "my_flights" / "features.py").read_text()


def test_cell_that_is_run_again_takes_its_place_even_within_a_second(run):
    for number in (1, 2, 3):
        run(f'def area():\n    return {number}\n\n\nlab.save("features")')
        assert imported("features").area() == number


def test_later_cell_takes_the_place_of_the_one_whose_first_name_it_has(run):
    run('DERIVED = ["minute"]\n\n\ndef derive():\n    return DERIVED\n\n\nlab.save("features")')
    run('def last():\n    return derive()\n\n\nlab.save("features")')
    run('DERIVED = ["minute", "gust"]\n\n\ndef derive():\n    return DERIVED[::-1]\n\n\nlab.save("features")')
    assert imported("features").last() == ["gust", "minute"]


def test_file_that_was_deleted_begins_anew(run, tmp_path):
    run('def one():\n    return 1\n\n\nlab.save("features")')
    (tmp_path / "package" / "my_flights" / "features.py").unlink()
    run('def two():\n    return 2\n\n\nlab.save("features")')
    assert not hasattr(imported("features"), "one")


def test_markers_of_solutions_stay_out_of_the_files(run, tmp_path):
    run('### BEGIN SOLUTION\ndef one():\n    return 1\n\n\nlab.save("features")\n### END SOLUTION')
    assert "SOLUTION" not in (tmp_path / "package" / "my_flights" / "features.py").read_text()


@pytest.mark.parametrize("name", ["Mine", "of mine", "../x", "", "features.py", 3, None])
def test_names_that_cannot_be_are_refused(run, name):
    with pytest.raises(ValueError, match="cannot name a module"):
        run(f"lab.save({name!r})")


def test_call_outside_of_a_cell_is_told(run):
    with pytest.raises(RuntimeError, match="stores the cell"):
        exec(compile('lab.save("features")', "<nowhere>", "exec"), {"lab": lab_3_pipeline})


def test_what_is_here_names_no_judge():
    assert lab_3_pipeline.__all__ == ["deliver", "run", "save"]
