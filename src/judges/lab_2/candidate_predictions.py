"""What models said about 5,000 flights: baselines, good candidates and four kinds of bad ones, drawn by the student's seed.

Labels, airports and hours are those of real flights; the scores are made. A model's score is `strength * label + noise`, its probability what Bayes makes of
that and of the share of late flights in its group. So every model is calibrated, and a candidate shares most of its noise with its baseline, as a retrained
model does. The strength is then set so that the area on these very flights is what it is to be.

No rule of thumb divides the kinds, for any student. One airport has so few flights that what is chance there is a catastrophe at another: no one limit for the
slices fits. And candidates come against a second baseline, which is weaker: no floor for an area fits.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from judges.lab_1 import monthly_data
from judges.lab_1.questions import TARGET, labelled
from judges.lab_2 import roc_auc
from judges.lab_2.given_data import KEY, QUESTION

MONTH = 7
BASELINE, GOOD = "baseline", "good"
KINDS = {
    "worse": "worse overall",
    "slice": "worse on a slice",
    "chance": "better only by chance",
    "leak": "trained on the leak",
}
"""The kinds of bad candidates, in the order of the lab's text."""
FLIGHTS = {"EWR": 2600, "JFK": 2270, "LGA": 130}
"""How many of each airport."""
SLICES = {"origin": tuple(FLIGHTS), "part": ("morning", "afternoon", "evening")}
NAMES = tuple(name for names in SLICES.values() for name in names)
STRENGTH, SHARED, WEAKER = 0.68, 0.85, 0.035
"""Of the first baseline; the share of noise in common; how much smaller the second baseline's area is."""
APART = 4.2
"""Largest by smallest noise of a slice, at least: what a good candidate loses on the one by chance is more than what a bad one loses on the other."""
PLAUSIBLE, LEAKED = 0.80, 0.88
"""No honest model has a larger area, overall or on a slice of `SLICES`; no leak a smaller one."""


@dataclass(frozen=True)
class Candidate:
    """One candidate: its kind, its probability for each flight, and what the model in production says."""

    kind: str
    scores: np.ndarray
    baseline: np.ndarray


@dataclass(frozen=True)
class Table:
    """The flights, which of them are in each slice (and in `all`), the baseline and the candidates that the student gets, and others."""

    flights: pd.DataFrame
    masks: dict[str, np.ndarray]
    baseline: np.ndarray
    shown: dict[str, Candidate]
    hidden: list[Candidate]

    @functools.cached_property
    def labels(self) -> np.ndarray:
        """0 or 1 for each flight."""
        return self.flights[TARGET].to_numpy(dtype=int)

    @functools.cached_property
    def noise(self) -> dict[str, float]:
        """The standard deviation of the difference between `good` and the baseline, for all flights and for each slice."""
        good, labels = self.shown[GOOD].scores, self.labels
        return {name: roc_auc.noise(labels[m], self.baseline[m], good[m]) for name, m in self.masks.items()}

    def areas(self, scores: np.ndarray) -> dict[str, float]:
        """The area of a model, for all flights and for each slice."""
        return {name: roc_auc.auc(self.labels[mask], scores[mask]) for name, mask in self.masks.items()}

    def changes(self, candidate: Candidate) -> dict[str, float]:
        """How much larger its areas are than its baseline's, in standard deviations of the noise."""
        before = self.areas(candidate.baseline)
        return {name: (area - before[name]) / self.noise[name] for name, area in self.areas(candidate.scores).items()}

    def fits(self, candidate: Candidate) -> bool:
        """Whether a candidate is of its kind, as the lab's text says it."""
        changes = self.changes(candidate)
        overall, worst = changes["all"], min(changes[name] for name in NAMES)
        largest = max(self.areas(candidate.scores).values())
        return {
            GOOD: overall > 3.05 and worst > -1 and largest < PLAUSIBLE,
            "worse": overall < -1.05,
            "slice": overall > 3.05 and worst < -3.05 and largest < PLAUSIBLE + 0.02,
            "chance": 0.1 < overall < 1.4 and worst > -1 and largest < PLAUSIBLE,
            "leak": self.areas(candidate.scores)["all"] > LEAKED,
        }[candidate.kind]


class _NoSuch(Exception):
    """No candidate of the wanted kind can be drawn."""


class _Maker:
    """Draws models over the same flights."""

    def __init__(self, seed: int, attempt: int) -> None:
        self.rng = np.random.default_rng([seed, 6, attempt])
        july = monthly_data.year()[monthly_data.year()["month"] == MONTH]
        drawn = [july[july["origin"] == name].sample(count, random_state=self.rng) for name, count in FLIGHTS.items()]
        flights = labelled(pd.concat(drawn).sort_index(kind="stable").reset_index(drop=True), QUESTION)
        hour = flights["sched_dep_time"] // 100
        part = np.select([hour < 12, hour < 17], SLICES["part"][:2], SLICES["part"][2])
        flights = flights[["origin", "carrier", TARGET]].assign(part=part, hour=hour)
        flights.insert(0, KEY, self.rng.permutation(90_000)[: len(flights)] + 500_000)
        share = flights.groupby("part")[TARGET].transform("mean").to_numpy(dtype=float)
        self.offset = np.log(share / (1 - share))
        masks = {"all": np.ones(len(flights), bool)}
        masks |= {name: (flights[column] == name).to_numpy() for column in SLICES for name in SLICES[column]}
        self.own = self.rng.standard_normal(len(flights))
        self.table = Table(flights, masks, np.empty(0), {}, [])
        first = self.scores(np.full(len(flights), STRENGTH), self.own)
        self.table = Table(flights, masks, first, {}, [])
        calibrated = [first[mask].sum() / max(1, self.table.labels[mask].sum()) for mask in masks.values()]
        if max(self.table.areas(first).values()) > PLAUSIBLE - 0.02 or min(calibrated) < 0.75 or max(calibrated) > 1.33:
            raise _NoSuch  # lucky on a slice, it leaves no room for what is better; or it expects too much there

    def scores(self, strength: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """What a model says whose score for a flight is `strength * label + noise`."""
        log_odds = self.offset + strength * (strength * self.table.labels + noise) - strength**2 / 2
        return np.round(1 / (1 + np.exp(-log_odds)), 6)

    def model(self, area: float, slices: dict[str, float] | None = None) -> np.ndarray:
        """A model with this area in all, and with those on slices that are given."""
        noise = SHARED * self.own + np.sqrt(1 - SHARED**2) * self.rng.standard_normal(len(self.own))
        strength, free = np.full(len(noise), STRENGTH), np.ones(len(noise), bool)
        for name, wanted in {**(slices or {}), "all": area}.items():
            mask = self.table.masks[name]
            low, high = 0.0, 4.0
            for _ in range(20):
                strength[mask & free] = (low + high) / 2
                found = roc_auc.auc(self.table.labels[mask], self.scores(strength, noise)[mask])
                low, high = (low, strength[mask & free][0]) if found > wanted else (strength[mask & free][0], high)
            free &= ~mask
        return self.scores(strength, noise)

    def candidate(
        self, kind: str, gain: float, loss: tuple[str, float] | None = None, baseline: np.ndarray | None = None
    ) -> Candidate:
        """One that gains so much overall, and loses so much on a slice, in standard deviations; of a leak, `gain` is its area.

        Raises:
            _NoSuch: none that was drawn is of its kind.
        """
        baseline = self.table.baseline if baseline is None else baseline
        before, noise = self.table.areas(baseline), self.table.noise
        wanted = gain if kind == "leak" else before["all"] + gain * noise["all"]
        slices = {loss[0]: before[loss[0]] - loss[1] * noise[loss[0]]} if loss else {}
        for _ in range(12):
            made = Candidate(kind, self.model(wanted, slices), baseline)
            if self.table.fits(made):
                return made
        raise _NoSuch


@functools.cache
def table(seed: int) -> Table:
    """The student's flights, baseline and candidates."""
    for attempt in range(400):
        try:
            return _drawn(_Maker(seed, attempt))
        except _NoSuch:
            continue
    raise RuntimeError("no candidates could be drawn")


def _drawn(maker: _Maker) -> Table:
    rng, draw = maker.rng, maker.candidate
    first = maker.table.baseline
    area = maker.table.areas(first)["all"]
    maker.table.shown[GOOD] = Candidate(GOOD, maker.model(area + 0.0125), first)
    shown, hidden, noise = maker.table.shown, maker.table.hidden, maker.table.noise
    quietest, loudest = min(NAMES, key=noise.get), max(NAMES, key=noise.get)
    if not maker.table.fits(shown[GOOD]) or noise[loudest] < APART * noise[quietest]:
        raise _NoSuch
    failing = [quietest, *rng.permutation([name for name in NAMES if name != quietest])]
    shown["worse"] = draw("worse", -rng.uniform(3, 4.5))
    shown["slice"] = draw("slice", rng.uniform(3.4, 4.2), (failing.pop(), rng.uniform(3.6, 4.5)))
    shown["chance"] = draw("chance", rng.uniform(0.8, 1.3))
    shown["leak"] = draw("leak", rng.uniform(0.91, 0.95))
    hidden += [draw(GOOD, rng.uniform(3.4, 4.2), (loudest, 0.9))]  # more than what `quietest` loses is chance here
    hidden += [draw(GOOD, gain) for gain in (3.3, 4.2, 5.0)]
    hidden += [draw("worse", -loss) for loss in (1.2, 2.5, 6.0)]
    hidden += [draw("slice", rng.uniform(3.2, 4), (name, 3.3)) for name in failing]
    hidden += [draw("chance", gain) for gain in (0.3, 0.8, 1.3)]
    hidden += [draw("leak", area) for area in (LEAKED + 0.005, 0.92, 0.97)]
    weaker = maker.model(area - WEAKER)
    hidden += [draw(GOOD, gain, baseline=weaker) for gain in (3.3, 4.5)]
    hidden += [draw("worse", -2.0, baseline=weaker), draw("chance", 0.9, baseline=weaker)]
    hidden += [draw("slice", 3.5, (rng.choice(SLICES["part"]), 3.6), weaker)]
    return maker.table


def write(root: Path, seed: int) -> None:
    """Writes `candidates.csv`."""
    found = table(seed)
    scores = {kind: candidate.scores for kind, candidate in found.shown.items()}
    frame = found.flights.assign(**{BASELINE: found.baseline}, **scores)
    frame.to_csv(root / "candidates.csv", index=False, float_format="%.6f", lineterminator="\n")
