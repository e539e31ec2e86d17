"""The ML Test Score of E. Breck and others (IEEE Big Data 2017), with what this course has for each of its 28 tests.

A test counts half a point where it is made by hand and its result is kept, and a whole one where a machine makes it again and again. The points
are added up in each of the four sections; the score is the lowest of the four sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from course.views.html import View, table

BY_HAND, AUTOMATIC = 0.5, 1.0


class Item(NamedTuple):
    """One of the rubric.

    Attributes:
        name: the paper's, shortened.
        here: what this course has.
        points: for that; None is left to the reader.
    """

    name: str
    here: str
    points: float | None


RUBRIC: dict[str, tuple[Item, ...]] = {
    "data": (
        Item("feature expectations are in a schema", "DataGate in each run, lesson 05", 1.0),
        Item("all features are beneficial", "permutation importance in lesson 08, by hand", None),
        Item("no feature costs too much", "no measurement", None),
        Item("features keep to requirements", "the contract and the server refuse dep_delay", 1.0),
        Item("privacy controls in the pipeline", "no test; the data hold no persons", 0.0),
        Item("new features can be added quickly", "no measurement", 0.0),
        Item("code of features is tested", "unit tests, and Transform in each run", 1.0),
    ),
    "model": (
        Item("model code is reviewed, in a repository", "git; review is up to the team", 0.5),
        Item("offline and online metrics correlate", "no measurement of money earned", 0.0),
        Item("hyperparameters are tuned", "Tuner in lesson 07, by hand", 0.5),
        Item("the effect of staleness is known", "six policies in lesson 13, by hand", 0.5),
        Item("a simpler model is not better", "four rivals in lesson 07, by hand", 0.5),
        Item("quality is good on all slices", "the gate's demand, in each run", None),
        Item("inclusion is considered", "airlines and airports in lesson 08, by hand", 0.5),
    ),
    "infrastructure": (
        Item("training is reproducible", "notebooks are run again and compared", 1.0),
        Item("model code is unit tested", "unit tests of each change", 1.0),
        Item("the pipeline is tested as a whole", "on the sample, of each change", 1.0),
        Item("quality is validated before serving", "Evaluator in each run; InfraCheck on request", 1.0),
        Item("one example can be followed", "one flight is explained in lesson 08, by hand", 0.5),
        Item("a canary before production", "each release", 1.0),
        Item("a model can be rolled back", "each failed canary; tested with kills", None),
    ),
    "monitoring": (
        Item("changes of dependencies are told", "Dependabot, for actions only", 0.5),
        Item("invariants hold for inputs", "the server checks each request", 1.0),
        Item("training and serving are not skewed", "one graph for both; the watch compares", 1.0),
        Item("models are not too stale", "a policy decides each month", 1.0),
        Item("models are numerically stable", "no number: a metric, an alert, a canary's end", 1.0),
        Item("speed has not become worse", "canary and alerts for serving; training by hand", 0.5),
        Item("quality has not become worse", "the watch, when labels have come", 1.0),
    ),
}
"""The sections, and the tests of each."""


def ml_test_score(points: Mapping[str, float] | None = None) -> dict[str, float]:
    """The sum of each section.

    Args:
        points: for tests that are left to the reader, by section and number, such as `data 2`; what is not there counts nothing.
    """
    given = points or {}
    return {
        section: sum(
            given.get(f"{section} {number}", 0.0) if one.points is None else one.points
            for number, one in enumerate(tests, 1)
        )
        for section, tests in RUBRIC.items()
    }


def rubric() -> View:
    """The 28 tests as a table, with the points that are known."""
    rows = [
        (f"{section} {number}", one.name, one.here, "?" if one.points is None else f"{one.points:g}")
        for section, tests in RUBRIC.items()
        for number, one in enumerate(tests, 1)
    ]
    return table(("", "test", "in this course", "points"), rows, numbers=(3,))
