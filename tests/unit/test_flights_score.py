"""A month scored in bulk: which model scores, and when the table is written. The pipeline itself runs in `tests/pipeline/test_january.py`."""

from __future__ import annotations

import importlib
import types
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engines.quiet import import_quietly
from flights import columns
from flights.config import Config

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def score():
    import_quietly()
    return importlib.import_module("flights.score")


@pytest.fixture
def config(tmp_path, root) -> Config:
    """A pipeline that has pushed version 9 and has no metadata store yet."""
    folder = tmp_path / "serving" / "9"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"weights")
    return Config(output_root=str(tmp_path), data_root=str(root / "data/flights"))


def test_trained_artifact_scores_where_it_is_what_is_served(score, config, tmp_path, monkeypatch):
    """So that the store knows which predictions a model has made; what was changed by hand after the push is scored as it is served."""
    version = Path(config.serving_root) / "9"
    trained = tmp_path / "artifacts" / "Trainer" / "model" / "8"
    (trained / "Format-Serving" / "variables").mkdir(parents=True)
    for path in ("saved_model.pb", "variables/variables.index"):
        (trained / "Format-Serving" / path).write_bytes((version / path).read_bytes())
    known = types.SimpleNamespace(model=types.SimpleNamespace(uri=str(trained)))
    monkeypatch.setattr(score, "Lineage", lambda _: types.SimpleNamespace(version=lambda *_: known))
    assert score.model_artifact(config, version) == trained

    (version / "saved_model.pb").write_bytes(b"another graph")
    copy = score.model_artifact(config, version)
    assert (copy / "Format-Serving" / "saved_model.pb").read_bytes() == b"another graph"


def test_version_that_no_pipeline_of_this_store_pushed_is_scored_from_a_copy(score, config):
    version = Path(config.serving_root) / "9"
    copy = score.model_artifact(config, version)
    assert (copy / "Format-Serving" / "variables" / "variables.index").read_bytes() == b"weights"
    assert score.model_artifact(config, version) == copy
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


@pytest.fixture
def answered(score, monkeypatch):
    """Sets what the pipeline answers, which does not run."""
    monkeypatch.setattr(score.local, "run", lambda *_: [])
    kinds = {name: pa.string() if name in ("carrier", "origin") else pa.int64() for name in columns.KEY}

    def answer(rows: int) -> None:
        table = {name: pa.array(["a" if kind == pa.string() else 1] * rows, kind) for name, kind in kinds.items()}
        table[columns.PROBABILITY] = pa.array([0.25] * rows, pa.float32())
        monkeypatch.setattr(score, "_answers", lambda *_: pa.table(table))

    return answer


def test_table_with_too_few_answers_is_not_written(score, config, answered, tmp_path):
    answered(1999)
    with pytest.raises(RuntimeError, match="1,999 answers to 2,000 flights of month 3"):
        score.score(config, 3, tmp_path / "march.parquet")
    assert not (tmp_path / "march.parquet").exists()


def test_writing_that_is_stopped_leaves_the_earlier_table(score, config, answered, tmp_path, monkeypatch):
    answered(2000)
    file = tmp_path / "tables" / "march.parquet"
    assert score.score(config, 3, file) == (file, 2000, "9")
    before = file.read_bytes()
    with monkeypatch.context() as at_the_wrong_moment:
        at_the_wrong_moment.setattr(score.os, "replace", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            score.score(config, 3, file)
    assert file.read_bytes() == before
    score.score(config, 3, file)  # over what was left beside it
    assert list(file.parent.iterdir()) == [file]
    assert set(pq.read_table(file)["model_version"].to_pylist()) == {"9"}
