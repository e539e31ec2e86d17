"""What of serving is of flights: what a request is checked against and becomes, and the columns by which it finds its label."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from serving.__main__ import CannotServe, add_options
from serving.__main__ import serve as serve_project

from .columns import KEY, PROBABILITY, SAMPLE
from .config import Config

if TYPE_CHECKING:
    from .predict import Columns, Contract

DATATYPES = {"BYTES": "BYTES", "INT": "INT64", "FLOAT": "FP32"}
"""Types of the schema, as the Open Inference protocol calls them."""


class Flights:
    """A project, for the model server (`serving.models.Project`)."""

    name = __package__
    output = PROBABILITY
    key = KEY
    sample = SAMPLE

    @functools.cached_property
    def inputs(self) -> dict[str, str]:
        """Each column that may be given, with its type."""
        from tensorflow_metadata.proto.v0 import schema_pb2

        columns = self._contract.columns.items()
        return {name: DATATYPES[schema_pb2.FeatureType.Name(one.kind)] for name, one in columns if one.is_served}

    def check(self, rows: Sequence[Mapping[str, Any]]) -> Columns:
        """The flights by column, as training had them.

        Raises:
            FlightError: a sentence that names the flight, the column, and what belongs there.
        """
        return self._contract.columns_of(rows)

    def encode(self, columns: Columns) -> list[bytes]:
        """Checked flights as serialised tf.Examples."""
        from .predict import encode

        return encode(columns, self._contract)

    @functools.cached_property
    def _contract(self) -> Contract:
        from .predict import Contract  # loads TensorFlow

        return Contract.load()


PROJECT = Flights()


def add_parsers(commands: Any) -> list[argparse.ArgumentParser]:
    """`flights serve` and its options."""
    command = commands.add_parser("serve", help="answer requests with the newest pushed model, and take in newer ones")
    add_options(command)
    return [command]


def serve(config: Config, **options: Any) -> int:
    """Serves what the pipeline has pushed, until Ctrl-C ends it."""
    try:
        serve_project(PROJECT, config.serving_root, **options)
    except CannotServe as error:
        raise ValueError(str(error)) from None
    return 0


HANDLERS = {"serve": serve}
