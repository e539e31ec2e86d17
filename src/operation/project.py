"""What a project gives, so that its served model is watched: one object, as for the model server."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd


class Costs(Protocol):
    """What the two ways to be wrong cost, in one unit."""

    @property
    def false_alarm(self) -> float:
        """Of acting where nothing happens."""

    @property
    def miss(self) -> float:
        """Of not acting where it does."""

    @property
    def threshold(self) -> float:
        """The probability from which on the project acts."""


class Project(Protocol):
    """A project whose model says how probable something is, and which is told later whether it happened."""

    @property
    def name(self) -> str:
        """Of the model, as its server calls it."""

    @property
    def key(self) -> Sequence[str]:
        """Columns of the log of requests by which a row finds its label; the same as of `serving.models.Project`."""

    @property
    def label(self) -> str:
        """The column of what became of it: 1 where it happened, 0 where it did not, missing where that is not known yet."""

    @property
    def costs(self) -> Costs:
        """Of errors."""

    @property
    def slices(self) -> Mapping[str, Callable[[pd.DataFrame], pd.Series]]:
        """By name, what makes a column to divide rows by. It gets a table with the columns of the outcomes."""

    def day(self, rows: pd.DataFrame) -> pd.Series:
        """When that which a prediction is about takes place, as a date (datetime64); NaT where the key names no day.

        Args:
            rows: with the columns of `key`.
        """


class Watched(Project, Protocol):
    """A project whose labels come as files: what the pipeline of a watch asks for (`operation.pipeline`)."""

    def outcomes(self, file: Path) -> pd.DataFrame:
        """What a file of labels says: the columns of the key, the label, those that slices are made of, and features.

        Raises:
            engines.errors.BadData: it cannot be read.
        """


def load_project(name: str) -> Any:
    """A project by `MODULE:OBJECT`: what it gives here, to the model server, or both."""
    module, _, found = name.partition(":")
    return getattr(importlib.import_module(module), found)
