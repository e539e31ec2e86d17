"""Which version answers which request: the traffic file, `traffic.json`, beside the folder of the versions.

    {"champion": 3, "challenger": 4, "share": 0.1, "shadow": 5}

The champion answers; the challenger answers its share of the requests instead; the shadow is asked as well, and its answers are only logged
and counted. Without the file, the newest version answers all. Light to import: what promotes a model writes this file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Literal

FILE = "traffic.json"

Role = Literal["champion", "challenger", "shadow"]


class TrafficError(ValueError):
    """The traffic file cannot be followed."""


@dataclasses.dataclass(frozen=True)
class Traffic:
    """Versions by what they do.

    Attributes:
        champion: the version that answers.
        challenger: the version that answers a share of the requests instead.
        share: of the requests, from 0 to 1, that the challenger answers.
        shadow: the version that is asked as well, and never answers.

    Raises:
        TrafficError: it is none of this.
    """

    champion: int
    challenger: int | None = None
    share: float = 0.0
    shadow: int | None = None

    def __post_init__(self) -> None:
        """Refuses what could not be followed."""
        for name in ("champion", "challenger", "shadow"):
            value = getattr(self, name)
            if value is None and name != "champion":
                continue
            if type(value) is not int or value < 0:
                raise TrafficError(f"{name} is {_shown(value)}. Write the number of a version.")
        if type(self.share) not in (int, float) or not 0 <= self.share <= 1:
            raise TrafficError(f"share is {_shown(self.share)}. Write a number from 0 to 1.")
        if self.share and self.challenger is None:
            raise TrafficError("there is a share and no challenger to have it. Name a challenger.")

    @property
    def versions(self) -> dict[int, Role]:
        """Each version with what it does; of several things, the first."""
        named: list[tuple[int | None, Role]] = [
            (self.shadow, "shadow"),
            (self.challenger, "challenger"),
            (self.champion, "champion"),
        ]
        return {version: role for version, role in named if version is not None}

    def choose(self, request_id: str) -> Role:
        """Champion or challenger for a request: the same for the same id, whichever server is asked."""
        if not self.share:
            return "champion"
        digest = hashlib.blake2b(request_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return "challenger" if int.from_bytes(digest) < self.share * 2**64 else "champion"


def path(folder: str | Path) -> Path:
    """The traffic file of a folder of versions."""
    return Path(folder).absolute().parent / FILE


def read(folder: str | Path) -> Traffic | None:
    """What the traffic file of a folder of versions says; None without a file.

    Raises:
        TrafficError: naming the file, and what is wrong in it.
    """
    file = path(folder)
    try:
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise TrafficError(f"{file}: no JSON can be read there ({_shown(str(error))}). {_EXAMPLE}") from None
    names = [field.name for field in dataclasses.fields(Traffic)]
    if not isinstance(found, dict) or "champion" not in found:
        raise TrafficError(f"{file}: no champion is named. {_EXAMPLE}")
    if unknown := sorted(set(found) - set(names)):
        raise TrafficError(f"{file}: {_shown(unknown[0])} is unknown; there are {', '.join(names)}.")
    try:
        return Traffic(**found)
    except TrafficError as error:
        raise TrafficError(f"{file}: {error}") from None


def write(folder: str | Path, traffic: Traffic | None) -> Path:
    """Writes the traffic file of a folder of versions beside its place and moves it there: a server reads the old one or this one.

    Args:
        folder: of the versions.
        traffic: who answers; None removes the file, so that the newest version answers all.

    Returns:
        The file.
    """
    file = path(folder)
    if traffic is None:
        file.unlink(missing_ok=True)
        return file
    handle, beside = tempfile.mkstemp(prefix=f".{FILE}.", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            json.dump(dataclasses.asdict(traffic), opened)
            opened.flush()
            os.fsync(opened.fileno())
        os.chmod(beside, 0o644)
        os.replace(beside, file)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return file


_EXAMPLE = 'Write {"champion": 3}, or also "challenger", "share" and "shadow".'


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
