"""Lab 1, tasks 1 to 3: right answers written in different ways pass, wrong ones that look right fail and are told why."""

from __future__ import annotations

import gzip
import random
import shutil
import struct
from pathlib import Path

import lab_one
import numpy as np
import pandas as pd
import pytest

from flights.data import WEATHER
from judges.lab_1 import monthly_data
from judges.lab_1.questions import COLUMNS, LANDED, PLANE, QUESTIONS, TIMETABLE, labelled  # noqa: F401 (the table has PLANE)
from judges.shared import workspace_files

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def small_months():
    with lab_one.small_months():
        yield


@pytest.fixture
def lab(tmp_path):
    return lab_one.lab(tmp_path)


# --- Task 1 -------------------------------------------------------------------------------------------------------


def label(lab, question, make=None):
    """Writes for each month what `make` makes of the delivery, and asks the check."""
    for number in range(1, 5) if make else ():
        monthly_data.write(make(monthly_data.month(number).copy()), lab.workspace / "months", number)
    return lab_one.evaluate(lab, "label", question=question)


def arrived(flights):
    return flights[flights.arr_delay.notna()]


def hotel(flights):
    return labelled(flights, QUESTIONS["hotel"])


def late(minutes):
    return lambda flights: (flights.arr_delay > minutes).fillna(False)


def put(flights, label):
    return flights.assign(target=label(flights).astype(int))


def shuffled(flights):
    flights = put(arrived(flights), late(15))
    return flights.sample(frac=1, random_state=1)[random.Random(1).sample(list(flights), len(flights.columns))]


def decimals(flights):
    """Whole numbers as 12.0: the same values."""
    found = arrived(flights).astype({name: float for name in ("dep_delay", "arr_delay", "air_time", "plane_year")})
    return found.assign(target=(found.dep_delay - found.arr_delay >= 10).astype(int))


RIGHT_LABELS = {
    "by NumPy": ("hotel", lambda f: f.assign(target=np.where((f.arr_delay > 60).fillna(True), 1, 0))),
    "rows and columns in another order": ("train", shuffled),
    "whole numbers as decimals": ("gain", decimals),
    "not fewer than": ("train", lambda f: put(arrived(f), lambda f: ~(f.arr_delay <= 15))),
}


@pytest.mark.parametrize("what", RIGHT_LABELS)
def test_right_label_passes(lab, what):
    assert label(lab, *RIGHT_LABELS[what]) == (2, "")


LABELS, EXAMPLES = lab_one.ANSWERS["labels"], lab_one.ANSWERS["examples"]
SAME_LINES = {
    "lost",
    "never",
    "always",
    "the other way round",
    "times as hours",
    "times as clocks",
    "days as dates",
    "words",
    "decimals",
}
SAME_LINES_OF_EXAMPLES = {"as many, and drawn", "March left out", "April in both", "January twice", "ingested before"}
"""Those that are judged by the same lines as others are long proofs."""


@pytest.mark.parametrize("what", lab_one.rows(LABELS, LABELS.keys() - SAME_LINES))
def test_wrong_label_is_told(lab, what):
    question, made, points, told = lab_one.ANSWERS["labels"][what]
    got, message = label(lab, question, lambda f: eval(made, globals(), {"f": f}))
    assert got == points
    assert told in message
    assert "has to be 1" not in message


def test_label_without_files_or_in_files_of_other_months_is_told(lab):
    assert "no file `months/span-01/flights.csv`" in label(lab, "hotel")[1]
    lab_one.months(lab)
    monthly_data.write(hotel(monthly_data.month(3)), lab.workspace / "months", 2)
    assert (
        "Month 2, flights that are not as they were delivered (changed, or there twice): 400." in label(lab, "hotel")[1]
    )
    (lab.workspace / "months" / "span-01" / "flights.csv").write_bytes(b"a,b\n1\n")
    assert "is no CSV file" in label(lab, "hotel")[1]


@pytest.mark.parametrize("question", ["bus", 7, ["hotel"], {"hotel": 1}])
def test_unknown_question_is_told(lab, question):
    points, message = label(lab, question)
    assert points == 0
    assert "Choose one of: 'train', 'hotel', 'gain'" in message


# --- Task 2 -------------------------------------------------------------------------------------------------------

RIGHT_VARIABLES = [
    ("train", list(TIMETABLE)),
    ("train", np.array(TIMETABLE[:8])),
    ("train", pd.Series(TIMETABLE)),
    ("train", dict.fromkeys(TIMETABLE).keys()),
    ("hotel", (*WEATHER, *reversed(TIMETABLE))),
    ("hotel", {"carrier", "origin", "dest", "distance", "sched_dep_time", "temp", "visib", "weekday"}),
    ("gain", pd.Index(name for name in COLUMNS if name not in LANDED)),
]


@pytest.mark.parametrize(("question", "variables"), RIGHT_VARIABLES, ids=range(len(RIGHT_VARIABLES)))
def test_right_variables_pass(lab, question, variables):
    assert lab_one.evaluate(lab, "variables", question=question, variables=variables) == (2, "")


@pytest.mark.parametrize("what", lab_one.ANSWERS["variables"])
def test_wrong_variables_are_told(lab, what):
    question, listed, points, told = lab_one.ANSWERS["variables"][what]
    got, message = lab_one.evaluate(lab, "variables", question=question, variables=eval(listed))
    assert got == points
    assert told in message


def test_message_names_no_column_that_leaks(lab):
    for question, asked in QUESTIONS.items():
        for leak in set(COLUMNS) - set(asked.known):
            message = lab_one.evaluate(lab, "variables", question=question, variables=[*TIMETABLE, leak])[1]
            assert f"`{leak}`" not in message


# --- Task 3 -------------------------------------------------------------------------------------------------------


def example(row):
    import tensorflow as tf

    made = tf.train.Example()
    for name, cell in row.items():
        feature = made.features.feature[name]
        kind = "bytes_list" if isinstance(cell, str) else "float_list" if isinstance(cell, float) else "int64_list"
        if cell is not None:
            getattr(feature, kind).value.append(cell.encode() if isinstance(cell, str) else cell)
    return made.SerializeToString()


def ingest(lab, train, evaluation, shards=1, packed=True, folder="artifacts/CsvExampleGen/examples/1"):
    """Writes Examples as an ExampleGen does; returns their folder."""
    root = lab.workspace / folder
    for name, flights in (("train", train), ("eval", evaluation)):
        (root / f"Split-{name}").mkdir(parents=True)
        cells = flights.astype(object).where(flights.notna(), None)
        records = [example(row) for row in cells.to_dict("records")]
        for shard in range(shards):
            framed = b"".join(struct.pack("<Q", len(one)) + b"0000" + one + b"0000" for one in records[shard::shards])
            path = root / f"Split-{name}" / f"data_tfrecord-{shard:05d}-of-{shards:05d}{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(framed, 1) if packed else framed)
    return str(root)


def split(months, *train):
    return pd.concat([months[number] for number in train or (1, 2, 3)]), months[4]


@pytest.mark.parametrize(
    ("question", "kind"), [("hotel", {}), ("train", {"shards": 3}), ("gain", {"packed": False, "folder": "mine"})]
)
def test_right_examples_pass(lab, question, kind):
    train, evaluation = split(lab_one.months(lab, question))
    folder = ingest(lab, train.sample(frac=1, random_state=3), evaluation, **kind)
    assert lab_one.evaluate(lab, "ingest", examples=folder) == (2, "")


def test_third_split_is_told(lab):
    folder = Path(ingest(lab, *split(lab_one.months(lab))))
    shutil.copytree(folder / "Split-eval", folder / "Split-test")
    points, message = lab_one.evaluate(lab, "ingest", examples=str(folder))
    assert points == 1
    assert "more splits than these two: test." in message


def test_folder_of_examples_is_found_from_the_workspace(lab, tmp_path):
    folder = lab.workspace / "mine"
    relative = ("mine", "out/lessons/lab-1-data/mine", "../../out/lessons/lab-1-data/mine/")
    for given in (*relative, str(folder), "/elsewhere/out/lessons/lab-1-data/mine", f"file://{folder}"):
        assert workspace_files.inside(lab, given) == folder.resolve()


def test_artifact_itself_is_told_to_have_a_uri(lab):
    from tfx.types import standard_artifacts

    points, message = lab_one.evaluate(lab, "ingest", examples=standard_artifacts.Examples())
    assert points == 0
    assert "cannot be stored as an answer: give its `.uri`." in message


def drawn(months, share):
    everything = pd.concat(months.values()).sample(frac=1, random_state=5)
    return everything[: int(len(everything) * share)], everything[int(len(everything) * share) :]


@pytest.mark.parametrize("what", lab_one.rows(EXAMPLES, EXAMPLES.keys() - SAME_LINES_OF_EXAMPLES))
def test_wrong_examples_are_told(lab, what):
    made, points, told = lab_one.ANSWERS["examples"][what]
    folder = ingest(lab, *eval(made, globals(), {"m": lab_one.months(lab)}))
    got, message = lab_one.evaluate(lab, "ingest", examples=folder)
    assert told in message
    assert got == points


def test_answer_that_is_no_folder_of_examples_is_told(lab, tmp_path):
    months = lab_one.months(lab)

    def told(given):
        points, message = lab_one.evaluate(lab, "ingest", examples=given)
        assert points == 0
        return message

    for given, what in (
        (7, "has to be text"),
        ("", "has to be text"),
        ("/etc", "is not in your workspace"),
        ("../../..", "leads out of your workspace"),
        ("nothing", "names no folder in your workspace. Give its absolute path"),
        ("out/lessons/lab-1-data/../..", "leads out of your workspace"),
        ("months", "no split at all"),
    ):
        assert what in told(given)
    folder = ingest(lab, *split(months))
    [path] = (lab.workspace / "artifacts").rglob("Split-eval/*")
    for content, what in (
        (path.read_bytes()[:-200], "is no file of records"),
        (b"not records at all, but long enough for a head", "is no file of records"),
        (struct.pack("<Q", 4) + b"0000" + b"\xff\xff\xff\xff" + b"0000", "are not tf.Examples"),
    ):
        path.write_bytes(content)
        assert what in told(folder)
    for number, flights in months.items():
        monthly_data.write(flights.head(10), lab.workspace / "months", number)
    assert "Task 1 comes first" in told(folder)
