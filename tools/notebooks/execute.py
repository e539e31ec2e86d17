"""Executes a notebook with papermill, in a workspace of its own, and says in plain words what went wrong."""

from __future__ import annotations

import ast
import contextlib
import functools
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from tools.notebooks import form

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "out" / "reports"
ENGINE = "writes-at-ends"
"""Papermill's name for the engine of `_register_engine`."""
NEVER_BEGAN = "Kernel died before replying"
"""So `jupyter_client.client` says that no cell has run."""
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class NotebookFailed(Exception):
    """A notebook did not run to its end. The message names the notebook, the cell and the reason."""


@contextlib.contextmanager
def private_workspace() -> Iterator[dict[str, str]]:
    """Gives the environment variables of a run that shares no folder with any other run; removes its folders afterwards.

    Yields:
        COURSE_OUT, where `course.begin` puts what lessons write; IPYTHONDIR, so that no profile of the user changes the
        outputs; and COURSE_LIVE=0: nobody is watching.
    """
    folder = tempfile.mkdtemp(prefix="course-")
    try:
        yield {"COURSE_OUT": f"{folder}/out", "IPYTHONDIR": f"{folder}/ipython", "COURSE_LIVE": "0"}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def execute(
    path: Path, parameters: Mapping[str, Any] | None = None, timeout: float = 600, source: NotebookNode | None = None
) -> NotebookNode:
    """Executes a notebook in its own folder with the kernel of the course.

    Args:
        path: the notebook; its file is not changed.
        parameters: values that take the place of those in the cell tagged `parameters`.
        timeout: seconds for the whole notebook.
        source: what is executed instead of what the file holds.

    Returns:
        The executed notebook in the committed form.

    Raises:
        NotebookFailed: a cell raised (and is not tagged `raises-exception`), the kernel died, or time ran out.
            The notebook as far as it came is then under `out/reports/failed/`.
    """
    # Slow to import, and not needed by what only reads notebooks.
    import papermill
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # what matters is in the exceptions
    _register_engine()
    if parameters:
        _check_parameters(path, parameters)
    deadline = time.monotonic() + timeout
    failed = REPORTS / "failed" / f"{path.resolve().parent.name}-{path.name}"
    failed.parent.mkdir(parents=True, exist_ok=True)
    with private_workspace() as environment, _environment(environment), tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        reason = None
        run = functools.partial(
            papermill.execute_notebook,
            path.resolve() if source is None else source,
            copy,
            parameters=dict(parameters or {}),
            engine_name=ENGINE,
            kernel_name=form.KERNEL,
            cwd=path.resolve().parent,
            progress_bar=False,
            start_timeout=120,
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
            # What is left of the notebook's time is the time of its next cell.
            timeout_func=lambda cell: max(1, round(deadline - time.monotonic())),
        )
        try:
            try:
                run()
            except RuntimeError as error:
                if NEVER_BEGAN not in str(error):
                    raise
                run()  # Jupyter chooses a kernel's ports some time before it listens there: one may have been taken since
        except papermill.PapermillExecutionError:
            pass  # papermill also stops at errors that are meant; told apart below
        except CellTimeoutError:
            reason = f"it was not done after {timeout:.0f} seconds"
        except DeadKernelError:
            reason = "the kernel died (out of memory, or a crash in a library)"
        except NoSuchKernel as error:
            raise NotebookFailed(
                f"{shown(path)}: the kernel {form.KERNEL} is not installed: make environment"
            ) from error
        except RuntimeError as error:
            reason = f"the kernel gave no answer ({error})"
        if not copy.exists():
            raise NotebookFailed(f"{shown(path)}: {reason or 'papermill wrote no output'}")
        executed = form.read(copy)
        # Without papermill's own cells, so that cells are counted as their writer counts them.
        executed.cells = [cell for cell in executed.cells if not _added(cell)]
        problem = _problem(executed, reason)
        if problem:
            shutil.copyfile(copy, failed)
            raise NotebookFailed(f"{shown(path)}: {problem}\n  as far as it came: {shown(failed)}")
    failed.unlink(missing_ok=True)
    return form.normalise(executed)


@functools.cache
def _register_engine() -> None:
    """Makes papermill write a notebook before its first cell and when it stops, for whatever reason, and not twice for each cell between."""
    from papermill.engines import NBClientEngine, papermill_engines

    class WritesAtEnds(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:
            path, nb_man.output_path = nb_man.output_path, None
            try:
                super().execute_managed_notebook(nb_man, kernel_name, **options)
            finally:
                nb_man.output_path = path  # where `notebook_complete` then writes

    papermill_engines.register(ENGINE, WritesAtEnds)


def save(path: Path, timeout: float = 600) -> NotebookNode:
    """Formats a notebook's code, executes it with its own parameters, and stores it in the committed form.

    Raises:
        NotebookFailed: it did not run, or was edited meanwhile. The file is then as it was.
    """
    before = path.read_bytes()
    executed = execute(path, timeout=timeout, source=formatted(path))
    if path.read_bytes() != before:
        raise NotebookFailed(f"{shown(path)}: it was edited while it ran; save it again")
    nbformat.validate(executed)
    form.write(executed, path)
    return executed


def formatted(path: Path) -> NotebookNode:
    """Returns a notebook with its code formatted by ruff, as `make format` would."""
    text = form.dumps(form.normalise(form.read(path)))
    command = [sys.executable, "-m", "ruff", "format", "--quiet", "--stdin-filename", path.name, "-"]
    done = subprocess.run(command, input=text, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotebookFailed(f"{shown(path)}: its code cannot be formatted.\n  {done.stderr.strip()}")
    return form.parse(done.stdout, path)


def describe_cell(notebook: NotebookNode, index: int) -> str:
    """Returns how a reader finds a cell: its number from the top, its place among the code cells, and how it begins."""
    cell = notebook.cells[index]
    first = next((line for line in cell.source.splitlines() if line.strip()), "")
    beginning = first if len(first) <= 70 else first[:67] + "..."
    if cell.cell_type != "code":
        return f"cell {index + 1} ({beginning})"
    place = sum(other.cell_type == "code" for other in notebook.cells[: index + 1])
    return f"cell {index + 1}, code cell {place} ({beginning})"


def own_parameters(path: Path) -> dict[str, Any]:
    """Returns what the cell tagged `parameters` sets, so that papermill can be given just that."""
    cells = [cell for cell in form.read(path).cells if "parameters" in form.tags(cell)]
    found = {}
    for node in ast.parse(cells[0].source).body if cells else []:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            with contextlib.suppress(ValueError):
                found[target.id] = ast.literal_eval(node.value)
    return found


def _added(cell: NotebookNode) -> bool:
    """Returns whether papermill added a cell (and, where it holds the parameters, it did not fail)."""
    return bool(form.INJECTED_TAGS & set(form.tags(cell))) and not any(
        output.output_type == "error" for output in cell.get("outputs", [])
    )


def _check_parameters(path: Path, parameters: Mapping[str, Any]) -> None:
    """Refuses a name that the cell tagged `parameters` does not set; papermill would only warn in a log."""
    known = own_parameters(path)
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise NotebookFailed(
            f"{shown(path)} has no parameter {', '.join(unknown)}; it has {', '.join(sorted(known)) or 'none'}"
        )


def _problem(notebook: NotebookNode, reason: str | None) -> str | None:
    code = [
        index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code" and "".join(cell.source).strip()
    ]
    if reason:
        # The last cell that papermill started.
        started = [index for index in code if notebook.cells[index].metadata.get("papermill", {}).get("start_time")]
        return f"{describe_cell(notebook, started[-1]) if started else 'before the first cell'}: {reason}."
    for index in code:
        cell = notebook.cells[index]
        error = next((output for output in cell.outputs if output.output_type == "error"), None)
        if error is not None and "raises-exception" not in form.tags(cell):
            lines = [
                f"{describe_cell(notebook, index)} failed.",
                f"  {error.ename}: {_ANSI.sub('', error.evalue)}",
                *_line(error),
            ]
            return "\n".join(lines)
        if error is None and cell.metadata.get("papermill", {}).get("exception"):
            return f"{describe_cell(notebook, index)} failed without a message."
    return None


def _line(error: NotebookNode) -> list[str]:
    """Returns the line of the cell that raised, as far as IPython's trace shows it."""
    trace = _ANSI.sub("", "\n".join(error.get("traceback", [])))
    found = re.search(r"^-+> (\d+) (.*)$", trace, re.MULTILINE)
    return [f"  at line {found[1]}: {found[2].strip()}"] if found else []


def shown(path: Path) -> str:
    """Returns a path as seen from the top of the repository, or as it is when it is elsewhere."""
    with contextlib.suppress(ValueError):
        return str(path.resolve().relative_to(ROOT))
    return str(path)


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
