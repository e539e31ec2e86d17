"""Traffic of a served model, made without one: what was asked, what was said, and what became of it, day by day.

The flights are a timetable of the course's January, flown every day. What they become is drawn from probabilities that a fixed model says, so that a model in order is
right on average, and what is planted (`incidents`) is known to the row. Lines are those that `serving.request_log` writes; a test holds the two against each other.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import orjson
import pandas as pd

from flights.columns import KEY, LABEL
from flights.data import month_path

SAMPLE = Path(__file__).parents[3] / "data" / "flights"
FURTHER = ("dest", "distance")
"""Columns of the log beside the key."""
CARRIERS, FLIGHTS = ("UA", "B6", "EV", "DL", "AA", "MQ"), 40
"""Airlines, each of which asks about its own flights, and how many those are on each day."""
LABELS_AFTER = 2
"""Days after a flight on which its label comes."""
ORDERLY = ((2, 6),)
"""What is ordinary: the day from which on the next version is tried on a share, counted from 0, and the one on which it becomes champion, for each."""
SHARE = 0.2
KM_A_MILE, WEIGHT = 1.609, 1.8 / 1000
"""Kilometres in a mile; and what a mile more weighs in the model where it is a fault of the unit."""
KINDS = ("unit", "vanished", "concept", "labels", "broken", "canary", "keys", "refused")


@dataclass(frozen=True)
class Incident:
    """What goes wrong.

    Attributes:
        kind: of `KINDS`.
        since: the first day of it; it lasts to the end.
        where: an airline, an airport, or a version; empty where it is everywhere.
        is_tried: a version that is broken is tried on a share only.
    """

    kind: str
    since: date
    where: str
    is_tried: bool = False

    @property
    def is_of_version(self) -> bool:
        """Whether a version is what is wrong."""
        return self.kind in ("broken", "canary", "refused")


@dataclass(frozen=True)
class World:
    """Days of service.

    Attributes:
        seed: of all that is drawn.
        first: day.
        days: how many.
        incident: None: nothing goes wrong.
        version: that serves at first; others follow it, in all order.
        releases: of these, as `ORDERLY`; then may come the version of an incident.
        past: world that this one is like until its incident begins.
    """

    seed: int
    first: date
    days: int
    incident: Incident | None = None
    version: int = 6
    releases: tuple[tuple[int, int], ...] = ORDERLY
    past: World | None = None

    @property
    def last(self) -> date:
        """The last day."""
        return self.first + timedelta(days=self.days - 1)

    def day(self, number: int) -> date:
        """A day by its place, from 0."""
        return self.first + timedelta(days=number)


@functools.cache
def timetable(seed: int) -> pd.DataFrame:
    """The flights of a day: columns of the key without its date, `dest`, `distance`."""
    flights = pd.read_csv(month_path(SAMPLE, 1))
    columns = ["carrier", "flight", "origin", "sched_dep_time", *FURTHER]
    flights = flights[columns].query("500 <= sched_dep_time < 2300").drop_duplicates(["carrier", "flight"])
    # So a flight can be told without its number, where that is lost.
    flights = flights.drop_duplicates(["carrier", "origin", "sched_dep_time"])
    some = [
        flights[flights["carrier"] == one].sample(FLIGHTS, random_state=seed % 2**31 + place)
        for place, one in enumerate(CARRIERS)
    ]
    return pd.concat(some).sort_values("sched_dep_time", kind="stable").reset_index(drop=True)


@functools.lru_cache(64)
def rows(world: World) -> pd.DataFrame:
    """A row for each flight: `KEY`, `FURTHER` as they are logged, and

    `day`, a number from 0; `is_affected`, by the incident; `is_asked`; `lacks_key`; `version`, `role`, `said`; `LABEL`, what became of it; `comes`, whether a label comes.
    """
    table, rng = timetable((world.past or world).seed), np.random.default_rng([world.seed, 60])
    found = pd.concat([table] * world.days, ignore_index=True)
    number = np.repeat(np.arange(world.days), len(table))
    dates = pd.to_datetime(world.first) + pd.to_timedelta(number, unit="D")
    found = found.assign(day=number, year=dates.year, month=dates.month, weekday=dates.dayofweek + 1)
    found["month_day"] = dates.day
    size = len(found)
    wind = rng.normal(0, 0.9, size)
    weather = rng.normal(0, 0.12, world.days)[number]
    logit = -1.8 + 0.09 * (found["sched_dep_time"].to_numpy() // 100 - 13) + wind + weather
    logit = logit + 0.9 * (found["distance"].to_numpy() / 1000 - 1)
    since = (world.incident.since - world.first).days if world.incident else world.days
    after = number >= since
    luck = rng.random((6, size))
    truth, said = logit.copy(), logit - weather
    # What is in order: the next version is tried on a share, and follows.
    found["version"], found["role"] = world.version, "champion"
    for place, (tried, follows) in enumerate(world.releases, 1):
        trying = (number >= tried) & (number < follows) & (luck[0] < SHARE)
        found.loc[trying | (number >= follows), "version"] = world.version + place
        found.loc[trying, "role"] = "challenger"
    said = said + np.where(found["version"] > world.version, rng.normal(0, 0.1, size), 0)
    found["is_asked"], found["lacks_key"], found["comes"] = luck[1] > 0.004, luck[2] < 0.003, luck[3] > 0.005
    found["is_affected"] = False
    if world.incident:
        truth, said = _spoil(found, world, after, luck[4], truth, said, rng)
    found["said"] = np.where(found.pop("is_null"), np.nan, _sigmoid(said)) if "is_null" in found else _sigmoid(said)
    found["is_affected"] &= found["is_asked"] | (world.incident.kind == "vanished" if world.incident else False)
    found[LABEL] = (luck[5] < _sigmoid(truth)).astype(int)
    found = found.drop(columns="weekday").rename(columns={"day": "number", "month_day": "day"})
    if world.past:
        before = rows(world.past).query("number < @since")
        found = pd.concat([before, found.query("number >= @since")], ignore_index=True)
    return found


def _spoil(
    found: pd.DataFrame,
    world: World,
    after: np.ndarray,
    luck: np.ndarray,
    truth: np.ndarray,
    said: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Plants the incident in the rows; returns the logits of what happens and of what is said."""
    incident = world.incident
    assert incident is not None
    suspect = int(incident.where) if incident.is_of_version else 0
    mine = after & np.isin(found[["carrier", "origin"]].to_numpy(), incident.where).any(axis=1)
    match incident.kind:
        case "unit":
            miles = found["distance"].to_numpy()
            sent = np.where(mine, np.round(miles * KM_A_MILE), miles)
            said = said + WEIGHT * (sent - miles)
            found["distance"] = sent.astype(int)
        case "vanished":
            found["is_asked"] &= ~mine
        case "concept":
            mine, truth = after, truth + 1.1 * after
        case "labels":
            found["comes"] &= ~mine
        case "broken":
            asked = after & (luck < SHARE) if incident.is_tried else after
            mine = asked & (found["sched_dep_time"].to_numpy() // 100 >= 17)
            found["is_null"] = mine
            found["version"] = np.where(asked, suspect, found["version"])
            found["role"] = np.where(asked & incident.is_tried, "challenger", found["role"])
        case "canary":
            mine = after & (luck < SHARE)
            mixed = said.copy()
            mixed[mine] = rng.permutation(said[mine])
            if world.past:  # clearly enough for a rule that waits until it is sure, within a week
                worst = np.flatnonzero(mine)[np.argsort(rng.normal(0, 1.5, mine.sum()) - said[mine])]
                mixed[worst] = np.sort(said[mine])
            said = mixed
            found["version"] = np.where(mine, suspect, found["version"])
            found["role"] = np.where(mine, "challenger", found["role"])
        case "keys":
            found["lacks_key"] |= mine
        case "refused":
            mine, said = after, said + 0.9 * after
            found["version"] = np.where(after, suspect, found["version"])
    found["is_affected"] = mine
    return truth, said


def _sigmoid(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))


def outcomes(world: World, until: date, first: int = 0, last: int | None = None) -> pd.DataFrame:
    """The flights that were flown, with the label where it has come by then and is not lost.

    Args:
        world: whose days.
        until: the last day whose labels have come, but for those that never come.
        first: number of the first day whose flights are wanted,
        last: and of the last one.
    """
    flown = rows(world)
    flown = flown[flown["number"].between(first, world.days if last is None else last)]
    is_known = flown["comes"] & (flown["number"] <= (until - world.first).days)
    return flown[[*KEY, *FURTHER]].assign(**{LABEL: flown[LABEL].where(is_known).astype("Int64")})


def lines(world: World) -> list[tuple[int, bytes]]:
    """The log: the number of the day, and a line without its end. In the order in which it was written."""
    return [(day, line) for part in _lines(world) for day, line in part]


@functools.lru_cache(16)
def _lines(world: World) -> list[list[tuple[int, bytes]]]:
    rng = np.random.default_rng([world.seed, 61])
    served = rows(world)
    served = served[served["is_asked"]]
    minutes = served["sched_dep_time"] // 100 * 60 + served["sched_dep_time"] % 100 - 180
    start = pd.Timestamp(world.first, tz="UTC")
    asked = start + pd.to_timedelta(served["number"], unit="D") + pd.to_timedelta(minutes, unit="min")
    asked += pd.to_timedelta(rng.integers(0, 50_000_000, len(served)), unit="us")
    ids = rng.integers(0, 2**63, (len(served), 2))
    luck = rng.random(len(served))
    found: list[list[tuple[int, bytes]]] = [[] for _ in range(world.days)]
    columns = [*KEY, *FURTHER]
    values = served[columns].to_dict("records")
    heads = zip(
        asked,
        ids,
        served["version"],
        served["role"],
        served["said"],
        served["lacks_key"],
        served["number"],
        strict=True,
    )
    for place, (moment, (one, two), version, role, said, lacks, number) in enumerate(heads):
        row = values[place] | ({"flight": None} if lacks else {})
        head = {"time": moment.isoformat(), "id": f"{one:016x}{two:016x}", "version": version, "role": role}
        line = orjson.dumps(head | row | {"prediction": None if said != said else round(said, 6)})
        found[number].append((number, line))
        if luck[place] < 0.003:  # the same line once more, as a log that was copied has it
            found[number].append((number, line))
        elif luck[place] < 0.013 and said == said:  # asked again, a little later
            again = head | {"time": (moment + timedelta(minutes=9)).isoformat(), "id": f"{two:016x}{one:016x}"}
            found[number].append((number, orjson.dumps(again | row | {"prediction": round(said * 0.9, 6)})))
        elif luck[place] > 0.9997:  # what a killed process leaves
            found[number].append((number, line[: len(line) // 2]))
    return found
