"""Which pipeline Airflow runs, and how: plain data, which both environments read. It imports neither Airflow nor TFX."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import importlib
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import flights
from flights import places
from flights.config import Config, Demand, Plan

ROOT = Path(flights.__file__).parents[2]
"""The repository; folders that are not absolute lie in it."""

YEAR = 2013
"""Of the data."""

PATHS = ("data_root", "output_root", "schema_file")


class ProjectError(ValueError):
    """The project cannot be run as it is; the message says what to change."""


@dataclasses.dataclass(frozen=True)
class Project:
    """A pipeline and its settings.

    Attributes:
        pipeline: `module:function`, which makes the `tfx.dsl.Pipeline` of a configuration.
        config: `module:class`, the configuration: `flights.config.Config`, or one that inherits from it.
        python_path: folders with packages that are not installed.
        settings: fields of the configuration that differ from its defaults, but for `months`, which each run has its own of.
        history: how many months before the month itself are learned from, at most.
    """

    pipeline: str = "flights.pipeline:create_pipeline"
    config: str = "flights.config:Config"
    python_path: tuple[str, ...] = ()
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    history: int = 3

    def __post_init__(self) -> None:
        """Makes folders absolute, and refuses what cannot work."""
        for name in ("pipeline", "config"):
            if not re.fullmatch(r"\w+(\.\w+)*:\w+", getattr(self, name)):
                raise ProjectError(f"{name}={getattr(self, name)!r}: write module:name, as in flights.{name}:...")
        if isinstance(self.python_path, str):
            raise ProjectError(f"python_path={self.python_path!r}: a list of folders is wanted.")
        if "months" in self.settings:
            raise ProjectError("settings: leave out `months`; they follow from the logical date of each run.")
        if self.history < 1:
            raise ProjectError(f"history={self.history}: at least 1, or there is nothing to learn from.")
        given = {"data_root": Config.data_root, **self.settings}
        object.__setattr__(self, "settings", {**given, **_placed(given, ROOT)})
        object.__setattr__(self, "python_path", tuple(str(ROOT / folder) for folder in self.python_path))

    @property
    def data_root(self) -> Path:
        """Where the months are."""
        return Path(self.settings["data_root"])

    def months(self, logical_date: datetime.datetime | None, asked: str = "") -> tuple[int, int]:
        """The first and last month of a run: those that were asked for, or the logical date's and up to `history` before it.

        Args:
            logical_date: of the DAG run.
            asked: its parameter `months`: `4`, `1-3` or nothing. One month is the last of its run, as with a logical date.

        Raises:
            ProjectError: there is no such month.
        """
        if asked:
            found = re.fullmatch(r"(?:(\d{1,2})-)?(\d{1,2})", asked.strip())
            if not found:
                raise ProjectError(f"months={asked!r}: write a month (3), or the first and the last (1-3).")
            last = int(found[2])
            first = int(found[1]) if found[1] else max(1, last - self.history)
        elif logical_date is None or logical_date.year != YEAR:
            raise ProjectError(
                f"The logical date {logical_date and logical_date.date()} is not in {YEAR}, the year of the data. Trigger the DAG anew, "
                "and name the month in the field `months` of the form: 1 to 12."
            )
        else:
            last = logical_date.month
            first = max(1, last - self.history)
        if not 1 <= first <= last <= 12:
            raise ProjectError(f"months={asked!r}: the first must not be after the last, both from 1 to 12.")
        return first, last

    def file_of(self, month: int) -> Path | None:
        """The file of a month, if it has arrived."""
        _, pattern = Config(months=(month, month)).month_splits[-1]
        return next(self.data_root.glob(pattern), None)

    def make_config(self, months: tuple[int, int]) -> Config:
        """The configuration of a run; only where its package can be imported.

        Raises:
            ProjectError: the class does not take these settings.
        """
        settings = {name: _thawed(value) for name, value in self.settings.items()}
        if "demands" in settings:
            settings["demands"] = tuple(
                Demand(**{name: _thawed(value) for name, value in demand.items()}) for demand in settings["demands"]
            )
        if settings.get("plan"):
            settings["plan"] = Plan.of(settings["plan"])
        try:
            return _imported(self.config)(months=months, **settings)
        except TypeError as error:
            raise ProjectError(f"{self.config}: {error}") from error

    def create(self) -> Callable[[Config], Any]:
        """The function that makes the pipeline; only where its package, and TFX, can be imported."""
        return _imported(self.pipeline)

    def save(self, path: Path) -> Path:
        """Writes the project as JSON, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        beside.write_text(self.to_json())
        return beside.replace(path)

    def to_json(self) -> str:
        """All of it, in one line."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)


def load(text: str) -> Project:
    """The project that `to_json` has written.

    Raises:
        ProjectError: it is no such JSON.
    """
    try:
        found = json.loads(text)
        return Project(**found | {"python_path": tuple(found.get("python_path", ()))})
    except (TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ProjectError(f"not a project of flights.airflow: {error}") from None


def of_config(config: Config, pipeline: str = Project.pipeline, python_path: tuple[str, ...] = ()) -> Project:
    """The project that runs with the settings of a configuration; its months are left to the run."""
    settings = dataclasses.asdict(config)
    del settings["months"]
    kind = type(config)
    settings |= _placed(settings, Path.cwd())
    return Project(pipeline, f"{kind.__module__}:{kind.__qualname__}", python_path, settings)


def _placed(settings: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Those of the settings that are places, absolute: steps run in another folder.

    Raises:
        ProjectError: one is no place on this machine, or holds a password; this is a project that is kept in files.
    """
    found = {}
    try:
        for name in PATHS:
            if name in settings and not settings[name].startswith(places.IN_PACKAGE):
                path = places.local_path(name, settings[name], is_file=name == "schema_file")
                found[name] = str(folder / path)
        if settings.get("tracking_uri"):
            found["tracking_uri"] = places.anchored(places.tracking_address(settings["tracking_uri"]), folder)
    except (TypeError, AttributeError):
        raise ProjectError("settings: folders, files and addresses are text.") from None
    except ValueError as error:
        raise ProjectError(str(error)) from None
    return found


def _imported(path: str) -> Any:
    module, _, name = path.partition(":")
    try:
        return functools.reduce(getattr, name.split("."), importlib.import_module(module))
    except AttributeError:
        raise ProjectError(f"{module} has no {name!r}.") from None


def _thawed(value: Any) -> Any:
    """Tuples where JSON has made lists of them."""
    return tuple(_thawed(one) for one in value) if isinstance(value, list) else value
