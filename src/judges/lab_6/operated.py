"""What a student has done with the model in service: decided, retrained, released, rolled back. Files are believed only as far as the versions themselves answer so."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from course import checks
from course.labs.lab_6.first_version import PIPELINE
from flights.columns import KEY
from judges.lab_6 import service_data
from judges.shared import metadata_store, workspace_files
from judges.shared.metadata_store import COMPLETE, MetadataStore, Run
from judges.trial import Step, Trial

LOG = "service/requests.jsonl"
STORE, HISTORY, RELEASES = "metadata.sqlite", "retraining/history.jsonl", "releases/history.jsonl"
SERVING, REGISTRY, TRAFFIC = "serving", "registry.db", "traffic.json"
"""In the folder of the pipeline."""
OUT, MOST_BYTES, MOST_STEPS = "answers.json", 5_000_000, 1000
SHADOW = "shadow"
CLOSE = 0.002
"""How far a number of the log may be from what the version answers when it is asked again."""


@dataclass(frozen=True)
class Pushed:
    """A version that a run of the pipeline has pushed."""

    version: str
    run: Run


@dataclass(frozen=True)
class Line:
    """A line of the log: the request's id, the version and its role, and the place of the flight among those that were given."""

    id: str
    version: str
    role: str
    place: int


def place(lab: checks.Lab, name: str) -> str:
    """The path in the workspace of something in the pipeline's folder: the newest one, where it was begun again."""
    folders = sorted(one.name for one in lab.workspace.glob(f"{PIPELINE}*") if one.is_dir())
    return f"{folders[-1] if folders else PIPELINE}/{name}"


def is_begun(lab: checks.Lab, path: str) -> bool:
    """Whether there is such a file in the pipeline's folder."""
    return workspace_files.inside(lab, place(lab, path)).is_file()


def store(lab: checks.Lab) -> MetadataStore:
    """The metadata store of the student's pipeline.

    Raises:
        checks.Unanswered: there is none yet.
    """
    if not is_begun(lab, STORE):
        raise checks.Unanswered("There is no version in service yet: `lab.first_version()` puts one there.")
    return metadata_store.read(workspace_files.inside(lab, place(lab, STORE)))


def pushed(found: MetadataStore) -> list[Pushed]:
    """The versions that were pushed, the oldest first."""
    made = []
    for run in found.runs:
        pusher = run.find("Pusher")
        artifact = pusher.one("outputs", "pushed_model") if pusher else None
        if artifact is not None and artifact.properties.get("pushed") == 1:
            made.append(Pushed(str(artifact.properties.get("pushed_version")), run))
    return made


def records(lab: checks.Lab, path: str, missing: str) -> list[dict[str, Any]]:
    """The lines of a history.

    Raises:
        checks.Wrong: there is none, or a line is no record.
    """
    if not is_begun(lab, path):
        raise checks.Wrong(missing)
    path = place(lab, path)
    lines = workspace_files.text(lab, path).splitlines()
    return [workspace_files.mapping(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line]


def answers(lab: checks.Lab) -> dict[str, np.ndarray]:
    """What each version answers about the flights of July and those of August, when it is asked elsewhere.

    Raises:
        checks.Wrong: they cannot be asked.
    """
    folder = workspace_files.inside(lab, place(lab, SERVING))
    if not folder.is_dir():
        raise checks.Wrong("There is no version in `pipeline/serving`: `lab.first_version()` puts one there.")
    rows = [
        row for month in (service_data.WATCHED, service_data.COMING) for row in service_data.requests(lab.seed, month)
    ]
    ran = lab.run(
        Trial(
            "the versions of your pipeline, asked elsewhere",
            files={"serving": folder, "rows.json": json.dumps(rows)},
            steps=[Step("course.trials.versions", ["serving", "rows.json", OUT], seconds=60)],
            modules=("tensorflow",),
        )
    )
    [step] = ran.steps
    path = ran.folder / OUT
    try:
        if step.status != 0 or path.stat().st_size > MOST_BYTES:
            raise OSError
        told = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(version): np.array(one, float)
            for version, one in told.items()
            if isinstance(one, list) and len(one) == len(rows)
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        raise checks.Wrong(f"The versions in `pipeline/serving` cannot be asked: {step.last}") from None


def log(lab: checks.Lab, known: Mapping[str, np.ndarray]) -> list[Line]:
    """The lines of the student's log, each of which says what its version answers.

    Raises:
        checks.Wrong: there is none, or it says what no version answers.
    """
    path = workspace_files.inside(lab, LOG)
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        raise checks.Wrong(f"There is no log `{LOG}` of your server, or it is larger than it can be.")
    places = {
        _key(row): place
        for place, row in enumerate(
            row
            for month in (service_data.WATCHED, service_data.COMING)
            for row in service_data.requests(lab.seed, month)
        )
    }
    found, strange = [], ""
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            told = orjson.loads(line)
            version, place = str(told["version"]), places.get(_key(told))
            said, role, one = float(told["prediction"]), str(told["role"]), str(told["id"])
        except (ValueError, TypeError, KeyError) as error:
            raise checks.Wrong(f"`{LOG}`, line {number}, is no line of a server's log: {str(error)[:80]}") from error
        if place is None:
            strange = strange or f"line {number} is about a flight that is in neither file of `requests`"
        elif version not in known:
            strange = (
                strange
                or f"line {number} is of version {version[:30]}, which is not in `{SERVING}`, or does not answer"
            )
        elif not abs(known[version][place] - said) <= CLOSE:
            strange = (
                strange
                or f"line {number} says {said:.4f}, and version {version} says otherwise of this flight when it is asked again"
            )
        else:
            found.append(Line(one, version, role, place))
    if strange:
        raise checks.Wrong(
            f"`{LOG}`: {strange}. The log has to be what your server has written since `lab.first_version()`."
        )
    return found


def steps(lab: checks.Lab) -> list[dict[str, Any]]:
    """The steps that the registry has recorded, the oldest first.

    Raises:
        checks.Wrong: it cannot be read.
    """
    path = workspace_files.inside(lab, place(lab, REGISTRY))
    if not path.is_file() or path.stat().st_size > 10 * MOST_BYTES:
        raise checks.Wrong("There is no registry in `pipeline`.")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            named = "SELECT type FROM sqlite_master WHERE name = 'registered_model_tags'"
            if connection.execute(named).fetchone() != ("table",):
                raise sqlite3.Error("no table of tags")
            rows = connection.execute(
                "SELECT value FROM registered_model_tags WHERE key LIKE 'step/%' ORDER BY key LIMIT ?", (MOST_STEPS,)
            ).fetchall()
    except (sqlite3.Error, UnicodeError, OverflowError) as error:
        raise checks.Wrong(f"`{REGISTRY}` is no registry: {str(error)[:80]}") from error
    return [workspace_files.mapping(str(text), REGISTRY) for (text,) in rows]


def traffic(lab: checks.Lab) -> dict[str, Any]:
    """Who answers now."""
    return workspace_files.mapping(
        workspace_files.text(lab, place(lab, TRAFFIC), "It says which version answers."), TRAFFIC
    )


def trained(found: MetadataStore, first: Pushed, version: str) -> str:
    """What is wrong with how a version was trained and evaluated; empty where nothing is."""
    made = next((one for one in pushed(found) if one.version == version), None)
    if made is None or version == first.version:
        return f"No run in your metadata store has pushed version {version[:30]}."
    trainer, evaluator = made.run.find("Trainer"), made.run.find("Evaluator")
    if trainer is None or trainer.state != COMPLETE or evaluator is None:
        return f"In the run that has pushed version {version} nothing was trained and evaluated."
    baseline = evaluator.one("inputs", "baseline_model")
    old = first.run.find("Pusher")
    if baseline is None or old is None or baseline != old.one("inputs", "model"):
        return f"Version {version} was not held against the model in service: the Evaluator's baseline is another one, or none."
    blessing = evaluator.one("outputs", "blessing")
    if blessing is None or blessing.properties.get("blessed") != 1:
        return f"Version {version} was pushed without a blessing."
    return ""


def not_of(found: MetadataStore, first: Pushed, version: str, record: Mapping[str, Any]) -> str:
    """Why a version did not come of a recorded retraining; empty where it did: the record says how far the store was when it began."""
    made = next(one for one in pushed(found) if one.version == version)
    mark, before = record.get("mark"), max(one.id for one in first.run.executions)
    if not isinstance(mark, int) or not before <= mark < min(one.id for one in made.run.executions):
        return f"The run that has pushed version {version} is not the one that the record of the decision speaks of."
    return ""


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in KEY)
