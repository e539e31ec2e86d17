"""Judges a served project by asking it: what it logs has to find its label, and what would not is refused (task 1)."""

from __future__ import annotations

import functools
import json
from typing import Any

import pandas as pd

from course import checks
from flights.columns import KEY, LABEL
from flights.watch import PROJECT
from judges.lab_6 import traffic
from judges.shared import answer_forms, workspace_files
from judges.trial import Ran, Step, Trial
from operation import labels, served_log

MODULE, OUT, LOG = "code/served.py", "answers.json", "log/requests.jsonl"
MOST_BYTES = 5_000_000
SENTENCE = 4
"""Words of a refusal, at least: its key in the answer, and three."""


@functools.cache
def flights(seed: int) -> pd.DataFrame:
    """Flights that differ from each other in one column of the key at a time, with labels that differ as well."""
    table = traffic.timetable(seed).head(4).assign(year=2013, month=9, day=12)
    found = [table]
    others = {"day": 13, "month": 10, "carrier": "US", "flight": 4321, "origin": "LGA"}
    found += [table.assign(**{column: value}) for column, value in others.items()]
    found.append(table.assign(sched_dep_time=2235))
    every = pd.concat(found).drop_duplicates(list(KEY)).reset_index(drop=True)
    every["weekday"] = PROJECT.day(every).dt.dayofweek + 1
    return every.assign(**{LABEL: [(place // 4) % 2 for place in range(len(every))]})


def requests(seed: int) -> list[list[dict[str, Any]]]:
    """Requests: of several flights, then those in which one of two lacks a column of the key, then one that has all."""
    rows = [
        {name: _plain(value) for name, value in row.items() if name != LABEL}
        for row in flights(seed).to_dict("records")
    ]
    lacking = [{name: value for name, value in rows[0].items() if name != column} for column in KEY]
    lacking += [rows[0] | {column: None} for column in ("flight", "day")]
    pairs = [[rows[1], one] if place % 2 else [one, rows[1]] for place, one in enumerate(lacking)]
    return [rows[:5], rows[5:], *pairs, rows[:1]]


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else int(value)


def judge_serving(lab: checks.Lab) -> None:
    """Four points: all that is asked finds its label (2), what lacks a column of the key is refused (1), and what was asked can be looked at later (1).

    Raises:
        checks.Wrong: something of it is not so.
    """
    if not workspace_files.inside(lab, MODULE).is_file():
        raise checks.Wrong(
            f'There is no `{MODULE}` in your workspace. A cell that calls `lab.as_module("served")` becomes it.'
        )
    asked = requests(lab.seed)
    ran = lab.run(
        Trial(
            "your project, served in another folder, asked about flights that you have not seen",
            files={"code": workspace_files.inside(lab, "code"), "requests.json": json.dumps(asked)},
            steps=[Step("course.trials.served", ["code", "requests.json", LOG, OUT], seconds=150)],
            modules=("tensorflow",),
        )
    )
    answers = _answers(ran, len(asked))
    whole, refused = [*answers[:2], answers[-1]], answers[2:-1]
    if bad := [one for one in whole if one["status"] != 200]:
        raise checks.Wrong(f"Your server does not answer requests that have all columns: {str(bad[0]['body'])[:200]}")
    path = ran.folder / LOG
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        raise checks.Wrong("Your server has written no log.")
    answer_forms.parts(
        [
            (2, lambda: _finds(path, lab.seed)),
            (1, lambda: _refuses(refused)),
            (1, lambda: _keeps(path, lab.seed)),
        ]
    )


def _answers(ran: Ran, wanted: int) -> list[dict[str, Any]]:
    [step] = ran.steps
    if step.status != 0:
        raise checks.Wrong(f"`served:PROJECT` cannot be served in another folder: {step.last}")
    try:
        path = ran.folder / OUT
        found = json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size < MOST_BYTES else []
        if len(found) == wanted and all(isinstance(one["status"], int) for one in found):
            return found  # type: ignore[no-any-return]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass
    raise checks.Wrong("Your server did not get to the end of the requests.")


def _finds(path: Any, seed: int) -> None:
    table = flights(seed)
    log = served_log.read(path, PROJECT)
    joined = labels.join(log.rows, table[[*KEY, LABEL]], PROJECT)
    expected = dict(zip(map(tuple, table[list(KEY)].astype(str).to_numpy()), table[LABEL], strict=True))
    right = sum(
        expected.get(tuple(str(_plain(value)) for value in row[: len(KEY)])) == row[-1]
        for row in joined.rows[[*KEY, LABEL]].itertuples(index=False)
    )
    if right < len(table) and (lost := log.lines.lost_columns):
        raise checks.Wrong(
            f"The log lacks {', '.join(sorted(lost))}: {log.lines.without_key} of {log.lines.total} lines never find their label. What does the server log of each request?"
        )
    if right < len(table):
        raise checks.Wrong(
            f"Of {len(table)} flights that differ from each other in one column of the key, {right} find their label in your log. What of a flight is not in it as the outcomes have it?"
        )


def _refuses(answers: list[dict[str, Any]]) -> None:
    columns = [*KEY, "flight", "day"]
    for column, answer in zip(columns, answers, strict=True):
        if not 400 <= answer["status"] < 500:
            said = "answers" if answer["status"] == 200 else f"fails (status {answer['status']}) at"
            raise checks.Wrong(
                f"Your server {said} a request that lacks `{column}`. It would never find its label. Refuse it: a ValueError of `check` becomes status 400."
            )
        if column not in str(answer["body"]) or len(str(answer["body"]).split()) < SENTENCE:
            raise checks.Wrong(
                f"Your server refuses a request that lacks `{column}`, and does not say in a sentence what is missing: {str(answer['body'])[:120]}"
            )


def _keeps(path: Any, seed: int) -> None:
    kept = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    pairs = {(one.get("dest"), one.get("distance")) for one in kept if isinstance(one, dict)}
    if not set(flights(seed)[["dest", "distance"]].itertuples(index=False, name=None)) <= pairs:
        raise checks.Wrong(
            "The log does not hold `dest` and `distance` as they were asked. When a client changes a unit, you could not see it in the log: keep both beside the key."
        )
