"""What the notebook of lab 5 calls: install, mend, try, submit."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from course.checks.session import current
from course.labs import lab_5
from course.labs.lab_3.package import FOLDER
from course.labs.lab_5 import pipeline_spec, separate_process
from course.labs.lab_5.install_package import IMAGE, install


def build() -> None:
    """Installs the package in `package/` into the folder `image`, as `RUN pip install` of a Dockerfile would.

    Raises:
        RuntimeError: pip cannot; the message ends with its last words.
    """
    workspace = current().workspace
    install(workspace / FOLDER, workspace / IMAGE)
    found = sorted(path.name for path in (workspace / IMAGE).iterdir())
    print("In the image, beside what the course's image has:", ", ".join(found))


def mend(name: str, old: str, new: str) -> None:
    """Replaces a piece of text in a file of the workspace; where that was done before, nothing is done.

    Args:
        name: the file, such as `mended/delays/pipeline.py`.
        old, new: what stands there, once, and what shall.

    Raises:
        ValueError: it does not stand there, or more than once.
        FileNotFoundError: there is no such file.
    """
    path = _inside(name)
    text = path.read_text(encoding="utf-8")
    # Where the new text holds the old one, that stands there afterwards, too.
    rest = text.replace(new, "\0") if old in new else text
    if old not in rest and (new in text if new else (path, old, new) in _TAKEN_OUT):
        return
    if text.count(old) != 1:
        raise ValueError(
            f"{old[:80]!r} stands {text.count(old)} times in {name}, and should stand there once: look at the file"
        )
    path.write_text(text.replace(old, new), encoding="utf-8")
    _TAKEN_OUT.update({(path, old, new)} if not new else ())


_TAKEN_OUT: set[tuple[Path, str, str]] = set()
"""What was replaced by nothing, which leaves no trace in the file."""


def write(name: str, text: str) -> None:
    """Writes a file of the workspace, such as `package/pyproject.toml`, or replaces it."""
    path = _inside(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _inside(name: str) -> Path:
    root = current().workspace.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise ValueError(f"{name} leads out of the workspace")
    return path


def trial() -> None:
    """Installs what is in `mended`, compiles its pipeline in a process that has nothing of this notebook, and runs its steps on January.

    Raises:
        RuntimeError: the package cannot be installed, its pipeline not compiled, or a step failed.
    """
    from engines.kubeflow import processes

    workspace = current().workspace
    folder = workspace / lab_5.TRIAL
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    install(workspace / lab_5.MENDED, folder / IMAGE)
    print("installed")
    path, log = folder / "pipeline.yaml", processes.log_of(folder)
    job = {"package": lab_5.INHERITED, "image": f"{lab_5.INHERITED}:7"}
    job["files"] = [{"path": str(path), "settings": {"pipeline_name": lab_5.INHERITED}}]
    function = ("course.labs.lab_5.separate_process", "compile_package")
    if separate_process.call(*function, job, folder / IMAGE, workspace, log):
        raise separate_process.StepError(
            f"The pipeline cannot be compiled. The last words:\n{processes.last_words(folder)[-1500:]}"
        )
    print("compiled")
    found = pipeline_spec.parsed(path.read_text(encoding="utf-8"), path.name)
    destination = {"filesystem": {"base_directory": str(folder / "serving")}}
    given = {"data_root": str(workspace / "months"), "push_destination": json.dumps(destination)}
    separate_process.run(path, folder / IMAGE, workspace, folder / "runs", given, _InOrder(found))


def submit(path: str | Path, **arguments: str) -> str:
    """Runs a compiled pipeline, step by step, each in a process of its own that finds your package in the folder `image` only.

    Args:
        path: the YAML file.
        arguments: parameters of the run: `data_root`, and `push_destination` in JSON.

    Returns:
        The folder of the run: in it a folder for each task, with its outputs, its message and its log.

    Raises:
        RuntimeError: a step failed; the message ends with the last words of its log.
        FileNotFoundError: no such file, or nothing was built yet.
    """
    workspace = current().workspace
    if not (workspace / IMAGE).is_dir():
        raise FileNotFoundError(
            f"There is no folder {IMAGE}, where a step finds your package: lab.build() was not called yet, or its last call failed."
        )
    if not isinstance(path, str | Path) or not Path(path).is_file():
        raise FileNotFoundError(f"There is no file {path}: give the path that compile_pipeline returned.")
    text = Path(path).read_text(encoding="utf-8")
    found = pipeline_spec.parsed(text, Path(path).name)
    _has_data(found, arguments)
    folder = separate_process.run(
        Path(path), workspace / IMAGE, workspace, workspace / "runs", arguments, _InOrder(found)
    )
    (folder / lab_5.COPY).write_text(text, encoding="utf-8")
    return str(folder)


def _has_data(found: pipeline_spec.Compiled, arguments: dict[str, str]) -> None:
    """Names the folder with the data, if it cannot be read: a step would only say which file it did not find there."""
    known = found.body["root"].get("inputDefinitions", {}).get("parameters", {})
    if "data_root" not in known:
        return
    given = arguments.get("data_root", known["data_root"].get("defaultValue", ""))
    shown = f"data_root={str(given)!r}{'' if 'data_root' in arguments else ', which is the default'}"
    if not Path(str(given)).is_absolute():
        raise ValueError(f"{shown}: give the whole path, as a step works in a folder of its own.")
    if not Path(str(given)).is_dir():
        raise FileNotFoundError(f"{shown}: there is no such folder.")
    if not list(Path(str(given)).glob("span-*")):
        raise FileNotFoundError(f"{shown}: no folder span-01 or another of a month is in it.")


class _InOrder:
    """Tells of each task that is done, in an order that is the same each time; kfp's own is not."""

    def __init__(self, found: pipeline_spec.Compiled) -> None:
        """Args: found: what is run."""
        self.waiting, self.done = pipeline_spec.order(found), set()

    def __call__(self, task: str, seconds: float) -> None:
        self.done.add(task)
        while self.waiting and self.waiting[0] in self.done:
            # Not `print`: while a pipeline runs, kfp indents what that prints.
            sys.stdout.write(f"{self.waiting.pop(0):<20} done\n")
