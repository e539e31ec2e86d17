"""What became of the candidate of a retraining, by the metadata store of its pipeline: pushed as a version, or refused, and against which model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from engines.lineage import Lineage
from engines.lineage_data import EVALUATED, uses

PUSHED, BLESSING, BASELINE = "PushedModel", "model_blessing", "baseline_model"


@dataclasses.dataclass(frozen=True)
class Candidate:
    """What the latest Pusher was given.

    Attributes:
        version: the name of its folder; empty where the candidate was refused.
        baseline: number of the model that it was held against; None: of none.
        spans: numbers of the spans that it was judged on.
    """

    version: str
    baseline: int | None
    spans: tuple[int, ...]


def mark(metadata_path: str | Path) -> int:
    """How far a metadata store is: the number of its latest execution that succeeded; 0 without a store."""
    if not Path(metadata_path).is_file():
        return 0
    return max(Lineage.of_file(metadata_path).graph.executions, default=0)


def latest(lineage: Lineage, since: int = 0, pipeline: str = "") -> Candidate | None:
    """The candidate of the latest run, of a pipeline or any, that came to its Pusher after a `mark`, be it new or from the cache; None where there is none."""
    graph = lineage.graph
    for execution in sorted(graph.executions, reverse=True):
        made = graph.made_of(execution, PUSHED) if execution > since else []
        if not made or pipeline not in ("", graph.step(execution).pipeline):
            continue
        told = graph.properties(made[0])
        blessing = graph.given(execution, BLESSING)
        judge = graph.makers.get(blessing) if blessing is not None else None
        return Candidate(
            str(told.get("pushed_version", "")) if told.get("pushed") == 1 else "",
            graph.given(judge, BASELINE) if judge is not None else None,
            tuple(
                sorted({one.file.span for one in uses(graph, [judge], EVALUATED)} - {None}) if judge is not None else ()
            ),
        )
    return None
