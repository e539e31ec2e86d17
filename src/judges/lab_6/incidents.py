"""What goes wrong for a student, and on the days on which a student's rules are tried."""

from __future__ import annotations

import functools
from datetime import date, timedelta

import numpy as np

from judges.lab_6.traffic import CARRIERS, KINDS, Incident, World

FIRST, DAYS, FAR_FLYING = date(2013, 4, 1), 91, ("UA", "B6", "DL", "AA")
"""The student's days; and the airlines whose flights are long enough for a wrong unit to matter."""
AIRPORTS = ("EWR", "JFK", "LGA")
SHOWN = 56
"""The day, counted from 0, from which on the student has what Prometheus has read."""
TRIED_FIRST, TRIED_DAYS, START, ONSET = date(2013, 8, 1), 31, 14, 23
"""The days on which rules are tried, the number of the one from which on it is judged what they do, and of the one on which something goes wrong."""
RELEASES = ((2, 6), (16, 20))
"""On those days, before something goes wrong (see `traffic.ORDERLY`)."""
LAYOUTS = 4
"""Of days on which rules are tried."""


def kind(seed: int) -> str:
    """The student's."""
    return KINDS[seed % len(KINDS)]


@functools.cache
def world(seed: int) -> World:
    """The student's three months: the incident begins in the last of them."""
    rng = np.random.default_rng([seed, 62])
    since = FIRST + timedelta(days=int(rng.integers(66, 78)))
    version = int(rng.integers(3, 30))
    return World(seed, FIRST, DAYS, Incident(kind(seed), since, _where(kind(seed), rng, version)), version)


def quiet(seed: int) -> World:
    """Days of the check's own, on which nothing goes wrong."""
    layout = seed % LAYOUTS
    more = (ONSET, TRIED_DAYS)  # a good version that is tried for as long as that of an incident
    return World(7000 + layout, TRIED_FIRST, TRIED_DAYS, None, 40 + layout, (*RELEASES, more))


def tried(seed: int, which: str, draw: int = 0) -> World:
    """Days of the check's own, like those of `quiet` until something of a kind goes wrong; in another place for each `draw`, and a version in another role."""
    layout, past = seed % LAYOUTS, quiet(seed)
    rng = np.random.default_rng([layout, KINDS.index(which), 63])
    version = past.version + len(RELEASES) - 1 + 9 * draw
    own = world(seed).incident if which == kind(seed) else None  # not again: a rule that names it would pass
    drawn = dict.fromkeys(_where(which, rng, version) for _ in range(40))
    where = [one for one in drawn if not (own and one and one == own.where)]
    since = TRIED_FIRST + timedelta(days=ONSET)
    incident = Incident(which, since, where[draw % len(where)], is_tried=which == "broken" and draw % 2 == 1)
    # Where it is no version that is wrong, one is released meanwhile.
    releases = RELEASES if incident.is_of_version else (*RELEASES, (ONSET + 1, ONSET + 4))
    number = 8010 + 10 * KINDS.index(which) + layout + 100 * draw
    return World(number, TRIED_FIRST, TRIED_DAYS, incident, past.version, releases, past)


def _where(which: str, rng: np.random.Generator, version: int) -> str:
    match which:
        case "unit":
            return str(rng.choice(FAR_FLYING))
        case "vanished" | "keys":
            return str(rng.choice(CARRIERS))
        case "labels":
            return str(rng.choice(AIRPORTS))
        case "concept":
            return ""
    return str(version + 2)
