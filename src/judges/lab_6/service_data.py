"""What is given for tasks 5 and 6: months of the course's sample, requests of clients, and a first model.

`first_model` is what the package of lab 3, as its solution leaves it, has learned from January and February of the sample. `python -m judges.lab_6.service_data` makes it anew.
"""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from flights import data
from flights.columns import LABEL
from judges.lab_6.traffic import SAMPLE

FIRST_MODEL = Path(__file__).with_name("first_model")
MONTHS, RELEASED, WATCHED, COMING = range(2, 8), 3, 7, 8
"""Months that are given with labels; the month that the first model was evaluated on for its release, that in which it is watched, and that in which the next is released."""
LEFT_OUT, ASKED = 0.04, 500
"""Share of the rows that are left out of each month, others for each student; and flights that clients ask about in the last month."""
LEARNED = (1, 3)
"""Months of the first model: the last is for its evaluation."""


def text(seed: int, month: int) -> str:
    """A month's file for a student."""
    head, *lines = data.month_path(SAMPLE, month).read_text(encoding="utf-8").splitlines(keepends=True)
    is_kept = np.random.default_rng([seed, month, 67]).random(len(lines)) >= LEFT_OUT
    return head + "".join(line for line, kept in zip(lines, is_kept, strict=True) if kept)


@functools.lru_cache(4)
def flights(seed: int, month: int) -> list[dict[str, Any]]:
    """The flights of a month's file, day by day, without what is not known."""
    with tempfile.TemporaryDirectory() as folder:
        path = data.month_path(folder, month)
        path.parent.mkdir(parents=True)
        path.write_text(text(seed, month), encoding="utf-8")
        table = data.read_month(folder, month)
    table = table.sort_values("day", kind="stable").astype(object)
    if month == COMING:
        table = table.iloc[:: max(1, len(table) // ASKED)].head(ASKED)
    return [
        {name: value for name, value in row.items() if value is not None}
        for row in table.where(table.notna(), None).to_dict("records")
    ]


def requests(seed: int, month: int) -> list[dict[str, Any]]:
    """The same as clients ask about them, before they are known to be late."""
    return [{name: value for name, value in row.items() if name != LABEL} for row in flights(seed, month)]


def write(root: Path, seed: int) -> list[str]:
    """Writes all of it into the workspace; returns a line for each folder."""
    for month in MONTHS:
        path = data.month_path(root / "months", month)
        path.parent.mkdir(parents=True)
        path.write_text(text(seed, month), encoding="utf-8")
    (root / "requests").mkdir()
    for name, month in (("july", WATCHED), ("august", COMING)):
        (root / "requests" / f"{name}.json").write_text(json.dumps(requests(seed, month)), encoding="utf-8")
    shutil.copytree(FIRST_MODEL, root / "first" / "Format-Serving")
    return [
        "months/span-02 to span-07: February to July, with their labels (task 5)",
        "requests/july.json, august.json: what clients ask in July and August (tasks 5 and 6)",
        "first/: the model that lab 3's solution leaves (task 5)",
    ]


def make_first_model() -> None:
    """Trains the first model, and puts it in the place of the one that is there."""
    import sys

    from engines.quiet import import_quietly

    import_quietly()
    from engines import local, store
    from judges.lab_3 import solution_package

    sys.path.insert(0, str(solution_package.FOLDER))
    from my_flights import config, pipeline  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory() as folder:
        settings = config.Config(data_root=str(SAMPLE), output_root=folder, months=LEARNED)
        local.run(settings, lambda one, _: pipeline.create_pipeline(one))
        made = store.latest_version(settings)
        shutil.rmtree(FIRST_MODEL, ignore_errors=True)
        shutil.copytree(made, FIRST_MODEL)


if __name__ == "__main__":
    make_first_model()
