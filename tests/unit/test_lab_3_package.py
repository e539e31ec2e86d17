"""Lab 3: what of the student's package is taken elsewhere, and how it is edited there."""

from __future__ import annotations

import ast

import lab_three
import pytest

from judges.lab_3 import elsewhere
from tools.labs import checkpoints


@pytest.fixture
def lab(tmp_path):
    return lab_three.lab(tmp_path)


def test_nothing_gets_nothing(lab):
    points, told = lab_three.evaluate(lab, "package")
    assert points == 0
    assert "There is no `my_flights/config.py` yet" in told


WRONG = {
    "no file": ({"model": lambda _: None}, "There is no `my_flights/model.py`"),
    "too long": ({"model": lambda _: "#" * 300_000}, "larger than 200,000 bytes"),
    "too many": ({f"more_{number}": lambda _: "" for number in range(30)}, "more than 30 files"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_package_is_not_run(lab, what):
    change, told = WRONG[what]
    lab_three.write_package(lab, change)
    points, message = lab_three.evaluate(lab, "package")
    assert points == 0
    assert told in message


def test_link_out_of_the_workspace_is_not_followed(lab, tmp_path):
    lab_three.write_package(lab)
    (tmp_path / "model.py").write_text("secret = 1")
    path = lab.workspace / "package" / "my_flights" / "model.py"
    path.unlink()
    path.symlink_to(tmp_path / "model.py")
    points, told = lab_three.evaluate(lab, "package")
    assert points == 0
    assert "leads out of your workspace" in told


SOURCES = {
    "a function": 'def f(x):\n    """Says."""\n    y = x\n    return y\n',
    "a function with a body of one line": "def f(x):\n    return x\n",
    "all in one line": "def f(x): return x\n",
    "a text alone": 'def f(x): "Says."',
    "a text of letters in one line": 'def f(x): "é"; return x\n',
    "a text of several lines": 'def f(x):\n    """Says\n    é.\n    """  # so\n    return x\n',
    "a block": "def f(x):\n    if x:\n        return x\n",
    "a function in a function": "def f(x):\n    @str\n    def g(): ...\n    return x\n",
    "a choice": "def f(x):\n    match x:\n        case 4: return x\n",
    "a line without end": "f = abs",
    "lines of another system": "def f(x):\r\n    y = x\r\n    return y\r\n",
    "no function": "from math import sqrt as f\n",
    "a class alone": "class f:\n    def __init__(self, x):\n        pass\n",
    "letters": 'def f(x):\n\n    return f"{x}é"  # ö\n',
}


@pytest.mark.parametrize("what", SOURCES)
def test_edit_is_another_code_that_does_the_same(what):
    source = SOURCES[what]
    first, edited = (elsewhere.marked(source.encode(), mark).decode() for mark in "ab")
    assert len(first) == len(edited)
    assert ast.dump(ast.parse(first)) != ast.dump(ast.parse(edited))
    before, after = {}, {}
    exec(source, before)
    exec(edited, after)
    if what != "a class alone":
        assert before["f"](4) == after["f"](4)
        assert before["f"].__doc__ == after["f"].__doc__
    if "def f" in source:  # a fingerprint of the function knows of it
        exec(first, before)
        assert before["f"].__code__.co_consts != after["f"].__code__.co_consts


def test_lines_of_a_package_keep_their_numbers_in_what_is_told_of_it():
    source = SOURCES["a function"].encode()
    assert len(elsewhere.marked(source, "a").splitlines()) == len(source.splitlines())


def test_edit_of_what_is_no_python_is_another_text():
    assert elsewhere.marked(b"def :", "a") != elsewhere.marked(b"def :", "b")


def test_months_of_the_check_are_as_the_questions_need_them():
    drawn = elsewhere.flights()
    odd = drawn.judged[drawn.judged["dest"] == elsewhere.ODD]
    assert elsewhere.ODD not in set(drawn.learned["dest"])
    assert len(odd) == elsewhere.ODD_FLIGHTS
    assert set(odd["late"]) == {1}
    assert len(drawn.asked) == elsewhere.ORDINARY + 2 * elsewhere.ODD_ASKED
    found = elsewhere.candidates()
    assert found["late"].mean() == pytest.approx(0.18)
    means = [found[name].mean() for name in ("good", "better", "worse")]
    assert means == pytest.approx([found["late"].mean()] * 3, abs=0.04)
    late = found["late"].to_numpy() == 1
    areas = {}
    for name in elsewhere.MODELS:
        apart = found[name].to_numpy()[late][:, None] - found[name].to_numpy()[~late]
        areas[name] = ((apart > 0) + (apart == 0) / 2).mean()
    assert areas == pytest.approx(elsewhere.MODELS, abs=0.003)


def test_checkpoint_is_what_the_solution_leaves():
    assert checkpoints.differences() == []
