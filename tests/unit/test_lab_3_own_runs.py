"""Lab 3, tasks 2 to 5: what the student's own runs have left. What the package does elsewhere is right here (see test_lab_3_elsewhere.py)."""

from __future__ import annotations

import re

import lab_three
import pytest
import student_lab
from lab_three import AGAIN, DATA, FEBRUARY, MARCH, STORE

from judges import lab_3_pipeline
from judges.lab_3 import months

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.setattr(lab_3_pipeline, "Elsewhere", lab_three.AllRight)
    return lab_three.lab(tmp_path)


ALONE = {"train": {3: 1000}, "eval": {3: 1000}}
HALF = {"train": {2: 1300}, "eval": {2: 700}}
BOTH = {"train": {1: 1000, 2: 1000}, "eval": {1: 1000, 2: 1000}}
EDITED = {"cached": DATA, "features": ("temp", "minute", "rough_air")}
FAILED = {**EDITED, "is_trained": False}
FEB = {"flights": FEBRUARY}
MAR = {"flights": MARCH, "is_spoilt": True}
OPEN = {**MAR, "gate": "none"}
BY_MONTH = {f"month-{number:02d}": {number: months.ROWS} for number in (1, 2, 3)}

RIGHT = {
    "january": {
        "as the solution": [{}],
        "three splits": [{"flights": {"train": {1: 1000}, "test": {1: 500}, "eval": {1: 500}}}],
        "other names": [{"flights": {"learn": {1: 1500}, "judge": {1: 500}}}],
        "after runs that went wrong": [{"until": "Transform"}, {"splits": ("train", "train")}, {}],
    },
    "cache": {
        "again, then edited": [{}, {"cached": AGAIN}, EDITED],
        "edited, then again": [{}, EDITED, {"cached": AGAIN}],
        "another feature instead": [{}, {"cached": AGAIN}, {"cached": DATA, "features": ("temp", "rough_air")}],
        "a column more in a vector": [
            {"features": ("numbers:3",)},
            {"cached": AGAIN},
            {"cached": DATA, "features": ("numbers:4",)},
        ],
        "mended after the model failed": [{}, {"cached": AGAIN}, FAILED, {"cached": AGAIN[:-1]}],
        "with February between": [{}, {"cached": AGAIN}, FEB, {}, EDITED],
    },
    "february": {
        "blessed": [{}, FEB],
        "refused": [{}, {**FEB, "is_blessed": False}],
        "other names": [{}, {"flights": {"old": FEBRUARY["month-01"], "new": FEBRUARY["month-02"]}}],
        "one right run among wrong ones": [{}, FEB, {**FEB, "splits": ("month-01", "month-01")}],
    },
    "refused": {
        "as the solution": [MAR],
        "month by month": [{**MAR, "flights": BY_MONTH}],
        "after one that went on": [OPEN, MAR, {"flights": ALONE}],
    },
}
POINTS = {"january": 4, "cache": 4, "february": 4, "refused": 3}
WRONG = {
    "january": [
        ([{"until": "Transform"}], 0, "has no Trainer"),
        ([{"flights": HALF}], 0, "has read January"),
        ([FEB], 0, "has read January"),
        ([{"flights": {"train": {1: 500}, "eval": {1: 500}}}], 3, "2,000 flights"),
        ([{"flights": {"train": {1: 2000}}}], 3, "trained with flights that the model is judged on"),
        ([{"splits": ("train", "train")}], 3, "it knows the answers"),
        ([{"analysed": ("train", "eval")}], 3, "Transform learns scales and vocabularies from flights that"),
        ([{"flights": {"train": {1: 1950}, "eval": {1: 50}}}], 3, "was judged on 50"),
        ([{"splits": ("train", "test")}], 3, "was judged on 0"),
        ([{"is_blessed": False}], 3, "was not pushed"),
        ([{"is_asked": False}], 3, "without a blessing"),
        ([{"is_asked": False, "is_blessed": False}], 3, "without a blessing"),
    ],
    "cache": [
        ([{}], 0, "second time"),
        ([{}, {}], 1, "these ran again: ExampleGen, StatisticsGen"),
        ([{}, {"cached": (*DATA, "Trainer")}], 1, "these ran again: Transform"),
        ([{}, {"cached": AGAIN}], 3, "how would the cache know of it"),
        ([{}, {"cached": AGAIN}, {"cached": DATA}], 3, "Transform ran again, and made the same ones"),
        ([{}, {"cached": AGAIN}, {"features": EDITED["features"]}], 3, "the data, too, were read again"),
        ([{}, {"cached": AGAIN}, FAILED], 3, "or failed"),
    ],
    "february": [
        ([{}], 0, "has read January and February"),
        ([{}, {"flights": HALF}], 0, "has read January and February"),
        ([{}, {**FEB, "until": "Evaluator"}], 0, "has no Pusher"),
        ([{}, {"flights": BOTH}], 3, "trained with 1,000 of month 1, 1,000 of month 2"),
        ([{}, {**FEB, "splits": ("month-01", "month-01")}], 3, "judged on 2,000 of month 1"),
        ([{}, {**FEB, "splits": ("month-02", "month-01")}], 3, "trained with 2,000 of month 2"),
        ([{}, {**FEB, "analysed": ("month-01", "month-02")}], 3, "scales and vocabularies from"),
        ([{}, {**FEB, "splits": ("train", "month-02"), "analysed": ("month-01",)}], 3, "trained with none"),
        ([{}, {**FEB, "baseline": "none"}], 3, "has no baseline"),
        ([{}, {**FEB, "baseline": "itself"}], 3, "against itself"),
    ],
    "refused": [
        ([OPEN], 2, "went on: Transform, Trainer"),
        ([{**MAR, "gate": "passes", "until": "Transform"}], 2, "went on: Transform"),
        ([FEB], 0, "has read March"),
        ([{"flights": ALONE}], 0, "has read 1 month:"),
        ([{**MAR, "flights": {"train": {1: 2000, 2: 2000, 3: 1000}, "eval": {3: 1000}}}], 2, "as one split"),
        ([{**MAR, "flights": {**MARCH, "month-03": {3: 1000}}}], 2, "as one split"),
        ([{**MAR, "gate": "passes", "until": "DataGate"}], 2, "No component of the run on March has failed"),
    ],
}


def judge(lab, task, runs, **answers):
    store, fault = lab_three.Store(lab), months.fault(lab.seed).column
    for how in runs:
        store.run(**how)
    more = {"january": {"version": store.version}, "refused": {"column": fault}}.get(task, {})
    return lab_three.evaluate(lab, task, store=STORE, **{**more, **answers})


@pytest.mark.parametrize(("task", "what"), [(task, what) for task, some in RIGHT.items() for what in some])
def test_right_runs_pass(lab, task, what):
    assert judge(lab, task, RIGHT[task][what]) == (POINTS[task], "")


@pytest.mark.parametrize(
    ("task", "number"), [(task, number) for task, some in WRONG.items() for number in range(len(some))]
)
def test_wrong_runs_are_told(lab, task, number):
    runs, points, told = WRONG[task][number]
    got, message = judge(lab, task, runs)
    assert told in message
    assert got == points


@pytest.mark.parametrize("given", ["{}", "/home/anna/lab-3-pipeline/pipeline/serving/{}", 1_700_000_001])
def test_version_is_the_name_of_its_folder_as_number_text_or_path(lab, given):
    version = given.format(1_700_000_001) if isinstance(given, str) else given
    assert judge(lab, "january", [{}], version=version) == (4, "")


@pytest.mark.parametrize("version", ["1", 1, "../..", "", ["x"], "a" * 999])
def test_wrong_version_is_told(lab, version):
    points, told = judge(lab, "january", [{}], version=version)
    assert points == 3
    assert "none of January's runs has pushed" in told
    assert len(told) < 300


@pytest.mark.parametrize("column", ["humid", "dep_delay", "", 3, ["carrier"], {"a": 1}, "x" * 999])
def test_wrong_column_is_told_and_the_right_one_is_not_named(lab, column):
    points, told = judge(lab, "refused", [MAR], column=column)
    assert points == 2
    assert months.fault(lab.seed).column not in told
    assert len(told) < 300


def test_graph_whose_schema_is_gone_is_told(lab):
    judge(lab, "cache", [{}, {"cached": AGAIN}])
    next((lab.workspace / "pipeline").glob("TransformGraph/*/transformed_metadata/schema.pbtxt")).write_text("no {")
    points, told = lab_three.evaluate(lab, "cache", store=STORE)
    assert points == 3
    assert "no schema that can be read" in told


def test_every_fault_breaks_the_contract_in_its_column_and_the_other_months_keep_it():
    """The solution takes the column from the first line of what the gate says of it."""
    import tensorflow_data_validation as tfdv

    from flights import gate
    from flights.config import SCHEMA_FOLDER

    contract = tfdv.load_schema_text(str(SCHEMA_FOLDER / "schema.pbtxt"))
    [pattern] = re.findall(r're\.search\(r"(.+?)"', student_lab.solution(lab_three.LAB)["march"])

    def found(frame):
        return tfdv.validate_statistics(
            tfdv.generate_statistics_from_dataframe(frame), contract, environment="TRAINING"
        )

    for seed, fault in enumerate(months.FAULTS):
        anomalies = found(months.spoilt(seed))
        assert set(anomalies.anomaly_info) == {fault.column}
        assert re.search(pattern, "\n  ".join(gate.sentences("month-03", anomalies)))[1] == fault.column
    for number in (*months.GOOD, months.SPOILT):
        assert not found(months.month(number)).anomaly_info
