"""Lab 1, tasks 5 and 6: what was found in May, and what to do about it."""

from __future__ import annotations

import copy
from collections import OrderedDict

import lab_one
import numpy as np
import pandas as pd
import pytest

from judges.lab_1 import faults

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture
def lab(tmp_path):
    return lab_one.lab(tmp_path, "student-4")


@pytest.fixture
def delivery(lab):
    return faults.delivery(lab.seed)


@pytest.fixture
def right(delivery):
    return copy.deepcopy(delivery.facts)


def judge(lab, found):
    return lab_one.evaluate(lab, "faults", faults=found)


def rows_as(kind):
    return lambda facts: {
        name: {field: kind(value) if field == "rows" else value for field, value in found.items()}
        for name, found in facts.items()
    }


RIGHT = {
    "as they are": lambda facts: facts,
    "in another order": lambda facts: {kind: dict(reversed(found.items())) for kind, found in reversed(facts.items())},
    "NumPy's numbers": rows_as(np.int64),
    "decimals": rows_as(float),
    "arrays of no dimension": rows_as(np.array),
    "columns of a table": lambda facts: {kind: pd.Series(found, dtype=object) for kind, found in facts.items()},
    "a dictionary in order": lambda facts: OrderedDict((kind, OrderedDict(found)) for kind, found in facts.items()),
    "blanks and small letters": lambda facts: {
        **facts,
        "unit": {**facts["unit"], "where": f" {facts['unit']['where'].lower()} "},
        "text": {**facts["text"], "column": f"{facts['text']['column']} "},
    },
}


@pytest.mark.parametrize("what", RIGHT)
def test_right_findings_pass(lab, right, what):
    assert judge(lab, RIGHT[what](right)) == (4, "")


@pytest.mark.parametrize("what", lab_one.ANSWERS["findings"])
def test_wrong_finding_costs_each_student_half_a_point_and_is_told(tmp_path, what):
    kind, fields, told = lab_one.ANSWERS["findings"][what]
    for student in lab_one.IDS:
        lab = lab_one.lab(tmp_path, student)
        delivery = faults.delivery(lab.seed)
        found, names = copy.deepcopy(delivery.facts), {"f": delivery.facts, "c": delivery.cells}
        for field, value in fields.items():
            is_code = isinstance(value, str) and value.startswith("=")
            found[kind][field] = eval(value[1:].strip(), names) if is_code else value
        points, message = judge(lab, found)
        assert told in message, student
        assert "7 of 8 are right" in message
        assert points == 3.5, student


@pytest.mark.parametrize("given", [[], {}, "text", 7, [1, 2]])
def test_answer_that_is_no_dictionary_is_told(lab, given):
    points, message = judge(lab, given)
    assert points == 0
    assert "`FAULTS` has to be a dictionary" in message


def test_strange_kind_and_open_answers_are_told(lab, right):
    assert "kinds that the lab does not know: weather" in judge(lab, {**right, "weather": {}})[1]
    assert judge(lab, {kind: dict.fromkeys(found, ...) for kind, found in right.items()}) == (0, "")
    assert "`text`: it has to be a dictionary" in judge(lab, {**right, "text": "seats"})[1]
    assert "`value`: it has to be a dictionary" in judge(lab, {**right, "value": {"rows": 5}})[1]
    del right["unit"]
    assert "`unit`: still open" in judge(lab, right)[1]


def test_answers_of_another_student_are_worth_little(lab, right, tmp_path):
    for number in range(20, 30):
        points, _ = judge(lab_one.lab(tmp_path, f"student-{number}"), right)
        assert points <= 1


def test_messages_tell_no_right_answer(lab, delivery):
    """Wrong everywhere: no right column, number or place is in what is told."""
    nothing = {
        kind: {field: 1 if field == "rows" else "year" for field in found} for kind, found in delivery.facts.items()
    }
    points, message = judge(lab, nothing)
    assert points == 0
    told = set(message.replace("`", " ").replace(",", " ").replace(":", " ").split()) - set(faults.KINDS)
    for found in delivery.facts.values():
        assert not {str(value) for value in found.values()} & (told - {"all"})


def test_right_decisions_pass_and_wrong_ones_are_told(tmp_path):
    for student in lab_one.IDS:
        lab = lab_one.lab(tmp_path, student)
        news = faults.delivery(lab.seed).news
        right = {kind: "contract" if kind in news else "data" for kind in faults.KINDS}
        assert lab_one.evaluate(lab, "decisions", decisions=right) == (1, "")
        assert lab_one.evaluate(lab, "decisions", decisions=pd.Series(right)) == (1, "")
        for made, told in lab_one.ANSWERS["decisions"].values():
            points, message = lab_one.evaluate(lab, "decisions", decisions=eval(made, {"right": right, "news": news}))
            assert points == 0
            assert told in message
