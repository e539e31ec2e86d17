"""The commands `flights export` and `flights score`: a pushed model in other places, and a month of predictions.

Light to import: what they stand on is imported when one of them runs.
"""

from __future__ import annotations

import argparse
import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engines.quiet import import_quietly

from .config import Config

MONTH = 12
"""The month that an exported model is compared on: the last one, whose flights have words that a model of January never met."""


def add_parsers(commands: Any) -> list[argparse.ArgumentParser]:
    """Adds the commands to those of argparse, and returns them."""
    export = commands.add_parser("export", help="write a pushed model for a browser or a telephone, or as an archive")
    export.add_argument("--to", dest="target", choices=EXPORTS, required=True, help="what to write")
    export.add_argument("--folder", type=_path, metavar="FOLDER", help="where (default: exports/VERSION in the output)")
    export.add_argument("--month", type=_month, metavar="3", help=f"month to compare the two on (default: {MONTH})")

    score = commands.add_parser("score", help="predict a month of flights without labels, into a Parquet file")
    score.add_argument("--month", type=_month, required=True, metavar="3", help="the month")
    score.add_argument(
        "--file", type=_path, metavar="FILE", help="where to write (default: scores/month-03.parquet in the output)"
    )
    for command in (export, score):
        command.add_argument(
            "--version", metavar="VERSION", help="a pushed version (default: the champion, or else the newest)"
        )
        command.add_argument("--data-root", metavar="FOLDER", help="folder with the months (default: data/flights)")
    return [export, score]


def _month(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 12:
        raise argparse.ArgumentTypeError(f"{text!r}: write a month, from 1 to 12")
    return int(text)


def _path(text: str) -> Path:
    """Relative to the folder that the command was typed in, whatever folder it works from."""
    return Path(text).expanduser().absolute()


def _export(config: Config, target: str, version: str = "", folder: Path | None = None, month: int = MONTH) -> int:
    import_quietly()
    from . import export, versions

    model = versions.pushed(config, version)
    folder = folder or Path(config.output_root) / "exports" / model.name
    EXPORTS[target](export, config, model, folder, month)
    return 0


def _to_litert(export: Any, config: Config, model: Path, folder: Path, month: int) -> None:
    from . import data

    path = data.month_path(config.data_root, month)
    made = export.to_litert(model, folder, path)
    print(f"Version {model.name} for LiteRT: {made.file}, {made.file.stat().st_size:,} bytes")
    print(
        f"Compared with the pushed model on {made.flights:,} flights of {data.shown(path)}: "
        f"probabilities differ by {made.largest_difference:.1e} at most (allowed: {export.TOLERANCE:.0e})."
    )


def _to_archive(export: Any, config: Config, model: Path, folder: Path, month: int) -> None:
    file = export.to_archive(model, folder)
    print(f"Version {model.name} as an archive: {file}, {file.stat().st_size:,} bytes")


EXPORTS: dict[str, Callable[..., None]] = {"litert": _to_litert, "saved-model": _to_archive}
"""What `flights export --to` writes."""


def tell_failures_once() -> None:
    """TFX and ML Metadata log that something has failed; what and why is told at the end. And Beam's inference warns of a module that is there."""
    logging.getLogger("absl").addFilter(
        lambda record: not re.search("^Execution .* failed|failed after", str(record.msg))
    )
    logging.getLogger().addFilter(lambda record: "Resource module is not available" not in str(record.msg))


def _score(config: Config, month: int, version: str = "", file: Path | None = None) -> int:
    import_quietly()
    tell_failures_once()
    from . import score

    file = file or Path(config.output_root) / "scores" / f"month-{month:02d}.parquet"
    started = time.monotonic()
    scored = score.score(
        config,
        month,
        file,
        version,
        report=lambda node: print(f"  {node.node:20} {node.state:7} {node.seconds:5.1f} s", flush=True),
    )
    print(
        f"{scored.flights:,} flights, scored by version {scored.version}: {file} ({time.monotonic() - started:.0f} s)"
    )
    return 0


HANDLERS: dict[str, Callable[..., int]] = {"export": _export, "score": _score}
"""By the name of the command: what does it, from the configuration and the command's own options."""
