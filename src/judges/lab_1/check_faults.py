"""Judges what a student found in the month with the faults: tasks 5 and 6 of lab 1."""

from __future__ import annotations

from typing import Any

from course import checks
from judges.lab_1.faults import KINDS, Delivery

FIELDS = {
    "text": ("column", "rows"),
    "range": ("column", "rows"),
    "gaps": ("column", "rows"),
    "value": ("column", "value", "rows"),
    "column": ("column",),
    "renamed": ("column", "now"),
    "unit": ("column", "where"),
    "duplicates": ("rows",),
}
"""What is asked of each kind, in the order of the lab's text."""

LOOK = {
    "text": "a column of numbers in the contract that TFDV finds to be text in May",
    "range": "the smallest and the largest value of each column, and TFDV's anomalies about values out of range",
    "gaps": "how many values are missing in each column, beside April",
    "value": "the words of the columns that have a domain",
    "column": "the names of the columns, beside those of April, for one that is new and not another one's new name",
    "renamed": "the names of the columns, beside those of April, for one that is gone, and for what holds its values now",
    "unit": "smallest value, mean and median of each column, beside April and June and airport by airport; none is impossible",
    "duplicates": "the number of flights, and what makes a row the same as another",
}
POINTS = 0.5


def judge_faults(delivery: Delivery, given: dict[str, Any]) -> None:
    """Compares the findings, kind by kind.

    Raises:
        checks.Wrong: one is missing or wrong; half a point for each that is right.
    """
    strange = [kind for kind in given if kind not in KINDS]
    if strange:
        raise checks.Wrong(
            f"`FAULTS` has kinds that the lab does not know: {', '.join(strange[:3])}. Known are: {', '.join(FIELDS)}."
        )
    problems = {kind: _problem(delivery, kind, given.get(kind)) for kind in FIELDS}
    wrong = {kind: what for kind, what in problems.items() if what}
    if wrong:
        right = len(FIELDS) - len(wrong)
        lines = [f"{right} of {len(FIELDS)} are right.", *(f"`{kind}`: {what}" for kind, what in wrong.items())]
        raise checks.Wrong("\n".join(lines), points=right * POINTS)


def _problem(delivery: Delivery, kind: str, given: Any) -> str | None:
    """What is wrong with one finding, and where to look; None when it is right."""
    fields = FIELDS[kind]
    if given is None:
        return "still open."
    if not isinstance(given, dict) or sorted(given) != sorted(fields):
        return f"it has to be a dictionary with {_and(fields)}."
    if any(value is None for value in given.values()):
        return "still open."
    given = {field: _plain(value) for field, value in given.items()}
    for field in fields:
        wanted = int if field == "rows" else str
        if not isinstance(given[field], wanted) or isinstance(given[field], bool):
            return f"`{field}` has to be {'a whole number' if wanted is int else 'text'}, not {given[field]!r}."
    return _compare(delivery, kind, given, delivery.facts[kind])


def _and(fields: tuple[str, ...]) -> str:
    """Names in a row: `column`, `value` and `rows`."""
    quoted = [f"`{field}`" for field in fields]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if quoted[1:] else quoted)


def _plain(value: Any) -> Any:
    """The same answer, however it was written: 21.0 is 21, and blanks around a name are none of it."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.strip() if isinstance(value, str) else value


def _compare(delivery: Delivery, kind: str, given: dict[str, Any], facts: dict[str, Any]) -> str | None:
    names = {facts["column"], facts["now"]} if kind == "renamed" else {facts.get("column")}
    if "column" in given and given["column"] not in names:
        there = set(delivery.cells.columns) | set(names)
        if given["column"] not in there and kind != "renamed":
            return f"the file has no column `{given['column']}`."
        return f"that is not what happened to `{given['column']}`. Look at {LOOK[kind]}."
    if kind == "renamed" and given == {"column": facts["now"], "now": facts["column"]}:
        return (
            "both names are right, and exchanged: `column` is the name in your contract, `now` that in the file of May."
        )
    if kind == "renamed" and given != facts:
        return (
            "one of the two names is right. `column` is the name in your contract, `now` the name in the file of May."
        )
    if kind == "unit" and given["where"].lower() != facts["where"].lower():
        return (
            "the column is right, `where` is not: compare it airport by airport, and write 'all' if it is everywhere."
        )
    if kind == "value" and given["value"] != facts["value"]:
        return (
            f"the column is right; {given['value']!r} is not the word. Which words had no flight in the months before?"
        )
    if "rows" in given and given["rows"] != facts["rows"]:
        where = "the column is right" if "column" in given else "rows that repeat an earlier one, without that one"
        return f"{where}; the number of rows is not {given['rows']}. Count in the file as it came, before a label drops any: repeated rows too, and flights that your question is not about."
    return None


def judge_decisions(delivery: Delivery, given: dict[str, Any]) -> None:
    """Is each fault sent back, and is the news taken in?

    Raises:
        checks.Wrong: a decision is missing or does not hold.
    """
    if sorted(given) != sorted(KINDS):
        raise checks.Wrong(f"`DECISIONS` has to have one entry for each of the eight kinds: {', '.join(FIELDS)}.")
    still = [f"`{kind}`" for kind, value in given.items() if value is None]
    if still:
        raise checks.Wrong(f"Still to be decided: {', '.join(still)}.")
    if not all(value in ("data", "contract") for value in given.values()):
        raise checks.Wrong("Each of your `DECISIONS` has to be the text 'data' or 'contract'.")
    wrong = [kind for kind, value in given.items() if (value == "contract") != (kind in delivery.news)]
    if wrong:
        raise checks.Wrong(
            f"{len(wrong)} of the eight decisions {'does' if len(wrong) == 1 else 'do'} not hold. Read `notes.txt` again, with each of your findings beside it: "
            "will the sender deliver the same next month, and rightly so? And does the file keep what the notes promise?"
        )
