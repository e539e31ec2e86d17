"""Runs a student's transform graph elsewhere, on flights of the check's own; tasks 1 and 2 share the run."""

from __future__ import annotations

import functools
import io
import zipfile
from typing import Any

import numpy as np
import pandas as pd

from course import checks
from judges.lab_1.questions import TARGET
from judges.lab_2 import given_data
from judges.lab_2.given_data import KEY, KNOWN
from judges.shared import workspace_files
from judges.trial import Step, Trial

Frame = pd.DataFrame
Columns = dict[str, np.ndarray]
BASE, HOURS = 1000, 4
"""Flights whose columns are exchanged, and flights that are moved to each day and airport."""
NEW_WORDS = ("ZZ", "QQ", "A1", "Z9")
"""Carriers that no flight of the year had."""
MOST_BYTES = 500_000_000


@functools.cache
def varied() -> dict[str, Frame]:
    """Flights by what they try, all with the columns that are known.

    `fresh`: other flights of the months of the split `train`, with `TARGET`. For each column one frame under its name: the same flights, of which each has kept
    this column, and has the others of another flight. `days`: a few flights, moved to each day and airport of these months. `words`: one flight, at each of
    `places` with the carriers that are new, and then with those that are not.
    """
    train = given_data.split("train")
    base = train.dropna(subset=[name for name in KNOWN if name != "wind_gust"])
    base = base.sample(BASE, random_state=1).reset_index(drop=True)
    others = base.sample(frac=1, random_state=2).reset_index(drop=True)
    frames = {"fresh": given_data.fresh()}
    for name in (KEY, *KNOWN):
        frames[name] = others.assign(**{name: base[name]})
    days = train[["month", "day", "weekday"]].drop_duplicates().merge(train[["origin"]].drop_duplicates(), how="cross")
    moved = base.iloc[:HOURS].drop(columns=["month", "day", "weekday", "origin"])
    frames["days"] = days.merge(moved, how="cross")
    tried = []
    for column, value, known in places():
        carriers = [*NEW_WORDS, *known]
        tried.append(base.iloc[[0] * len(carriers)].assign(**{column: value, "carrier": carriers}))
    frames["words"] = pd.concat(tried)
    frames["base"] = base
    return frames


@functools.cache
def places() -> list[tuple[str, str, list[str]]]:
    """Columns and values at which a flight is tried with other carriers, and which of the training months fly there, the most frequent first.

    Each airport, and the destination of the most frequent pair: in a vocabulary of pairs, place 0 is one of these.
    """
    train = given_data.split("train")
    found = [("origin", name) for name in sorted(train["origin"].unique())]
    found.append(("dest", train[["carrier", "dest"]].value_counts().index[0][1]))
    return [(*where, [*train.loc[train[where[0]] == where[1], "carrier"].value_counts().index]) for where in found]


def prepared(lab: checks.Lab, given: Any) -> dict[str, Columns]:
    """What the graph makes of the flights of both splits (`months`, with all columns), of those of `varied`, and of the student's `requests`.

    Raises:
        checks.Wrong: the answer is no transform graph, or it cannot be run.
    """
    graph = workspace_files.folder(lab, given, "GRAPH", "the `uri` of the artifact `transform_graph`")
    known = pd.concat(varied().values(), ignore_index=True)[[KEY, *KNOWN]]
    files = {"months": months(), "known": known, "requests": given_data.requests(lab.seed)}
    ran = lab.run(
        Trial(
            "your transform graph, on flights of the months, on others and on requests",
            files={"graph": graph} | {f"raw/{name}.npz": _stored(flights) for name, flights in files.items()},
            steps=[Step("course.trials.transform", ["graph"])],
            modules=("tensorflow", "tensorflow_transform"),
        )
    )
    [step] = ran.steps
    if step.status != 0:
        raise checks.Wrong(
            f"`GRAPH` does not prepare flights: loaded in another process, it ends with: {step.last}. Is it the `uri` of Transform's output `transform_graph`?"
        )
    found = {name: _loaded(ran.folder / "prepared" / f"{name}.npz", len(flights)) for name, flights in files.items()}
    start, known = 0, found.pop("known")
    for name, flights in varied().items():
        found[name] = {column: values[start : start + len(flights)] for column, values in known.items()}
        start += len(flights)
    return found


@functools.cache
def months() -> Frame:
    """The flights of both splits, those of `train` first."""
    return pd.concat([given_data.split(name) for name in given_data.SPLITS], ignore_index=True)


def _stored(flights: Frame) -> bytes:
    """As the step reads them."""
    columns = {}
    for name, values in flights.items():
        is_text = not pd.api.types.is_numeric_dtype(values)
        columns[name] = values.fillna("").to_numpy("U") if is_text else values.to_numpy(dtype=float, na_value=np.nan)
    file = io.BytesIO()
    np.savez(file, **columns)
    return file.getvalue()


def _loaded(path: Any, rows: int) -> Columns:
    """The features that the step has written, and what has the shape (rows, 1) as (rows,)."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(one.file_size for one in archive.infolist()) > MOST_BYTES:
                raise ValueError("too large")
        with np.load(path) as file:
            found = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise checks.Wrong(f"What your graph returns cannot be read: {str(error)[:100]}.") from error
    return {name: one[:, 0] if one.shape == (rows, 1) else one for name, one in found.items()}


def late_by_day() -> np.ndarray:
    """The share of late flights of each day and airport of `days`."""
    by = ["month", "day", "origin"]
    shares = pd.concat([given_data.split("train"), given_data.fresh()]).groupby(by)[TARGET].mean()
    return shares.loc[pd.MultiIndex.from_frame(varied()["days"][by].iloc[::HOURS])].to_numpy(dtype=float)
