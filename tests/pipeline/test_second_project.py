"""The engines run a project that is nobody's here, to the same result: another table, three classes, spans that are years, stock components of TFX."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ledger
import listening
import pytest
import records

from engines.airflow.project import ProjectError
from engines.errors import MissingEngineError

PROJECT = Path(__file__).parents[1] / "second_project"
NODES = {
    "CsvExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "Transform",
    "Trainer",
    "LatestBlessedModel",
    "Evaluator",
    "Pusher",
}


@pytest.fixture(scope="module")
def grains(run):
    """The project's module `pipeline`; the processes of the steps find it as well."""
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(PROJECT)
    patch.setenv("PYTHONPATH", os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
    from grains import pipeline

    yield pipeline
    patch.undo()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    sys.path.insert(0, str(PROJECT))
    try:
        import harvest
    finally:
        sys.path.remove(str(PROJECT))
    return harvest.write(tmp_path_factory.mktemp("harvests"), range(2019, 2022))


@pytest.fixture
def config(grains, data, tmp_path):
    return grains.Config(str(data), str(tmp_path / "out"), years=(2019, 2020))


def came_to(output: Callable[[str, str], Path]) -> dict[str, Any]:
    """What a run came to, whichever engine ran it: its schema, its transformed rows, whose order is Beam's, and how good the model is.

    Args:
        output: gives the folder of a node's output under a key.
    """
    import tensorflow_model_analysis as tfma

    folder = output("Transform", "transformed_examples")
    names = sorted(path.name.removeprefix("Split-") for path in folder.glob("Split-*"))
    rows = {name: [records.decode(one) for one in records.read_split(str(folder), name)] for name in names}
    rounded = {
        name: sorted(tuple(round(float(row[column][0]), 3) for column in sorted(row)) for row in some)
        for name, some in rows.items()
    }
    (metrics,) = dict(tfma.load_eval_result(str(output("Evaluator", "evaluation"))).slicing_metrics)[()][""].values()
    accuracy = metrics["sparse_categorical_accuracy"]["doubleValue"]
    schema = (output("SchemaGen", "schema") / "schema.pbtxt").read_text()
    return {"schema": schema, "rows": rounded, "accuracy": accuracy}


def of_store(config) -> dict[str, Any]:
    return came_to(lambda node, key: Path(ledger.last_output(config, node, key).uri))


@pytest.fixture(scope="module")
def locally(grains, data, tmp_path_factory):
    """The configuration of a run on the local engine, the reports of its nodes, and what it came to."""
    from engines import local

    config = grains.Config(str(data), str(tmp_path_factory.mktemp("grains") / "out"), years=(2019, 2020))
    reports = local.run(config, grains.create_pipeline)
    outcome = of_store(config)
    # The order of rows is Beam's, and with it that of batches.
    return config, reports, outcome | {"accuracy": pytest.approx(outcome["accuracy"], abs=0.05)}


@contextmanager
def kept_to_this_machine() -> Iterator[list]:
    """A list for the reports of a run, which finishes and listens to no other machine."""
    seen: list = []
    with listening.heard() as addresses:
        yield seen
    assert listening.to_others(addresses) == []
    assert {report.node: report.state for report in seen} == dict.fromkeys(NODES, "done")


def assert_pushed(config, verdict: str) -> None:
    assert verdict.startswith("Blessed and pushed: "), verdict
    assert Path(verdict.removeprefix("Blessed and pushed: "), "saved_model.pb").is_file()
    assert Path(verdict.removeprefix("Blessed and pushed: ")).parent == Path(config.serving_root)


def test_it_runs_locally_and_a_candidate_is_judged_against_the_model_in_service(grains, locally):
    from engines import store

    config, reports, outcome = locally
    assert {report.node: report.state for report in reports} == dict.fromkeys(NODES, "done")
    assert {name: bool(rows) for name, rows in outcome["rows"].items()} == {"year-2019": True, "year-2020": True}
    assert_pushed(config, store.latest_verdict(config))
    assert_refused_beside_a_baseline(grains, dataclasses.replace(config, min_accuracy=1.01))


@pytest.mark.long
def test_its_next_year_is_judged_against_the_year_before(grains, locally):
    assert_refused_beside_a_baseline(grains, dataclasses.replace(locally[0], years=(2019, 2021), min_accuracy=1.01))


def assert_refused_beside_a_baseline(grains, strict) -> None:
    from engines import local, store

    local.run(strict, grains.create_pipeline)
    assert store.latest_verdict(strict) == store.refused(None)
    blessing = store.open_store(strict).get_artifacts_by_type("ModelBlessing")[-1]
    assert blessing.custom_properties["baseline_model_id"].int_value, "it was compared with no model"


@pytest.mark.usefixtures("shared_imports")
def test_it_runs_on_kubeflow_by_processes(grains, config, locally):
    from engines.kubeflow import runner as kubeflow

    with kept_to_this_machine() as seen:
        kubeflow.run(config, grains.create_components, seen.append)
    assert_pushed(config, kubeflow.verdict(config))
    run = kubeflow.latest_run(config)
    assert came_to(lambda node, key: run / node / key) == locally[2]
    compiled = (kubeflow.runs_folder(config) / "pipeline.yaml").read_text()
    assert "/mnt/pipelines/data" in compiled
    assert "flight" not in compiled.lower()


@pytest.fixture
def airflow():
    from engines.airflow import home, runner

    try:
        home.find_airflow()
    except MissingEngineError as error:
        pytest.skip(str(error))
    return runner


@pytest.mark.usefixtures("shared_imports")
def test_it_runs_on_airflow_under_its_own_name_and_date(grains, config, airflow, locally):
    from grains.config import YEARS

    from engines import store
    from engines.airflow import home

    with kept_to_this_machine() as seen:
        airflow.run(config, grains.create_pipeline, YEARS, seen.append, python_path=(str(PROJECT),))
    assert_pushed(config, store.latest_verdict(config))
    assert of_store(config) == locally[2]
    tasks = home.task_runs(airflow.home_of(config), "grains")
    assert {task.task for task in tasks} == NODES | {"wait_for_year"}
    assert {task.month for task in tasks} == {"2020-01"}


@pytest.mark.usefixtures("shared_imports")
def test_a_pipeline_that_airflow_cannot_make_says_why(grains, config, airflow, tmp_path):
    """And not that a DAG could not be found."""
    from grains.config import YEARS

    (tmp_path / "broken_grains").mkdir()
    (tmp_path / "broken_grains" / "__init__.py").write_text("raise ImportError('there is no scale')\n")
    with pytest.raises(ProjectError, match="there is no scale"):
        airflow.run(config, "broken_grains:create", YEARS, python_path=(str(PROJECT), str(tmp_path)))


def test_no_line_of_it_names_a_flight_and_it_is_small():
    lines = [line for path in PROJECT.rglob("*.py") for line in path.read_text().splitlines()]
    assert not [line for line in lines if re.search("flight", line, re.IGNORECASE)]
    assert 100 < len(lines) < 400
