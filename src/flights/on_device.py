"""Asks an exported model with LiteRT and NumPy alone: what a program on a device does that has no TensorFlow.

`export.to_litert` writes the two files. What the model cannot do itself, looking up words, their description says; `deploy/browser` reads
the same description in JavaScript.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

DESCRIPTION_FILE = "model.json"
"""Beside the model, whose file it names."""

KINDS = {"float32": np.float32, "int32": np.int32}
"""Types of inputs, as the description names them."""


class OnDevice:
    """An exported model, loaded once."""

    def __init__(self, folder: str | Path) -> None:
        """Reads the model and its description from the folder that they were exported to."""
        self.description = json.loads((Path(folder) / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        model = (Path(folder) / self.description["file"]).read_bytes()
        # LiteRT's own kernels: XNNPACK, which it would take else, is for larger models, and tells of itself on standard error.
        kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self._run = Interpreter(model_content=model, experimental_op_resolver_type=kernels).get_signature_runner()
        self._inputs = [(one, _places(one)) for one in self.description["inputs"]]

    def predict(self, flights: Sequence[Mapping[str, Any]]) -> list[float]:
        """The probability of arriving late, from 0 to 1, for each flight.

        It asks less of a flight than the contract does: a range is not checked here.

        Args:
            flights: raw columns by name, as in the monthly files; what is unknown may be left out, where the description says so.

        Raises:
            KeyError: a column is not there that has to be.
        """
        return [self._predict(flight) for flight in flights]

    def _predict(self, flight: Mapping[str, Any]) -> float:
        inputs = {
            one["name"]: np.array([[_value(flight, one, places)]], KINDS[one["type"]]) for one, places in self._inputs
        }
        return float(self._run(**inputs)[self.description["output"]][0, 0])


def _places(described: Mapping[str, Any]) -> dict[str, int]:
    return {word: place for place, word in enumerate(described.get("words", []))}


def _value(flight: Mapping[str, Any], described: Mapping[str, Any], places: Mapping[str, int]) -> float:
    """A column as the model takes it."""
    column = described["column"]
    value = flight[column] if described["required"] else flight.get(column)
    if "words" in described:
        return places.get(value, len(places))
    return math.nan if value is None else value
