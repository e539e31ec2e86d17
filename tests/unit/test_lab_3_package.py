"""Lab 3, task 1: a package is judged by what stands in its files."""

from __future__ import annotations

import lab_three
import pytest

from tools.labs import checkpoints


@pytest.fixture
def lab(tmp_path):
    return lab_three.lab(tmp_path)


def judged(lab, change=None):
    lab_three.write_package(lab, change)
    return lab_three.evaluate(lab, "package")


def test_nothing_gets_nothing(lab):
    points, told = lab_three.evaluate(lab, "package")
    assert points == 0
    assert "`my_flights/config.py`" in told


def add(text):
    return lambda found: found + text


RIGHT = {
    "as the solution": {},
    "relative imports": {
        "model": lambda text: text.replace("from my_flights import features", "from . import features")
    },
    "a further file": {"helpers": lambda _: "WIDTH = 16\n", "model": add("\nfrom my_flights.helpers import WIDTH\n")},
    "a function that comes from elsewhere": {"features": add("\nfrom flights.features import preprocessing_fn\n")},
    "a path in a docstring": {"config": add('\n"""Such as /home/anna/flights."""\n')},
}


@pytest.mark.parametrize("what", RIGHT)
def test_right_package_passes(lab, what):
    assert judged(lab, RIGHT[what]) == (5, "")


WRONG = {
    "no file": ({"model": lambda _: None}, 0, "There is no `my_flights/model.py`"),
    "no Python": ({"model": add("\ndef :\n")}, 0, "is no Python"),
    "no entry": ({"model": lambda text: text.replace("def run_fn", "def train")}, 0, "no function `run_fn`"),
    "two arguments": (
        {"pipeline": lambda text: text.replace("baseline=None", "baseline")},
        3,
        "called with one argument",
    ),
    "a name of the notebook": ({"config": add("\nROOT = workspace\n")}, 4, "uses `workspace`"),
    "an import that is lost": ({"model": lambda text: text.replace("import keras\n", "")}, 4, "uses `keras`"),
    "no such package": ({"model": add("\nimport of_nobody\n")}, 4, "imports `of_nobody`"),
    "no such file": ({"model": add("\nfrom my_flights.helpers import x\n")}, 4, "no such file"),
    "no such name": ({"model": add("\nfrom my_flights.features import NOTHING\n")}, 4, "has no such name"),
    "a local path": ({"config": add('\nDATA = "/home/anna/flights"\n')}, 4, "place of one machine"),
    "where it runs": ({"config": add("\nfrom pathlib import Path\nDATA = Path.cwd()\n")}, 4, "asks the machine"),
    "the course": ({"config": add("\nfrom course import checks\n")}, 4, "imports `course`"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_package_is_told(lab, what):
    change, most, told = WRONG[what]
    points, message = judged(lab, change)
    assert told in message
    assert points <= most < 5


def test_checkpoint_is_what_the_solution_leaves():
    assert checkpoints.differences() == []
