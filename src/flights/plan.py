"""What a candidate must show before it may be used: single demands, and the plan that holds those on which people agreed.

It imports nothing but the standard library: engines that lack TFX read it too.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HIGHER, LOWER, NEITHER = "higher", "lower", "neither"
"""Which values of a metric are the better ones; of the mean prediction, or of the number of flights, neither are."""


def is_number(value: Any) -> bool:
    """Whether it is a finite number; `True` is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


@dataclasses.dataclass(frozen=True)
class Metric:
    """What is known of a metric before anything is measured.

    Attributes:
        better: `HIGHER`, `LOWER` or `NEITHER`.
        low: the lowest value that it can have,
        high: and the highest.
    """

    better: str
    low: float = 0.0
    high: float = 1.0


AGREED = Path(__file__).with_suffix(".json")
"""The plan of the gate planner, for whom the pipeline is built: a file, so that a change of a bar is a commit."""

COST = "CostAgainstRule"
"""`cost`: what the model's errors cost, as a share of what those of a rule of thumb cost on the same flights."""

METRICS = {
    **dict.fromkeys(["AUC", "AUCPrecisionRecall", "BinaryAccuracy", "BalancedAccuracy", "F1Score"], Metric(HIGHER)),
    **dict.fromkeys(["Precision", "Recall", "Specificity", "NegativePredictiveValue", "ThreatScore"], Metric(HIGHER)),
    **dict.fromkeys(["MatthewsCorrelationCoefficient", "Informedness", "Markedness"], Metric(HIGHER, low=-1.0)),
    "CoefficientOfDiscrimination": Metric(HIGHER, low=-1.0),
    **dict.fromkeys(["BinaryCrossentropy", COST], Metric(LOWER, high=math.inf)),
    **dict.fromkeys(["MeanSquaredError", "MeanAbsoluteError", "FPR", "FNR", "FalseDiscoveryRate"], Metric(LOWER)),
    # Mean prediction by mean label: the best value, 1, has worse ones on both sides.
    "Calibration": Metric(NEITHER, high=math.inf),
    **dict.fromkeys(["MeanPrediction", "MeanLabel", "PredictedPositiveRate"], Metric(NEITHER)),
    "ExampleCount": Metric(NEITHER, high=math.inf),
}
"""Metrics that can be demanded: of those of TFMA (and of Keras, which it takes as well) the ones that a binary label has without
further settings, and our own. Their names are the names of their classes."""


@dataclasses.dataclass(frozen=True)
class Demand:
    """Something that a candidate must show before it is blessed.

    Attributes:
        metric: a name of `METRICS`, for example `AUC` or `BinaryCrossentropy`.
        by: columns; the demand is made of every slice that their values form. None: of all flights together.
        only: values of that column; the demand is made of their slices alone, for example of those that are large enough.
        at_least: no slice may be below this,
        at_most: nor above this,
        max_loss: nor get worse by more than this against the latest blessed model on the same flights: less where higher is better,
            more where lower is better. Below 0, it demands that it gets better by so much.
    """

    metric: str
    by: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    max_loss: float | None = None

    def __post_init__(self) -> None:
        """Refuses a demand that nothing could miss, or nothing could meet, or that says something else than it seems to."""
        if not isinstance(self.metric, str) or self.metric not in METRICS:
            raise ValueError(f"metric={self.metric!r}: there is no such metric.{_meant(self.metric)}")
        for name in ("by", "only"):
            value = getattr(self, name)
            if not isinstance(value, tuple) or not all(isinstance(one, str) and one for one in value):
                raise ValueError(f"{self}: write {name}=('NAME',), a tuple of texts.")
            if any(one != one.strip() or not one.isprintable() for one in value):
                raise ValueError(f"{self}: in {name} there are spaces at an end, or characters that cannot be seen.")
            if len(set(value)) < len(value):
                raise ValueError(f"{self}: {name} names something twice.")
        if self.only and len(self.by) != 1:
            raise ValueError(f"{self}: `only` goes with slices by one column.")
        limits = {name: getattr(self, name) for name in ("at_least", "at_most", "max_loss")}
        limits = {name: limit for name, limit in limits.items() if limit is not None}
        for name, limit in limits.items():
            if not is_number(limit):
                raise ValueError(f"{self}: {name}={limit!r}: a number is demanded.")
        if not limits:
            raise ValueError(f"{self}: name a number that is demanded: at_least, at_most or max_loss.")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"{self}: nothing is at least {self.at_least} and at most {self.at_most}.")
        self._refuse_what_the_metric_cannot(METRICS[self.metric])

    def _refuse_what_the_metric_cannot(self, metric: Metric) -> None:
        for name in ("at_least", "at_most"):
            limit = getattr(self, name)
            if limit is not None and not metric.low <= limit <= metric.high:
                raise ValueError(
                    f"{name}={limit}: {self.metric} lies between {metric.low:g} and "
                    f"{'infinity' if math.isinf(metric.high) else format(metric.high, 'g')}."
                )
        if metric.better == LOWER and self.at_least is not None and self.at_most is None:
            raise ValueError(
                f"{self}: lower values of {self.metric} are better, and any bad model is above {self.at_least}. Write at_most."
            )
        if self.max_loss is None:
            return
        if metric.better == NEITHER:
            raise ValueError(
                f"max_loss={self.max_loss}: {self.metric} does not get better upwards or downwards. Write at_least and at_most."
            )
        if abs(self.max_loss) > metric.high - metric.low:
            raise ValueError(
                f"max_loss={self.max_loss}: two values of {self.metric} differ by {metric.high - metric.low:g} at most."
            )

    @property
    def where(self) -> str:
        """The slices in words."""
        if self.only:
            return f"{self.by[0]} {', '.join(self.only)}"
        return f"each {' and '.join(self.by)}" if self.by else "all flights"


@dataclasses.dataclass(frozen=True)
class Costs:
    """What the two ways to be wrong cost, in the same unit; with them, where to act, and the rule of thumb to compare with.

    Attributes:
        false_alarm: of acting for a flight that is on time.
        miss: of not acting for a flight that is late.
        rule_from_hour: the rule of thumb acts on each flight that is scheduled to leave in this hour of the day or later; 24: never.
    """

    false_alarm: float
    miss: float
    rule_from_hour: int

    def __post_init__(self) -> None:
        """Refuses prices that are none."""
        for name in ("false_alarm", "miss"):
            if not is_number(getattr(self, name)) or getattr(self, name) <= 0:
                raise ValueError(f"{name}={getattr(self, name)!r}: a price is a number greater than 0.")
        if type(self.rule_from_hour) is not int or not 0 <= self.rule_from_hour <= 24:
            raise ValueError(f"rule_from_hour={self.rule_from_hour!r}: a whole number, 0 to 24.")

    @property
    def threshold(self) -> float:
        """The probability from which on it pays to act, if probabilities mean what they say (Elkan 2001)."""
        return self.false_alarm / (self.false_alarm + self.miss)


@dataclasses.dataclass(frozen=True)
class Plan:
    """The demands on which the people of a project have agreed. A run that has it makes these, and each stands here only.

    Attributes:
        demands: what a candidate must show.
        costs: the prices of errors, for demands of `COST`; None where there is no such demand.
    """

    demands: tuple[Demand, ...]
    costs: Costs | None = None

    def __post_init__(self) -> None:
        """Refuses a plan that demands nothing."""
        if not isinstance(self.demands, tuple) or not all(isinstance(one, Demand) for one in self.demands):
            raise ValueError("plan: demands must be a tuple of Demand.")
        if not self.demands:
            raise ValueError("plan: it demands nothing.")
        if not isinstance(self.costs, Costs | None):
            raise ValueError("plan: costs must be Costs(false_alarm=..., miss=..., rule_from_hour=...).")
        if self.costs is None and any(demand.metric == COST for demand in self.demands):
            raise ValueError(f"plan: {COST} needs costs=Costs(false_alarm=..., miss=..., rule_from_hour=...).")
        refuse_contradictions(self.demands)

    def save(self, path: str | Path) -> Path:
        """Writes the plan as JSON that people can read and compare: a line for each demand, without what it leaves open."""
        demands = [
            json.dumps({name: value for name, value in dataclasses.asdict(one).items() if value not in (None, ())})
            for one in self.demands
        ]
        costs = f'  "costs": {json.dumps(dataclasses.asdict(self.costs))},\n' if self.costs else ""
        path, lines = Path(path), ",\n    ".join(demands)
        path.write_text(f'{{\n{costs}  "demands": [\n    {lines}\n  ]\n}}\n')
        return path

    @classmethod
    def load(cls, path: str | Path) -> Plan:
        """Reads what `save` has written, or what was written by hand.

        Raises:
            ValueError: it is no such plan; the message names the file.
            FileNotFoundError: there is no such file.
        """
        try:
            return cls.of(json.loads(Path(path).read_bytes(), object_pairs_hook=_without_repeats))
        except (ValueError, RecursionError) as error:  # JSON's and Unicode's errors are such as well
            raise ValueError(f"{path}: {error}") from None

    @classmethod
    def of(cls, given: dict[str, Any]) -> Plan:
        """The plan that is written as `dataclasses.asdict` does, with lists for tuples.

        Raises:
            ValueError: something is in it that no plan has, or the other way round.
        """
        if not isinstance(given, dict) or not isinstance(given.get("demands"), list | tuple):
            raise ValueError("no plan: it is an object with a list of `demands`, and `costs` where they are needed.")
        if unknown := set(given) - {"demands", "costs"}:
            raise ValueError(f"{', '.join(sorted(unknown))}: a plan has `demands` and `costs`.")
        costs = given.get("costs")
        if not all(isinstance(one, dict) for one in [*given["demands"], {} if costs is None else costs]):
            raise ValueError(
                'no plan: each demand, and `costs`, is an object such as {"metric": "AUC", "at_least": 0.6}.'
            )
        try:
            made = tuple(Demand(**{name: _thawed(value) for name, value in one.items()}) for one in given["demands"])
            return cls(made, None if costs is None else Costs(**costs))
        except TypeError as error:  # a name that there is not, or one that is missing
            raise ValueError(f"no plan: {error}") from None


def refuse_contradictions(demands: Sequence[Demand]) -> None:
    """Refuses demands that no candidate can meet together.

    Raises:
        ValueError: of one metric of the same flights, more is demanded than is allowed.
    """
    for least, most in itertools.permutations(demands, 2):
        same = least.metric == most.metric and set(least.by) == set(most.by)
        if least.at_least is None or most.at_most is None or not same or least.at_least <= most.at_most:
            continue
        if not least.only or not most.only or set(least.only) & set(most.only):
            raise ValueError(
                f"{least.metric} of {least.where}: nothing is at least {least.at_least} and at most {most.at_most}. "
                "Two demands contradict each other; change one."
            )


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, of whose names that are there twice Python would take the last."""
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{', '.join(twice)} is there twice. Remove one.")
    return dict(pairs)


def _thawed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _meant(metric: Any) -> str:
    """Which metric was perhaps meant; all that there are, if that cannot be told."""
    plain = {name.lower(): name for name in METRICS}
    close = difflib.get_close_matches(str(metric).replace("_", "").lower(), plain, n=1)
    return f" Did you mean {plain[close[0]]!r}?" if close else f" There are: {', '.join(METRICS)}."
