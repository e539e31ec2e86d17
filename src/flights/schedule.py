"""The months of 2013 as a calendar: which run of Airflow reads which of them, and the project that it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engines.airflow.calendar import Calendar
from engines.airflow.project import Project

from .columns import FILE
from .config import CHAMPION, Config

MONTHS = Calendar("months", "month", start="2013-01-01", first=1, last=12, files="span-{span:02d}/" + FILE)
"""The spans of the data."""


def project(
    settings: Mapping[str, Any] | None = None,
    history: int = 3,
    pipeline: str = f"{__package__}.pipeline:create_pipeline",
    config: str = f"{__package__}.config:Config",
    python_path: Sequence[str] = (),
    retrain: bool = False,
) -> Project:
    """This pipeline for Airflow, or one that is made like it.

    Args:
        settings: fields of the configuration that differ from its defaults, but for `months`.
        history: how many months before the month itself are learned from, at most.
        pipeline: `module:function`, which makes the pipeline of a configuration.
        config: `module:class`, a `Config` or one that inherits from it.
        python_path: folders with packages that are not installed.
        retrain: a policy decides for each month whether the pipeline runs (`retrain`), and a candidate is held against the model in service.

    Raises:
        engines.airflow.project.ProjectError: that cannot work.
    """
    given = {"data_root": Config.data_root, **(settings or {})}
    if not retrain:
        return Project(pipeline, config, MONTHS, python_path, given, history)
    hooks = (f"{__package__}.retrain:on_schedule", f"{__package__}.retrain:on_end")
    return Project(pipeline, config, MONTHS, python_path, {"baseline": CHAMPION, **given}, history, *hooks)
