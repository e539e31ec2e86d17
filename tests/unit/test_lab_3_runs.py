"""Lab 3, tasks 2 to 6: runs and lineage are judged by what the store tells."""

from __future__ import annotations

import lab_three
import pytest
from lab_three import AGAIN, DATA, FEBRUARY, MARCH, STORE

from course.labs.lab_3 import inherited, ledger, lineages, months

pytestmark = [pytest.mark.xdist_group("lab-3"), pytest.mark.slow]


@pytest.fixture
def lab(tmp_path):
    return lab_three.lab(tmp_path)


@pytest.fixture
def store(lab):
    return lab_three.Store(lab)


def judge(lab, task, **answers):
    return lab_three.evaluate(lab, task, store=STORE, **answers)


def test_january_passes(lab, store):
    store.run()
    assert judge(lab, "january", version=store.version) == (4, "")


WRONG_JANUARY = {
    "stops early": ({"until": "Transform"}, 0, "has no Trainer"),
    "another month": ({"flights": {"train": {2: 1300}, "eval": {2: 700}}}, 0, "has read January"),
    "half of it": ({"flights": {"train": {1: 500}, "eval": {1: 500}}}, 0, "2,000 flights"),
    "one split": ({"flights": {"train": {1: 2000}}}, 0, "one split"),
    "functions of flights": (
        {"named": {**lab_three.NAMED, "run_fn": "flights.model.run_fn"}},
        0,
        "did not run your package",
    ),
    "no demand": ({"demands": "{}"}, 0, "demands no value"),
    "no comparison": ({"demands": "value_threshold"}, 0, "against the baseline"),
    "refused": ({"is_blessed": False}, 2, "was not pushed"),
    "not served": ({"is_served": False}, 2, "is not the model"),
}


@pytest.mark.parametrize("what", WRONG_JANUARY)
def test_wrong_january_is_told(lab, store, what):
    how, points, told = WRONG_JANUARY[what]
    store.run(**how)
    got, message = judge(lab, "january", version=store.version)
    assert told in message
    assert got == points


def test_wrong_version_and_wrong_store_are_told(lab, store):
    store.run()
    assert judge(lab, "january", version="1")[0] == 2
    assert lab_three.evaluate(lab, "january", store="../x", version="1")[0] == 0
    assert lab_three.evaluate(lab, "january", store="nothing.sqlite", version="1")[0] == 0


def cache(lab, store, *runs):
    store.run()
    for how in runs:
        store.run(**how)
    return judge(lab, "cache")


MORE = ("temp", "minute", "rough_air")


def test_cache_passes(lab, store):
    assert cache(lab, store, {"cached": AGAIN}, {"cached": DATA, "features": MORE}) == (4, "")


WRONG_CACHE = {
    "once": ((), 0, "second time"),
    "never cached": (({}, {"features": MORE}), 0, "No run took everything"),
    "edit not seen": (({"cached": AGAIN}, {"cached": AGAIN}), 2, "no run in which Transform ran again"),
    "no feature more": (({"cached": AGAIN}, {"cached": DATA}), 2, "same features"),
    "data read again": (({"cached": AGAIN}, {"features": MORE}), 2, "the data, too"),
    "model from the cache": (
        ({"cached": AGAIN}, {"cached": (*DATA, "Trainer"), "features": MORE}),
        2,
        "Trainer did not",
    ),
}


@pytest.mark.parametrize("what", WRONG_CACHE)
def test_wrong_cache_is_told(lab, store, what):
    runs, points, told = WRONG_CACHE[what]
    got, message = cache(lab, store, *runs)
    assert told in message
    assert got == points


@pytest.mark.parametrize("is_blessed", [True, False])
def test_february_passes_whatever_the_verdict(lab, store, is_blessed):
    store.run()
    store.run(flights=FEBRUARY, is_blessed=is_blessed)
    assert judge(lab, "february") == (4, "")


WRONG_FEBRUARY = {
    "learned from both": ({"flights": {"train": {1: 1000, 2: 1000}, "eval": {1: 1000, 2: 1000}}}, 0, "trained with"),
    "judged on January": ({"flights": FEBRUARY, "splits": ("month-01", "month-01")}, 0, "judged on"),
    "turned round": ({"flights": FEBRUARY, "splits": ("month-02", "month-01")}, 0, "trained with"),
    "no baseline": ({"flights": FEBRUARY, "baseline": "none"}, 2, "has no baseline"),
    "itself": ({"flights": FEBRUARY, "baseline": "itself"}, 2, "against itself"),
}


@pytest.mark.parametrize("what", WRONG_FEBRUARY)
def test_wrong_february_is_told(lab, store, what):
    how, points, told = WRONG_FEBRUARY[what]
    store.run()
    store.run(**how)
    got, message = judge(lab, "february")
    assert told in message
    assert got == points


def test_march_passes(lab, store):
    fault = months.fault(lab.seed).column
    store.run(flights=MARCH, anomaly=fault)
    assert judge(lab, "refused", column=fault) == (3, "")
    assert judge(lab, "refused", column="humid")[0] == 2


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"gate": "none"}, "the run went on"),
        ({"gate": "passes"}, "the run went on"),
        ({"anomaly": "humid"}, "found nothing"),
        ({"flights": FEBRUARY}, "has read March"),
    ],
)
def test_march_that_went_on_is_told(lab, store, how, told):
    fault = months.fault(lab.seed).column
    store.run(**{"flights": MARCH, "anomaly": fault, **how})
    got, message = judge(lab, "refused", column=fault)
    assert told in message
    assert got == 0


def test_every_fault_breaks_the_contract():
    import tensorflow_data_validation as tfdv

    from flights.config import SCHEMA_FOLDER

    contract = tfdv.load_schema_text(str(SCHEMA_FOLDER / "schema.pbtxt"))
    for seed, fault in enumerate(months.FAULTS):
        frame = months.spoilt(seed)
        found = tfdv.validate_statistics(
            tfdv.generate_statistics_from_dataframe(frame), contract, environment="TRAINING"
        )
        assert fault.column in found.anomaly_info


def own(lab):
    found = ledger.read(lab.workspace / STORE)
    return lineages.of(found, lineages.newest_version(found))


@pytest.mark.parametrize("student", ["anna-k", "student-7"])
def test_lineage_passes_and_that_of_others_does_not(tmp_path, student):
    lab = lab_three.lab(tmp_path, student)
    store = lab_three.Store(lab)
    store.run()
    store.run(flights=FEBRUARY)
    truth, others = inherited.truth(lab.seed)[1], inherited.truth(lab.seed + 1)[1]
    assert judge(lab, "lineage", own=own(lab), inherited=truth) == (5, "")
    assert judge(lab, "lineage", own=own(lab), inherited=others)[0] == 2
    assert judge(lab, "lineage", own=truth, inherited=truth)[0] == 3
    for key in truth:
        assert judge(lab, "lineage", own=own(lab), inherited={**truth, key: 1})[0] == 2
