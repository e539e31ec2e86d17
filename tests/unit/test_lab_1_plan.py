"""Lab 1, tasks 1 to 3: right answers written in different ways pass, wrong ones that look right fail and are told why."""

from __future__ import annotations

import gzip
import random
import struct

import lab_one
import numpy as np
import pandas as pd
import pytest

from flights.data import WEATHER
from judges.lab_1 import monthly_data
from judges.lab_1.questions import COLUMNS, LANDED, PLANE, QUESTIONS, TIMETABLE, labelled
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


def write(lab, make):
    """Writes for each month what `make` makes of the delivery."""
    for number in range(1, 5):
        monthly_data.write(make(monthly_data.month(number).copy()), lab.workspace / "months", number)


def arrived(flights):
    return flights[flights.arr_delay.notna()]


def numpy_hotel(flights):
    delay = flights.arr_delay.astype(float).to_numpy()
    return flights.assign(target=np.where(np.isnan(delay) | (delay > 60), 1, 0))


def shuffled_train(flights):
    flights = arrived(flights).assign(target=lambda kept: kept.arr_delay.gt(15).astype(int))
    return flights.sample(frac=1, random_state=1)[random.Random(1).sample(list(flights), len(flights.columns))]


def gain_with_decimals(flights):
    """Whole numbers as 12.0: the same values."""
    decimals = arrived(flights).astype({name: float for name in ("dep_delay", "arr_delay", "air_time", "plane_year")})
    return decimals.assign(
        target=[int(left - landed >= 10) for left, landed in zip(decimals.dep_delay, decimals.arr_delay, strict=True)]
    )


@pytest.mark.parametrize(
    ("question", "make"), [("hotel", numpy_hotel), ("train", shuffled_train), ("gain", gain_with_decimals)]
)
def test_right_label_passes(lab, question, make):
    write(lab, make)
    assert lab_one.evaluate(lab, "label", question=question) == (2, "")


def right(question):
    return lambda flights: labelled(flights, QUESTIONS[question])


LABELS = {
    "the limit itself counts as late": (
        "train",
        lambda flights: arrived(flights).assign(target=lambda kept: (kept.arr_delay >= 15).astype(int)),
        (1, "exactly at the limit"),
    ),
    "cancelled flights are punctual": (
        "train",
        lambda flights: flights.assign(target=flights.arr_delay.gt(15).fillna(False).astype(int)),
        (0, "your question has no answer for them"),
    ),
    "cancelled flights are left out of the hotels": (
        "hotel",
        lambda flights: arrived(flights).assign(target=lambda kept: (kept.arr_delay > 60).astype(int)),
        (0, "are missing, and your question has an answer for them"),
    ),
    "cancelled flights need no hotel": (
        "hotel",
        lambda flights: flights.assign(target=flights.arr_delay.gt(60).fillna(False).astype(int)),
        (1, "`arr_delay` empty: your `target` is 0"),
    ),
    "cancelled flights are left open": (
        "hotel",
        lambda flights: flights.assign(
            target=(flights.arr_delay > 60).astype("Int64").where(flights.arr_delay.notna())
        ),
        (0.5, "Where a number is missing, a comparison has no answer either"),
    ),
    "true and false": (
        "hotel",
        lambda flights: right("hotel")(flights).assign(target=lambda all_of: all_of.target == 1),
        (0.5, "for each flight; you give False and True"),
    ),
    "diverted flights need no hotel": (
        "hotel",
        lambda flights: flights.assign(
            target=(flights.arr_delay.gt(60).fillna(False) | flights.dep_time.isna()).astype(int)
        ),
        (1, "have the wrong `target`"),
    ),
    "more than ten instead of at least ten": (
        "gain",
        lambda flights: arrived(flights).assign(target=lambda kept: (kept.dep_delay - kept.arr_delay > 10).astype(int)),
        (1, "exactly at the limit"),
    ),
    "lost instead of made up": (
        "gain",
        lambda flights: arrived(flights).assign(
            target=lambda kept: (kept.arr_delay - kept.dep_delay >= 10).astype(int)
        ),
        (0, "Read the question once more"),
    ),
    "the label of another question": ("gain", right("train"), (0, "Read the question once more")),
    "never": ("hotel", lambda flights: right("hotel")(flights).assign(target=0), (0, "have the wrong `target`")),
    "always": ("hotel", lambda flights: right("hotel")(flights).assign(target=1), (0, "have the wrong `target`")),
    "the other way round": (
        "hotel",
        lambda flights: right("hotel")(flights).assign(target=lambda kept: 1 - kept.target),
        (0, "have the wrong `target`"),
    ),
    "each flight twice": (
        "hotel",
        lambda flights: pd.concat([right("hotel")(flights)] * 2),
        (0, "flights are not as they were delivered (changed, or there twice)"),
    ),
    "gaps filled": (
        "hotel",
        lambda flights: right("hotel")(flights).fillna({"temp": 50.0, "seats": 150}),
        (0, "Leave the delivered cells as they are"),
    ),
    "an index as a column": ("hotel", lambda flights: right("hotel")(flights).reset_index(), (0, "`index=False`")),
    "words for a label": (
        "hotel",
        lambda flights: right("hotel")(flights).astype({"target": str}).replace({"target": {"0": "no", "1": "yes"}}),
        (0.5, "has to be the whole number 0 or 1"),
    ),
    "a label of decimals": (
        "hotel",
        lambda flights: right("hotel")(flights).astype({"target": float}),
        (0.5, "has to be the whole number 0 or 1"),
    ),
    "columns left out": (
        "hotel",
        lambda flights: right("hotel")(flights).drop(columns=["arr_time", "dep_time"]),
        (0, "lacks `dep_time`, `arr_time`"),
    ),
}


@pytest.mark.parametrize("what", LABELS)
def test_wrong_label_is_told(lab, what):
    question, make, (points, told) = LABELS[what]
    write(lab, make)
    got, message = lab_one.evaluate(lab, "label", question=question)
    assert got == points
    assert told in message


def test_label_without_files_or_in_files_of_other_months_is_told(lab):
    assert "no file `months/span-01/flights.csv`" in lab_one.evaluate(lab, "label", question="hotel")[1]
    lab_one.months(lab)
    monthly_data.write(labelled(monthly_data.month(3), QUESTIONS["hotel"]), lab.workspace / "months", 2)
    assert "Month 2: 400 flights are not as they were delivered" in lab_one.evaluate(lab, "label", question="hotel")[1]
    (lab.workspace / "months" / "span-01" / "flights.csv").write_bytes(b"a,b\n1\n")
    assert "is no CSV file" in lab_one.evaluate(lab, "label", question="hotel")[1]


@pytest.mark.parametrize("question", ["bus", 7, ["hotel"], {"hotel": 1}])
def test_unknown_question_is_told(lab, question):
    points, message = lab_one.evaluate(lab, "label", question=question)
    assert points == 0
    assert "Choose one of: 'train', 'hotel', 'gain'" in message


def test_message_does_not_say_what_the_label_has_to_be(lab):
    write(lab, LABELS["diverted flights need no hotel"][1])
    message = lab_one.evaluate(lab, "label", question="hotel")[1]
    assert "has to be 1" not in message
    assert "60" not in message


# --- Task 2 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "variables"),
    [
        ("train", list(TIMETABLE)),
        ("train", np.array(TIMETABLE[:8])),
        ("hotel", (*WEATHER, *reversed(TIMETABLE))),
        ("hotel", {"carrier", "origin", "dest", "distance", "sched_dep_time", "temp", "visib", "weekday"}),
        ("gain", pd.Index(name for name in COLUMNS if name not in LANDED)),
    ],
)
def test_right_variables_pass(lab, question, variables):
    assert lab_one.evaluate(lab, "variables", question=question, variables=variables) == (2, "")


@pytest.mark.parametrize(
    ("question", "variables", "points", "told"),
    [
        ("train", [*TIMETABLE, *WEATHER], 0, "9 of your variables are not known a week before the flight"),
        ("train", [*TIMETABLE, "tailnum"], 0, "1 of your variables is not known a week before the flight"),
        ("train", [*TIMETABLE, "dep_delay"], 0, "1 of your variables is not known"),
        ("hotel", [*TIMETABLE, *WEATHER, "tailnum"], 0, "of the flights where it is empty 100% have `target` 1"),
        ("hotel", [*TIMETABLE, *WEATHER, "seats"], 0, "It is looked up by another column"),
        ("hotel", [*TIMETABLE, *PLANE], 0, "3 of your variables are not known on the last full hour"),
        ("hotel", [*TIMETABLE, *WEATHER, "dep_time"], 0, "The column *known* of the table"),
        ("gain", [*TIMETABLE, "dep_delay", "air_time"], 0, "measured only after the landing"),
        ("gain", list(COLUMNS), 0, "3 of your variables are not known when the plane has left its gate"),
        ("gain", ["dep_delay", "carrier", "dest"], 0, "Give 8 at least"),
        ("gain", ["dep_delay", "carrier", "dest", "origin"], 1, "Give 8 at least"),
        ("gain", [*TIMETABLE, "target"], 0, "names columns that the delivery does not have: target"),
        ("gain", [*TIMETABLE, "carrier"], 0, "names a column twice"),
        ("gain", "carrier", 0, "has to be a list of names"),
        ("gain", {"carrier": True}, 0, "has to be a list of names"),
        ("gain", [1, 2], 0, "has to be a list of names"),
        ("gain", [], 0, "there are 0 of them"),
    ],
)
def test_wrong_variables_are_told(lab, question, variables, points, told):
    got, message = lab_one.evaluate(lab, "variables", question=question, variables=variables)
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
        if isinstance(cell, str):
            feature.bytes_list.value.append(cell.encode())
        elif isinstance(cell, float):
            feature.float_list.value.append(cell)
        elif cell is not None:
            feature.int64_list.value.append(cell)
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
            ending = ".gz" if packed else ""
            path = root / f"Split-{name}" / f"data_tfrecord-{shard:05d}-of-{shards:05d}{ending}"
            path.write_bytes(gzip.compress(framed, 1) if packed else framed)
    return str(root)


def split_by_time(months):
    return pd.concat([months[number] for number in (1, 2, 3)]), months[4]


@pytest.mark.parametrize(
    ("question", "kind"), [("hotel", {}), ("train", {"shards": 3}), ("gain", {"packed": False, "folder": "mine"})]
)
def test_right_examples_pass(lab, question, kind):
    train, evaluation = split_by_time(lab_one.months(lab, question))
    folder = ingest(lab, train.sample(frac=1, random_state=3), evaluation, **kind)
    assert lab_one.evaluate(lab, "ingest", examples=folder) == (2, "")


def test_folder_of_examples_is_found_from_the_workspace(lab, tmp_path):
    folder = lab.workspace / "mine"
    for given in ("mine", str(folder), "/elsewhere/out/lessons/lab-1-data/mine", f"file://{folder}"):
        assert workspace_files.inside(lab, given) == folder.resolve()


def _by_hash(months):
    everything = pd.concat(months.values()).sample(frac=1, random_state=5)
    return everything[: len(everything) * 2 // 3], everything[len(everything) * 2 // 3 :]


def _shuffled_in_equal_sizes(months):
    train, _ = split_by_time(months)
    everything = pd.concat(months.values()).sample(frac=1, random_state=5)
    return everything[: len(train)], everything[len(train) :]


def _as_decimals(months):
    return tuple(flights.astype({"seats": float, "wind_dir": float}) for flights in split_by_time(months))


def _label_turned(months):
    train, evaluation = split_by_time(months)
    return train.assign(target=1 - train.target), evaluation


EXAMPLES = {
    "split by hash": (_by_hash, 1, "January to March teach, April examines"),
    "as many, and drawn": (_shuffled_in_equal_sizes, 1, "The flights in split train are not those of your months"),
    "train and eval exchanged": (
        lambda months: split_by_time(months)[::-1],
        0,
        "The two splits are exchanged: train holds April",
    ),
    "March left out": (
        lambda months: (pd.concat([months[1], months[2]]), months[4]),
        0,
        "Month 3 is in neither split: train holds 1, 2, eval 4.",
    ),
    "April in both": (
        lambda months: (pd.concat(months.values()), months[4]),
        0,
        "Month 4 is in both splits: train has 1,600 flights, eval 400",
    ),
    "ingested before": (
        lambda months: (pd.concat([months[1], months[2], months[3].head(300)]), months[4]),
        0,
        "Your months have 1,600 flights, the Examples 1,500",
    ),
    "whole numbers as decimals": (_as_decimals, 1, "it is a decimal number"),
    "ingested with another label": (_label_turned, 1, "are not those of your months"),
    "without the label": (
        lambda months: tuple(flights.drop(columns="target") for flights in split_by_time(months)),
        0,
        "No Example has `target`. The label is in your files in `months`",
    ),
}


@pytest.mark.parametrize("what", EXAMPLES)
def test_wrong_examples_are_told(lab, what):
    make, points, told = EXAMPLES[what]
    folder = ingest(lab, *make(lab_one.months(lab)))
    got, message = lab_one.evaluate(lab, "ingest", examples=folder)
    assert got == points
    assert told in message


def test_answer_that_is_no_folder_of_examples_is_told(lab, tmp_path):
    months = lab_one.months(lab)
    for given, told in (
        (7, "has to be text"),
        ("", "has to be text"),
        ("/etc", "is not in your workspace"),
        ("../../..", "leads out of your workspace"),
        ("nothing", "no split at all"),
        ("months", "no split at all"),
    ):
        points, message = lab_one.evaluate(lab, "ingest", examples=given)
        assert points == 0
        assert told in message
    folder = ingest(lab, *split_by_time(months))
    [path] = (lab.workspace / "artifacts").rglob("Split-eval/*")
    path.write_bytes(path.read_bytes()[:-200])
    assert "is no file of records" in lab_one.evaluate(lab, "ingest", examples=folder)[1]
    path.write_text("not records at all, but long enough for a head")
    assert "is no file of records" in lab_one.evaluate(lab, "ingest", examples=folder)[1]
    path.write_bytes(struct.pack("<Q", 4) + b"0000" + b"\xff\xff\xff\xff" + b"0000")
    assert "are not tf.Examples" in lab_one.evaluate(lab, "ingest", examples=folder)[1]


def test_few_flights_are_no_months(lab):
    months = {number: flights.head(10) for number, flights in lab_one.months(lab).items()}
    for number, flights in months.items():
        monthly_data.write(flights, lab.workspace / "months", number)
    folder = ingest(lab, *split_by_time(months))
    assert "Task 1 comes first" in lab_one.evaluate(lab, "ingest", examples=folder)[1]
