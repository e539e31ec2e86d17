"""The engines run a project that is nobody's here: another table, three classes, spans that are years, stock components of TFX."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from pathlib import Path

import pytest

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


def assert_pushed(config, verdict: str) -> None:
    assert verdict.startswith("Blessed and pushed: "), verdict
    assert Path(verdict.removeprefix("Blessed and pushed: "), "saved_model.pb").is_file()
    assert Path(verdict.removeprefix("Blessed and pushed: ")).parent == Path(config.serving_root)


def test_it_runs_locally_and_a_candidate_is_judged_against_the_model_in_service(grains, config):
    from engines import local, store

    reports = local.run(config, grains.create_pipeline)
    assert {report.node: report.state for report in reports} == dict.fromkeys(NODES, "done")
    assert_pushed(config, store.latest_verdict(config))
    assert_refused_beside_a_baseline(grains, dataclasses.replace(config, min_accuracy=1.01))


@pytest.mark.long
def test_its_next_year_is_judged_against_the_year_before(grains, config):
    from engines import local

    local.run(config, grains.create_pipeline)
    assert_refused_beside_a_baseline(grains, dataclasses.replace(config, years=(2019, 2021), min_accuracy=1.01))


def assert_refused_beside_a_baseline(grains, strict) -> None:
    from engines import local, store

    local.run(strict, grains.create_pipeline)
    assert store.latest_verdict(strict) == store.refused(None)
    blessing = store.open_store(strict).get_artifacts_by_type("ModelBlessing")[-1]
    assert blessing.custom_properties["baseline_model_id"].int_value, "it was compared with no model"


@pytest.mark.usefixtures("shared_imports")
def test_it_runs_on_kubeflow_by_processes(grains, config):
    from engines.kubeflow import runner as kubeflow

    reports = kubeflow.run(config, grains.create_components)
    assert {report.node: report.state for report in reports} == dict.fromkeys(NODES, "done")
    assert_pushed(config, kubeflow.verdict(config))
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
def test_it_runs_on_airflow_under_its_own_name_and_date(grains, config, airflow):
    from grains.config import YEARS

    from engines import store
    from engines.airflow import home

    reports = airflow.run(config, grains.create_pipeline, YEARS, python_path=(str(PROJECT),))
    assert {report.node: report.state for report in reports} == dict.fromkeys(NODES, "done")
    assert_pushed(config, store.latest_verdict(config))
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
