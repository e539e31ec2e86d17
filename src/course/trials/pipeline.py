"""Runs a student's pipeline elsewhere: a step of a trial.

    main([PACKAGE, SETTINGS, STOP, TOLD, HIDDEN...])

PACKAGE is imported from the folder of the step; SETTINGS, as JSON, are those of its `config.Config`. STOP, as JSON, are kinds of components, such as `Trainer`:
at the first of them that would run, because its cache has nothing, the run ends. How each node went, at which kind it was stopped, and what was raised, goes to
the file TOLD, as JSON. HIDDEN are folders of the machine that the package cannot know elsewhere: reading a file there fails as if it were not there.
"""

from __future__ import annotations

import builtins
import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

NOTEBOOK = ("course", "judges", "IPython", "ipykernel")
"""What is there where a notebook runs, and nowhere else."""
AGE = 1_700_000_000
"""When all files of the package were written, in seconds since 1970."""
OF_FLIGHTS = {
    "features": ("preprocessing_fn",),
    "model": ("run_fn",),
    "pipeline": ("create_components", "create_pipeline"),
}
"""What the package brings itself."""


class StoppedError(Exception):
    """A component that would run, and is not to; the message is its kind."""


def main(arguments: list[str]) -> None:
    """Runs it. Ends with status 1 where something is raised."""
    package, settings, stop, told, *hidden = arguments
    found: dict[str, Any] = {"nodes": [], "components": [], "stopped": "", "raised": None}
    try:
        _same_age(Path(package))
        _stop_at(json.loads(stop))
        _elsewhere(package, [os.path.realpath(folder) for folder in hidden])
        _run(
            package,
            {name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(settings).items()},
            found,
        )
    except StoppedError as error:
        found["stopped"] = str(error)
    except BaseException as error:
        found["raised"] = _raised(error, package)
        raise SystemExit(1) from error
    finally:
        Path(told).write_text(json.dumps(found), encoding="utf-8")


def _run(package: str, settings: dict[str, Any], found: dict[str, Any]) -> None:
    from engines import local

    for name in ("features", "model"):
        importlib.import_module(f"{package}.{name}")
    pipeline, configuration = (importlib.import_module(f"{package}.{name}") for name in ("pipeline", "config"))
    config = configuration.Config(**settings)
    components = pipeline.create_components(config)
    if not isinstance(components, dict):
        raise TypeError(
            f"create_components(config) returns a {type(components).__name__}, and not a dictionary of the components by their id"
        )
    found["components"] = [str(name) for name in components]
    theirs = {f"flights.{module}.{name}" for module, names in OF_FLIGHTS.items() for name in names}
    for name, one in components.items():  # TFX loads the module anew before it calls one of these
        if taken := theirs & {value for value in one.exec_properties.values() if isinstance(value, str)}:
            raise RuntimeError(f"{name} was told {min(taken)}: this function is yours to write")
    local.run(
        config,
        lambda config, _: pipeline.create_pipeline(config),
        lambda one: found["nodes"].append([one.node, one.state]),
    )


def _same_age(package: Path) -> None:
    """Leaves nothing but their contents to tell an edited file by, and no compiled file, which Python would take for that of another of the same length and age."""
    sys.dont_write_bytecode = True
    for path in (package, *package.rglob("*")):
        os.utime(path, (AGE, AGE))


def _stop_at(kinds: list[str]) -> None:
    """From here on no component of these kinds is executed."""
    from tfx.orchestration.portable.launcher import Launcher

    execute = Launcher._run_executor

    def stop(self: Launcher, info: Any) -> Any:
        name = self._pipeline_node.node_info.type.name
        for kind in kinds:
            if name.endswith(kind):
                raise StoppedError(kind)
        return execute(self, info)

    Launcher._run_executor = stop


def _elsewhere(package: str, hidden: list[str]) -> None:
    """From here on the package finds neither notebook nor course, nor files of the hidden folders, nor the functions that it is to bring itself."""
    sys.path[:] = [os.getcwd(), *sys.path]
    for module, names in OF_FLIGHTS.items():
        there = importlib.import_module(f"flights.{module}")
        for name in names:
            setattr(there, name, _refused(f"flights.{module}.{name}"))
    sys.modules.update(
        {name: None for name in list(sys.modules) if name.partition(".")[0] in ("course", "judges")}
        | {"course": None, "judges": None}
    )
    ordinary = builtins.__import__

    def import_(name: str, names: Any = None, *rest: Any, **named: Any) -> Any:
        if name.partition(".")[0] in NOTEBOOK and str((names or {}).get("__name__", "")).partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {name!r}: it is there where a notebook runs")
        return ordinary(name, names, *rest, **named)

    def look(event: str, given: tuple[Any, ...]) -> None:
        if event in ("open", "os.listdir", "os.scandir") and given and isinstance(given[0], str | bytes | os.PathLike):
            path = os.path.realpath(os.fsdecode(given[0]))
            if any(path == folder or path.startswith(folder + os.sep) for folder in hidden):
                raise FileNotFoundError(2, "No such file elsewhere: it lies in a folder of this machine", path)

    builtins.__import__ = import_
    sys.addaudithook(look)


def _refused(name: str) -> Any:
    def function(*given: Any, **named: Any) -> Any:
        raise RuntimeError(f"{name} was called: this function is yours to write")

    return function


def _raised(error: BaseException, package: str) -> dict[str, Any]:
    """The error, and the last line of the package that led to it."""
    chain, last = [error], error
    while (last := last.__cause__ or last.__context__) and last not in chain:
        chain.append(last)
    frames = [
        frame
        for one in chain
        for frame in traceback.extract_tb(one.__traceback__)
        if Path(frame.filename).parent.name == package
    ]
    if isinstance(error, SyntaxError) and error.filename:
        place = [Path(error.filename).name, error.lineno]
    else:
        place = [Path(frames[-1].filename).name, frames[-1].lineno] if frames else ["", 0]
    return {
        "type": type(error).__name__,
        "message": str(error)[:1500],
        "file": place[0],
        "line": place[1],
        "node": str(getattr(error, "failed_node", "")),
    }
