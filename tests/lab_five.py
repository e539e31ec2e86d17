"""Lab 5 for its tests: a student's lab in a folder, real specifications, and what runs of them leave behind, made without running them."""

from __future__ import annotations

import functools
import gzip
import json
import shutil
import struct
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import student_lab
import yaml

from course import checks
from course.labs.lab_3.package import FOLDER
from course.labs.lab_5 import COPY, install_package, pipeline_spec
from flights.config import SCHEMA_FOLDER
from judges.lab_3 import solution_package
from judges.lab_5 import inherited_pipeline
from judges.trial import Step, Trial
from warm import imports

LAB = "lab-5-kubeflow"
IMAGE = "my-flights:1.0.0"
ROWS = 2000
LOADER, DUMPER = getattr(yaml, "CSafeLoader", yaml.SafeLoader), getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""In C, where it is there: a specification is read many times here."""
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
package-data = {my_flights = ["*.pbtxt"]}
"""
DOCKERFILE = "FROM mlops-course:1\nCOPY my_flights /course/my_flights\n"

lab = functools.partial(student_lab.empty, LAB)
evaluate = student_lab.evaluate


def write_package(
    lab: checks.Lab, project: str = PROJECT, dockerfile: str = DOCKERFILE, edits: Iterable[Sequence[str]] = ()
) -> Path:
    """The finished package with its two files, and with edits: file, text that stands there, text instead."""
    root = lab.workspace / FOLDER
    root.mkdir()
    edit(solution_package.write(root), edits)
    (root / "pyproject.toml").write_text(project)
    (root / "Dockerfile").write_text(dockerfile)
    return root


def edit(root: Path, edits: Iterable[Sequence[str]]) -> None:
    """Replaces texts in files of a package; one that replaces nothing writes the file."""
    schema = (SCHEMA_FOLDER / "schema.pbtxt").read_text()
    given = {"SCHEMA": schema, "OPEN": schema.replace('domain: "carrier"', "")}
    for name, before, after in edits:
        text = (root / name).read_text() if before else ""
        assert before in text, (name, before)
        (root / name).write_text(text.replace(before, after, 1) if before else given.get(after, after))


@functools.cache
def installed() -> Path:
    """What pip makes of it."""
    top = Path(tempfile.mkdtemp())
    package = write_package(lab(top))
    install_package.install(package, top / "image")
    return top / "image"


def write_mended(lab: checks.Lab) -> Path:
    """The inherited package as it should be, in the folder in which it is mended."""
    root = lab.workspace / "mended"
    shutil.copytree(inherited_pipeline.BASE, root / "delays", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "pyproject.toml").write_text(inherited_pipeline.PYPROJECT)
    return root


def edit_mended(lab: checks.Lab, edits: Iterable[Sequence[str]], is_inherited: bool = False) -> None:
    """The same with edits: file, text that stands there, text instead; `is_inherited`: they leave the imports to be put in, as those of faults do."""
    root = write_mended(lab) / "delays"
    edit(root, edits)
    for path in root.glob("*.py") if is_inherited else ():
        path.write_text(inherited_pipeline._imports(path.read_text()))


def forking(monkeypatch: Any) -> None:
    """Lets trials have forks of one process."""
    student_lab.forking(monkeypatch, imports.STEPS)


def compiled(name: str = "january", edits: Sequence[Sequence[str]] = (), **settings: Any) -> str:
    """The finished package's pipeline, or an edited one's, compiled as a student does it, for January or for February."""
    return _compiled(json.dumps(edits), json.dumps(settings))[name]


@functools.cache
def _compiled(edits: str, settings: str) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        own = lab(Path(folder))
        package = write_package(own, edits=json.loads(edits))
        months = {"january": [1, 1], "february": [1, 2]}
        files = [
            {"path": f"{name}.yaml", "settings": json.loads(settings) | {"months": span}}
            for name, span in months.items()
        ]
        job = {"package": "my_flights", "image": IMAGE, "resources": {"Trainer": (2, 4)}, "files": files}
        step = Step("course.trials.compiled", ["package", "image", json.dumps(job)])
        ran = own.run(Trial("", {"package": package}, [step], imports.STEPS))
        assert ran.steps[0].status == 0, ran.steps[0].said
        return {name: (ran.folder / f"{name}.yaml").read_text() for name in months}


def edited(text: str, edit: Any) -> str:
    """A specification with a change: `edit` gets the first document, and changes it in place."""
    documents = list(yaml.load_all(text, Loader=LOADER))
    edit(documents[0])
    return yaml.dump_all(documents, Dumper=DUMPER, sort_keys=True)


def tasks(document: dict[str, Any]) -> dict[str, Any]:
    """The tasks of a specification."""
    return document["root"]["dag"]["tasks"]


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
    (folder / COPY).write_text(text)
    said: dict[str, dict[str, Any]] = {
        "Evaluator": {"blessing": {"blessed": float(bool(version))}},
        "Pusher": {"pushed_model": {"pushed": float(bool(version)), "pushed_version": version}},
    }
    found = pipeline_spec.parsed(text, COPY)
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
