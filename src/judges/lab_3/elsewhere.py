"""Runs the student's package elsewhere: in another folder, in new processes, on months that the check has drawn; edited, once more, and on a month that is spoilt."""

from __future__ import annotations

import ast
import base64
import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from course import checks
from course.labs.lab_3.package import FOLDER, NAME
from flights.columns import LABEL
from judges.lab_3 import months
from judges.shared import metadata_store, workspace_files
from judges.shared.metadata_store import MetadataStore, Run
from judges.trial import Done, Ran, Step, Trial

LEARNED, JUDGED, SPOILT = 7, 8, 9
"""The months of the check, which the student has not seen."""
DRAW = 77
ODD, ODD_FLIGHTS = "ATL", 12
"""A destination to which no flight of the month to learn from is late, and so many of the month to judge on all are: who has learned from both shows it."""
SECONDS = 150
FIRST, FEATURES_EDITED, MODEL_EDITED, AGAIN, REFUSED, ASKED = range(6)
"""The steps."""
ENTRIES = {"config": "Config", "features": "preprocessing_fn", "model": "run_fn", "pipeline": "create_pipeline"}
WORDS = {
    FIRST: f"run in another folder, on months {LEARNED} and {JUDGED} of the check",
    FEATURES_EDITED: "run again after an edit of a function in features.py",
    MODEL_EDITED: "run again after an edit of a function in model.py",
    AGAIN: "run once more, with nothing changed",
    REFUSED: f"run on a month {SPOILT} that is spoilt",
    ASKED: "asked, by the model that it has pushed, for flights without a label",
}
PREDICTIONS = "late_probability"
MOST_FILES, MOST_FILE_BYTES = 30, 200_000


@dataclass(frozen=True)
class Flights:
    """The months of the check, and the flights that the pushed model is asked for: ordinary ones, and the same with the odd destination and with another."""

    learned: pd.DataFrame
    judged: pd.DataFrame
    spoilt: pd.DataFrame
    asked: pd.DataFrame

    @property
    def ordinary(self) -> int:
        """How many of those that are asked for are as they were flown."""
        return len(self.asked) - 2 * ODD_ASKED


ODD_ASKED, USUAL = 200, "ORD"


@functools.cache
def flights() -> Flights:
    """All of them; do not change the frames."""
    learned, judged, asked = months.month(LEARNED, DRAW), months.month(JUDGED, DRAW), months.month(JUDGED, DRAW + 1)
    learned = learned.assign(**{LABEL: learned[LABEL].mask(learned["dest"] == ODD, 0)})
    there = (judged["dest"] == ODD).to_numpy()
    late = there & (np.cumsum(there) <= ODD_FLIGHTS)
    judged = judged.assign(**{LABEL: judged[LABEL].mask(pd.Series(late, index=judged.index), 1)})
    judged = judged[~there | late].reset_index(drop=True)
    spoilt = months.month(SPOILT, DRAW)
    spoilt = spoilt.assign(carrier=spoilt["carrier"].replace({"DL": "Delta"}))
    some = asked[asked["dest"] == USUAL].iloc[:ODD_ASKED]
    some = pd.concat([some] * (ODD_ASKED // len(some) + 1)).iloc[:ODD_ASKED]
    return Flights(learned, judged, spoilt, pd.concat([asked, some, some.assign(dest=ODD)], ignore_index=True))


def trial(lab: checks.Lab) -> Trial:
    """All steps."""
    package = sources(lab)
    settings = {"data_root": "of-the-check/by month", "output_root": "made/here", "months": [LEARNED, JUDGED]}
    own = [str(lab.workspace)]
    here = Path.cwd()
    own += [str(here)] if here.name == lab.name else []

    def run(number: int, files: dict[str, Any], **other: Any) -> Step:
        given = [NAME, json.dumps(settings | other), f"{number}.json", *own]
        return Step("course.trials.pipeline", given, files, SECONDS)

    drawn = flights()
    data = {LEARNED: drawn.learned, JUDGED: drawn.judged, SPOILT: drawn.spoilt}
    files = {
        f"{settings['data_root']}/span-{number:02d}/flights.csv": months.to_csv(frame) for number, frame in data.items()
    }
    files |= {f"{NAME}/{name}": text for name, text in package.items()}
    files["asked.b64"] = b"\n".join(base64.b64encode(one) for one in encoded(drawn.asked.drop(columns=LABEL)))
    changed = {
        name: {f"{NAME}/{name}.py": edited(package.get(f"{name}.py", ""), ENTRIES[name])}
        for name in ("features", "model")
    }
    steps = [
        run(FIRST, {}),
        run(FEATURES_EDITED, changed["features"]),
        run(MODEL_EDITED, changed["model"]),
        run(AGAIN, {}),
        run(REFUSED, {}, months=[LEARNED, SPOILT]),
        Step("course.trials.predictions", ["made/here/serving", "asked.b64", "asked.json", PREDICTIONS], {}, SECONDS),
    ]
    return Trial(
        f"your package in another folder, on {SPOILT - LEARNED + 1} months of the check, edited and run again",
        files,
        steps,
        ("tfx.v1", "flights.pipeline"),
    )


def sources(lab: checks.Lab) -> dict[str, str]:
    """The files of the package, by name; those that are Python, in the form in which an edit leaves them.

    Raises:
        checks.Wrong: one of the four is missing, or there is too much.
    """
    root = workspace_files.inside(lab, f"{FOLDER}/{NAME}")
    names = (
        sorted(
            path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc"
        )
        if root.is_dir()
        else []
    )
    missing = [name for name in ENTRIES if f"{name}.py" not in names]
    if missing:
        raise checks.Wrong(
            f"There is no `{NAME}/{missing[0]}.py` in the package. Does a cell of it end with `lab.save({missing[0]!r})`, and has it run?"
        )
    if len(names) > MOST_FILES or any((root / name).stat().st_size > MOST_FILE_BYTES for name in names):
        raise checks.Wrong(
            f"The folder `{FOLDER}/{NAME}` holds more than {MOST_FILES} files, or one that is larger than {MOST_FILE_BYTES:,} bytes."
        )
    return {name: _normal(workspace_files.text(lab, f"{FOLDER}/{NAME}/{name}")) for name in names}


def _normal(text: str) -> str:
    try:
        return ast.unparse(ast.parse(text)) + "\n"
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text  # its own import tells


def edited(text: str, entry: str) -> str:
    """The same code with a statement more in a function that `entry` calls, or in `entry`: it changes nothing but the code."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text
    functions = {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef)}
    called, left = [], [entry]
    while left:
        name = left.pop()
        if name in functions and name not in called:
            called.append(name)
            left += [node.id for node in ast.walk(functions[name]) if isinstance(node, ast.Name)]
    if called:
        body = functions[called[-1]].body
        body.insert(
            1 if len(body) > 1 and ast.get_docstring(functions[called[-1]]) else 0,
            ast.parse("edited = 'elsewhere'").body[0],
        )
    else:
        tree.body.append(ast.parse("EDITED = 'elsewhere'").body[0])
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def encoded(frame: pd.DataFrame) -> Iterable[bytes]:
    """Flights as serialised tf.Examples."""
    from flights import data
    from flights.examples import encode

    types = {name: kind for name, kind in data.COLUMN_TYPES.items() if name in frame}
    return encode(pa.Table.from_pandas(frame[list(types)], pa.schema(types), preserve_index=False))


class Elsewhere:
    """What came of it."""

    def __init__(self, lab: checks.Lab) -> None:
        """Runs the trial, or takes what has come of it before.

        Raises:
            checks.Wrong: there is no package.
        """
        self.ran: Ran = lab.run(trial(lab))
        self.lab = checks.Lab(lab.name, lab.student, self.ran.folder)

    def step(self, number: int) -> Done:
        """How a step ended."""
        return self.ran.steps[number]

    def told(self, number: int) -> dict[str, Any]:
        """What the step of a run has said of itself; what is missing in it is empty."""
        path = self.ran.folder / f"{number}.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8")[:100_000]) if path.is_file() else {}
        except (ValueError, RecursionError):
            found = {}
        return found if isinstance(found, dict) else {}

    def failure(self, number: int) -> str:
        """Why a step did not come to its end, as a sentence; empty when it did."""
        done, raised = self.step(number), self.told(number).get("raised")
        if done.status == 0 and not raised:
            return ""
        what = f"Your package, {WORDS[number]}, "
        if isinstance(raised, dict):
            place = (
                f" at `{str(raised.get('file'))[:60]}`, line {str(raised.get('line'))[:8]}"
                if raised.get("file")
                else ""
            )
            node = f" in {str(raised['node'])[:40]}" if raised.get("node") else ""
            lines = str(raised.get("message")).replace("`", "'").strip().splitlines() or [""]
            return f"{what}fails{node}{place}: {str(raised.get('type'))[:40]}: {' '.join(lines[:3])[:400]}"
        if done.status is None:
            return f"{what}had not ended after {SECONDS} seconds."
        last = [line for line in done.said.replace("`", "'").splitlines() if line.strip()][-1:]
        return f"{what}ended with {done.status}. {' '.join(last)[:300]}"

    def runs(self) -> list[Run]:
        """The runs that the steps have left in the metadata store, one for each that has begun."""
        return self.store().runs

    def store(self) -> MetadataStore:
        """Its metadata store.

        Raises:
            checks.Wrong: there is none where the configuration says.
        """
        paths = sorted(self.ran.folder.glob("made/here/*.sqlite"))
        if not paths:
            raise checks.Wrong("Your package, run in another folder, leaves no metadata store in its `output_root`.")
        return metadata_store.read(paths[0])

    def predictions(self) -> np.ndarray:
        """Of the pushed model, for the flights of `flights().asked`.

        Raises:
            checks.Wrong: there are none.
        """
        path = self.ran.folder / "asked.json"
        try:
            found = np.array(json.loads(path.read_text(encoding="utf-8")), float) if path.is_file() else np.array([])
        except (ValueError, TypeError):
            found = np.array([])
        if found.shape != (len(flights().asked),) or not np.isfinite(found).all() or found.min() < 0 or found.max() > 1:
            last = [line for line in self.step(ASKED).said.replace("`", "'").splitlines() if line.strip()][-1:]
            raise checks.Wrong(
                "The model that your package has pushed elsewhere gives no probability `late_probability` for each serialised flight without "
                f"a label. {' '.join(last)[:300]}"
            )
        return found
