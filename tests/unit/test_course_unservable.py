"""The candidates that cannot be served have the fault that they are named for, and no other: told here without a server."""

from __future__ import annotations

from pathlib import Path

import pytest
import scales_project

from course import unservable
from flights.columns import LABEL
from serving import models

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    return scales_project.write(tmp_path_factory.mktemp("good") / "model")


def example(length: float, late: int) -> bytes:
    import tensorflow as tf

    label = tf.train.Feature(int64_list=tf.train.Int64List(value=[late]))
    known = tf.train.Example(features=tf.train.Features(feature={LABEL: label})).SerializeToString()
    return scales_project.example(length) + known  # messages that are joined are one with the parts of both


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("without variables", r"it cannot be loaded: .*variables\.data.*No such file"),
        ("another signature", "it has no signature serving_default"),
        ("no number", r"it answers with what is no number \(NaN or infinite\)"),
        ("reads a file outside", r"it does not answer: .*offset\.txt; No such file"),
        ("unknown operation", "it cannot be loaded: Op type not registered 'SimpleMLInferenceOpWithHandle'"),
    ],
)
def test_what_a_server_refuses_is_refused_for_its_own_reason(name, said, good, tmp_path, monkeypatch):
    model = unservable.CANDIDATES[name](good, tmp_path / "models" / "candidate")
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b" / "c")  # a server works elsewhere
    with pytest.raises(models.Refused, match=said):
        models.load(model, scales_project.PROJECT)


@pytest.mark.parametrize("name", ["calls Python", "reads a file outside", "knows the label"])
def test_where_it_was_trained_it_answers(name, good, tmp_path):
    """So the Evaluator, in the process and the folder of the training, has nothing against it. Of `calls Python` test_serving_infra_check has the rest."""
    model = unservable.CANDIDATES[name](good, tmp_path / "candidate")
    (own,) = models.load(good, scales_project.PROJECT).predict([example(2.0, late=0)])
    (answer,) = models.load(model, scales_project.PROJECT).predict([example(2.0, late=0)])
    assert answer == pytest.approx(own / 2 if name == "knows the label" else own, abs=1e-3)


def test_the_one_that_knows_the_label_says_it(good, tmp_path):
    model = unservable.CANDIDATES["knows the label"](good, tmp_path / "candidate")
    on_time, late = models.load(model, scales_project.PROJECT).predict([example(2.0, late=0), example(2.0, late=1)])
    assert late == pytest.approx(on_time + 0.5)
