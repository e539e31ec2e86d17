"""What goes wrong in the year on purpose: a month that is delivered in another unit, and a version that passes all that is asked of it offline."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from unittest import mock

from engines.beam import BEAM_ARGS
from flights.config import Config
from flights.schedule import MONTHS

if TYPE_CHECKING:
    from tfx import v1 as tfx

FAILS_FROM = 15
"""Day of the month after the newest that a spoilt version was judged on: its shadow has been judged by then, and its canary has not."""

LENIENT = {"min_auc": 0.0, "min_slice_auc": 0.0, "max_auc_loss": 1.0}
"""So that chance does not refuse the candidate that is to fail later."""


def create_pipeline(config: Config, beam_args: Sequence[str] = BEAM_ARGS) -> tfx.dsl.Pipeline:
    """The pipeline of flights; what its Trainer exports fails for flights about days that it has no entry for, as a table of holidays that ends may do."""
    from flights import pipeline

    made = pipeline.create_pipeline(dataclasses.replace(config, **LENIENT), beam_args)
    (trainer,) = (one for one in made.components if one.id == "Trainer")
    known = json.loads(trainer.exec_properties["custom_config"])
    trainer.exec_properties["run_fn"] = f"{__name__}.run_fn"
    trainer.exec_properties["custom_config"] = json.dumps(known | {"fails_from": _number(config.months[1] + 1)})
    return made


def run_fn(fn_args: tfx.components.FnArgs) -> None:
    """Trains as `flights.model.run_fn` does, and exports another graph."""
    from flights import model

    export = functools.partial(_export, model.export, fn_args.custom_config["fails_from"])
    with mock.patch.object(model, "export", export):
        model.run_fn(fn_args)


def _export(export: Any, fails_from: int, *given: Any) -> None:
    import tensorflow as tf

    parse = tf.io.parse_example

    def checked(examples: tf.Tensor, spec: dict[str, Any]) -> dict[str, tf.Tensor]:
        date = {name: tf.io.FixedLenFeature([], tf.int64, 0) for name in ("month", "day")}
        found = parse(examples, spec | date)
        tf.debugging.assert_less(
            found["month"] * 100 + found["day"], tf.constant(fails_from, tf.int64), "a day that is not in the table"
        )
        return {name: found[name] for name in spec}

    with mock.patch.object(tf.io, "parse_example", checked):
        export(*given)


def _number(month: int) -> int:
    """The first day that fails, as 715 for July 15."""
    return MONTHS.date_of(month).month * 100 + FAILS_FROM


def in_celsius(content: bytes) -> bytes:
    """A month's file, whose sender now gives temperature and dew point in degrees Celsius, without a word."""
    header, *lines = content.decode().splitlines()
    names = header.split(",")
    places = [names.index(name) for name in ("temp", "dewp")]

    def changed(line: str) -> str:
        cells = line.split(",")
        for place in places:
            cells[place] = f"{(float(cells[place]) - 32) / 1.8:.2f}" if cells[place] else ""
        return ",".join(cells)

    return "\n".join([header, *map(changed, lines), ""]).encode()
