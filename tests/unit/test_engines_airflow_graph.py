"""The graph that Airflow draws: asked of the pipeline once, and again when a source has changed."""

from __future__ import annotations

import json

import pytest

from engines.airflow import graph
from engines.airflow.project import ProjectError
from flights.schedule import project as made

NODES = {"First": [], "Other": [], "Second": ["First", "Other"]}


@pytest.fixture
def package(tmp_path):
    """A package that makes a pipeline, in a folder of its own."""
    folder = tmp_path / "packages" / "their_flights"
    folder.mkdir(parents=True)
    (folder / "pipeline.py").write_text("one = 1\n")
    return folder


@pytest.fixture
def project(package):
    return made(pipeline="their_flights.pipeline:create", python_path=(str(package.parent),))


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Puts a script in the place of the course's interpreter; gives a function that says how often it was asked."""

    def stand_in(answer: str, status: int = 0):
        script, calls = tmp_path / "python", tmp_path / "calls"
        calls.write_text("")
        channel = "" if status == 0 else " >&2"
        script.write_text(
            f"#!/bin/sh\ncat >/dev/null\necho call >>{calls}\ncat <<'END'{channel}\n{answer}\nEND\nexit {status}\n"
        )
        script.chmod(0o755)
        monkeypatch.setenv("ENGINES_PYTHON", str(script))
        return lambda: len(calls.read_text().split())

    return stand_in


def test_the_pipeline_is_asked_once(project, asked, tmp_path):
    times = asked("what TFX has to say\n" + json.dumps(NODES))
    found = [graph.read(project, tmp_path / "graphs") for _ in range(3)]
    assert times() == 1
    assert found[0] == found[2] == graph.Graph({"First": (), "Other": (), "Second": ("First", "Other")})
    assert found[0].first == ["First", "Other"]


def test_it_is_asked_again_when_a_source_or_a_setting_has_changed(project, package, asked, tmp_path):
    times = asked(json.dumps(NODES))
    graph.read(project, tmp_path / "graphs")
    (package / "pipeline.py").write_text("one = 2\n")
    graph.read(project, tmp_path / "graphs")
    assert times() == 2
    (package / "more.py").touch()
    graph.read(project, tmp_path / "graphs")
    assert times() == 3
    other = made(pipeline=project.pipeline, python_path=project.python_path, settings={"tune": True})
    graph.read(other, tmp_path / "graphs")
    assert times() == 4


def test_a_pipeline_that_cannot_be_made_says_why_without_being_asked_each_time(project, package, asked, tmp_path):
    """Airflow reads the file with the DAG every half minute."""
    times = asked("Traceback\nNameError: name 'tfx' is not defined", 1)
    for _ in range(2):
        with pytest.raises(ProjectError, match="NameError: name 'tfx' is not defined"):
            graph.read(project, tmp_path / "graphs")
    assert times() == 1
    asked(json.dumps(NODES))
    (package / "pipeline.py").write_text("import tfx\n")
    assert graph.read(project, tmp_path / "graphs").first == ["First", "Other"]


def test_a_package_that_is_not_there_is_named(asked, tmp_path):
    asked(json.dumps(NODES))
    with pytest.raises(ProjectError, match=r"no package 'nowhere_to_be_found' in python_path, which is empty"):
        graph.read(made(pipeline="nowhere_to_be_found.pipeline:create"), tmp_path)


def test_without_the_environment_of_the_course_it_says_how_to_make_it(project, tmp_path, monkeypatch):
    monkeypatch.setenv("ENGINES_PYTHON", str(tmp_path / "missing"))
    with pytest.raises(ProjectError, match="`make environment` makes it"):
        graph.read(project, tmp_path / "graphs")
