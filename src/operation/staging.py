"""Staging: a candidate and the champion, copied and served by a process of their own, and the smoke test that the candidate has to pass there.

Nothing that answers clients is touched, and both versions say of the same rows what a release then expects of live ones.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from operation.canary import Expected
from serving import process, traffic
from serving.candidate import ABSOLUTE, RELATIVE
from serving.models import Project, Rows, SavedModel
from serving.traffic import Traffic

ONE_BY_ONE = 20
"""Rows that are asked about one by one, as clients do; all others at once."""

REFUSED = {"the body is not JSON": b"{", "there is no row": b'{"instances": []}'}
"""Requests that must be answered with 400, by what is wrong."""


class StagingError(RuntimeError):
    """The smoke test could not be made: nothing is known of the candidate."""


class SmokeFailed(Exception):
    """The candidate did not pass; a sentence."""


def smoke(
    folder: str | Path,
    candidate: int,
    champion: int | None,
    project: str,
    given: Project,
    rows: Rows,
    timeout: float = 120,
) -> Expected:
    """Serves a candidate in staging, and tries what clients will do.

    It has to be healthy under its own number, answer rows as the model does by itself, refuse bad requests with 400, and be counted in the metrics.

    Args:
        folder: of the versions.
        candidate: the version that is to be released.
        champion: the version that answers now; None: there is none.
        project: `MODULE:OBJECT`, what the project gives.
        given: that object.
        rows: to ask about; no fewer than a few hundred say how far apart the two are.
        timeout: seconds until the staged server has to answer.

    Returns:
        What both say to the rows; nothing where the champion does not answer them.

    Raises:
        SmokeFailed: the candidate did not pass.
        StagingError: the test could not be made.
    """
    if not rows:
        raise StagingError("There are no rows to ask the candidate about.")
    try:
        alone = SavedModel(Path(folder) / str(candidate), given.output).predict(given.encode(given.check(rows)))
    except ValueError as error:
        raise StagingError(f"The rows of the smoke test are none that may be asked about: {error}") from None
    except Exception as error:
        raise SmokeFailed(
            f"By itself, version {candidate} does not answer the rows of the smoke test: {error}"[:300]
        ) from None
    with _staged(Path(folder), candidate, champion, project, timeout) as server:
        _require_health(server, candidate)
        said = _answers(server, candidate, rows)
        for number, (one, other) in enumerate(zip(said, alone, strict=True)):
            if one is None or not math.isfinite(one):
                raise SmokeFailed(f"Version {candidate} answers row {number} with what is no number.")
            if not math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE):
                raise SmokeFailed(
                    f"Version {candidate} says {one:.4f} of row {number} when it is served, and {other:.4f} by itself."
                )
        for what, body in REFUSED.items():
            reply = server.send("POST", f"/v1/models/{server.name}:predict", body)
            if reply.status != 400:
                raise SmokeFailed(f"A request where {what} is answered with {reply.status}, not with 400.")
        if f'version="{candidate}"' not in server.metrics():
            raise SmokeFailed(f"The metrics of the staged server do not count version {candidate}.")
        return _expected(server, champion, rows, said)


@contextlib.contextmanager
def _staged(
    folder: Path, candidate: int, champion: int | None, project: str, timeout: float
) -> Iterator[process.Server]:
    with tempfile.TemporaryDirectory(prefix="staging-") as scratch:
        versions = Path(scratch, "versions")
        for version in {candidate, champion} - {None}:
            shutil.copytree(folder / str(version), versions / str(version))
        traffic.write(versions, Traffic(candidate, champion))
        try:
            with process.start(project, versions, timeout=timeout) as server:
                yield server
        except process.NotStarted as error:
            if why := error.refused.get(candidate):
                raise SmokeFailed(f"The staged server refuses version {candidate}: {why}.") from None
            raise StagingError(f"The staged server did not start: {error}") from None


def _expected(server: process.Server, champion: int | None, rows: Rows, said: list[float]) -> Expected:
    """What both say. A champion that does not answer the rows, which may be why it is to be replaced, gives nothing to expect."""
    if champion is None:
        return Expected()
    try:
        before = _answers(server, champion, rows)
    except SmokeFailed:
        return Expected()
    pairs = [(one, other) for one, other in zip(before, said, strict=True) if one is not None and math.isfinite(one)]
    return Expected(tuple(one for one, _ in pairs), tuple(other for _, other in pairs))


def _require_health(server: process.Server, candidate: int) -> None:
    if (why := server.versions().get(candidate, "it is not there")) != "AVAILABLE":
        raise SmokeFailed(f"The staged server does not serve version {candidate}: {why}.")
    for path in ("/v2/health/live", "/v2/health/ready", f"/v2/models/{server.name}/versions/{candidate}/ready"):
        if (status := server.send("GET", path).status) != 200:
            raise SmokeFailed(f"The staged server answers {path} with {status}.")


def _answers(server: process.Server, version: int, rows: Rows) -> list[float]:
    first, others = rows[:ONE_BY_ONE], rows[ONE_BY_ONE:]
    try:
        said = [server.ask([row], version)[0] for row in first]
        return said + (server.ask(others, version) if others else [])
    except process.RequestRefused as error:
        if error.status < 500:
            raise StagingError(f"The rows of the smoke test are none that may be asked about: {error}") from None
        raise SmokeFailed(f"Version {version} does not answer the rows of the smoke test: {error}") from None
    except OSError as error:
        raise SmokeFailed(f"The staged server ended, or did not answer, with version {version}: {error!r}.") from None
