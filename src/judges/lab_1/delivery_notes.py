"""What the sender writes about a delivery: the news in it, among things that stay as they were."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CARRIERS = {
    **{"NK": "Spirit Airlines", "G4": "Allegiant Air", "SY": "Sun Country Airlines"},
    **{"QX": "Horizon Air", "ZW": "Air Wisconsin", "PT": "Piedmont Airlines"},
}
AIRFIELDS = {"HPN": "White Plains", "ISP": "Islip", "SWF": "Newburgh", "TTN": "Trenton"}
"""Codes of carriers and airports that no flight of 2013 in the data has."""

INSTRUMENTS = {
    **{"pressure": "air pressure", "precip": "rain", "visib": "visibility"},
    **{"humid": "humidity", "wind_dir": "wind direction", "dewp": "dew point"},
}


@dataclass(frozen=True)
class NewColumn:
    """A column that no month has had before, what the sender says about it, and whether it is known before departure.

    Of one that holds numbers: `possible`, a little more than May's, and `impossible`, one on either side that cannot be.
    """

    name: str
    values: tuple[str, ...]
    meaning: str
    known_before: bool
    possible: int | None = None
    impossible: tuple[int, ...] = ()


NEW_COLUMNS = (
    NewColumn("terminal", ("A", "B", "C", "D"), "the terminal of departure, as in the timetable", True),
    NewColumn(
        "codeshare",
        ("0", "0", "1"),
        "1 if the timetable sells the flight under a second number, else 0",
        True,
        None,
        (-1, 2),
    ),
    NewColumn("plane_type", ("A320", "B738", "E145", "CRJ9"), "the type of plane that the timetable plans for", True),
    NewColumn(
        "belt", ("1", "2", "3", "5", "7", "8"), "the baggage belt on which the bags came out", False, 9, (-1, 1000)
    ),
    NewColumn("taxi_in", ("3", "4", "5", "6", "8", "11"), "minutes from touch-down to the gate", False, 15, (-1, 1440)),
    NewColumn("arr_gate", ("A2", "A9", "B3", "C11", "C20"), "the gate at which the flight arrived", False),
)

PROMISES = (
    "Temperatures and dew points are in degrees Fahrenheit, wind in miles an hour, distances in miles.",
    "All times are local to the airport, as always.",
    "Each scheduled flight is in the file once.",
)
"""What every delivery promises."""

ASIDES = (
    "A flight that was cancelled has no times of departure and arrival.",
    "Airports and carriers are given by their IATA codes.",
    "The file is sent at four in the morning, an hour earlier than before.",
)
"""What is true and of no consequence."""


def write(news: list[str], rng: np.random.Generator) -> str:
    """The notes: news and what is unchanged, mixed."""
    lines = [*news, *PROMISES, rng.choice(ASIDES)]
    return "\n".join(["Notes on the delivery of May\n", *(f"- {line}" for line in rng.permutation(lines)), ""])
