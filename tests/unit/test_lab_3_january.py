"""Lab 3, task 2: a whole run of January with the package's functions, blessed and pushed."""

from __future__ import annotations

import lab_three
import pytest
from lab_three import FEBRUARY, STORE, demanded

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]


@pytest.fixture
def lab(tmp_path):
    return lab_three.lab(tmp_path)


@pytest.fixture
def store(lab):
    return lab_three.Store(lab)


def judge(lab, version):
    return lab_three.evaluate(lab, "january", store=STORE, version=version)


RIGHT = {
    "as the solution": {},
    "three splits": {"flights": {"train": {1: 1000}, "test": {1: 500}, "eval": {1: 500}}},
    "other names": {"flights": {"learn": {1: 1500}, "judge": {1: 500}}},
    "another metric": {"demands": demanded(0.7, -0.05, metric="BinaryAccuracy")},
    "an upper limit": {"demands": demanded(None, 0.1, metric="MeanSquaredError", upper_bound=0.2)},
    "as TFMA's JSON has it too": {"demands": demanded().replace("_threshold", "Threshold").replace("r_b", "rB")},
}


@pytest.mark.parametrize("what", RIGHT)
def test_right_january_passes(lab, store, what):
    store.run(**RIGHT[what])
    assert judge(lab, store.version) == (4, "")


def test_version_is_the_name_of_its_folder_as_number_text_or_path(lab, store):
    store.run()
    for version in (store.version, f"{store.version}", f"{store.root}/serving/{store.version}"):
        assert judge(lab, version) == (4, "")


def test_run_that_went_wrong_before_does_not_count(lab, store):
    store.run(until="Transform")
    store.run(demands="{}")
    store.run()
    assert judge(lab, store.version) == (4, "")


TRANSFORM = {**lab_three.NAMED, "preprocessing_fn": "flights.features.preprocessing_fn"}
TRAINER = {**lab_three.NAMED, "run_fn": "flights.model.run_fn"}
WRONG = {
    "stops early": ({"until": "Transform"}, 0, "has no Trainer"),
    "another month": ({"flights": {"train": {2: 1300}, "eval": {2: 700}}}, 0, "has read January"),
    "two months": ({"flights": FEBRUARY}, 0, "has read January"),
    "half of it": ({"flights": {"train": {1: 500}, "eval": {1: 500}}}, 0, "2,000 flights"),
    "one split": ({"flights": {"train": {1: 2000}}}, 0, "that it learned from"),
    "judged on what it knows": ({"splits": ("train", "train")}, 0, "it knows the answers"),
    "judged on a handful": ({"flights": {"train": {1: 1950}, "eval": {1: 50}}}, 0, "was judged on 50"),
    "no such split": ({"splits": ("train", "test")}, 0, "was judged on 0"),
    "features of flights": ({"named": TRANSFORM}, 0, "Transform did not run your package"),
    "model of flights": ({"named": TRAINER}, 0, "Trainer did not run your package"),
    "no demand": ({"demands": "{}"}, 0, "demands no value"),
    "no JSON": ({"demands": "value_threshold"}, 0, "demands no value"),
    "a demand without a limit": ({"demands": demanded(None)}, 0, "demands no value"),
    "what a coin has": ({"demands": demanded(0.3)}, 0, "a worthless one has"),
    "at most so good": ({"demands": demanded(None, upper_bound=0.99)}, 0, "a worthless one has"),
    "a number of flights": ({"demands": demanded(1, metric="ExampleCount")}, 0, "demands no value"),
    "half of them right": ({"demands": demanded(0.5, metric="BinaryAccuracy")}, 0, "a worthless one has"),
    "no comparison": ({"demands": demanded(absolute=None)}, 0, "against the baseline"),
    "a comparison that lets all pass": ({"demands": demanded(absolute=-1.0)}, 0, "nearly any does"),
    "of one airport": (
        {"demands": demanded().replace('"slicing_specs": [{}]', '"slicing_specs": [{"feature_keys": ["origin"]}]')},
        0,
        "demands no value",
    ),
    "the worse the better": ({"demands": demanded().replace("HIGHER_IS", "LOWER_IS")}, 0, "against the baseline"),
    "refused": ({"is_blessed": False}, 2, "was not pushed"),
    "pushed without being asked": ({"is_asked": False}, 2, "without a blessing"),
    "pushed although refused": ({"is_asked": False, "is_blessed": False}, 2, "without a blessing"),
    "not served": ({"is_served": False}, 2, "is not the model"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_january_is_told(lab, store, what):
    how, points, told = WRONG[what]
    store.run(**how)
    got, message = judge(lab, store.version)
    assert told in message
    assert got == points


def test_another_model_under_the_version_is_told(lab, store):
    store.run()
    (store.root / "serving" / str(store.version) / "saved_model.pb").write_text("another model")
    points, told = judge(lab, store.version)
    assert points == 2
    assert "is not the model" in told


GRAPH = (
    b"\x1a'ParseExample/ParseExampleV2/sparse_keys\x12\x05Const*\x05valueB\x04temp\x1a&ParseExample/ParseExampleV2/dense_keys\x12\x05Const"
    b"*\x05valueB\x06origin%sB\x07weekday\x1aj\n'ParseExample/ParseExampleV2/ragged_keys\x12\x05Const%s"
)
"""The part of a SavedModel that names the columns which a serialised example is asked for."""


@pytest.mark.parametrize(
    ("column", "text", "points"), [(b"B\x04late", b"", 0), (b"", b"B\x04late", 4), (b"B\x08latitude", b"", 4)]
)
def test_model_that_asks_for_the_label_is_told_and_one_that_names_a_class_after_it_is_not(
    lab, store, column, text, points
):
    store.run()
    for path in [*store.root.rglob("Format-Serving/saved_model.pb"), *store.root.glob("serving/*/saved_model.pb")]:
        path.write_bytes(GRAPH % (column, text))
    got, told = judge(lab, store.version)
    assert got == points
    assert ("asks each flight for `late`" in told) == (points == 0)


@pytest.mark.parametrize("version", ["1", 1, "../..", "", ["x"], "a" * 999])
def test_wrong_version_is_told(lab, store, version):
    store.run()
    points, told = judge(lab, version)
    assert points == 2
    assert "none of January's runs has pushed" in told
    assert len(told) < 300
