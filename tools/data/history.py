"""Records the history of lesson 10: real runs of the pipeline, of which the metadata store is kept and no artifact.

`python -m tools.data.history FOLDER` takes some minutes and writes `data/history/metadata.sqlite`. Version numbers are the seconds in which Pusher ran, so
that lesson 10 has to be executed again afterwards.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import shutil
import sqlite3
import sys
from pathlib import Path

from flights.config import Config
from tools.data.files import REPOSITORY
from tools.data.fixtures import SAMPLE, month_path

STORE = REPOSITORY / "data" / "history" / "metadata.sqlite"
MONTHS = range(1, 7)
CARRIER = "EV"
"""The airline whose labels the sender got wrong in the first delivery of February."""


class Linear(Config):
    """Another pipeline that records its runs in the same store, and has a serving folder of its own."""

    @property
    def serving_root(self) -> str:
        """Beside the other's."""
        return str(Path(self.output_root) / "serving-linear")


def recalled(month: bytes) -> bytes:
    """A month in which each flight of `CARRIER` has the label of that airline's flight before."""
    rows = list(csv.DictReader(io.StringIO(month.decode())))
    own = [row for row in rows if row["carrier"] == CARRIER]
    labels = [row["late"] for row in own]
    for row, label in zip(own, [labels[-1], *labels[:-1]], strict=True):
        row["late"] = label
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def record(folder: Path) -> None:
    """Runs the history in an empty folder, and keeps its store."""
    from engines import local
    from flights.pipeline import create_pipeline
    from flights.score import score

    data = folder / "data"
    for month in MONTHS:
        place = data / f"span-{month:02d}" / "flights.csv"
        place.parent.mkdir(parents=True)
        delivered = month_path(SAMPLE, month).read_bytes()
        place.write_bytes(recalled(delivered) if month == 2 else delivered)
    config = Config(
        str(data),
        str(folder / "out"),
        "delays",
        schema_file=str(shutil.copy(Config.schema_file, folder / "schema.pbtxt")),
        months=(1, 2),
        train_epochs=10,
        max_auc_loss=0.1,
        min_slice_auc=0.4,
    )

    def run(**settings: object) -> None:
        local.run(dataclasses.replace(config, **settings), create_pipeline)

    run()  # version 1
    run()  # version 2: the same model, from the cache, evaluated against itself and pushed again
    run(months=(2, 3), warm_start=True)  # version 3
    run(months=(2, 3), learning_rate=1e-6, train_epochs=1)  # refused
    linear = dataclasses.replace(config, pipeline_name="delays-linear", months=(2, 3), hidden_units=())
    local.run(Linear(**vars(linear)), create_pipeline)  # version 4
    run(months=(3, 4), warm_start=True)  # version 5
    score(config, 6, folder / "june.parquet")
    run(months=(4, 5), warm_start=True)  # version 6
    (data / "span-02" / "flights.csv").write_bytes(month_path(SAMPLE, 2).read_bytes())
    run(months=(2, 5))  # version 7: from random weights, with February as it was delivered again
    STORE.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(config.metadata_path, STORE)
    with sqlite3.connect(STORE) as store:
        store.execute("vacuum")


if __name__ == "__main__":
    record(Path(sys.argv[1]))
