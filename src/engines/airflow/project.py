"""Which pipeline Airflow runs, and how: plain data, which both environments read. It imports neither Airflow nor TFX."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import importlib.util
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import engines
from engines import places
from engines.airflow.calendar import Calendar, CalendarError
from engines.settings import Settings, made_of

ROOT = Path(engines.__file__).parents[2]
"""The repository; folders that are not absolute lie in it."""

DECIDE, CONCLUDE = "decide", "conclude"
"""Tasks before and after the pipeline, where a project decides whether it runs; no nodes (`engines.deciding`)."""

PATHS = ("data_root", "output_root", "schema_file")


class ProjectError(ValueError):
    """The project cannot be run as it is; the message says what to change."""


@dataclasses.dataclass(frozen=True)
class Project:
    """A pipeline and its settings.

    Attributes:
        pipeline: `module:function`, which makes the `tfx.dsl.Pipeline` of a configuration.
        config: `module:class`, the configuration (`engines.settings.Settings`).
        calendar: which spans of data there are, and when.
        python_path: folders with packages that are not installed.
        settings: fields of the configuration that differ from its defaults, `data_root` among them, but for the calendar's, which each run has
            its own of.
        history: how many spans before the one that is judged are learned from, at most.
        decide: `module:function`, asked before the pipeline whether it is to run (`engines.deciding`); empty: it always is.
        conclude: `module:function`, told when the pipeline has come to its end; empty: nothing is.
    """

    pipeline: str
    config: str
    calendar: Calendar
    python_path: tuple[str, ...] = ()
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    history: int = 3
    decide: str = ""
    conclude: str = ""

    def __post_init__(self) -> None:
        """Makes folders absolute, and refuses what cannot work."""
        for name in ("pipeline", "config", DECIDE, CONCLUDE):
            if name in (DECIDE, CONCLUDE) and not getattr(self, name):
                continue
            if not re.fullmatch(r"\w+(\.\w+)*:\w+", getattr(self, name)):
                raise ProjectError(f"{name}={getattr(self, name)!r}: write module:name, as in package.{name}:...")
        if isinstance(self.python_path, str):
            raise ProjectError(f"python_path={self.python_path!r}: a list of folders is wanted.")
        if (field := self.calendar.field) in self.settings:
            raise ProjectError(f"settings: leave out `{field}`; they follow from the logical date of each run.")
        if "data_root" not in self.settings:
            raise ProjectError("settings: name `data_root`, the folder of the data.")
        if self.history < 1:
            raise ProjectError(f"history={self.history}: at least 1, or there is nothing to learn from.")
        object.__setattr__(self, "settings", {**self.settings, **_placed(self.settings, ROOT)})
        object.__setattr__(self, "python_path", tuple(str(ROOT / folder) for folder in self.python_path))

    @property
    def data_root(self) -> Path:
        """Where the data are."""
        return Path(self.settings["data_root"])

    def spans(self, logical_date: datetime.datetime | None, asked: str = "") -> tuple[int, int]:
        """The first and last span of a run: those that were asked for, or the logical date's and up to `history` before it.

        Args:
            logical_date: of the DAG run.
            asked: its parameter with the name of the calendar's field: `4`, `1-3` or nothing.

        Raises:
            ProjectError: there is no such span.
        """
        try:
            return self.calendar.spans(logical_date, asked, self.history)
        except CalendarError as error:
            raise ProjectError(str(error)) from None

    def file_of(self, span: int) -> Path | None:
        """The file of a span, if it has arrived."""
        return next(self.data_root.glob(self.calendar.files.format(span=span)), None)

    def make_config(self, spans: tuple[int, int]) -> Settings:
        """The configuration of a run; only where its package can be imported.

        Raises:
            ProjectError: the class does not take these settings.
        """
        settings = {name: _thawed(value) for name, value in self.settings.items()}
        try:
            return made_of(_imported(self.config), {self.calendar.field: spans, **settings})
        except TypeError as error:
            raise ProjectError(f"{self.config}: {error}") from error

    def create(self) -> Callable[[Settings], Any]:
        """The function that makes the pipeline; only where its package, and TFX, can be imported."""
        return _imported(self.pipeline)

    def hook(self, name: str) -> Callable[[Settings, str], Any]:
        """The function that `decide` or `conclude` names; only where its package can be imported."""
        return _imported(getattr(self, name))

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
        calendar = Calendar(**found["calendar"])
        return Project(**found | {"calendar": calendar, "python_path": tuple(found.get("python_path", ()))})
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError, CalendarError) as error:
        raise ProjectError(f"not a project of engines.airflow: {error}") from None


def of_config(
    config: Settings, create: Callable | str, calendar: Calendar, python_path: tuple[str, ...] = ()
) -> Project:
    """The project that runs with the settings of a configuration, a dataclass; its spans are left to the run.

    Args:
        config: the configuration.
        create: the function that makes its pipeline, which a step imports; or `module:function`.
        calendar: which spans there are.
        python_path: folders with packages that are not installed, where this process does not find them either.

    Raises:
        ProjectError: the configuration is no dataclass, does not have the calendar's field, or is defined where no step can import it.
    """
    if not dataclasses.is_dataclass(config):
        raise ProjectError(f"{_named(type(config))} is no dataclass: Airflow's steps make it from its fields.")
    settings = dataclasses.asdict(config)
    if calendar.field not in settings:
        raise ProjectError(
            f"{_named(type(config))} has no field `{calendar.field}`, which the calendar names for the first and the last span of a run: "
            f"`{calendar.field}: tuple[int, int] = ({calendar.first}, {calendar.last})`, also where there is one span alone."
        )
    del settings[calendar.field]
    settings |= _placed(settings, Path.cwd())
    pipeline, kind = create if isinstance(create, str) else _named(create), _named(type(config))
    return Project(pipeline, kind, calendar, (*python_path, *_found_here((pipeline, kind), python_path)), settings)


def _named(one: Any) -> str:
    if one.__module__ == "__main__":
        raise ProjectError(
            f"{one.__qualname__} is defined in a script or notebook: put it into a module, which each step imports."
        )
    return f"{one.__module__}:{one.__qualname__}"


def _found_here(paths: tuple[str, ...], known: tuple[str, ...]) -> list[str]:
    """Folders of packages that this process finds, installed or not, and Airflow's does not: there only those beside this one are."""
    folders = []
    for package in sorted({path.partition(":")[0].partition(".")[0] for path in paths}):
        if any(Path(folder, package).is_dir() for folder in known):
            continue
        spec = importlib.util.find_spec(package)
        folders += [str(Path(place).parent) for place in (spec and spec.submodule_search_locations) or ()]
    return [folder for folder in dict.fromkeys(folders) if Path(folder) != Path(engines.__file__).parents[1]]


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
