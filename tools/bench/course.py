"""What a student or a teacher waits for: set-up, imports, the first lesson, the grading of a class."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from tools.bench import classroom
from tools.bench.process import REPOSITORY, Row, run

EMPTY = "empty package cache"


def imports() -> list[Row]:
    """Time to import what a lesson imports first."""
    rows = []
    for what, code, target in (
        ("`import course`", "import course", "2 s"),
        ("`from tfx import v1`", "from tfx import v1", "12 s with the first cell"),
    ):
        _, wall, cpu, peak = run([sys.executable, "-c", code])
        rows.append(Row(what, wall, cpu, peak, target))
    return rows


def lesson() -> list[Row]:
    """Lesson 00, executed by papermill with its own parameters."""
    with tempfile.TemporaryDirectory() as folder:
        # Papermill, by way of the tool that goes on after an error that is meant.
        command = [sys.executable, "-m", "tools.notebooks", "save", "notebooks/00-first-pipeline.ipynb"]
        command += ["--output", f"{folder}/out.ipynb"]
        _, wall, cpu, peak = run(command)
    return [
        Row(
            "lesson 00, by papermill",
            wall,
            cpu,
            peak,
            "2 min",
            "kernel start and imports included; memory of its largest process",
        )
    ]


def setup() -> list[Row]:
    """From a fresh clone to JupyterLab that answers: with an empty package cache, with a filled one, and once more."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cache = {"UV_CACHE_DIR": f"{folder}/cache", "PIP_NO_CACHE_DIR": "1"}
        for number, (what, target) in enumerate(((EMPTY, "3 min"), ("filled package cache", "1 min"))):
            clone = Path(folder, f"clone-{number}")
            run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)])
            rows.append(Row(f"`make lab` from a fresh clone, {what}", _until_lab_answers(clone, cache), 0, 0, target))
        rows.append(Row("`make lab`, second time", _until_lab_answers(clone, cache), 0, 0, "10 s"))
    return rows


def airflow() -> list[Row]:
    """The environment of Airflow, with an empty package cache; its size is what its files take on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        made = {"AIRFLOW_VENV": f"{folder}/airflow", "UV_CACHE_DIR": f"{folder}/cache"}
        _, wall, _, _ = run(["bash", "deploy/airflow/environment.sh"], made)
        size, cache = (
            sum(512 * file.lstat().st_blocks for file in Path(made[name]).rglob("*") if file.is_file()) / 1e9
            for name in made
        )
    return [Row(f"`make airflow-environment`, {EMPTY}", wall, 0, 0, "", f"{size:.2f} GB, and {cache:.2f} GB of cache")]


def _until_lab_answers(clone: Path, environment: dict[str, str], port: int = 18888, limit: float = 900) -> float:
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            ["make", "lab", "BROWSER=no", f"PORT={port}"],
            cwd=clone,
            env=os.environ | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while time.monotonic() - started < limit and process.poll() is None:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/lab", timeout=2)
                    return time.monotonic() - started
                except urllib.error.HTTPError:
                    return time.monotonic() - started  # it answers, and asks for its token
                except OSError:
                    time.sleep(0.5)
            output.seek(0)
            raise RuntimeError(f"JupyterLab did not answer:\n{output.read()[-2000:]}")
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)


def grade() -> list[Row]:
    """Twenty submissions of lab 1, ten of them hostile, graded by `make grade`."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as out:
        expected = classroom.write(Path(folder))
        command = [sys.executable, "-m", "tools.grade", folder, "--lab", classroom.LAB, "--out", out]
        _, wall, cpu, peak = run(command)
        if wrong := classroom.wrong_marks(expected, Path(out)):
            raise RuntimeError("\n".join(wrong))
    return [Row("20 submissions of lab 1, ten of them hostile", wall, cpu, peak, "10 min", "all marks right")]
