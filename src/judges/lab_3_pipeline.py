"""Lab 3, pipeline: what it gives to the student, and its tasks.

January and February are the same for all. What is wrong with March, and the store that is inherited, depend on the student (`lab.seed`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from course import checks
from judges.lab_3 import elsewhere, inherited_store, months, own_runs
from judges.lab_3.check_lineage import judge_lineage
from judges.lab_3.elsewhere import FIRST, Elsewhere
from judges.lab_3.own_runs import Runs

PRELOAD = ("tensorflow", "ml_metadata", "flights.examples")
"""What grading imports once, before it evaluates many submissions."""

SECONDS, CELL_SECONDS = 900, 300
"""What grading gives a submission, and each of its cells, by the clock and on one core: it runs whole pipelines."""


def prepare() -> None:
    """Makes what packages are given elsewhere: the same for all students."""
    elsewhere.given()


def data(lab: checks.Lab) -> list[str]:
    """Writes what the student starts from.

    Returns:
        A line for each folder: what is in it.
    """
    months.write(lab.workspace / "months", lab.seed)
    inherited_store.write(lab.workspace, lab.seed)
    return [
        "months/span-01, span-02: January and February, 2,000 flights each",
        "months/span-03: March, as the sender delivered it; something is wrong with it (task 5)",
        "inherited/metadata.sqlite: the metadata store of two pipelines that others have built (task 6)",
        "inherited/served.txt: the version of the pipeline `delays` that is served",
    ]


@checks.task("package", points=5, title="1. The package")
def my_package(lab: checks.Lab) -> None:
    """Imported, run, and its model asked where nothing of the student's machine is."""
    found = Elsewhere(lab)
    _judge(
        (2, lambda: "" if found.told(FIRST).get("components") else found.failure(FIRST)),
        (2, found.other_data),
        (1, lambda: "" if found.predictions().size else "nothing"),
    )


@checks.task("january", points=4, title="2. January")
def january(lab: checks.Lab, store: Any, version: Any) -> None:
    """A whole run, blessed and pushed; a model that knows something, and an Evaluator that would refuse one that does not."""
    own = Runs(lab, store)
    runs = own.whole("January, and nothing else", 1)
    _judge(
        (1, lambda: own_runs.mixes_days(own, runs)),
        (1, lambda: own_runs.pushed(runs, version)),
        (1, lambda: Elsewhere(lab).knows_nothing()),
        (1, lambda: Elsewhere(lab).lets_pass()),
    )


@checks.task("cache", points=4, title="3. The cache")
def cache(lab: checks.Lab, store: Any) -> None:
    """The same again from the cache; an edited function not."""
    runs = own_runs.again(Runs(lab, store))
    always = own_runs.not_cached(runs) or Elsewhere(lab).uncached()
    _judge(
        (1, lambda: own_runs.not_cached(runs)),
        (1, lambda: Elsewhere(lab).uncached()),
        # What is never cached shows nothing by running again.
        (0 if always else 1, lambda: own_runs.not_edited(lab, runs)),
        (0 if always else 1, lambda: Elsewhere(lab).stale()),
    )


@checks.task("february", points=4, title="4. February")
def february(lab: checks.Lab, store: Any) -> None:
    """A new month that is not learned from, held against the latest blessed model."""
    own = Runs(lab, store)
    runs = own.whole("January and February", 1, 2)
    _judge(
        (1, lambda: own_runs.mixes_months(own, runs)),
        (1, lambda: own_runs.no_baseline(runs)),
        (1, lambda: Elsewhere(lab).learns_from_both()),
        (1, lambda: Elsewhere(lab).wrong_baseline()),
    )


@checks.task("refused", points=3, title="5. A month that is refused")
def refused(lab: checks.Lab, store: Any, column: Any) -> None:
    """March stops before anything is trained, and so does another spoilt month."""
    own = Runs(lab, store)
    run = own_runs.march(own)
    named = isinstance(column, str) and column.strip() == months.fault(lab.seed).column
    _judge(
        (1, lambda: own_runs.went_on(own, run)),
        (1, lambda: "" if named else f"`COLUMN` is {str(column)[:40]!r}, and that column is in order. {MESSAGE}"),
        (1, lambda: Elsewhere(lab).not_refused()),
    )


@checks.task("lineage", points=5, title="6. Lineage")
def lineage(lab: checks.Lab, store: Any, own: Any, inherited: Any) -> None:
    """What led to a served version, in two stores."""
    judge_lineage(lab, store, own, inherited)


MESSAGE = "The message of the component that failed names the one that is not."


def _judge(*parts: tuple[float, Callable[[], str]]) -> None:
    """Points for each part with which nothing is wrong.

    Raises:
        checks.Wrong: what is, with the points of the others.
    """
    told, points = [], 0.0
    for worth, judge in parts:
        try:
            wrong = judge()
        except checks.Wrong as error:
            wrong = error.message
        told.append(wrong)
        points += 0 if wrong else worth
    if any(told):
        raise checks.Wrong("\n".join(dict.fromkeys(filter(None, told))), points=points)
