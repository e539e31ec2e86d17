"""The share of late flights of each group; for a new group, that of all flights."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from delays.features import group

ALL = "all"
Flights = Sequence[Mapping[str, str]]


def train(flights: Flights) -> dict[str, float]:
    """The share by group, and under `ALL` that of all flights."""
    late = defaultdict(list)
    for flight in flights:
        for name in (ALL, str(group(flight))):
            late[name].append(int(flight["late"]))
    return {name: sum(found) / len(found) for name, found in late.items()}


def predict(model: Mapping[str, float], flight: Mapping[str, str]) -> float:
    """The probability that a flight is late."""
    return model.get(str(group(flight)), model[ALL])


def error(answers: Sequence[float], flights: Flights) -> float:
    """The mean squared difference from what happened (Brier's score): 0 is perfect."""
    pairs = zip(answers, flights, strict=True)
    return sum((answer - int(flight["late"])) ** 2 for answer, flight in pairs) / len(flights)
