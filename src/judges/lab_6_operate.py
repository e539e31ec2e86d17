"""Lab 6, operate: what it gives to the student, and its tasks.

Three months of traffic, and what goes wrong in the last of them (one of eight), depend on the student (`lab.seed`).
"""

from __future__ import annotations

from typing import Any

from course import checks
from course.labs.lab_6 import alerts
from flights.columns import KEY, LABEL
from judges.lab_6 import (
    check_canary,
    check_diagnosis,
    check_page,
    check_policy,
    check_rules,
    check_serving,
    check_watch,
    incidents,
    service_data,
    traffic,
)
from judges.lab_6.series import series, write

PRELOAD = ("tensorflow", "operation.report")
"""What grading imports once, before it evaluates many submissions."""

SECONDS, CELL_SECONDS = 600, 240
"""What grading gives a submission, and each of its cells, by the clock and on one core: it starts servers."""


def data(lab: checks.Lab) -> list[str]:
    """Writes what the student starts from.

    Returns:
        A line for each file: what is in it.
    """
    root, world = lab.workspace, incidents.world(lab.seed)
    (root / "log").mkdir(parents=True)
    half = world.days // 2
    write(world, root / "log" / "requests.jsonl.1", 0, half - 1)
    write(world, root / "log" / "requests.jsonl", half)
    complete = world.day(world.days - 1 - traffic.LABELS_AFTER)
    traffic.outcomes(world, complete).drop(columns=[*traffic.FURTHER]).to_csv(root / "outcomes.csv", index=False)
    traffic.rows(world)[[*KEY, LABEL]].to_csv(root / "outcomes-in-autumn.csv", index=False)
    alerts.save(series(world, incidents.SHOWN), root / alerts.READ)
    (root / check_page.FILE).write_text(check_page.TEMPLATE, encoding="utf-8")
    return [
        f"log/requests.jsonl, and its full file .1: what was answered from {world.first} to {world.last}",
        f"outcomes.csv: the flights of these days, with the labels that had come when {world.last} was over: they are complete up to {complete}",
        "outcomes-in-autumn.csv: the same flights with all labels, as they came in the end",
        f"{alerts.READ}: what Prometheus has read from {world.day(incidents.SHOWN)} on, once an hour",
        f"{check_page.FILE}: the template of task 7",
        *service_data.write(root, lab.seed),
    ]


@checks.task("serving", points=4, title="1. What is logged")
def serving(lab: checks.Lab) -> None:
    """A served project whose log finds its labels."""
    check_serving.judge_serving(lab)


@checks.task("watch", points=5, title="2. The watch")
def watch(lab: checks.Lab) -> None:
    """An account of a log, and what the model was worth."""
    check_watch.judge_watch(lab)


@checks.task("diagnosis", points=5, title="3. The diagnosis")
def diagnosis(lab: checks.Lab, diagnosis: Any) -> None:
    """What, since when, where, how many."""
    check_diagnosis.judge_diagnosis(lab, diagnosis)


@checks.task("rules", points=6, title="4. The alert")
def rules(lab: checks.Lab) -> None:
    """A rule that fires for it, and for nothing else."""
    check_rules.judge_rules(lab)


@checks.task("policy", points=4, title="5. The policy")
def policy(lab: checks.Lab) -> None:
    """When to retrain, and a retraining."""
    check_policy.judge_policy(lab)


@checks.task("canary", points=4, title="6. The canary")
def canary(lab: checks.Lab) -> None:
    """What is promoted and what is taken back; a release, and a roll-back."""
    check_canary.judge_canary(lab)


@checks.task("page", points=2, title="7. The page")
def page(lab: checks.Lab) -> None:
    """The numbers of the incident."""
    check_page.judge_page(lab)
