"""The calendar of the year: its time goes on as the clients ask."""

from __future__ import annotations

import datetime

from flights.schedule import MONTHS


class Clock:
    """Which moment of the year it is: in a month, as much of it has passed as its requests were sent."""

    def __init__(self) -> None:
        """Before the year begins."""
        self.month, self.passed = MONTHS.first, 0.0
        self._later = datetime.timedelta()

    def begin(self, month: int) -> None:
        """A month begins; in December's end, also the month after it."""
        self.month, self.passed, self._later = month, 0.0, datetime.timedelta()

    def wait(self, days: int = 1) -> None:
        """Days pass in which no client asks."""
        self._later += datetime.timedelta(days=days)

    def __call__(self) -> datetime.datetime:
        """The moment, in UTC."""
        first, last = (
            datetime.datetime.combine(MONTHS.date_of(one), datetime.time(), datetime.UTC)
            for one in (self.month, self.month + 1)
        )
        return first + (last - first) * self.passed + self._later
