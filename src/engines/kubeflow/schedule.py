"""When Kubeflow's calendar starts a pipeline: from cron as it is usually written to cron as Kubeflow reads it, and to words.

Kubeflow Pipelines 2.16.1 reads cron by robfig/cron 1.2.0, which takes five fields and six, and whose first field is the *second* in both:
`0 6 1 * *` is the first of each month at six in a crontab, and every day at 01:06 there. So nothing is handed on that is not understood here.
Source: `toModelJob` in `backend/src/apiserver/server/api_converter.go`; https://pkg.go.dev/github.com/robfig/cron@v1.2.0
"""

from __future__ import annotations

import calendar
import dataclasses
import re

WORDS = {"monthly": "0 6 1 * *", "weekly": "0 6 * * 1", "daily": "0 6 * * *"}
"""What may be said instead of cron, each at six in the morning, UTC."""

HOW = f"Write {', '.join(WORDS)} or the five fields of cron: minute, hour, day of the month, month, day of the week."

DAYS = [calendar.day_name[(number - 1) % 7] for number in range(8)]
"""Names of the days of the week as cron counts them: Sunday is 0, and 7."""
MONTHS = list(calendar.month_name)
LENGTHS = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

FIELDS = {"minute": (0, 59), "hour": (0, 23), "day of the month": (1, 31), "month": (1, 12), "day of the week": (0, 7)}
NAMES = {
    "month": {name[:3].lower(): str(number) for number, name in enumerate(MONTHS) if name},
    "day of the week": {name[:3].lower(): str(number) for number, name in enumerate(DAYS[:7])},
}


class ScheduleError(ValueError):
    """What is written says no time that is understood; the message says what to write."""


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Times at which a pipeline starts.

    Attributes:
        cron: as Kubeflow Pipelines reads it: six fields, the first for seconds.
        words: the same, to be read.
    """

    cron: str
    words: str


def parse(text: str) -> Schedule:
    """Reads one of `WORDS`, or cron with five fields.

    Raises:
        ScheduleError: it is neither, or means more often than once an hour, a day that a month does not have, or days of the month and of the week.
    """
    fields = WORDS.get(text.strip().lower(), text).split()
    if len(fields) == 6:
        raise ScheduleError(f"{text!r} has six fields. {HOW} There are no seconds.")
    if len(fields) != 5:
        raise ScheduleError(f"{text!r} is no schedule. {HOW}")
    minutes, hours, days, months, weekdays = (_values(field, name) for field, name in zip(fields, FIELDS, strict=True))
    if minutes is None or len(minutes) != 1:
        raise ScheduleError(f"{text!r}: minute {fields[0]!r}. A pipeline starts once an hour at most: give one minute.")
    if days and weekdays:
        raise ScheduleError(
            f"{text!r}: cron takes a day of the month or of the week, whichever comes. Give one of them."
        )
    for month in months or []:
        if days and max(days) > LENGTHS[month]:
            raise ScheduleError(f"{text!r}: {MONTHS[month]} has no day {max(days)}.")
    numbers = [
        "*" if values is None else ",".join(map(str, values)) for values in (minutes, hours, days, months, weekdays)
    ]
    return Schedule(" ".join(["0", *numbers]), f"{_days(days, months, weekdays)} {_times(minutes[0], hours)} UTC")


def words(cron: str) -> str:
    """What Kubeflow Pipelines makes of a cron of its own, in words; where they fail, the cron itself."""
    fields = cron.split()
    try:
        if len(fields) not in (5, 6) or int(fields[0]) not in range(60):
            return cron
        return parse(" ".join([*fields[1:], "*"][:5])).words
    except ValueError:
        return cron


def _values(field: str, name: str) -> list[int] | None:
    """The numbers of a field, or None where it says all of them."""
    low, high = FIELDS[name]
    found: set[int] = set()
    for part in field.split(","):
        known = re.fullmatch(r"(\*|\w+)(?:-(\w+))?(?:/([0-9]{1,2}))?", part, re.ASCII)
        first, last, step = known.groups() if known else ("", None, None)
        ends = [
            NAMES.get(name, {}).get(end[:3].lower() if len(end) == 3 else end, end) for end in (first, last or first)
        ]
        if first == "*" and last is None:
            ends = [str(low), str(high)]
        elif step and last is None:
            ends = [""]  # "5/10": some read it as 5, others as 5, 15, 25, ...
        if not all(re.fullmatch(r"[0-9]{1,2}", end) for end in ends) or step in ("0", "00"):
            raise ScheduleError(f"{part!r} is no {name} that is understood here. {HOW}")
        begin, end = map(int, ends)
        if not low <= begin <= end <= high:
            raise ScheduleError(f"{part!r}: {name} goes from {low} to {high}, the smaller number first.")
        found.update(range(begin, end + 1, int(step or 1)))
    if name == "day of the week":
        found, high = {number % 7 for number in found}, 6
    return None if len(found) == high - low + 1 else sorted(found)


def _days(days: list[int] | None, months: list[int] | None, weekdays: list[int] | None) -> str:
    named = _listed([MONTHS[month] for month in months or []])
    if days:
        late = " that has it" if max(days) > 28 and not months else ""
        return f"on the {_listed([_ordinal(day) for day in days])} of {named or 'each month'}{late}"
    which = f"every {_listed([DAYS[day] for day in weekdays])}" if weekdays else "every day"
    return f"{which} in {named}" if named else which


def _times(minute: int, hours: list[int] | None) -> str:
    if hours is None:
        return f"at minute {minute} of each hour,"
    return f"at {_listed([f'{hour:02}:{minute:02}' for hour in hours])}"


def _listed(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _ordinal(number: int) -> str:
    ending = "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
