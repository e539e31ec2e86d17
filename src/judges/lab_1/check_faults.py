"""Judges what a student found in the month with the faults: tasks 5 and 6 of lab 1."""

from __future__ import annotations

from typing import Any

from course import checks
from judges.lab_1.faults import KINDS, Delivery

ROWS = (
    "the number of rows is not {}. Count in the file as it came, before a label drops any: repeated rows too, and flights that your "
    "question is not about"
)
FIELDS = {
    "text": {"column": "a column of numbers in the contract that TFDV finds to be text in May", "rows": ROWS},
    "range": {
        "column": "the smallest and the largest value of each column, and TFDV's anomalies about values out of range",
        "rows": ROWS,
    },
    "gaps": {"column": "how many values are missing in each column, beside April", "rows": ROWS},
    "value": {
        "column": "the words of the columns that have a domain",
        "value": "{!r} is not the word. Which words had no flight in the months before?",
        "rows": ROWS,
    },
    "column": {
        "column": "the names of the columns, beside those of April, for one that is new and not another one's new name"
    },
    "renamed": {
        "column": "the names of the columns, beside those of April, for one that is gone: `column` is its name in your contract",
        "now": "{!r} is not its new name. `now` is the name in the file of May: which new column holds its values?",
    },
    "unit": {
        "column": "smallest value, mean and median of each column, beside April and June and airport by airport; none is impossible",
        "where": "`where` is not {!r}: compare it airport by airport, and write 'all' if it is everywhere",
    },
    "duplicates": {"rows": f"{ROWS}. Of rows that are the same the first is no repetition"},
}
"""What is asked of each kind, in the order of the lab's text: where to look for the column, and what is said when another field is wrong."""
POINTS = 0.5


def judge_faults(delivery: Delivery, given: dict[str, Any]) -> None:
    """Compares the findings, kind by kind.

    Raises:
        checks.Wrong: one is missing or wrong; half a point for each that is right.
    """
    if strange := [kind for kind in given if kind not in FIELDS]:
        raise checks.Wrong(
            f"`FAULTS` has kinds that the lab does not know: {', '.join(strange[:3])}. Known are: {', '.join(FIELDS)}."
        )
    problems = {kind: _problem(kind, given.get(kind), delivery.facts[kind]) for kind in FIELDS}
    wrong = [f"`{kind}`: {what}." for kind, what in problems.items() if what]
    if wrong:
        right = len(FIELDS) - len(wrong)
        raise checks.Wrong("\n".join([f"{right} of {len(FIELDS)} are right.", *wrong]), points=right * POINTS)


def _problem(kind: str, given: Any, facts: dict[str, Any]) -> str | None:
    """What is wrong with one finding, and where to look; None when it is right."""
    fields = FIELDS[kind]
    if given is None or (isinstance(given, dict) and None in given.values()):
        return "still open"
    if not isinstance(given, dict) or sorted(given) != sorted(fields):
        return f"it has to be a dictionary with {', '.join(f'`{field}`' for field in fields)}"
    for field, hint in fields.items():
        value = _plain(given[field])
        kind_of = int if field == "rows" else str
        if not isinstance(value, kind_of) or isinstance(value, bool):
            return f"`{field}` has to be {'a whole number' if field == 'rows' else 'text'}, not {value!r}"
        if value != facts[field] and not (field == "where" and value.lower() == facts[field].lower()):
            if field == "column":
                return f"that is not what happened to `{value}`. Look at {hint}"
            return ("" if kind == "duplicates" else "the column is right; ") + hint.format(value)
    return None


def _plain(value: Any) -> Any:
    """The same answer, however it was written: 21.0 is 21, and blanks around a name are none of it."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.strip() if isinstance(value, str) else value


def judge_decisions(delivery: Delivery, given: dict[str, Any]) -> None:
    """Is each fault sent back, and is the news taken in?

    Raises:
        checks.Wrong: a decision is missing or does not hold.
    """
    if sorted(given) != sorted(KINDS):
        raise checks.Wrong(f"`DECISIONS` has to have one entry for each of the eight kinds: {', '.join(FIELDS)}.")
    if still := [f"`{kind}`" for kind, value in given.items() if value is None]:
        raise checks.Wrong(f"Still to be decided: {', '.join(still)}.")
    if not all(value in ("data", "contract") for value in given.values()):
        raise checks.Wrong("Each of your `DECISIONS` has to be the text 'data' or 'contract'.")
    if wrong := sum((value == "contract") != (kind in delivery.news) for kind, value in given.items()):
        raise checks.Wrong(
            f"{wrong} of the eight decisions {'does' if wrong == 1 else 'do'} not hold. Read `notes.txt` again, with each of your findings "
            "beside it: will the sender deliver the same next month, and rightly so? And does the file keep what the notes promise?"
        )
