"""Whether a scheduled run is to go on: asked of a project before the pipeline, in a task of its own (`engines.airflow`).

A project names two functions as `module:function`. `decide(config, run) -> Go` is asked first, with the configuration of the spans that the calendar has chosen, and the id
of the run; `conclude(config, run) -> str` is told last, once the pipeline has come to its end, and gives a sentence. Both may be asked again for the same run.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Go:
    """What was decided.

    Attributes:
        run: whether the pipeline runs.
        reason: a sentence.
        spans: first and last that it runs on, instead of those that the calendar has chosen; None: those.
    """

    run: bool
    reason: str
    spans: tuple[int, int] | None = None
