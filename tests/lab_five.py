"""Lab 5 for its tests: a student's lab in a folder, real specifications, and what runs of them leave behind, made without running them."""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import student_lab
import yaml

from course import checks
from course.labs.lab_3.package import FOLDER
from course.labs.lab_5 import pipeline_spec
from judges.lab_3 import solution_package
from judges.lab_5 import check_runs, inherited_pipeline

LAB = "lab-5-kubeflow"
IMAGE = "my-flights:1.0.0"
ROWS = 2000
LOADER, DUMPER = getattr(yaml, "CSafeLoader", yaml.SafeLoader), getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""In C, where it is there: a specification is read many times here."""


lab = functools.partial(student_lab.empty, LAB)
evaluate = student_lab.evaluate


# --- Specifications -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _importable(root: Path) -> Iterator[None]:
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path.remove(str(root))
        for name in [name for name in sys.modules if name.split(".")[0] in ("my_flights", inherited_pipeline.NAME)]:
            del sys.modules[name]


@functools.cache
def compiled(month: int = 1, image: str = IMAGE, trainer: tuple[int, int] = (2, 4), **changes: Any) -> str:
    """The finished package's pipeline, compiled for January, or for January and a later month; `changes` are those of the configuration."""
    from engines.quiet import import_quietly

    import_quietly()
    from engines.kubeflow.compiler import compile_pipeline

    with tempfile.TemporaryDirectory() as folder, _importable(solution_package.FOLDER):
        from my_flights.config import Config
        from my_flights.pipeline import create_components

        config = Config(months=(1, month), **changes)
        limits = {"Trainer": trainer}
        return compile_pipeline(config, create_components, Path(folder, "it.yaml"), image, limits).read_text()


@functools.cache
def delays() -> str:
    """The inherited pipeline as it should be, compiled."""
    from engines.quiet import import_quietly

    import_quietly()
    from engines.kubeflow.compiler import compile_pipeline
    from flights.config import Config

    with tempfile.TemporaryDirectory() as folder, _importable(inherited_pipeline.BASE.parent):
        from delays.pipeline import create_components

        config = Config(pipeline_name=inherited_pipeline.NAME)
        return compile_pipeline(config, create_components, Path(folder, "it.yaml"), "delays:7").read_text()


def edited(text: str, edit: Any) -> str:
    """A specification with a change: `edit` gets the first document, and changes it in place."""
    documents = list(yaml.load_all(text, Loader=LOADER))
    edit(documents[0])
    return yaml.dump_all(documents, Dumper=DUMPER, sort_keys=True)


def tasks(document: dict[str, Any]) -> dict[str, Any]:
    """The tasks of a specification."""
    return document["root"]["dag"]["tasks"]


def parameters(document: dict[str, Any], task: str) -> dict[str, Any]:
    """The settings of a task."""
    return tasks(document)[task]["inputs"]["parameters"]


def container(document: dict[str, Any], task: str) -> dict[str, Any]:
    """The container of a task."""
    return document["deploymentSpec"]["executors"][f"exec-{task}"]["container"]


# --- The package and its image ------------------------------------------------------------------------------------

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "my-flights"
version = "1.0.0"
requires-python = ">=3.11,<3.12"
[tool.setuptools]
packages = ["my_flights"]
"""
DOCKERFILE = """
FROM mlops-course:latest
COPY pyproject.toml /package/
COPY my_flights /package/my_flights
USER root
RUN pip install --no-deps /package
USER 1000:1000
"""


def write_package(lab: checks.Lab, project: str = PROJECT, dockerfile: str = DOCKERFILE) -> Path:
    """The finished package with its two files, and what pip would make of it, without pip."""
    root = lab.workspace / FOLDER
    root.mkdir()
    solution_package.write(root)
    (root / "pyproject.toml").write_text(project)
    (root / "Dockerfile").write_text(dockerfile)
    target = lab.workspace / "image"
    (target / "my_flights-1.0.0.dist-info").mkdir(parents=True)
    (target / "my_flights-1.0.0.dist-info" / "METADATA").write_text("Name: my-flights\n")
    solution_package.write(target)
    return root


# --- What runs leave ----------------------------------------------------------------------------------------------

FLIGHTS = {1: {"train": {1: 1300}, "eval": {1: 700}}, 2: {"month-01": {1: ROWS}, "month-02": {2: ROWS}}}


@functools.cache
def _records(counted: tuple[tuple[int, int], ...]) -> bytes:
    import tensorflow as tf

    found = []
    for month, count in counted:
        features = {"month": tf.train.Feature(int64_list=tf.train.Int64List(value=[month]))}
        record = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
        found += [struct.pack("<Q", len(record)) + b"0000" + record + b"0000"] * count
    return gzip.compress(b"".join(found), 1)


def write_model(folder: Path, content: str) -> None:
    """Something that stands for a SavedModel."""
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text("graph")
    (folder / "variables" / "variables.index").write_text("index")
    (folder / "variables" / "variables.data-00000-of-00001").write_text(content)


def write_run(
    lab: checks.Lab,
    name: str,
    text: str,
    model: str,
    baseline: str = "",
    version: str = "",
    flights: dict[str, dict[int, int]] | None = None,
    until: str = "",
    root: str = "runs",
    is_served: bool = True,
) -> str:
    """What a run leaves.

    Args:
        lab: in whose workspace.
        name: of its folder.
        text: its specification.
        model: what stands for the model that its Trainer leaves.
        baseline: the same for the model that was found; none: nothing was pushed before.
        version: under which the model is pushed; none: it was refused.
        flights: how many of each month are in each split; those of January, unless it is told.
        until: a task that did not finish, and so none after it.
        root: the folder of the runs.
        is_served: whether the version lies where it was pushed to.
    """
    folder = lab.workspace / root / name
    folder.mkdir(parents=True)
    (folder / check_runs.COPY).write_text(text)
    said: dict[str, dict[str, Any]] = {
        "Evaluator": {"blessing": {"blessed": float(bool(version))}},
        "Pusher": {"pushed_model": {"pushed": float(bool(version)), "pushed_version": version}},
    }
    found = pipeline_spec.parsed(text, check_runs.COPY)
    for task in pipeline_spec.order(found):
        if task == until:
            break
        outputs = {key: {"artifacts": [{"metadata": value}]} for key, value in said.get(task, {}).items()}
        (folder / task).mkdir()
        (folder / task / "executor_output.json").write_text(json.dumps({"artifacts": outputs}))
    assert until in ("", *found.tasks)
    for split, counted in (flights or FLIGHTS[1]).items():
        path = folder / "CsvExampleGen" / "examples" / f"Split-{split}" / "data_tfrecord-00000-of-00001.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(_records(tuple(sorted(counted.items()))))
    write_model(folder / "Trainer" / "model" / "Format-Serving", model)
    if baseline:
        write_model(folder / "LatestBlessedModel" / "model" / "Format-Serving", baseline)
    if version and is_served:
        write_model(lab.workspace / "serving" / version, model)
    return str(folder)
