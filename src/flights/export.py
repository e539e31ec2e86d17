"""Takes a pushed model to other places: LiteRT for browsers and telephones, an archive for other model servers.

What is written is whole or not there: beside its place, then moved. And a converted model is another model until shown otherwise: it is asked about
each flight of a month, and written if it says what its source says.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import math
import os
import re
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from . import data, edge
from .columns import PROBABILITY
from .on_device import DESCRIPTION_FILE, OnDevice
from .predict import Contract, Predictor

TOLERANCE = 1e-5
"""How far a probability of the exported model may be from its source's: a hundredth of the last digit that `flights predict` shows."""


class ExportError(ValueError):
    """A model cannot be taken to another place, or says something else there."""


class Exported(NamedTuple):
    """What was written.

    Attributes:
        file: the model for LiteRT; its description lies beside it.
        flights: on how many it was compared with its source.
        largest_difference: of two probabilities for a flight.
    """

    file: Path
    flights: int
    largest_difference: float


def convert(version: str | Path, signature: str = edge.SIGNATURE) -> bytes:
    """An endpoint of a pushed version as a file of LiteRT.

    The converter says on C's standard error what it cannot convert, in forty lines; the one that counts is in the error here.

    Args:
        version: folder of the SavedModel.
        signature: name of the endpoint.

    Raises:
        ExportError: the version has no such endpoint, or it uses operations that LiteRT does not have.
    """
    version = Path(version)
    with _held_back() as said:
        try:
            return tf.lite.TFLiteConverter.from_saved_model(str(version), signature_keys=[signature]).convert()
        except ConverterError as error:
            found = re.search(r"TF Select ops: (.*)", said() + str(error))
            what = found[1] if found else str(error).partition("\n")[0][:300]
        except ValueError as error:
            if "signature" not in str(error).lower():
                raise
            raise ExportError(
                f"Version {version.name} has no endpoint {signature!r}. Was it trained before there was one? Run the pipeline again."
            ) from None
    raise ExportError(
        f"Version {version.name}, endpoint {signature!r}: operations that LiteRT does not have, or not for these types: {what}."
    )


def to_litert(version: str | Path, folder: str | Path, month_file: str | Path) -> Exported:
    """Writes a pushed version for LiteRT: the model, and its description as JSON.

    Args:
        version: folder of the SavedModel.
        folder: gets `PACKAGE-VERSION.tflite` and `model.json`, which names it; what is there of an earlier export is replaced.
        month_file: flights on which the two are compared.

    Raises:
        ExportError: it cannot be converted, or a probability differs by more than `TOLERANCE`. Nothing is written then.
        data.DataError: the month cannot be read.
        predict.FlightError: a flight of the month is not one that may be asked about.
    """
    version, folder = Path(version), Path(folder)
    table = data.read_table(month_file)
    flights = [{name: value for name, value in flight.items() if name != data.LABEL} for flight in table.to_pylist()]
    expected = np.array(Predictor(version).predict(flights))
    model = convert(version)
    description = describe(version, model)
    with tempfile.TemporaryDirectory() as trial:
        write_model(Path(trial), model, description)
        found = np.array(OnDevice(trial).predict(flights))
    difference = np.nan_to_num(np.abs(found - expected), nan=np.inf)
    worst = int(difference.argmax())
    if difference[worst] > TOLERANCE:
        raise ExportError(
            f"Version {version.name}: of flight {worst} of {data.shown(month_file)} the exported model says {found[worst]:.6f}, "
            f"the pushed one {expected[worst]:.6f}. Nothing was written."
        )
    largest = float(difference[worst])
    compared = {"file": data.shown(month_file), "flights": len(flights), "largest_difference": largest}
    return Exported(write_model(folder, model, description | {"compared": compared}), len(flights), largest)


def describe(version: Path, model: bytes) -> dict[str, Any]:
    """What a program must know of an exported model in order to ask it: which model it is, and what each input takes.

    Args:
        version: folder of the SavedModel, which has the vocabularies among its assets.
        model: the exported one.

    Returns:
        Plain data; `inputs` in the model's order: name, type, raw column, whether it must be known, for words their list, for numbers their range.
    """
    contract, inputs = Contract.load(), []
    for name, spec in edge.specification().items():
        column = edge.WORDS.get(name, name)
        one: dict[str, Any] = {"name": name, "type": spec.dtype.name, "column": column}
        one["required"] = column in contract.required
        if name in edge.WORDS:
            one["words"] = (version / "assets" / column).read_text(encoding="utf-8").splitlines()
        else:
            ends = {"least": contract.columns[column].first, "most": contract.columns[column].last}
            one |= {end: value for end, value in ends.items() if math.isfinite(value)}
        inputs.append(one)
    return {
        "model": __package__,
        "version": version.name,
        "file": f"{__package__}-{version.name}.tflite",
        "sha256": hashlib.sha256(model).hexdigest(),
        "source_sha256": checksum(version),
        "inputs": inputs,
        "output": PROBABILITY,
    }


def write_model(folder: Path, model: bytes, description: dict[str, Any]) -> Path:
    """Writes an exported model with its description, which comes last: until then a reader sees the earlier export, whole.

    Returns:
        The file of the model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = _write(folder / description["file"], model)
    _write(folder / DESCRIPTION_FILE, json.dumps(description, indent=1).encode())
    for earlier in set(folder.glob(f"{__package__}-*.tflite")) - {file}:
        earlier.unlink()
    return file


def to_archive(version: str | Path, folder: str | Path) -> Path:
    """Writes a pushed version as `PACKAGE-VERSION.tar.gz`, the form in which TensorFlow Hub hands out models: the SavedModel at its top.

    The same version gives the same bytes. TensorFlow Serving, and KServe, take it unpacked into a folder with the version's number.

    Args:
        version: folder of the SavedModel.
        folder: gets the file.
    """
    version, folder = Path(version), Path(folder)
    content = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=content, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in _files(version):
            entry = tarfile.TarInfo(path.relative_to(version).as_posix())
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                archive.addfile(entry, file)
    folder.mkdir(parents=True, exist_ok=True)
    return _write(folder / f"{__package__}-{version.name}.tar.gz", content.getvalue())


def checksum(version: Path) -> str:
    """SHA-256 over the names and contents of all files of a version."""
    digest = hashlib.sha256()
    for path in _files(version):
        digest.update(f"{path.relative_to(version).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _write(path: Path, content: bytes) -> Path:
    """Beside it and then moved: a reader sees the old file, or the new one."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_bytes(content)
    os.replace(unfinished, path)
    return path


@contextmanager
def _held_back() -> Iterator[Any]:
    """Within it nothing reaches the standard error of the process, not from C either; what was said there is to be had by a call."""
    sys.stderr.flush()
    before = os.dup(2)
    with tempfile.TemporaryFile() as kept:

        def said() -> str:
            kept.seek(0)
            return kept.read().decode(errors="replace")

        os.dup2(kept.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(before, 2)
            os.close(before)
