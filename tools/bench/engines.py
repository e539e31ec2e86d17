"""Measures the sample on every engine, each from its start, imports included. An engine that is not here is a remark."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from engines.errors import MissingEngineError
from flights.cli import ENGINES
from tools.bench.process import Row, run

CONTAINERS = "kubeflow --containers"

UNSEEN = (CONTAINERS, "airflow")
"""Engines whose steps are no children of the run: what they take is not seen from here."""

TARGETS = {"kubeflow": "90 s, by processes"}


def engines() -> list[Row]:
    """A row for each engine, and one for Kubeflow's steps in containers."""
    return [measured(engine) for engine in (*ENGINES, CONTAINERS)]


def measured(engine: str) -> Row:
    """January of the sample on an engine; `engine` is what stands after `--engine`.

    Raises:
        RuntimeError: the engine is here, and the run failed, or the candidate was refused.
    """
    what, target = f"`flights run --engine {engine}`, the sample", TARGETS.get(engine, "")
    if missing := reason(engine):
        return Row(what, None, 0, 0, target, f"not measured: {missing}")
    with tempfile.TemporaryDirectory() as folder:
        flights = str(Path(sys.executable).with_name("flights"))
        said, wall, cpu, peak = run([flights, "run", "--engine", *engine.split(), "--output-root", folder])
    *_, verdict = said.strip().splitlines()
    if not verdict.startswith("Blessed and pushed"):
        raise RuntimeError(f"{engine}: {said[-2000:]}")
    if engine in UNSEEN:
        cpu = peak = 0.0
    remark = f"{len(steps(said))} steps, {sum(steps(said).values()):.0f} s: {slowest(steps(said))}"
    return Row(what, wall, cpu, peak, target, remark)


def steps(said: str) -> dict[str, float]:
    """The seconds of each node, out of what `flights run` printed."""
    lines = [line.split() for line in said.splitlines() if line.startswith("  ") and line.endswith(" s")]
    return {line[0]: float(line[-2]) for line in lines if len(line) == 4}


def slowest(seconds: dict[str, float]) -> str:
    """The four that took longest."""
    return ", ".join(f"{name} {took:.0f}" for name, took in sorted(seconds.items(), key=lambda step: -step[1])[:4])


def reason(engine: str) -> str:
    """Why an engine is not here, in a sentence; nothing when it is."""
    try:
        NEEDS.get(engine, lambda: None)()
    except MissingEngineError as error:
        return str(error)
    return ""


def _flink() -> None:
    from engines.flink import job_server

    job_server.find_java(), job_server.find_jars()


def _airflow() -> None:
    from engines.airflow import home

    home.find_airflow()


def _containers() -> None:
    from engines.kubeflow import compiler, containers

    containers.image_user(compiler.IMAGE)


NEEDS: dict[str, Callable[[], None]] = {"flink": _flink, "airflow": _airflow, CONTAINERS: _containers}
"""What raises MissingEngineError where an engine is not here; the others need nothing."""
