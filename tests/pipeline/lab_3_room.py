"""What the trial of a right package leaves (`judges.lab_3.elsewhere`), written by hand: all that its answers are read from, but for the Evaluator's demands.

Long tests ask the same of what a real one leaves.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import lab_three
import numpy as np
import pandas as pd

from course.trials import history
from flights.columns import LABEL
from judges.lab_3 import elsewhere
from judges.lab_3.elsewhere import JUDGED, LEARNED, ORDINARY, OUTPUT, REFUSED, TOLD_BY
from judges.trial import Done, Ran

RAW = "artifacts/CsvExampleGen/examples/1"
BEFORE = ("CsvExampleGen", "ImportSchemaGen", "LatestBlessedModel", "StatisticsGen", "ExampleValidator")
ALL = (*BEFORE, "DataGate", *elsewhere.MAKE)
NEVER_CACHED = ("LatestBlessedModel", "DataGate")


def write(folder: Path) -> Ran:
    """Writes it into an empty folder."""
    store = _store(folder / "lab")
    room = folder / "room"
    (room / OUTPUT).parent.mkdir(parents=True)
    shutil.move(store.root, room / OUTPUT)
    raw = room / OUTPUT / RAW
    raw.parent.mkdir(parents=True)
    shutil.move(room / OUTPUT / "Examples/1", raw)
    with closing(sqlite3.connect(room / OUTPUT / "metadata.sqlite")) as opened:
        opened.execute("UPDATE Artifact SET uri = ? WHERE uri LIKE '%/Examples/1'", [str(raw)])
        opened.commit()
    drawn = elsewhere.flights()
    for number, flights in ((LEARNED, drawn.learned), (JUDGED, drawn.judged)):
        _write_split(raw / f"Split-month-{number:02d}", flights)
    words = room / OUTPUT / "TransformGraph/1/transform_fn/assets/dest"
    words.parent.mkdir(parents=True)
    words.write_text("\n".join(drawn.learned["dest"].unique()) + "\n")
    pushed = room / OUTPUT / "serving/1/saved_model.pb"
    pushed.parent.mkdir(parents=True)
    pushed.touch()
    for number, told in _told().items():
        (room / f"{number}.json").write_text(json.dumps(told))
    (room / "asked.json").write_text(json.dumps(_answers(drawn.asked)))
    return Ran(room, [Done(int(number == REFUSED)) for number in range(elsewhere.CANDIDATES + 1)])


def _store(folder: Path) -> lab_three.Store:
    """Of the first run, of the two models that `course.trials.history` adds, and of the run after them, held against the first of these."""
    store = lab_three.Store(lab_three.lab(folder))
    splits = {f"month-{number:02d}": {number: 1} for number in (LEARNED, JUDGED)}
    store.run(splits)
    history.main([str(store.root)])
    _, later, _ = sorted(store.store.get_artifacts_by_type("Model"), key=lambda one: one.id)
    store.run(splits, cached=lab_three.AGAIN, baseline=later, until="Evaluator")
    return store


def _told() -> dict[int, dict[str, Any]]:
    """What the steps say of themselves (`course.trials.pipeline`)."""
    cached = [[node, "done" if node in NEVER_CACHED else "cached"] for node in ALL]
    spoilt = [[node, "cached" if node == "ImportSchemaGen" else "done"] for node in BEFORE]
    refused = {
        "type": "BadDataError",
        "message": "The data break the contract",
        "file": "",
        "line": 0,
        "node": "DataGate",
    }
    steps = {
        elsewhere.FIRST: {"nodes": [[node, "done"] for node in ALL]},
        elsewhere.FEATURES_EDITED: {"nodes": cached[: ALL.index("Transform")], "stopped": "Transform"},
        elsewhere.MODEL_EDITED: {"nodes": cached[: ALL.index("Trainer")], "stopped": "Trainer"},
        elsewhere.AGAIN: {"nodes": cached[: ALL.index("Evaluator")], "stopped": "Evaluator"},
        REFUSED: {"nodes": spoilt, "raised": refused},
    }
    return {number: {"components": [*ALL], "stopped": "", "raised": None} | told for number, told in steps.items()}


def _answers(asked: pd.DataFrame) -> list[float]:
    """Of a model with an AUC of 0.75 on the ordinary flights: it knows every other one that is late; and says the same of each destination."""
    late = np.flatnonzero(asked[LABEL].to_numpy()[:ORDINARY])
    says = np.full(len(asked), 0.25)
    says[late[::2]] = 0.75
    return says.tolist()


def _write_split(folder: Path, flights: pd.DataFrame) -> None:
    """Flights as ExampleGen writes them, of the columns by which they are told from others."""
    import tensorflow as tf

    shutil.rmtree(folder)
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "data_tfrecord-00000-of-00001.gz"), "GZIP") as file:
        for month, minute, dest in flights[list(TOLD_BY)].itertuples(index=False):
            numbers = {
                name: tf.train.Feature(int64_list=tf.train.Int64List(value=[int(value)]))
                for name, value in zip(TOLD_BY, (month, minute), strict=False)
            }
            text = tf.train.Feature(bytes_list=tf.train.BytesList(value=[dest.encode()]))
            example = tf.train.Example(features=tf.train.Features(feature=numbers | {TOLD_BY[-1]: text}))
            file.write(example.SerializeToString())
