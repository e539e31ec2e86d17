"""The spans of a project's data, and the dates that they belong to: plain data, which Airflow's environment and the steps' both read."""

from __future__ import annotations

import dataclasses
import datetime
import re
from typing import Any

UNITS = {"day": 1, "week": 7, "month": 1, "year": 12}
"""What a span may be, and how many days (of a day, a week) or months (of a month, a year) it has."""

SCHEDULES = {"day": "@daily", "week": "@weekly", "month": "@monthly", "year": "@yearly"}
"""When one ends and the next begins, as `cron` has it."""


class CalendarError(ValueError):
    """There is no such span, or no such date; the message says which there are."""


@dataclasses.dataclass(frozen=True)
class Calendar:
    """The spans that there are, one after the other, each with a number and a date.

    Attributes:
        field: of the configuration, for the first and the last span of a run, `(1, 3)`; the parameter of a DAG run has the same name.
        unit: `day`, `week`, `month` or `year`: how long a span is, and how often there is a run.
        start: date on which the first span begins, `2013-01-01`. Weeks begin on Sundays, as Airflow's do.
        first: its number.
        last: that of the last.
        files: pattern of a span's file under `data_root`, for example `span-{span:02d}/*.csv`.
    """

    field: str
    unit: str
    start: str
    first: int
    last: int
    files: str

    def __post_init__(self) -> None:
        """Refuses what cannot work.

        Raises:
            CalendarError: says what.
        """
        if self.unit not in UNITS:
            raise CalendarError(f"unit={self.unit!r}: one of {', '.join(UNITS)}.")
        try:
            datetime.date.fromisoformat(self.start)
            self.files.format(span=self.first)
        except (ValueError, KeyError, IndexError) as error:
            raise CalendarError(f"start={self.start!r}, files={self.files!r}: {error}") from None
        if not self.field.isidentifier() or self.first > self.last:
            raise CalendarError(
                f"field={self.field!r}, first={self.first}, last={self.last}: a name, and two numbers in order."
            )

    @property
    def schedule(self) -> str:
        """When one span ends and the next begins: an expression of `cron`."""
        return SCHEDULES[self.unit]

    def span_of(self, date: datetime.date | None) -> int | None:
        """The span that a date belongs to; None outside all of them."""
        if date is None:
            return None
        start = datetime.date.fromisoformat(self.start)
        passed = (date.year - start.year) * 12 + date.month - start.month
        if self.unit in ("day", "week"):
            passed = (datetime.date(date.year, date.month, date.day) - start).days
        span = self.first + passed // UNITS[self.unit]
        return span if self.first <= span <= self.last else None

    def date_of(self, span: int) -> datetime.date:
        """The date on which a span begins."""
        start, passed = datetime.date.fromisoformat(self.start), (span - self.first) * UNITS[self.unit]
        if self.unit in ("day", "week"):
            return start + datetime.timedelta(days=passed)
        months = start.year * 12 + start.month - 1 + passed
        return datetime.date(months // 12, months % 12 + 1, start.day)

    def spans(self, date: datetime.date | None, asked: str, history: int) -> tuple[int, int]:
        """The first and the last span of a run: those that were asked for, or the date's and up to `history` before it.

        Args:
            date: of the run.
            asked: `4`, `1-3` or nothing. One span is the last of its run, as with a date.
            history: how many before it are read.

        Raises:
            CalendarError: there is no such span.
        """
        if asked:
            found = re.fullmatch(r"(?:(\d{1,6})-)?(\d{1,6})", asked.strip())
            if not found:
                raise CalendarError(
                    f"{self.field}={asked!r}: write a {self.unit} (3), or the first and the last (1-3)."
                )
            last = int(found[2])
            first = int(found[1]) if found[1] else max(self.first, last - history)
        else:
            named = self.span_of(date)
            if named is None:
                raise CalendarError(
                    f"The logical date {date and f'{date:%Y-%m-%d}'} is not in {self.when}, the time of the data. Trigger the DAG anew, "
                    f"and name the {self.unit} in the field `{self.field}` of the form: {self.first} to {self.last}."
                )
            last = named
            first = max(self.first, last - history)
        if not self.first <= first <= last <= self.last:
            raise CalendarError(
                f"{self.field}={asked!r}: the first must not be after the last, both from {self.first} to {self.last}."
            )
        return first, last

    @property
    def when(self) -> str:
        """The time of the data in words: `2013`, or `2013-03 to 2014-02`."""
        begin, end = self.date_of(self.first), self.date_of(self.last + 1) - datetime.timedelta(days=1)
        if begin.year == end.year:
            return str(begin.year)
        return f"{begin:%Y-%m} to {end:%Y-%m}"

    @property
    def example(self) -> dict[str, Any]:
        """How a person is asked for spans, as parameter of a DAG."""
        return {
            "title": self.field.replace("_", " ").capitalize(),
            "pattern": r"^\s*((\d{1,6}-)?\d{1,6})?\s*$",
            "description": (
                f"{self.first + 2}, or {self.first}-{self.first + 2}: the last is judged, those before it are learned from. "
                f"A scheduled run takes the {self.unit} of its logical date."
            ),
        }
