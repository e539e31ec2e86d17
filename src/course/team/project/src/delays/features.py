"""What the model knows of a flight."""

from collections.abc import Hashable, Mapping


def hour(time: int) -> int:
    """The hour of a time that is written as a number, such as 1745."""
    return time // 100


def group(flight: Mapping[str, str]) -> Hashable:
    """Flights of one group get the same probability."""
    return hour(int(flight["sched_dep_time"]))
