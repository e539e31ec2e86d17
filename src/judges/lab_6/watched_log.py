"""The log and the outcomes on which a student's watch is tried: all that a log has besides answers, often enough that what is counted wrong shows (task 2)."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pandas as pd

from flights.columns import KEY, LABEL
from flights.watch import PROJECT
from judges.lab_6 import traffic
from judges.lab_6.traffic import World
from operation.served_log import HEAD

FIRST, DAYS, FULL = date(2013, 10, 22), 18, 3
"""The days of the log, over the end of a month, and its full files."""
COMPLETE = 12
"""The last day whose labels have come, counted from 0. Of the days after it there are some labels, of late flights."""
LOST = 20
"""Of flights whose number is a multiple of it, no label has come. To them, as to those of the last days, more is said: who counts them, too, is far off."""
BEGINS = 0.25
"""The prediction from which on it pays to act."""
NEAR = {"EWR": "JFK", "JFK": "LGA", "LGA": "EWR"}
Line = dict[str, Any]


def world(seed: int) -> World:
    """The days."""
    return World(seed, FIRST, DAYS)


@functools.lru_cache(4)
def files(seed: int) -> dict[str, bytes]:
    """The files of the log, and `outcomes.csv`."""
    rng = np.random.default_rng([seed, 64])
    lines = list(_lines(seed, rng))
    size = len(lines) // (FULL + 1) + 1
    parts = [b"".join(lines[start : start + size]) for start in range(0, len(lines), size)]
    names = [f"log/requests.jsonl.{number}" for number in range(FULL, 0, -1)] + ["log/requests.jsonl"]
    return dict(zip(names, parts, strict=True)) | {"outcomes.csv": _outcomes(seed, rng).to_csv(index=False).encode()}


def _lines(seed: int, rng: np.random.Generator) -> Iterator[bytes]:
    before: Line = {}
    for day, line in traffic.lines(world(seed)):
        if not line.endswith(b"}"):
            yield line + b"\n"
            continue
        told: Line = orjson.loads(line)
        of_one = [told[name] == before.get(name) for name in ("version", "role")]
        if rng.random() < 0.4 and all(of_one) and told["flight"] != before["flight"]:  # a further row of a request
            told |= {"id": before["id"], "time": before["time"]}
        has_none = day > COMPLETE or (told["flight"] or 1) % LOST == 0
        told["prediction"] = round(min(0.98, 0.8 * told["prediction"] + 0.3 * has_none), 2)
        if rng.random() < 0.1:
            told["prediction"] = BEGINS
        yield from (orjson.dumps(one) + b"\n" for one in _answers(told, rng))
        yield from _damaged(line, rng)
        before = told


def _answers(told: Line, rng: np.random.Generator) -> list[Line]:
    """A line, mostly; and what there is besides or instead."""
    said, lost = told["prediction"], KEY[rng.integers(len(KEY))]
    other = "champion" if told["role"] == "challenger" else "challenger"
    again = told | {"id": told["id"][::-1], "time": _later(told, 9), "prediction": round(0.4 * said, 2)}
    sent_again = told | {"time": _later(told, 1)}
    kinds: list[tuple[float, list[Line]]] = [
        (0.06, [told, told | {"version": 99, "role": "shadow", "prediction": round(min(1, 2 * said), 2)}]),
        (0.03, [told, again]),
        (0.02, [again, told]),  # two threads answer, and the later answer is written first
        (0.02, [told, again | {"version": told["version"] + 1}]),
        (0.01, [told, told]),  # a file that was copied
        (0.01, [told, sent_again]),  # by a client that got no answer
        (0.01, [told, sent_again | {"role": other}]),  # and the version has got another role meanwhile,
        (0.01, [told, sent_again | {"version": told["version"] + 1}]),  # or another one its role
        (0.02, [told | {"prediction": None}]),
        (0.01, [told, again | {"prediction": None}]),
        (0.02, [{name: value for name, value in told.items() if name != lost}]),
        (0.01, [told | {lost: None}]),
        (0.01, [told | {lost: None, "prediction": None}]),
        (0.05, [told, *(twin | {"prediction": round(0.9 - said / 2, 2)} for twin in _twins(told))]),
        (0.06, [told | {"client": "web"}]),
    ]
    chances = [chance for chance, _ in kinds]
    place = int(np.searchsorted(np.cumsum(chances), rng.random(), side="right"))
    return kinds[place][1] if place < len(kinds) else [told]


def _twins(told: Line) -> list[Line]:
    """A flight that differs from this one in one column of the key."""
    if told["flight"] is None:
        return []
    changed = {"origin": NEAR[told["origin"]]}, {"sched_dep_time": told["sched_dep_time"] // 100 * 100 + 59}
    return [told | changed[told["flight"] % 2]]


def _later(told: Line, minutes: int) -> str:
    return (datetime.fromisoformat(told["time"]) + timedelta(minutes=minutes)).isoformat()


def _damaged(line: bytes, rng: np.random.Generator) -> list[bytes]:
    """What a killed process, a loss of power, and a server of another kind leave; mostly nothing."""
    luck = rng.random()
    if luck < 0.004:
        return [line[:40] + b"\n"]
    if luck < 0.006:
        return [bytes(40) + b"\n"]
    if luck < 0.012:
        lost = HEAD[int(luck * 1e6) % len(HEAD)]
        return [orjson.dumps({name: value for name, value in orjson.loads(line).items() if name != lost}) + b"\n"]
    return []


def _outcomes(seed: int, rng: np.random.Generator) -> pd.DataFrame:
    """Labels that have come, of flights that were asked about and of others. Some are there twice, and some of these are 0 and 1."""
    days = world(seed)
    known = traffic.outcomes(days, days.day(COMPLETE))
    is_due = (PROJECT.day(known) <= pd.Timestamp(days.day(COMPLETE))).to_numpy()
    is_lost = (known["flight"] % LOST == 0) | (rng.random(len(known)) < 0.01)
    known[LABEL] = known[LABEL].where(is_due & ~is_lost)
    known.loc[~is_due & (rng.random(len(known)) < 0.3), LABEL] = 1
    twins = pd.DataFrame([twin for told in known.to_dict("records") for twin in _twins(told)])
    known = pd.concat([known, twins.assign(**{LABEL: 1 - twins[LABEL].astype("Int64")})]).drop_duplicates(list(KEY))
    known = known[[*KEY, LABEL]]
    labelled = known[known[LABEL].notna()]
    again, against = (labelled.sample(frac=share, random_state=rng.integers(2**31)) for share in (0.04, 0.01))
    return pd.concat([known, again, against.assign(**{LABEL: 1 - against[LABEL]})], ignore_index=True)
