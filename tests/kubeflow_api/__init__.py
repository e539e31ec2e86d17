"""A Kubeflow Pipelines that runs nothing, for tests: it remembers what it is told, and answers with what a real one answered (README.md)."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kubeflow_api.package import PARAMETERS

ANSWERS: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("answers.json").read_text(encoding="utf-8"))
PREFIX = "/apis/v2beta1/"


@dataclasses.dataclass
class Answer:
    """What is sent back: its body is JSON, or words as they are."""

    status: int
    kind: str | None
    body: Any


def recorded(name: str, /, **changes: Any) -> Answer:
    """An answer as it was recorded, with other values in fields that it has, or without them (None)."""
    found = copy.deepcopy(ANSWERS[name])
    assert changes.keys() <= found["body"].keys() if changes else True, f"{name} has no {changes}"
    if changes:
        found["body"] = {key: value for key, value in (found["body"] | changes).items() if value is not None}
    return Answer(found["status"], found["type"], found["body"])


class Service:
    """What is there, and how it answers.

    Attributes:
        pipelines: names by id.
        versions: as they are listed; so are experiments and recurring runs.
        runs: as they were asked for, with their ids.
        states: of the run that is waited for, one after the other; the last one stays.
        instead: other answers to requests that begin so: "POST runs", "GET ".
        most_enabled: how many recurring runs were on at once.
        address: where it answers.
    """

    def __init__(self) -> None:
        self.pipelines: dict[str, str] = {}
        self.versions: list[dict[str, Any]] = []
        self.experiments: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        self.recurring: list[dict[str, Any]] = []
        self.states = [recorded(f"run: {state}") for state in ("PENDING", "RUNNING", "SUCCEEDED")]
        self.instead: dict[str, Answer] = {}
        self.most_enabled = 0
        self.address = ""

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> Answer:
        """Answers one request, to a path without its prefix."""
        for start, other in self.instead.items():
            if f"{method} {path}".startswith(start):
                return other
        wanted = json.loads(query.get("filter", "{}")).get("predicates", [{}])[0].get("stringValue")
        match method, path.split("/"):
            case "GET", ["healthz"]:
                return recorded("healthz")
            case "GET", ["pipelines"]:
                found = [_pipeline(key, name) for key, name in self.pipelines.items() if name == wanted]
                return _list("pipelines", found)
            case "POST", ["pipelines", "upload"]:
                return self._upload(query["name"])
            case "POST", ["pipelines", "upload_version"]:
                return self._upload_version(query["pipelineid"], query["name"])
            case "GET", ["pipelines", _, "versions"]:
                return _list("versions", self.versions, query)
            case "GET", ["experiments"]:
                return _list("experiments", [one for one in self.experiments if one["display_name"] == wanted])
            case "POST", ["experiments"]:
                key = f"experiment-{len(self.experiments) + 1}"
                made = recorded("create experiment", experiment_id=key, display_name=body["display_name"])
                self.experiments.append(made.body)
                return made
            case "POST", ["runs"]:
                return self._run(body)
            case "GET", ["runs", _]:
                return self.states.pop(0) if len(self.states) > 1 else self.states[0]
            case "GET", ["recurringruns"]:
                return _list("recurring runs", self.recurring, query)
            case "POST", ["recurringruns"]:
                return self._schedule(body)
            case "POST", ["recurringruns", what]:
                return self._switch(*what.split(":"))
        return recorded("no such path")

    def enabled(self) -> list[dict[str, Any]]:
        """The recurring runs that are on."""
        return [one for one in self.recurring if one["status"] == "ENABLED"]

    def _upload(self, name: str) -> Answer:
        if name in self.pipelines.values():
            return recorded("upload: known name")
        key = f"p{len(self.pipelines) + 1}"
        self.pipelines[key] = name
        self._upload_version(key, name)
        return recorded("upload", **_pipeline(key, name))

    def _upload_version(self, pipeline: str, name: str) -> Answer:
        if pipeline not in self.pipelines:
            return recorded("upload version: unknown pipeline")
        if any(one["name"] == name and one["pipeline_id"] == pipeline for one in self.versions):
            return recorded("upload version: known name")
        key = f"v{len(self.versions) + 1}"
        made = recorded("upload version", pipeline_id=pipeline, pipeline_version_id=key, display_name=name, name=name)
        self.versions.append(made.body)
        return made

    def _run(self, body: dict[str, Any]) -> Answer:
        if body["runtime_config"].get("parameters", {}).keys() - set(PARAMETERS):
            return recorded("create run: unknown parameter")
        self.runs.append(body | {"run_id": f"run-{len(self.runs) + 1}"})
        return recorded("create run", **self.runs[-1])

    def _schedule(self, body: dict[str, Any]) -> Answer:
        key = f"recurring-{len(self.recurring) + 1}"
        given = body | {"recurring_run_id": key, "max_concurrency": str(body["max_concurrency"])}
        made = recorded("create recurring run", **given)
        self.recurring.append(made.body)
        self._set(made.body, body["mode"])
        return made

    def _switch(self, key: str, what: str) -> Answer:
        found = [one for one in self.recurring if one["recurring_run_id"] == key]
        if not found:
            return recorded("enable: unknown" if what == "enable" else "disable: deleted")
        self._set(found[0], what.upper())
        return recorded(what)

    def _set(self, one: dict[str, Any], mode: str) -> None:
        one |= {"mode": mode, "status": f"{mode}D"}
        self.most_enabled = max(self.most_enabled, len(self.enabled()))


def _pipeline(key: str, name: str) -> dict[str, Any]:
    return ANSWERS["upload"]["body"] | {"pipeline_id": key, "display_name": name, "name": name}


def _list(name: str, kept: list[dict[str, Any]], query: dict[str, str] | None = None) -> Answer:
    """A list, whole where it has no pages; else a page holds one, so that there are several pages."""
    if not kept:
        return recorded(f"{name}: none")
    key = next(iter(ANSWERS[name]["body"]))
    if query is None:
        return recorded(name, **{key: kept, "total_size": len(kept)})
    place = int(query.get("page_token") or 0)
    more = str(place + 1) if place + 1 < len(kept) else None
    return recorded(name, **{key: kept[place : place + 1], "total_size": len(kept), "next_page_token": more})


def _handler(service: Service) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"] or 0))
            is_json = (self.headers["Content-Type"] or "").startswith("application/json")
            url = urllib.parse.urlsplit(self.path)
            found = service.answer(
                self.command,
                url.path.removeprefix(PREFIX),
                dict(urllib.parse.parse_qsl(url.query)),
                json.loads(content or b"{}") if is_json else {},
            )
            self.send_response(found.status)
            if found.kind:
                self.send_header("Content-Type", found.kind)
            self.end_headers()
            self.wfile.write((found.body if isinstance(found.body, str) else json.dumps(found.body)).encode())

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextlib.contextmanager
def serving() -> Iterator[Service]:
    """A service at an address of this machine, as long as it is needed."""
    found = Service()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(found)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        found.address = f"http://127.0.0.1:{server.server_port}"
        yield found
        server.shutdown()
        thread.join()
