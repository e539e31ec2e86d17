"""What models said about 5,000 flights: a baseline, a good candidate and four kinds of bad ones, drawn by the student's seed.

Labels, airports and hours are those of real flights; the scores are made. A model's score is `strength * label + noise`, its
probability what Bayes makes of that and of the share of late flights in its group. So every model is calibrated, its area is
Phi(strength / sqrt(2)) within a group, and a candidate shares most of its noise with the baseline, as a retrained model does. The strength
is then set so that the area on these very flights is what it is to be.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from judges.lab_1 import monthly_data
from judges.lab_1.questions import TARGET, labelled
from judges.lab_2 import roc_auc
from judges.lab_2.given_data import KEY, QUESTION

ROWS, MONTH = 5000, 7
BASELINE = "baseline"
KINDS = {
    "worse": "worse overall",
    "slice": "worse on a slice",
    "chance": "better only by chance",
    "leak": "trained on the leak",
}
"""The kinds of bad candidates, in the order of the lab's text."""
GOOD = "good"
SHOWN = (GOOD, *KINDS)
"""The candidates that students get: one of each."""

SLICES = {"origin": ("EWR", "JFK", "LGA"), "part": ("morning", "afternoon", "evening")}
NAMES = tuple(name for names in SLICES.values() for name in names)
STRENGTH, SHARED, LEAST_GAIN, MOST_CHANCE = 0.68, 0.85, 3.0, 1.3
"""Of the baseline; the share of noise in common; gains in standard deviations: the least of a good candidate, the most by chance."""
LITTLE = 0.25
"""What one of the good candidates loses on a slice at least, in standard deviations: a gate that forgives nothing refuses it."""
PLAUSIBLE, LEAKED = 0.80, 0.88
"""No honest model has a larger area, overall or on a slice of `SLICES`; no leak a smaller one."""


@dataclass(frozen=True)
class Candidate:
    """One candidate: its kind, what it is in words, and its probability for each flight."""

    kind: str
    told: str
    scores: np.ndarray


@dataclass(frozen=True)
class Table:
    """The flights with labels and slices, what the baseline says, and the standard deviations of a difference of areas."""

    flights: pd.DataFrame
    baseline: np.ndarray
    masks: dict[str, np.ndarray]
    noise: dict[str, float]

    @property
    def labels(self) -> np.ndarray:
        """0 or 1 for each flight."""
        return self.flights[TARGET].to_numpy(dtype=int)

    def change(self, scores: np.ndarray, name: str) -> float:
        """How much a candidate's area is larger than the baseline's, in standard deviations; `name` is `all` or a slice."""
        mask, labels = self.masks[name], self.labels
        found = roc_auc.auc(labels[mask], scores[mask]) - roc_auc.auc(labels[mask], self.baseline[mask])
        return found / self.noise[name]


class _NoSuch(Exception):
    """No candidate of the wanted kind can be drawn."""


class _Maker:
    """Draws models over the same flights."""

    def __init__(self, seed: int, attempt: int) -> None:
        self.rng = np.random.default_rng([seed, 6, attempt])
        july = monthly_data.year()[monthly_data.year()["month"] == MONTH].sample(ROWS, random_state=seed)
        flights = labelled(july.sort_index(kind="stable").reset_index(drop=True), QUESTION)
        hour = flights["sched_dep_time"] // 100
        part = np.select([hour < 12, hour < 17], SLICES["part"][:2], SLICES["part"][2])
        flights = flights[["origin", "carrier", TARGET]].assign(part=part, hour=hour)
        flights.insert(0, KEY, self.rng.permutation(90_000)[:ROWS] + 500_000)
        self.flights, self.labels = flights, flights[TARGET].to_numpy(dtype=int)
        share = flights.groupby(["origin", "part"])[TARGET].transform("mean").to_numpy(dtype=float)
        self.offset = np.log(share / (1 - share))
        self.masks = {"all": np.ones(ROWS, bool)}
        self.masks |= {name: (flights[column] == name).to_numpy() for column in SLICES for name in SLICES[column]}
        self.own = self.rng.standard_normal(ROWS)
        self.baseline = self.probability(np.full(ROWS, STRENGTH), self.own)
        other = self.probability(np.full(ROWS, STRENGTH), self.noisy())
        noise = {
            name: roc_auc.noise(self.labels[mask], self.baseline[mask], other[mask])
            for name, mask in self.masks.items()
        }
        self.table = Table(flights, self.baseline, self.masks, noise)

    def noisy(self) -> np.ndarray:
        """The noise of a candidate."""
        return SHARED * self.own + np.sqrt(1 - SHARED**2) * self.rng.standard_normal(ROWS)

    def probability(self, strength: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """What a model of this strength says; with as many late flights in all as there are."""
        log_odds = self.offset + strength * (strength * self.labels + noise) - strength**2 / 2
        low, high = -3.0, 3.0
        for _ in range(30):
            middle = (low + high) / 2
            too_many = (1 / (1 + np.exp(-log_odds - middle))).mean() > self.labels.mean()
            low, high = (low, middle) if too_many else (middle, high)
        return np.round(1 / (1 + np.exp(-log_odds - middle)), 6)

    def fitted(
        self, noise: np.ndarray, wanted: float, name: str = "all", strength: np.ndarray | None = None
    ) -> np.ndarray:
        """The strengths for which the area differs from the baseline's by `wanted`; those of flights outside of `name` stay.

        With `strength` given and name "all", the flights whose strength is NaN are set.
        """
        free = self.masks[name] if strength is None else np.isnan(strength)
        fixed = np.full(ROWS, STRENGTH) if strength is None else strength
        mask = self.masks[name]
        target = roc_auc.auc(self.labels[mask], self.baseline[mask]) + wanted
        low, high = 0.0, 4.0
        for _ in range(25):
            middle = (low + high) / 2
            scores = self.offset + np.where(free, middle, fixed) * (np.where(free, middle, fixed) * self.labels + noise)
            scores = scores - np.where(free, middle, fixed) ** 2 / 2
            low, high = (low, middle) if roc_auc.auc(self.labels[mask], scores[mask]) > target else (middle, high)
        return np.where(free, middle, fixed)

    def shifted(self, gain: float) -> np.ndarray:
        """A candidate whose area is larger by so many standard deviations (less than 0: smaller)."""
        noise = self.noisy()
        return self.probability(self.fitted(noise, gain * self.table.noise["all"]), noise)

    def leaking(self, area: float) -> np.ndarray:
        """A candidate with this area."""
        noise = self.noisy()
        return self.probability(self.fitted(noise, area - roc_auc.auc(self.labels, self.baseline)), noise)

    def failing(self, name: str, loss: float, gain: float) -> np.ndarray:
        """A candidate that loses on a slice, and gains so much overall that it looks good."""
        noise = self.noisy()
        on_slice = self.fitted(noise, -loss * self.table.noise[name], name)
        strength = np.where(self.masks[name], on_slice, np.nan)
        return self.probability(self.fitted(noise, gain * self.table.noise["all"], "all", strength), noise)

    def until(self, make: Callable[[], np.ndarray], holds: Callable[[np.ndarray], bool]) -> np.ndarray:
        """Draws until a draw is as it has to be."""
        for _ in range(40):
            if holds(scores := make()):
                return scores
        raise _NoSuch

    def harmless(self, scores: np.ndarray) -> bool:
        """No slice has lost more than a standard deviation, and nothing is too good to be true."""
        return all(
            self.table.change(scores, name) > -1 and roc_auc.auc(self.labels[mask], scores[mask]) < PLAUSIBLE
            for name, mask in self.masks.items()
            if name != "all"
        )

    def good(self, gain: float) -> np.ndarray:
        return self.until(lambda: self.shifted(gain), self.harmless)

    def uneven(self, gain: float) -> np.ndarray:
        """A good one that seems to lose a little on a slice, which is chance."""
        return self.until(
            lambda: self.shifted(gain),
            lambda scores: self.harmless(scores) and min(self.table.change(scores, name) for name in NAMES) < -LITTLE,
        )

    def slightly_worse(self, loss: float) -> np.ndarray:
        """One that loses overall, and on no slice so much that a demand on slices would find it."""
        return self.until(
            lambda: self.shifted(-loss),
            lambda scores: all(self.table.change(scores, name) > -1.5 for name in NAMES),
        )

    def sliced(self, name: str, loss: float, gain: float) -> np.ndarray:
        return self.until(
            lambda: self.failing(name, loss, gain),
            lambda scores: self.table.change(scores, name) < -3 and self.table.change(scores, "all") > LEAST_GAIN,
        )


@functools.cache
def table(seed: int) -> Table:
    """The student's flights and baseline."""
    return _all(seed)[0]


@functools.cache
def shown(seed: int) -> dict[str, Candidate]:
    """The five candidates that the student gets, by kind."""
    return _all(seed)[1]


@functools.cache
def hidden(seed: int) -> list[Candidate]:
    """Others of the same kinds."""
    return _all(seed)[2]


@functools.cache
def _all(seed: int) -> tuple[Table, dict[str, Candidate], list[Candidate]]:
    for attempt in range(20):  # a baseline that is lucky on a slice leaves no room for what is better
        try:
            return _drawn(_Maker(seed, attempt))
        except _NoSuch:
            continue
    raise RuntimeError("no candidates could be drawn")


def _drawn(maker: _Maker) -> tuple[Table, dict[str, Candidate], list[Candidate]]:
    rng = maker.rng
    first, *others = rng.permutation(NAMES)
    shown = {
        GOOD: maker.good(rng.uniform(3.6, 4.4)),
        "worse": maker.shifted(-rng.uniform(3.0, 4.5)),
        "slice": maker.sliced(first, rng.uniform(3.6, 4.5), rng.uniform(3.4, 4.2)),
        "chance": maker.good(rng.uniform(0.8, MOST_CHANCE)),
        "leak": maker.leaking(rng.uniform(0.91, 0.95)),
    }
    made = [Candidate(GOOD, "gains on every slice or keeps it", maker.good(gain)) for gain in (3.6, 4.5, 5.5)]
    made.insert(0, Candidate(GOOD, "gains overall, and loses a little on a slice by chance", maker.uneven(3.2)))
    made += [Candidate("worse", "loses overall", maker.shifted(-loss)) for loss in (2.5, 6.0)]
    made.append(Candidate("worse", "loses a little overall", maker.slightly_worse(1.2)))
    made += [
        Candidate("slice", f"loses on {name}", maker.sliced(name, rng.uniform(3.3, 5), rng.uniform(3.2, 4)))
        for name in others
    ]
    made += [
        Candidate("chance", "gains less than two standard deviations", maker.good(gain))
        for gain in (0.3, 0.8, MOST_CHANCE)
    ]
    made += [Candidate("leak", "knows the answer", maker.leaking(area)) for area in (LEAKED + 0.005, 0.92, 0.97)]
    return maker.table, {kind: Candidate(kind, KINDS.get(kind, ""), scores) for kind, scores in shown.items()}, made


def frame(seed: int) -> pd.DataFrame:
    """The file that the student gets."""
    found = table(seed)
    scores = {kind: candidate.scores for kind, candidate in shown(seed).items()}
    return found.flights.assign(**{BASELINE: found.baseline}, **scores)


def write(root: Path, seed: int) -> None:
    """Writes `candidates.csv`."""
    frame(seed).to_csv(root / "candidates.csv", index=False, float_format="%.6f", lineterminator="\n")
