"""Which pushed version a command works with."""

from __future__ import annotations

from pathlib import Path

from engines import store
from serving import traffic

from .config import Config


def pushed(config: Config, version: str = "") -> Path:
    """The folder of a pushed version: the one that is named; or the champion, where a traffic file names one; or the newest.

    Raises:
        FileNotFoundError: it is not there, or none was pushed.
        serving.traffic.TrafficError: the traffic file cannot be followed.
    """
    if not version and (answering := traffic.read(config.serving_root)):
        version = str(answering.champion)
    if not version:
        return store.latest_version(config)
    folder = Path(config.serving_root) / version
    if not version.isdecimal() or not (folder / "saved_model.pb").is_file():
        there = ", ".join(sorted(path.parent.name for path in Path(config.serving_root).glob("*/saved_model.pb")))
        raise FileNotFoundError(
            f"{config.serving_root}: there is no version {version[:40]!r}. "
            + (f"There are {there}." if there else "None was pushed yet.")
        )
    return folder
