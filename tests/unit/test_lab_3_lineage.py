"""Lab 3, task 6: what led to a served version, in two stores."""

from __future__ import annotations

import lab_three
import pytest
from lab_three import AGAIN, FEBRUARY, STORE

from judges.lab_3 import check_lineage, inherited_store
from judges.shared import metadata_store

pytestmark = [pytest.mark.xdist_group("tfx"), pytest.mark.slow]
STUDENTS = ["anna-k", *(pytest.param(one, marks=pytest.mark.long) for one in ("student-7", "b.berg@example.org"))]


@pytest.fixture
def lab(tmp_path):
    return lab_three.lab(tmp_path)


@pytest.fixture
def store(lab):
    return lab_three.Store(lab)


def judge(lab, own, others):
    return lab_three.evaluate(lab, "lineage", store=STORE, own=own, inherited=others)


def own_lineage(lab):
    found = metadata_store.read(lab.workspace / STORE)
    return check_lineage.of(found, check_lineage.newest_version(found))


def truth(lab):
    return dict(inherited_store.truth(lab.seed)[1])


@pytest.mark.parametrize("student", STUDENTS)
def test_right_lineage_passes_and_that_of_others_does_not(tmp_path, student):
    lab = lab_three.lab(tmp_path, student)
    store = lab_three.Store(lab)
    store.run()
    store.run(flights=FEBRUARY)
    others = dict(inherited_store.truth(lab.seed + 1)[1])
    assert judge(lab, own_lineage(lab), truth(lab)) == (5, "")
    assert judge(lab, own_lineage(lab), others)[0] == 2
    assert judge(lab, truth(lab), truth(lab))[0] == 3


def test_first_version_has_no_baseline(lab, store):
    store.run()
    assert own_lineage(lab)["baseline"] is None
    assert judge(lab, own_lineage(lab), truth(lab)) == (5, "")
    assert judge(lab, {**own_lineage(lab), "baseline": own_lineage(lab)["model"]}, truth(lab))[0] == 3


def test_model_that_went_in_twice_is_its_own_baseline(lab, store):
    store.run()
    model = own_lineage(lab)["model"]
    store.run(cached=AGAIN)
    assert own_lineage(lab)["model"] == own_lineage(lab)["baseline"] == model


def test_ids_as_text_pass_and_more_keys_too(lab, store):
    store.run()
    store.run(flights=FEBRUARY)
    own = {name: str(value) for name, value in own_lineage(lab).items()} | {"blessing": 7}
    assert judge(lab, own, truth(lab)) == (5, "")


@pytest.mark.parametrize("key", check_lineage.WORDS)
def test_each_wrong_key_is_told_and_the_right_value_is_not(lab, store, key):
    store.run()
    store.run(flights=FEBRUARY)
    points, told = judge(lab, own_lineage(lab), {**truth(lab), key: 10**6})
    assert points == 2
    assert f"`INHERITED`: `{key}` is not" in told
    assert str(truth(lab)[key]) not in told.replace(str(10**6), "")


def without_cache(path, version):
    """What follows from the run that pushed a version, alone, as if nothing had come from the cache: the wrong way that looks right."""
    found = metadata_store.read(path)
    run = next(run for run in found.runs if any(_pushed(one) == version for one in run.executions))
    new = {
        one.type: one.id
        for step in run.executions
        for given in step.outputs.values()
        for one in given
        if step.state == metadata_store.COMPLETE
    }
    return {"model": new.get("Model"), "examples": new.get("Examples"), "transform_graph": new.get("TransformGraph")}


def newest_of_type(path):
    """The newest artifact of each type: another wrong way."""
    newest = {one.type: one.id for one in metadata_store.read(path).artifacts.values()}
    return {
        "model": newest["Model"],
        "examples": newest["Examples"],
        "transform_graph": newest["TransformGraph"],
        "schema": newest["Schema"],
    }


def _pushed(execution):
    return next((one.properties.get("pushed_version") for given in execution.outputs.values() for one in given), None)


@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize("way", [without_cache, newest_of_type])
def test_wrong_ways_to_the_inherited_lineage_fail(tmp_path, student, way):
    lab = lab_three.lab(tmp_path, student)
    store = lab_three.Store(lab)
    store.run()
    inherited_store.write(lab.workspace, lab.seed)
    version = (lab.workspace / "inherited" / "served.txt").read_text().strip()
    path = lab.workspace / "inherited" / "metadata.sqlite"
    given = truth(lab) | (way(path, version) if way is without_cache else way(path))
    points, told = judge(lab, own_lineage(lab), given)
    assert points == 2
    assert "`INHERITED`" in told


def test_inherited_store_is_read_as_it_was_made(lab):
    inherited_store.write(lab.workspace, lab.seed)
    found = metadata_store.read(lab.workspace / "inherited" / "metadata.sqlite")
    version = (lab.workspace / "inherited" / "served.txt").read_text().strip()
    [pushed] = [one for one in found.artifacts.values() if one.properties.get("pushed_version") == version]
    assert check_lineage.of(found, pushed) == truth(lab)
    assert check_lineage.newest_version(found).id != pushed.id


WRONG = {
    "no dictionary": ([], "has to be a dictionary"),
    "keys missing": ({"model": 1}, "has no `transform_graph`"),
    "nothing": (dict.fromkeys(check_lineage.WORDS, 0), "`model` is not the model. Start at"),
    "lists": ({key: [1] for key in check_lineage.WORDS}, "`model` is not"),
    "truth values": (dict.fromkeys(check_lineage.WORDS, True), "`model` is not"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_lineage_is_told(lab, store, what):
    given, told = WRONG[what]
    store.run()
    points, message = judge(lab, given, truth(lab))
    assert points == 3
    assert told in message


def test_inherited_lineage_counts_without_an_own_store(lab):
    assert judge(lab, {"model": 1}, truth(lab))[0] == 3
