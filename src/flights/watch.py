"""What of watching a served model is of flights: when a flight is, what errors cost, and by what its quality is divided."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from .columns import DATE, DERIVED, KEY, LABEL, WATCHED
from .plan import AGREED, Costs, Plan

if TYPE_CHECKING:
    import pandas as pd


class Flights:
    """A project, to be watched (`operation.project.Project`)."""

    name = __package__
    key = KEY
    label = LABEL

    @functools.cached_property
    def costs(self) -> Costs:
        """Those of the plan."""
        costs = Plan.load(AGREED).costs
        if costs is None:
            raise ValueError(f"{AGREED}: it names no costs, by which the errors of a served model are judged.")
        return costs

    @functools.cached_property
    def slices(self) -> Mapping[str, Callable[[pd.DataFrame], pd.Series]]:
        """Of each of `columns.WATCHED`, how its values are found."""
        return {name: functools.partial(_values, name=name) for name in WATCHED}

    def day(self, rows: pd.DataFrame) -> pd.Series:
        """The day of each flight; NaT where there is no such day."""
        import pandas as pd

        numbers = rows[list(DATE)].apply(pd.to_numeric, errors="coerce")
        can_be = numbers.where((numbers <= [9999, 12, 31]).all(axis=1))  # to pandas, January 128 is February 28
        return pd.to_datetime(can_be.set_axis(["years", "months", "days"], axis=1), errors="coerce")


PROJECT = Flights()


def _values(flights: pd.DataFrame, name: str) -> pd.Series:
    import pandas as pd

    if name not in DERIVED:
        return flights[name]
    source, derive = DERIVED[name]
    made = pd.Series(derive(flights[source].to_numpy()), flights.index)
    return made.map(lambda one: one.decode() if isinstance(one, bytes) else one)
