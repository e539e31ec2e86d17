"""`flights release`: a registered version on its way to all clients, step by step, and back when its metrics say so."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import registry
from .columns import FILE
from .config import Config

if TYPE_CHECKING:
    from operation.releases import Outcome

SERVER = "http://127.0.0.1:8501"
FOLDER = "releases"
"""In the output folder: the record of releases."""

ROWS = 200
"""Of the smoke test."""

PROJECT = f"{__package__}.serving:PROJECT"


def add_parsers(commands: Any) -> list[argparse.ArgumentParser]:
    """Adds the command to those of `flights`."""
    text = "bring a registered version to all clients: smoke test, shadow, growing shares; back when its metrics say so"
    command = commands.add_parser("release", help=text, description=text)
    command.add_argument(
        "version", nargs="?", metavar="VERSION", help="as `registry` takes it (default: the newest one, if it is newer)"
    )
    command.add_argument(
        "--server", metavar="URL", help=f"that answers the clients, and serves the same folder (default: {SERVER})"
    )
    command.add_argument(
        "--log", type=_absolute, metavar="FILE", help="that this server writes, to compare both answers to a request"
    )
    command.add_argument(
        "--share",
        dest="shares",
        type=float,
        action="append",
        metavar="X",
        help="of the requests, once for each step of the canary (default: 0.1 and 0.5)",
    )
    command.add_argument(
        "--requests", type=int, metavar="N", help="that a version answers before a step is judged (default: 200)"
    )
    command.add_argument(
        "--deadline", type=float, metavar="S", help="seconds for so many requests to come (default: 3600)"
    )
    command.add_argument(
        "--data-root", metavar="FOLDER", help="with the months, for the rows of the smoke test (default: data/flights)"
    )
    command.add_argument("--no-shadow", dest="shadow", action="store_false", help="leave the shadow out")
    command.add_argument("--why", metavar="TEXT", help="is kept with each step")
    command.add_argument("--by", dest="who", metavar="NAME", help="who asks for it (default: this user)")
    registry.add_option(command)
    return [command]


def _absolute(text: str) -> str:
    return str(Path(text).absolute())


def release(
    config: Config, version: int | str | None = None, *, registry_uri: str = "", server: str = SERVER, **how: Any
) -> Outcome:
    """Releases a version of the pipeline's.

    Args:
        config: whose versions.
        version: as the registry takes it; None for the newest one.
        registry_uri: of MLflow's store; empty for the default one.
        server: that answers the clients.
        how: as `operation.release.release` takes it.
    """
    from engines.quiet import import_quietly

    import_quietly()
    from operation import release as operation
    from serving.process import Client

    from .serving import PROJECT as GIVEN

    asked = registry.of(config, registry_uri, how.get("tell", print))
    given: dict[str, Any] = {
        "rows": lambda one: rows_for(config, asked.find(one).tags.get("judged_on", "[]")),
        "folder": Path(config.output_root) / FOLDER,
    }
    return operation.release(asked, Client(server, GIVEN.name), PROJECT, version, **given | how)


def rows_for(config: Config, judged_on: str = "[]") -> list[dict[str, Any]]:
    """Flights as clients ask about them, from the month that a version was judged on; where that is not known, from the newest one.

    Args:
        config: with the data.
        judged_on: the registry's tag.

    Raises:
        data.DataError: there is no such month.
    """
    from . import data
    from .serving import PROJECT as GIVEN

    judged = [one["span"] for one in json.loads(judged_on) if one["span"] is not None]
    there = [int(path.parent.name[-2:]) for path in Path(config.data_root).glob(f"span-[0-9][0-9]/{FILE}")]
    month = data.read_month(config.data_root, max(judged or there, default=1))
    chosen = month.iloc[:: max(1, len(month) // ROWS)].head(ROWS)  # from the first day to the last
    return [
        {name: value for name, value in row.items() if name in GIVEN.inputs and not _is_missing(value)}
        for row in chosen.to_dict("records")
    ]


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def run(
    config: Config,
    version: str | None = None,
    requests: int | None = None,
    deadline: float | None = None,
    shadow: bool = True,
    **how: Any,
) -> int:
    """The command: 0 where the version answers all clients, or there was none to release; else 1."""
    from operation.canary import Limits
    from operation.releases import NOTHING, RELEASED

    limits = Limits()
    if requests is not None:
        limits = dataclasses.replace(limits, requests=requests, shadow=requests)
    if deadline is not None:
        limits = dataclasses.replace(limits, deadline=deadline)
    if not shadow:
        limits = dataclasses.replace(limits, shadow=0)
    ended = release(config, version, limits=limits, **how)
    return 0 if ended.state in (RELEASED, NOTHING) else 1


HANDLERS = {"release": run}
