"""What is measured, each in a fresh process: wall time, processor time, peak memory."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FULL_DATA = REPOSITORY / "out" / "data" / "flights"
EMPTY = "empty package cache"
FULL_YEAR = {
    "batch_size": 1024,
    "train_epochs": 5,
    "l2": 1e-4,
    "dropout": 0.0,
    "hidden_units": (128, 64),
    "materialize": False,
}
"""Settings for hundreds of thousands of flights, chosen on November with three seeds; the defaults of `Config` are for a few thousand."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table; `target` is in words, as design and issues state it. Without seconds, the remark says why."""

    what: str
    seconds: float | None
    cpu_seconds: float
    peak_gb: float
    target: str
    remark: str = ""


def run(
    command: list[str], environment: dict[str, str] | None = None, cwd: Path = REPOSITORY
) -> tuple[str, float, float, float]:
    """Runs a command to its end: its output, wall seconds, processor seconds, and peak memory in GB of its largest process.

    Raises:
        RuntimeError: it failed; the message ends with what it said last.
    """
    with tempfile.TemporaryFile("w+") as output:
        started = time.monotonic()
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, cwd=cwd, env=os.environ | (environment or {})
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        output.seek(0)
        said = output.read()
    if status != 0:
        raise RuntimeError(f"{' '.join(command[:4])} ... failed:\n{said[-2000:]}")
    scale = 1e9 if sys.platform == "darwin" else 1e6  # bytes there, kilobytes here
    return said, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / scale


def without_paths(text: str) -> str:
    """A text without the folders of this machine, since the page is committed: what lies in the repository is named from there."""
    text = text.replace(f"{REPOSITORY}/", "").replace(f"{Path.home()}/", "/")
    return re.sub(r"(?<![\w.:/~-])/(?:[\w.+-]+/)*([\w.+-]*\w)", r"\1", text)


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


def pipeline(what: str, target: str, months: tuple[int, int], **settings: object) -> Row:
    """One run of the pipeline in a new folder; seconds are those after the imports."""
    with tempfile.TemporaryDirectory() as folder:
        request = {"months": months, "output_root": folder, **settings}
        said, _, _, peak = run([sys.executable, "-m", "tools.bench.one_run", json.dumps(request)])
    result = json.loads(said.strip().splitlines()[-1])
    slowest = sorted(result["nodes"].items(), key=lambda node: -node[1])[:4]
    remark = ", ".join(f"{name} {seconds:.0f}" for name, seconds in slowest) + f"; AUC {result['auc']:.3f}"
    return Row(what, result["seconds"], result["cpu_seconds"], peak, target, remark)


def sample() -> list[Row]:
    """January of the sample."""
    return [pipeline("pipeline, one month of the sample (2,000 flights)", "30 s", (1, 1))]


def year() -> list[Row]:
    """All flights of 2013: eleven months to learn from, December to be judged on."""
    return [
        pipeline("pipeline, full year (327,346 flights)", "100 s, 2 GB", (1, 12), data_root=str(FULL_DATA), **FULL_YEAR)
    ]


def month() -> list[Row]:
    """A further month with a window of three months, early and late in the year."""
    return [
        pipeline(f"a further month, all flights: {name}", target, months, data_root=str(FULL_DATA), **FULL_YEAR)
        for name, target, months in (
            ("March after January and February", "", (1, 3)),
            ("December after October and November", "the same as in spring", (10, 12)),
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
    from tools.bench import classroom  # with nbgrader, which takes seconds to import

    with tempfile.TemporaryDirectory() as folder:
        expected = classroom.write(Path(folder))
        command = [sys.executable, "-m", "tools.grade", folder, "--lab", classroom.LAB]
        _, wall, cpu, peak = run(command)
    if wrong := classroom.wrong_marks(expected):
        raise RuntimeError("\n".join(wrong))
    return [Row("20 submissions of lab 1, ten of them hostile", wall, cpu, peak, "10 min", "all marks right")]


def training() -> list[Row]:
    """Training on the full year beside a hand-written loop and references outside TensorFlow."""
    from tools.bench import training  # which imports this module

    return training.training()


def engines() -> list[Row]:
    """January of the sample on every engine."""
    from tools.bench import engines  # which imports this module

    return engines.engines()


def kubeflow_steps() -> list[Row]:
    """What each step of the compiled pipeline spends, on its imports and in all, beside TensorFlow alone."""
    from tools.bench import steps  # which imports this module

    return steps.steps()


def image() -> list[Row]:
    """The course's image."""
    from tools.bench import image  # which imports this module

    return image.image()


def kernels() -> list[Row]:
    """The first cell that needs TFX, in a kernel that is started and in one that is forked."""
    from tools.bench import kernels  # which imports this module

    return kernels.first_cells()


def reading() -> list[Row]:
    """All flights of the year, read and checked, without TFX."""
    from tools.bench import reading  # which imports this module

    return reading.reading()


SECTIONS: dict[str, Callable[[], list[Row]]] = {
    "setup": setup,
    "airflow": airflow,
    "import": imports,
    "kernel": kernels,
    "lesson": lesson,
    "reading": reading,
    "sample": sample,
    "year": year,
    "month": month,
    "training": training,
    "grade": grade,
    "image": image,
    "engines": engines,
    "steps": kubeflow_steps,
}
