"""The versions in a folder that Pusher writes to: found, loaded, tried, and replaced while they answer."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from serving import traffic
from serving.traffic import Traffic, TrafficError
from warm.loading import quickly

SIGNATURE = "serving_default"

NO_TRACES = "<stack traces unavailable>"
"""Where TensorFlow's message of an error in a graph that was loaded comes to the error."""

_NUMBER = re.compile("[0-9]{1,100}")

LOG = logging.getLogger("serving")

Rows = Sequence[Mapping[str, Any]]
Columns = Mapping[str, Sequence[Any]]


class Project(Protocol):
    """What a project gives, so that its models are served.

    Attributes:
        name: of the model in addresses: `/v1/models/NAME`.
        output: of the signature, with a number for each row.
        key: columns that the log keeps, by which a request is found again when its label is known.
        inputs: the columns of a request, each with its type as the Open Inference protocol calls it (INT64, FP32, BYTES).
        sample: rows to try a new version with.
    """

    name: str
    output: str
    key: Sequence[str]
    inputs: Mapping[str, str]
    sample: Rows

    def check(self, rows: Rows) -> Columns:
        """The rows by column, None where a value is missing.

        Raises:
            ValueError: a sentence that names row, column and value.
        """
        ...

    def encode(self, columns: Columns) -> list[bytes]:
        """Checked rows as serialised tf.Examples."""
        ...


class Refused(Exception):
    """A version that is not served, and why."""


class Model(Protocol):
    """A version that is loaded."""

    def predict(self, examples: list[bytes]) -> list[float]:
        """A number for each serialised tf.Example."""
        ...


class SavedModel:
    """A version, loaded by TensorFlow."""

    def __init__(self, folder: Path, output: str) -> None:
        """Loads it.

        Args:
            folder: of the SavedModel.
            output: the one of its signature that is wanted.

        Raises:
            Refused: it cannot be loaded, or has another signature.
        """
        if not (folder / "saved_model.pb").is_file():
            raise Refused("it holds no SavedModel (saved_model.pb)")
        tf = _tensorflow()
        self._constant, self._string = tf.constant, tf.string
        self._output = output
        try:
            self._loaded = tf.saved_model.load(str(folder))
        except Exception as error:  # of any class: TensorFlow's readers, protobuf's, or Python's own
            raise Refused(f"it cannot be loaded: {_first_line(error)}") from error
        signature = self._loaded.signatures.get(SIGNATURE)
        if signature is None:
            raise Refused(f"it has no signature {SIGNATURE}")
        inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs
        if [spec.dtype for spec in inputs.values()] != [tf.string]:
            raise Refused(f"its signature takes {', '.join(inputs) or 'nothing'}, not serialised tf.Examples alone")
        if output not in outputs:
            raise Refused(f"its signature gives {', '.join(outputs)}, not {output}")
        self._input, self._ask = next(iter(inputs)), signature

    def predict(self, examples: list[bytes]) -> list[float]:
        """A number for each serialised tf.Example."""
        answer = self._ask(**{self._input: self._constant(examples, self._string)})
        return answer[self._output].numpy().reshape(-1).tolist()  # type: ignore[no-any-return]


def _tensorflow() -> Any:
    """TensorFlow, imported without what its C++ side says before it has read how little it is to say."""
    if "tensorflow" not in sys.modules:
        kept = os.dup(2)
        with tempfile.TemporaryFile() as said:
            os.dup2(said.fileno(), 2)
            try:
                with quickly():
                    import tensorflow  # noqa: F401
            except BaseException:
                said.seek(0)
                os.write(kept, said.read())
                raise
            finally:
                os.dup2(kept, 2)
                os.close(kept)
    return sys.modules["tensorflow"]


def load(folder: Path, project: Project) -> SavedModel:
    """A version that has shown that it answers.

    Raises:
        Refused: it does not.
    """
    model = SavedModel(folder, project.output)
    examples = project.encode(project.check(project.sample))
    try:
        answers = model.predict(examples)
    except Exception as error:
        raise Refused(f"it does not answer: {_first_line(error)}") from error
    if len(answers) != len(examples):
        raise Refused(f"it gives {len(answers)} answers to {len(examples)} rows")
    if not all(map(math.isfinite, answers)):
        raise Refused("it answers with what is no number (NaN or infinite)")
    return model


@dataclasses.dataclass(frozen=True)
class Served:
    """What is served at one moment. It is replaced, never changed.

    Attributes:
        traffic: who answers what.
        models: versions that are loaded.
        fault: why the traffic file is not followed; empty where it is, or there is none.
    """

    traffic: Traffic
    models: Mapping[int, Model]
    fault: str = ""


class Versions:
    """The versions in a folder. One thread looks at it; all others read `served`."""

    def __init__(self, folder: str | Path, load: Callable[[Path], Model]) -> None:
        """Looks at nothing yet.

        Args:
            folder: with a folder for each version, whose name is its number.
            load: gives a version that answers, or raises `Refused`.
        """
        self.folder = Path(folder)
        self.served: Served | None = None
        self.refused: dict[int, str] = {}
        self.loading: int | None = None
        self._load = load
        self._known: dict[int, Model] = {}
        self._seen: dict[int, object] = {}
        self._tried: dict[int, object] = {}
        self._found: dict[int, Path] = {}
        self._told: set[tuple[object, str]] = set()

    def look(self) -> None:
        """Takes in what has changed since the last look. What is served goes on until something else can be."""
        first = self.served is None
        self._found, seen = versions_in(self.folder), self._seen
        self._seen = {version: _contents(folder) for version, folder in self._found.items()}
        # Pusher copies file by file: a folder that has changed since the last look may still be growing.
        settled = {version for version in self._found if first or seen.get(version) == self._seen[version]}
        self.refused = {version: why for version, why in self.refused.items() if version in self._found}

        asked, fault = None, ""
        try:
            asked = traffic.read(self.folder)
        except TrafficError as error:
            fault = str(error)
        if asked and (absent := [one for one in sorted(asked.versions) if not self._have(one, settled)]):
            why = self.refused.get(absent[0])
            state = "was refused" if why else "is not loaded yet" if absent[0] in self._found else "is not there"
            asked, fault = None, f"{traffic.path(self.folder)}: version {absent[0]} {state}."
        newest = next((one for one in sorted(self._found, reverse=True) if self._have(one, settled)), None)
        before = self.served.traffic if self.served else None
        if fault:
            self._tell("traffic", f"{fault} What was served before goes on.")
            asked = before
        if asked is None and newest is not None:
            asked = Traffic(newest)
        if asked is None:  # all folders are gone, or none was ever good
            asked = before
        if asked is None:
            return
        keep = {*asked.versions, *([] if newest is None else [newest])}
        self._known = {version: model for version, model in self._known.items() if version in keep}
        if asked != before:
            LOG.info("served: %s", ", ".join(f"version {one} as {role}" for one, role in asked.versions.items()))
        if not fault:
            self._told = {(what, said) for what, said in self._told if what != "traffic"}
        self.served = Served(asked, self._known, fault)

    def status(self) -> dict[int, tuple[str, str]]:
        """Each version that was looked at, the newest first: its state, as TensorFlow Serving calls it, and why it is refused."""
        loaded = self.served.models if self.served else {}
        known = sorted({*self._found, *loaded, *self.refused}, reverse=True)
        state = {version: "AVAILABLE" if version in loaded else "END" for version in known}
        if self.loading in state:
            state[self.loading] = "LOADING"
        return {version: (state[version], self.refused.get(version, "")) for version in known}

    def _have(self, version: int, settled: set[int]) -> bool:
        """Whether a version is loaded, after having tried to, where that is new."""
        if version in self._known:
            return True
        if version not in settled or self._tried.get(version) == self._seen[version]:
            return False
        self._tried[version] = self._seen[version]
        self.loading = version
        try:
            model = self._load(self._found[version])
        except Refused as why:
            self.refused[version] = str(why)
            self._tell(version, f"version {version} is refused: {why}.")
            return False
        finally:
            self.loading = None
        self.refused.pop(version, None)
        del self._tried[version]  # so that it is loaded again when it is wanted again
        self._known = self._known | {version: model}
        return True

    def _tell(self, what: object, said: str) -> None:
        """Logs a sentence once."""
        if (what, said) not in self._told:
            self._told.add((what, said))
            LOG.warning(said)


def versions_in(folder: str | Path) -> dict[int, Path]:
    """The folders of a folder whose names are numbers, of 64 bits as TensorFlow Serving's and JSON's are; of `3` and `03`, the plain one."""
    try:
        found = sorted(
            (one for one in Path(folder).iterdir() if one.is_dir()), key=lambda one: (-len(one.name), one.name)
        )
    except OSError:
        return {}
    return {int(one.name): one for one in found if _NUMBER.fullmatch(one.name) and int(one.name) < 2**63}


def _contents(folder: Path) -> object:
    """What tells one state of a folder from another: names, sizes and times of its files."""
    found = []
    for path in sorted(folder.rglob("*")):
        try:
            known = path.stat()
        except OSError:  # it has gone meanwhile
            continue
        found.append((str(path), known.st_size, known.st_mtime_ns))
    return found


def _first_line(error: BaseException) -> str:
    """What is wrong, in one line; of what a graph says while it runs, that which follows where."""
    said = str(error)
    line = ((said.partition(NO_TRACES)[2] or said).strip() or type(error).__name__).splitlines()[0]
    return line if len(line) <= 200 else f"{line[:200]}..."
