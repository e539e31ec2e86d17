"""Lab 3, task 3: what comes from the cache, and what must not."""

from __future__ import annotations

import lab_three
import pytest
from lab_three import AGAIN, DATA, FEBRUARY, STORE

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]


@pytest.fixture
def lab(tmp_path):
    return lab_three.lab(tmp_path)


@pytest.fixture
def store(lab):
    return lab_three.Store(lab)


MORE = ("temp", "minute", "rough_air")
CACHED, EDITED = {"cached": AGAIN}, {"cached": DATA, "features": MORE}
FAILED = {**EDITED, "is_trained": False}


def judge(lab, store, *runs):
    store.run()
    for how in runs:
        store.run(**how)
    return lab_three.evaluate(lab, "cache", store=STORE)


RIGHT = {
    "again, then edited": (CACHED, EDITED),
    "edited, then again": (EDITED, CACHED),
    "another feature instead": (CACHED, {"cached": DATA, "features": ("temp", "rough_air")}),
    "mended after the model failed": (CACHED, FAILED, {"cached": AGAIN[:-1]}),
    "mended, all of it again": (CACHED, FAILED, EDITED),
    "with February between": (CACHED, {"flights": FEBRUARY}, {"cached": ()}, EDITED),
}


@pytest.mark.parametrize("what", RIGHT)
def test_right_cache_passes(lab, store, what):
    assert judge(lab, store, *RIGHT[what]) == (4, "")


WRONG = {
    "once": ((), 0, "second time"),
    "February in its place": (({"flights": FEBRUARY},), 0, "second time"),
    "never cached": (({}, {"features": MORE}), 0, "No run took everything"),
    "Transform is never cached": (({"cached": (*DATA, "Trainer")}, EDITED), 0, "these ran again: Transform"),
    "trained each time": (({"cached": AGAIN[:-1]}, EDITED), 0, "these ran again: Trainer"),
    "edit not seen": ((CACHED, CACHED), 2, "no run in which Transform ran again"),
    "no feature more": ((CACHED, {"cached": DATA}), 2, "same features"),
    "a feature less": ((CACHED, {"cached": DATA, "features": ("temp",)}), 2, "same features"),
    "data read again": ((CACHED, {"features": MORE}), 2, "the data, too"),
    "model from the cache": ((CACHED, {"cached": (*DATA, "Trainer"), "features": MORE}), 2, "Trainer did not"),
    "model failed": ((CACHED, FAILED), 2, "or failed"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_cache_is_told(lab, store, what):
    runs, points, told = WRONG[what]
    got, message = judge(lab, store, *runs)
    assert told in message
    assert got == points


def test_graph_whose_schema_is_gone_is_told(lab, store):
    store.run()
    store.run(**CACHED)
    next(store.root.glob("TransformGraph/*/transformed_metadata/schema.pbtxt")).write_text("no schema {")
    points, told = lab_three.evaluate(lab, "cache", store=STORE)
    assert points == 0
    assert "no schema that can be read" in told
