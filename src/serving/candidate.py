"""Tries a candidate as it would be served: a copy of it, under the model server, in a process and a folder of its own, asked by HTTP.

What is the model's fault is a verdict with a reason. What is the fault of the check itself is a `CheckError`, which says nothing of the model: no
examples, a project that cannot be imported or refuses them, a server that does not come up for another reason than the model.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from serving import process
from serving.models import Project, SavedModel

RELATIVE, ABSOLUTE = 1e-4, 1e-6
"""How far the server's answer may be from the model's own: what float32 loses when examples are computed one by one, and no more."""

VERSION = 1


class CheckError(RuntimeError):
    """The check could not be made: nothing is known of the model. Another try may help."""


class Verdict(NamedTuple):
    """What came of a check.

    Attributes:
        blessed: whether the model may be pushed.
        reason: a sentence, for a model that is refused and for one that is not.
    """

    blessed: bool
    reason: str


class _Refused(Exception):
    """The model did not answer as it should; a sentence."""


def check(
    model: str | Path,
    examples: Sequence[bytes],
    project: str,
    timeout: float = 120,
    scratch: str | Path | None = None,
) -> Verdict:
    """Serves a copy of a candidate, asks it about examples one by one, as clients do, and compares with what it says by itself of all at once.

    The server works in an empty folder, so that a model that reads files by relative paths does not find them by chance. The model itself is
    asked in this process, with the examples as they are: with the label, and whatever else a client does not know.

    Args:
        model: folder of the SavedModel.
        examples: serialised tf.Examples.
        project: `MODULE:OBJECT`, what the project gives (`serving.models.Project`).
        timeout: seconds until the server has to answer.
        scratch: folder for the copy; None for one of the system's.

    Raises:
        CheckError: the check could not be made.
    """
    folder, given = Path(model), _import(project)
    if not examples:
        raise CheckError("There is no example to ask about.")
    if not folder.is_dir():
        raise CheckError(f"{folder}: there is no such folder.")
    if not (folder / "saved_model.pb").is_file():
        return Verdict(False, "It holds no SavedModel (saved_model.pb).")
    if outside := files_outside(folder):
        return Verdict(False, f"It names a file outside its folder, which is not copied with it: {outside[0]}.")
    rows = [_row(example, given.inputs) for example in examples]
    with tempfile.TemporaryDirectory(prefix="candidate-", dir=scratch) as own:
        copy, empty = Path(own, "versions", str(VERSION)), Path(own, "empty")
        shutil.copytree(folder, copy)
        empty.mkdir()
        try:
            answers = _ask(project, copy.parent, rows, timeout, empty)
            _compare(answers, _alone(folder, given.output, examples))
        except _Refused as why:
            # Neither the folder of the copy nor this machine's name, which TensorFlow says of an operation that it has not.
            said = str(why).replace(f"{copy}/", "").replace(f" in binary running on {socket.gethostname()}", "")
            return Verdict(False, said)
    return Verdict(True, f"The model server answered {len(rows)} examples as the model does by itself.")


def files_outside(model: str | Path) -> list[str]:
    """Files of this machine, outside of a model's folder, whose full paths are constants of its graph. Where it is served, they are not.

    Args:
        model: folder of the SavedModel.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    folder, found = Path(model).absolute(), set()
    try:
        saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    except DecodeError:
        return []  # the server says so
    for graph in [one.graph_def for one in saved.meta_graphs]:
        for node in [*graph.node, *(node for function in graph.library.function for node in function.node_def)]:
            found.update(value for value in node.attr["value"].tensor.string_val if value.startswith(b"/"))
    return sorted(os.fsdecode(one) for one in found if os.path.isfile(one) and not _lies_in(folder, os.fsdecode(one)))


def _lies_in(folder: Path, path: str) -> bool:
    return Path(path).resolve().is_relative_to(folder.resolve())


def _import(project: str) -> Project:
    module, _, name = project.partition(":")
    try:
        return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]
    except (ImportError, AttributeError, ValueError) as error:
        raise CheckError(f"{project}: it cannot be imported ({error}). Write MODULE:OBJECT.") from error


def _row(example: bytes, inputs: Mapping[str, str]) -> dict[str, Any]:
    """What a client knows of an example: a value for each column of a request; what is missing is left out."""
    import tensorflow as tf

    features = tf.train.Example.FromString(example).features.feature
    row = {}
    for name in inputs:
        kind = features[name].WhichOneof("kind") if name in features else None
        values = [_plain(value) for value in getattr(features[name], kind).value] if kind else []
        if values and None not in values:
            row[name] = values[0] if len(values) == 1 else values
    return row


def _plain(value: Any) -> Any:
    """A value as JSON has it; None for a number that it has not."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if math.isfinite(value) else None


def _ask(project: str, versions: Path, rows: Sequence[Mapping[str, Any]], timeout: float, cwd: Path) -> list[Any]:
    """The server's answers, row by row.

    Raises:
        _Refused: it refuses the version, or ends or fails with it.
    """
    try:
        with process.start(project, versions, timeout=timeout, cwd=cwd) as server:
            return [_answer(server, row, number) for number, row in enumerate(rows)]
    except process.NotStarted as error:
        if VERSION in error.refused:
            why = error.refused[VERSION]
            raise _Refused(f"The model server refuses it: {why}{'' if why.endswith('.') else '.'}") from None
        if _crashed(error.status):
            raise _Refused(f"The model server ended by {_named(error.status)} while it loaded it.") from None
        raise CheckError(str(error)) from None


def _answer(server: process.Server, row: Mapping[str, Any], number: int) -> Any:
    try:
        return server.ask([row])[0]
    except process.RequestRefused as error:
        if error.status < 500:
            raise CheckError(f"Example {number} is none that may be asked about: {error}") from None
        raise _Refused(f"Example {number} was not answered: {_error(server.words()) or error}") from None
    except TimeoutError:
        raise _Refused(f"Example {number} was not answered in a minute.") from None
    except (OSError, http.client.HTTPException) as error:
        status = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = server.process.wait(15)
        if not _crashed(status):
            raise CheckError(f"Example {number} was not answered: {error!r}. The server: {_named(status)}.") from None
        raise _Refused(f"The model server ended by {_named(status)} while it answered example {number}.") from None


def _crashed(status: int | None) -> bool:
    """Whether a process has ended by a signal of its own making, as native code does; those of others are no fault of the model."""
    return status is not None and -status in (
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGSEGV,
    )


def _named(status: int | None) -> str:
    if status is None:
        return "still there"
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"


def _error(words: str) -> str:
    """The last error that a server has logged."""
    found = re.findall(r"^[\w.]*(?:Error|Exception)\w*: .*", words, re.MULTILINE)
    return found[-1][:300] if found else ""


def _alone(folder: Path, output: str, examples: Sequence[bytes]) -> list[float]:
    try:
        return SavedModel(folder, output).predict(list(examples))
    except Exception as error:
        raise _Refused(f"The model server answers with it, and by itself it fails: {error}"[:300]) from None


def _compare(served: Sequence[Any], alone: Sequence[float]) -> None:
    if len(served) != len(alone):
        raise _Refused(f"It gives {len(alone)} answers to {len(served)} examples at once.")
    for number, (one, other) in enumerate(zip(served, alone, strict=True)):
        if one is None or not math.isfinite(one):
            raise _Refused(f"The answer to example {number} is no number (NaN or infinite).")
        if not math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE):
            raise _Refused(
                f"It answers otherwise when it is served: {one:.4f} for example {number}, and {other:.4f} by itself."
            )
