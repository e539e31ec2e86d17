"""A model server as a process of its own, for as long as a block lasts: for tests, notebooks, and a component that tries a candidate.

    with process.start("my_project.serving:PROJECT", "out/pipeline/serving") as server:
        print(server.url, server.ask([{...}]))

Light to import: neither TensorFlow nor KServe is loaded here.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class NotStarted(RuntimeError):
    """A server did not come to answer; its last words say why.

    Attributes:
        refused: why, by version, where it is the versions that cannot be served; empty where it is anything else.
        status: of the process: as a shell has it, negative after a signal; None where it had not ended.
    """

    def __init__(self, said: str, refused: Mapping[int, str], status: int | None) -> None:
        """Keeps them."""
        super().__init__(said)
        self.refused, self.status = refused, status


class RequestRefused(RuntimeError):
    """A server gave no prediction.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, status: int, said: str) -> None:
        """Keeps both."""
        super().__init__(said)
        self.status = status


class Reply(NamedTuple):
    """What a server answered.

    Attributes:
        status: of HTTP.
        body: its JSON, or text where it is none.
        headers: by names in lower case.
    """

    status: int
    body: Any
    headers: Mapping[str, str]


class Client:
    """A server that answers, whoever has started it."""

    def __init__(self, url: str, name: str) -> None:
        """Asks nothing yet.

        Args:
            url: its address, without a path.
            name: of the model.
        """
        self.url, self.name = url.rstrip("/"), name
        parts = urllib.parse.urlsplit(url)
        self.port, self._host = parts.port or 80, parts.hostname

    def ask(
        self, rows: Sequence[Mapping[str, Any]], version: int | None = None, request_id: str | None = None
    ) -> list[float]:
        """Predictions for rows, a dictionary of columns each.

        Args:
            rows: what is asked about.
            version: that must answer; None for the one that the traffic file says.
            request_id: by which traffic is divided and the log is searched.

        Raises:
            RequestRefused: the server gave none, and says why.
        """
        part = "" if version is None else f"/versions/{version}"
        headers = {} if request_id is None else {"x-request-id": request_id}
        body = json.dumps({"instances": list(rows)}).encode()
        reply = self.send("POST", f"/v1/models/{self.name}{part}:predict", body, headers)
        if reply.status != 200:
            raise RequestRefused(reply.status, _words(reply.body))
        return reply.body["predictions"]  # type: ignore[no-any-return]

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> Reply:
        """Any request, on a connection of its own."""
        connection = http.client.HTTPConnection(self._host or "", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"content-type": "application/json"} | dict(headers or {}))
            answer = connection.getresponse()
            text = answer.read().decode()
        try:
            found = json.loads(text)
        except ValueError:
            found = text
        return Reply(answer.status, found, {name.lower(): value for name, value in answer.getheaders()})

    def versions(self) -> dict[int, str]:
        """The state of each version: AVAILABLE, LOADING, or why it is refused."""
        found = self.send("GET", f"/v1/models/{self.name}").body["model_version_status"]
        return {int(one["version"]): one["status"]["error_message"] or one["state"] for one in found}

    def traffic(self) -> dict[str, Any]:
        """Who answers now: champion, challenger, share and shadow; `fault` where the traffic file is not followed."""
        found = self.send("GET", f"/v1/models/{self.name}/traffic").body
        return found if isinstance(found, dict) else {"fault": _words(found)}

    def wait_for(self, timeout: float = 60, **wanted: Any) -> dict[str, Any]:
        """Waits until `traffic()` has these values, for example `champion=4`, and gives it.

        Raises:
            TimeoutError: it does not come to have them.
        """
        until = time.monotonic() + timeout
        while (now := self.traffic()) | wanted != now:
            if time.monotonic() > until:
                raise TimeoutError(f"the server has {now} after {timeout:g} seconds, not {wanted}.")
            time.sleep(0.05)
        return now

    def metrics(self) -> str:
        """What Prometheus reads.

        Raises:
            RequestRefused: there is nothing that it could read.
        """
        reply = self.send("GET", "/metrics")
        if reply.status != 200:
            raise RequestRefused(reply.status, _words(reply.body))
        return str(reply.body)


class Server(Client):
    """A server that was started here."""

    def __init__(self, url: str, name: str, version: int, process: subprocess.Popen[bytes], output: Path) -> None:
        """Of a process that has reported.

        Args:
            url: its address, without a path.
            name: of the model.
            version: that answered first.
            process: that was started.
            output: the file with what it says.
        """
        super().__init__(url, name)
        self.version, self.process, self.output = version, process, output

    def words(self) -> str:
        """What the server has said so far."""
        return self.output.read_text(encoding="utf-8", errors="replace")


@contextlib.contextmanager
def start(
    project: str,
    folder: str | Path,
    *,
    log: str | Path | None = None,
    port: int = 0,
    timeout: float = 120,
    environment: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
) -> Iterator[Server]:
    """A server on 127.0.0.1 that answers, until the block ends, or the process that called this, however it does.

    Args:
        project: `MODULE:OBJECT`, what the project gives (`serving.models.Project`).
        folder: with a folder for each version.
        log: file of the log of requests; None for no log.
        port: to listen at; 0 for a free one.
        timeout: seconds to wait until a version answers.
        environment: variables beside those of this process.
        cwd: the folder that it works in; None for that of this process.

    Raises:
        NotStarted: no version came to answer; with what the server said.
    """
    read, write = os.pipe()
    with tempfile.TemporaryDirectory(prefix="serving-") as scratch:
        output = Path(scratch) / "output.txt"
        command = [sys.executable, "-m", "serving", project, str(Path(folder).absolute()), "--port", str(port)]
        command += ["--report", str(write), "--parent", str(os.getpid())]
        command += ["--log", str(Path(log).absolute())] if log else []
        # A module of the caller's is found where the caller finds it, such as beside a notebook.
        path = os.pathsep.join(map(os.path.abspath, sys.path))
        with output.open("wb") as said:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                pass_fds=[write],
                env=os.environ | {"PYTHONPATH": path} | dict(environment or {}),
                cwd=cwd,
            )
        os.close(write)
        try:
            found = _reported(read, timeout)
            if found is None:
                raise NotStarted(f"{folder}: no answer after {timeout:g} seconds. It said: {_last(output)}", {}, None)
            reported = json.loads(found or "{}")
            if "url" not in reported:
                refused = {int(version): why for version, why in reported.get("refused", {}).items()}
                status = _status(process)
                raise NotStarted(f"{folder}: the server ended. It said: {_last(output)}", refused, status)
            yield Server(**reported, process=process, output=output)
        finally:
            os.close(read)
            _end(process)


def _reported(read: int, timeout: float) -> str | None:
    """What comes through a pipe until it is closed; None where that takes too long."""
    found, until = b"", time.monotonic() + timeout
    while select.select([read], [], [], max(0.0, until - time.monotonic()))[0]:
        part = os.read(read, 4096)
        if not part:
            return found.decode()
        found += part
    return None


def _status(process: subprocess.Popen[bytes]) -> int | None:
    """The exit status of a process that has closed its report, and is about to end."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(15)
    return process.returncode


def _last(output: Path) -> str:
    lines = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return "\n".join(lines[-5:]) or "nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _words(body: Any) -> str:
    return str(body.get("error", body) if isinstance(body, dict) else body)[:1000]
