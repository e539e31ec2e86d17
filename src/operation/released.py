"""Which version was in service, by the log; and by the metadata store of the pipeline that pushed it, what it was trained on and worth then."""

from __future__ import annotations

import dataclasses
import json
import shutil
import typing
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from operation import evaluated
from operation.project import Costs
from operation.quality import Quality
from operation.records import as_json
from operation.report import of_json
from operation.served_log import SHADOW

if typing.TYPE_CHECKING:
    from engines.lineage import Lineage, Model, Version

STATISTICS, RECORD = "FeatureStats.pb", "released.json"


@dataclasses.dataclass(frozen=True)
class Released:
    """What is known of a version.

    Attributes:
        version: its number; empty where the log has no answer.
        model: number of the artifact in the store of the pipeline that trained it; None where that is not known.
        trained: what it was worth when it was evaluated for its release.
        statistics: file of those of its training examples.
        notes: what is not known, and why; a sentence each.
    """

    version: str = ""
    model: int | None = None
    trained: Quality | None = None
    statistics: Path | None = None
    notes: tuple[str, ...] = ()


def version(rows: pd.DataFrame) -> str:
    """The champion that answered last; without one, whichever version gave the last answer to a client. Empty without an answer."""
    answered = rows[rows["role"] != SHADOW]
    champions = answered[answered["role"] == "champion"]
    found = champions if len(champions) else answered
    return str(found.loc[found["time"].idxmax(), "version"]) if len(found) else ""


def find(name: str, store: str, pipeline: str, costs: Costs) -> Released:
    """Asks the metadata store, an SQLite file, about a version of the pipeline that pushed it; by the costs of errors, its evaluation is read."""
    from engines import store_file
    from engines.lineage import Lineage, LineageError

    if not name:
        return Released(notes=("Which version was in service is not known: the log has no answer.",))
    try:
        lineage = Lineage.of_file(store)
        told = lineage.version(name, pipeline)
    except (FileNotFoundError, LineageError, store_file.StoreError) as error:
        return Released(name, notes=(f"What version {name} was trained on and worth then is not known: {error}",))
    statistics, notes = _statistics(lineage, told.model)
    trained = _evaluated(told, costs)
    if trained is None:
        notes = [*notes, f"What version {name} was worth at its release is not known: its evaluation is gone."]
    return Released(name, told.model.artifact, trained, statistics, tuple(notes))


def save(found: Released, folder: str | Path) -> None:
    """Writes it, with a copy of the statistics: they may be deleted where they are."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if found.statistics:
        shutil.copyfile(found.statistics, folder / STATISTICS)
    (folder / RECORD).write_text(json.dumps(as_json(dataclasses.replace(found, statistics=None)), indent=1) + "\n")


def load(folder: str | Path) -> Released:
    """What `save` wrote."""
    folder = Path(folder)
    known = json.loads((folder / RECORD).read_bytes())
    trained = None if known["trained"] is None else of_json(Quality, known["trained"])
    statistics = folder / STATISTICS
    kept = statistics if statistics.exists() else None
    return Released(known["version"], known["model"], trained, kept, tuple(known["notes"]))


def _evaluated(told: Version, costs: Costs) -> Quality | None:
    """By the evaluation that Pusher went by."""
    folders = [one.evaluation for one in told.verdicts if one.evaluation]
    return next((found for one in folders if (found := evaluated.read(one, costs)) is not None), None)


def _statistics(lineage: Lineage, model: Model) -> tuple[Path | None, list[str]]:
    """Of the split that the trainer learned from; of several, the one with most examples."""
    import tensorflow_data_validation as tfdv

    files = list(dict.fromkeys(_files(lineage, model)))  # several months of one split have one
    if not files:
        return None, [f"Skew is not measured: the statistics of what model {model.artifact} was trained on are gone."]
    rows = {one: tfdv.load_stats_binary(str(one)).datasets[0].num_examples for one in files}
    largest = max(files, key=rows.__getitem__)
    if len(files) == 1:
        return largest, []
    part = f"{rows[largest]:,} of {sum(rows.values()):,} examples"
    return largest, [f"Skew is measured against {largest.parent.name}, {part} that the model was trained on."]


def _files(lineage: Lineage, model: Model) -> Iterator[Path]:
    graph = lineage.graph
    for use in model.trained_on:
        if model.step.node not in use.by:
            continue
        made = [one for user in graph.users.get(use.examples, ()) for one in graph.made_of(user, "ExampleStatistics")]
        for split in use.splits:
            places = [Path(graph.artifacts[one].uri) / f"Split-{split}" / STATISTICS for one in dict.fromkeys(made)]
            yield from [one for one in places if one.is_file()][:1]
