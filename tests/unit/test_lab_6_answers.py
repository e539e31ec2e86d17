"""Lab 6, tasks 1 and 2: answers that are run elsewhere."""

from __future__ import annotations

import zlib

import lab_six
import numpy as np
import orjson
import pandas as pd
import pytest
import student_lab

from course import checks
from course.trials import called as trial
from flights.columns import KEY
from flights.watch import PROJECT
from judges.lab_6 import (
    called,
    check_diagnosis,
    check_page,
    check_serving,
    check_watch,
    incidents,
    traffic,
    watched_log,
)
from judges.lab_6.traffic import KINDS
from operation import quality

ANSWERS = lab_six.ANSWERS


@pytest.fixture
def lab(tmp_path):
    return lab_six.of_kind("labels", tmp_path)


def edited(name, edit):
    return lab_six.edited(lab_six.solution(name), edit)


def watched(text, seed=1):
    """Points and message of a module `watch`, called in this process as the trial calls it in another."""
    arguments, right = check_watch.given(seed)
    space = {}
    exec(text, space)
    returned = [trial.told(space["watch"], asked) for asked in arguments]
    try:
        check_watch.judge(returned, right)
    except checks.Wrong as wrong:
        return round(wrong.points, 2), wrong.message
    return 5, ""


@pytest.fixture
def log_to_watch(tmp_path, monkeypatch):
    for name, content in watched_log.files(1).items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("row", lab_six.rows([{"edit": {}, "points": 5, "told": ""}, *ANSWERS["watch"]["solution"]], 4))
def test_watch_by_the_library_is_judged_by_what_it_says_of_another_log(log_to_watch, row):
    points, message = watched(edited("watch", row["edit"]))
    assert (points, row["told"] in message) == (row["points"], True), message


@pytest.mark.parametrize("row", lab_six.rows([{"edit": {}, "points": 5, "told": ""}, *ANSWERS["watch"]["own"]], 5))
def test_watch_without_the_library_is_judged_likewise(log_to_watch, row):
    points, message = watched(lab_six.edited(OWN_WATCH, row["edit"]))
    assert (points, row["told"] in message) == (row["points"], True), message


FORMS = {
    "rounded": {
        "    return {name": "    found = {name",
        "| numbers\n": "| numbers\n    return {name: round(float(one), 3) for name, one in found.items()}\n",
    },
    "series": {"    return {name": "    return pd.Series({name", "| numbers\n": "| numbers)\n"},
    "more": {"| numbers\n": '| numbers | {"total": read.lines.total}\n'},
    "labelled": {"pd.read_csv(outcomes)": "pd.read_csv(outcomes).dropna()"},
}


@pytest.mark.parametrize("form", lab_six.rows(list(FORMS), 1))
def test_watch_in_another_form_passes(log_to_watch, form):
    assert watched(edited("watch", FORMS[form])) == (5, "")


@pytest.mark.parametrize(
    ("name", "value", "lost", "said"), [("gap", np.nan, 0.3, "nan"), ("no_number", np.float32("inf"), 2, "inf")]
)
@pytest.mark.parametrize("form", [dict, pd.Series])
def test_number_that_is_none_is_told_by_its_key_and_costs_its_own_points(form, name, value, lost, said):
    _, right = check_watch.given(1)
    returned = [trial.told(lambda **given: form(given), one | {name: value}) for one in right]
    with pytest.raises(checks.Wrong, match=f"`watch` returns {said} as `{name}`") as wrong:
        check_watch.judge(returned, right)
    assert round(5 - wrong.value.points, 2) == lost


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 5))
def test_what_is_right_does_not_depend_on_the_library_nor_on_the_draw(tmp_path, monkeypatch, seed):
    for name, content in watched_log.files(seed).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    assert watched(OWN_WATCH, seed) == (5, "")


def test_watch_that_knows_by_heart_what_a_check_said_fails_on_the_next_log(lab):
    _put(lab, OWN_WATCH)
    assert lab_six.evaluate(lab, "watch") == (5, "")
    told = check_watch.given(called.draw(lab, "watch"))[1][0]
    _put(lab, f"def watch(**given):\n    return {told!r}\n")
    assert lab_six.evaluate(lab, "watch")[0] < 1


def _put(lab, text):
    lab_six.module(lab, "watch", text)


@pytest.mark.parametrize("text", ["", "# Your code here\npass\n", '"""A watch."""\n...\n'])
@pytest.mark.parametrize(("task", "module"), [("serving", "served"), ("watch", "watch")])
def test_cell_without_an_answer_is_told_as_not_answered(lab, task, module, text):
    lab_six.module(lab, module, text)
    outcome = checks.evaluate(lab, task, {})
    assert (outcome.points, outcome.state, outcome.message) == (0, "not answered yet", "")


def test_cell_that_was_not_run_is_told_as_not_answered(lab):
    outcome = checks.evaluate(lab, "watch", {})
    assert (outcome.state, "`code/watch.py`" in outcome.message) == ("not answered yet", True)


OWN_WATCH = """import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

KEY = ["year", "month", "day", "carrier", "flight", "origin", "sched_dep_time"]


def watch(log, outcomes, first, last, complete):
    told, rows = dict.fromkeys(["unreadable", "no_number", "without_key", "repeated"], 0), []
    for path in sorted(Path(log).parent.glob(Path(log).name + "*"), reverse=True):
        for line in path.open():
            try:
                row = json.loads(line)
                said = [row[name] for name in ("time", "id", "version", "role", "prediction")][-1]
            except (ValueError, KeyError):
                told["unreadable"] += 1
                continue
            if said is None:
                told["no_number"] += 1
            elif any(row.get(name) is None for name in KEY):
                told["without_key"] += 1
            else:
                rows.append(row)
    rows = pd.DataFrame(rows)
    rows["date"] = pd.to_datetime(rows[["year", "month", "day"]]).dt.strftime("%Y-%m-%d")
    rows = rows[rows["date"].between(first, last)]
    again = rows.duplicated(["id", "version", "role", *KEY])
    told["repeated"] = again.sum()
    rows = rows[~again & (rows["role"] != "shadow")]
    rows = rows.iloc[pd.to_datetime(rows["time"], format="ISO8601").argsort()].drop_duplicates(KEY, keep="last")
    known = pd.read_csv(outcomes).dropna(subset="late").groupby(KEY)["late"].agg(["min", "max"]).reset_index()
    rows = rows.merge(known, on=KEY, how="left")
    due = rows["date"] <= complete
    told |= {"not_yet": (~due).sum(), "missing": (due & rows["max"].isna()).sum()}
    rows = rows[due & rows["max"].notna()]
    told["ambiguous"] = (rows["min"] < rows["max"]).sum()
    rows = rows[rows["min"] == rows["max"]]
    said, late = rows["prediction"], rows["max"]
    cost = np.where(said >= 0.25, 100 * (1 - late), 300 * late).mean()
    numbers = {"said": said.mean(), "happened": late.mean(), "gap": said.mean() - late.mean(), "cost": cost}
    return told | numbers | {"matched": len(rows), "auc": roc_auc_score(late, said)}
"""


def _served(lab, tmp_path, refuse=None, key=(*KEY, "dest", "distance"), change=None):
    """What a server answers and logs, as those of the long tests below do: to `requests`, with a prediction that the flight has wherever it is asked.

    Args:
        refuse: the sentence, from the place and name of what is lacking; key: columns of the log; change: of a logged row.
    """
    answers, lines = [], []
    for one in check_serving.requests(lab.seed):
        if one.lacks or one.is_odd:
            said = (
                refuse(one.place, one.lacks) if refuse and one.lacks else f"flight {one.place}: {one.lacks} is missing."
            )
            answers.append({"status": 400, "body": {"error": said}})
            continue
        said = [
            round((zlib.crc32(repr([int(row["flight"]), row["dest"], row["sched_dep_time"]]).encode()) % 997) / 997, 6)
            for row in one.rows
        ]
        answers.append({"status": 200, "body": {"predictions": said}})
        head = {"time": "2026-01-01T00:00:00+00:00", "id": str(len(answers)), "version": 1, "role": "champion"}
        for row, prediction in zip(one.rows, said, strict=True):
            row = row | {"flight": int(row["flight"])}
            row = change(row) if change else row
            lines.append(head | {name: row.get(name) for name in key} | {"prediction": prediction})
    log = tmp_path / "requests.jsonl"
    log.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    try:
        check_serving.judge(lab.seed, answers, log)
    except checks.Wrong as wrong:
        return wrong.points, wrong.message
    return 4, ""


@pytest.mark.parametrize(
    ("made", "points", "told"),
    [
        ({}, 4, ""),
        ({"refuse": lambda place, column: f"row {place} of {KEY} has no value for {column.upper()}"}, 4, ""),
        ({"refuse": lambda place, column: f"row {place}: one of {KEY} is missing"}, 3, "which column it is"),
        ({"refuse": lambda place, column: f"row {place}: the year is missing"}, 3, "which column it is"),
        ({"refuse": lambda place, column: column}, 3, "which column it is"),
        ({"key": (*KEY, "dest")}, 3, "keep both"),
        ({"key": (*KEY[1:], "dest", "distance")}, 2, "The log has no year"),
        ({"change": lambda row: row | {"sched_dep_time": row["sched_dep_time"] // 100 * 100}}, 2, "find their label"),
        ({"change": lambda row: row | {"flight": row["flight"] // 2 * 2}}, 2, "find their label"),
        ({"change": lambda row: row | {"carrier": min(row["carrier"], "VX")}}, 2, "find their label"),
        ({"change": lambda row: row | {"dest": row["origin"]}}, 3, "keep both"),
    ],
)
def test_answers_and_log_of_a_server_are_judged(lab, tmp_path, made, points, told):
    found, message = _served(lab, tmp_path, **made)
    assert (found, told in message) == (points, True), message


@pytest.fixture
def forks(monkeypatch):
    student_lab.forking(monkeypatch, ("tensorflow", "pandas", "flights.serving"))


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("row", [{"edit": {}, "points": 4, "told": ""}, *ANSWERS["served"]], ids=str)
def test_project_is_served_and_asked(lab, forks, row):
    lab_six.module(lab, "served", edited("served", row["edit"]))
    points, message = lab_six.evaluate(lab, "serving")
    assert (points, row["told"] in message) == (row["points"], True), message


OWN_SERVED = """
from flights import serving

LOGGED = "year month day carrier flight origin sched_dep_time distance dest"


class Project:
    key = LOGGED.split()
    name, output, inputs = "mine", serving.PROJECT.output, serving.PROJECT.inputs
    sample = [dict(zip(key, (2013, 2, 1, "B6", 71, "JFK", 700, 1005, "TPA"), strict=True)) | {"weekday": 5}]
    encode = staticmethod(serving.PROJECT.encode)

    def check(self, rows):
        for row in rows:
            absent = [name for name in self.key[:7] if row.get(name) in (None, "")]
            if absent:
                raise ValueError(f"{absent} cannot be missing")
        return serving.PROJECT.check(rows)


PROJECT = Project()
"""


@pytest.mark.slow
@pytest.mark.long
def test_project_of_another_kind_passes(lab, forks):
    lab_six.module(lab, "served", OWN_SERVED)
    assert lab_six.evaluate(lab, "serving") == (4, "")


@pytest.mark.parametrize("kind", lab_six.rows(KINDS, 1))
def test_cost_and_flights_of_an_incident_can_be_found_from_what_is_given(tmp_path, kind):
    """From the log and the outcomes of autumn: of lines that lack the number of a flight, by the rest of their key."""
    lab = lab_six.of_kind(kind, tmp_path)
    world = incidents.world(lab.seed)
    rest = [name for name in KEY if name != "flight"]
    known = [orjson.loads(line) for _, line in traffic.lines(world) if line.endswith(b"}")]
    log = pd.DataFrame(known).drop_duplicates(rest, keep="last")
    autumn = traffic.rows(world)[[*KEY, "late"]]
    assert not autumn.duplicated(rest).any()
    found = autumn.merge(log.drop(columns="flight"), on=rest, how="left", indicator="line")
    found = found[PROJECT.day(found) >= pd.Timestamp(world.incident.since)]
    is_asked, where = found["line"] == "both", world.incident.where
    mine = {
        "unit": is_asked & (found["carrier"] == where),
        "vanished": ~is_asked & (found["carrier"] == where),
        "concept": is_asked,
        "labels": is_asked & (found["origin"] == where),
        "broken": is_asked & found["prediction"].isna(),
        "keys": is_asked & (found["carrier"] == where),
    }.get(kind, found["version"].astype("Int64").astype(str) == where)
    assert mine.sum() == pytest.approx(check_diagnosis.affected(world), rel=check_diagnosis.CLOSE)
    found = found[mine]
    said = found["prediction"].fillna(0.0).to_numpy(float)
    cost = quality.cost_of(said, found["late"].to_numpy(float), PROJECT.costs).sum()
    assert cost == pytest.approx(check_page.cost(world), rel=check_page.CLOSE)
