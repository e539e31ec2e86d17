"""Lab 1, tasks 5 and 6: what was found in May, and what to do about it."""

from __future__ import annotations

import copy

import lab_one
import numpy as np
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


# --- Task 5 -------------------------------------------------------------------------------------------------------


def test_right_findings_pass(lab, right):
    assert judge(lab, right) == (4, "")


def test_findings_in_another_order_and_of_other_types_pass(lab, right):
    other = {kind: dict(reversed(found.items())) for kind, found in reversed(right.items())}
    for found in other.values():
        if "rows" in found:
            found["rows"] = np.int64(found["rows"])
    assert judge(lab, other) == (4, "")


def test_findings_as_decimals_and_with_blanks_pass(lab, right):
    right["unit"]["where"] = f" {right['unit']['where'].lower()} "
    right["text"]["column"] += " "
    for found in right.values():
        if "rows" in found:
            found["rows"] = float(found["rows"])
    assert judge(lab, right) == (4, "")


def _set(kind, **fields):
    def change(found, delivery):
        found[kind] |= {name: value(found, delivery) if callable(value) else value for name, value in fields.items()}

    return change


def _drop(kind):
    return lambda found, delivery: found.pop(kind)


def _without_duplicates(kind, mask):
    """The rows as somebody counts them who has removed the repeated ones first."""

    def count(found, delivery):
        cells = delivery.cells.drop_duplicates()
        return int(mask(cells, delivery.facts).sum())

    return _set(kind, rows=count)


WRONG = {
    "another column of words": (_set("text", column="tailnum"), "`text`: that is not what happened to `tailnum`"),
    "one row too many": (
        _set("text", rows=lambda found, delivery: found["text"]["rows"] + 1),
        "`text`: the column is right; the number of rows is not",
    ),
    "counted after the label": (
        _set("value", rows=lambda found, delivery: found["value"]["rows"] - 1),
        "Count in the file as it came, before a label drops any",
    ),
    "a value without its column": (
        lambda found, delivery: found["value"].pop("column"),
        "has to be a dictionary with `column`, `value` and `rows`",
    ),
    "counted without the repeated rows": (
        _without_duplicates("gaps", lambda cells, facts: cells[facts["gaps"]["column"]] == ""),
        "Count in the file as it came, before a label drops any: repeated rows too",
    ),
    "natural gaps taken for planted ones": (_set("gaps", column="wind_gust"), "`gaps`: that is not what happened"),
    "a column that is not there": (_set("range", column="humidity"), "`range`: the file has no column `humidity`"),
    "a new code that is an old one": (_set("value", value="UA"), "'UA' is not the word"),
    "the column of the other code": (
        _set(
            "value", column=lambda found, delivery: {"carrier": "origin", "origin": "carrier"}[found["value"]["column"]]
        ),
        "`value`: that is not what happened",
    ),
    "renamed taken for new": (
        _set("column", column=lambda found, delivery: found["renamed"]["now"]),
        "for one that is new and not another one's new name",
    ),
    "new taken for renamed": (
        _set("renamed", now=lambda found, delivery: found["column"]["column"]),
        "`renamed`: one of the two names is right",
    ),
    "old and new name exchanged": (
        _set("renamed", column=lambda found, _: found["renamed"]["now"], now=lambda _, d: d.facts["renamed"]["column"]),
        "`renamed`: both names are right, and exchanged",
    ),
    "unit right, place wrong": (
        _set("unit", where=lambda found, delivery: "EWR" if found["unit"]["where"] != "EWR" else "LGA"),
        "the column is right, `where` is not",
    ),
    "the weather of May taken for another unit": (_set("unit", column="pressure"), "`unit`: that is not what happened"),
    "all rows of the repeated ones": (
        _set("duplicates", rows=lambda found, delivery: int(delivery.cells.duplicated(keep=False).sum())),
        "rows that repeat an earlier one, without that one",
    ),
    "the number of flights": (
        _set("duplicates", rows=lambda found, delivery: len(delivery.cells)),
        "rows that repeat an earlier one, without that one",
    ),
    "rows as text": (_set("duplicates", rows="many"), "`rows` has to be a whole number, not 'many'"),
    "a truth value for a number": (_set("duplicates", rows=True), "`rows` has to be a whole number, not True"),
    "a number for a name": (_set("text", column=7), "`column` has to be text, not 7"),
    "a field of another name": (_set("text", cells=3), "it has to be a dictionary with `column` and `rows`"),
    "one is missing": (_drop("unit"), "`unit`: still open"),
    "one is still open": (_set("unit", where=None), "`unit`: still open"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_finding_costs_half_a_point_and_is_told(lab, delivery, right, what):
    change, told = WRONG[what]
    change(right, delivery)
    points, message = judge(lab, right)
    assert points == 3.5
    assert "7 of 8 are right" in message
    assert told in message


@pytest.mark.parametrize("given", [[], {}, "text", 7, [1, 2]])
def test_answer_that_is_no_dictionary_is_told(lab, given):
    points, message = judge(lab, given)
    assert points == 0
    assert "`FAULTS` has to be a dictionary" in message


def test_strange_kind_and_open_answers_are_told(lab, right):
    assert "kinds that the lab does not know: weather" in judge(lab, {**right, "weather": {}})[1]
    assert judge(lab, {kind: dict.fromkeys(found, ...) for kind, found in right.items()}) == (0, "")
    assert "`text`: it has to be a dictionary" in judge(lab, {**right, "text": "seats"})[1]


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


# --- Task 6 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("student", [f"student-{number}" for number in range(8)])
def test_right_decisions_pass(tmp_path, student):
    lab = lab_one.lab(tmp_path, student)
    news = faults.delivery(lab.seed).news
    decisions = {kind: "contract" if kind in news else "data" for kind in faults.KINDS}
    assert lab_one.evaluate(lab, "decisions", decisions=decisions) == (1, "")


def test_wrong_decisions_are_told(lab, delivery):
    right = {kind: "contract" if kind in delivery.news else "data" for kind in faults.KINDS}
    one_news = {**right, delivery.news[0]: "data"}
    harmless = {**right, next(kind for kind in ("value", "column", "gaps") if kind not in delivery.news): "contract"}
    for given, told in (
        (dict.fromkeys(right, "data"), "2 of the eight decisions do not hold"),
        (dict.fromkeys(right, "contract"), "6 of the eight decisions do not hold"),
        (one_news, "1 of the eight decisions does not hold. Read `notes.txt` again"),
        (harmless, "1 of the eight decisions does not hold"),
        ({**right, "unit": "contract"}, "1 of the eight decisions does not hold"),
        ({**right, "unit": "Data"}, "has to be the text 'data' or 'contract'"),
        ({**right, "unit": True}, "has to be the text 'data' or 'contract'"),
        ({**right, "unit": ["data"]}, "has to be the text 'data' or 'contract'"),
        ({**right, "unit": None}, "Still to be decided: `unit`"),
        ({**right, "drift": "data"}, "one entry for each of the eight kinds"),
        ({"unit": "data"}, "one entry for each of the eight kinds"),
        (["data"] * 8, "has to be a dictionary"),
    ):
        points, message = lab_one.evaluate(lab, "decisions", decisions=given)
        assert points == 0
        assert told in message
