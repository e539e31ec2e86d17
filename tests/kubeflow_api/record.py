"""Records what a real Kubeflow Pipelines answers to `deploy/kubeflow/submit.py`, and to what that would do wrong.

    python tests/kubeflow_api/record.py http://127.0.0.1:8085          # an empty one; writes answers.json
    python tests/kubeflow_api/record.py http://127.0.0.1:8085 --away   # its page without its API server; adds to the file

README.md beside this file says which servers the committed answers are of.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import kfp_server_api
import urllib3
from urllib3.connectionpool import HTTPConnectionPool

FOLDER = Path(__file__).parent
ANSWERS = FOLDER / "answers.json"
sys.path.insert(0, str(FOLDER.parent))

from kubeflow_api import package  # noqa: E402

NOBODY = "00000000-0000-0000-0000-000000000000"
"""An id that nothing has."""


def load(name: str = "submit") -> Any:
    """The module `submit.py`, or another one beside it, which is in no package."""
    specification = importlib.util.spec_from_file_location(name, FOLDER.parents[1] / f"deploy/kubeflow/{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Recorder:
    """Keeps what is asked and answered by name."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self._heard: list[dict[str, Any]] = []

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """All that this process asks by HTTP is heard."""
        theirs = HTTPConnectionPool.urlopen

        def urlopen(
            pool: HTTPConnectionPool, method: str, url: str, body: Any = None, *rest: Any, **options: Any
        ) -> Any:
            answer = theirs(pool, method, url, body, *rest, **options)
            heard = {"request": f"{method} {url}"}
            if isinstance(body, str):
                heard["sent"] = json.loads(body)
            heard |= {
                "status": answer.status,
                "type": answer.headers.get("Content-Type"),
                "body": _content(answer.data),
            }
            self._heard.append(heard)
            return answer

        with mock.patch.object(HTTPConnectionPool, "urlopen", urlopen):
            yield

    def step(self, names: str, call: Callable[..., Any], *given: Any, **options: Any) -> Any:
        """Keeps the answers to a call, under names that ', ' separates; returns what the call does, None where it is refused."""
        self._heard.clear()
        found = None
        try:
            found = call(*given, **options)
        except (kfp_server_api.ApiException, ValueError) as error:
            print(f"{names}: {getattr(error, 'status', error)}")
        self.answers |= dict(zip(names.split(", "), self._heard, strict=True))
        return found

    def states(self, name: str, call: Callable[[], Any], last: tuple[str, ...]) -> None:
        """Keeps the first answer of each state, until one of the last ones."""
        state = ""
        while state not in last:
            self._heard.clear()
            state = call().state or "none"
            if f"{name}: {state}" not in self.answers:
                print(f"{name}: {state}")
                self.answers[f"{name}: {state}"] = self._heard[0]
            time.sleep(0.3)

    def save(self) -> None:
        """Writes the file."""
        ANSWERS.write_text(_written(self.answers) + "\n", encoding="utf-8")


def _written(value: Any, indent: int = 0) -> str:
    """JSON to be read: what fits on a line is on one."""
    flat = json.dumps(value, ensure_ascii=False)
    if (indent + len(flat) < 150 and indent > 1) or not isinstance(value, dict | list):
        return flat
    start, end = flat[0], flat[-1]
    items = [f"{json.dumps(key)}: {_written(one, indent + 1)}" for key, one in value.items()] if start == "{" else None
    items = items or [_written(one, indent + 1) for one in value]
    pad = "\n" + " " * indent
    return f"{start}{pad} {f',{pad} '.join(items)}{pad}{end}"


def _content(data: bytes) -> Any:
    """JSON as it is, or text; of a trace of the server's calls, which names places of the machine that built it, only the first."""
    words = re.sub(rb'\\n\\t[^"]*', rb"\\n...", data) if data.startswith(b"{") else data
    try:
        return json.loads(words)
    except ValueError:
        return data.decode()


def upload(taken: Recorder, client: Any, folder: Path, image: str) -> tuple[str, str, str, str]:
    """Of pipelines and versions; returns the ids of the pipeline, and of versions that succeed, fail, and have no executor for their step."""
    path = package.write(folder, image)
    taken.step("pipelines: none", client.get_pipeline_id, "flights")
    pipeline = taken.step("upload", client.upload_pipeline, path, "flights").pipeline_id
    taken.step("upload: known name", client.upload_pipeline, path, "flights")
    taken.step("pipelines", client.get_pipeline_id, "flights")
    version = taken.step("upload version", client.upload_pipeline_version, path, "v1", pipeline).pipeline_version_id
    taken.step("upload version: known name", client.upload_pipeline_version, path, "v1", pipeline)
    failing = client.upload_pipeline_version(package.write(folder, image, command="false"), "v2", pipeline)
    taken.step("upload version: unknown pipeline", client.upload_pipeline_version, path, "v3", NOBODY)
    taken.step("versions", client.list_pipeline_versions, pipeline, page_size=1)
    text = Path(path).read_text()
    Path(path).write_text(text.replace("2.1.0", "2.0.0"))
    taken.step("upload version: another schema", client.upload_pipeline_version, path, "v3", pipeline)
    Path(path).write_text(text.replace("executorLabel: exec-a", "executorLabel: exec-b"))
    broken = client.upload_pipeline_version(path, "v3", pipeline)
    return pipeline, version, failing.pipeline_version_id, broken.pipeline_version_id


def run(taken: Recorder, client: Any, experiment: str, pipeline: str, versions: list[str]) -> None:
    """Of runs: made, refused, waited for, deleted."""
    which = {"pipeline_id": pipeline, "version_id": versions[0]}
    settings = {"params": {"data_root": "/mnt/flights/data"}, "pipeline_root": "s3://models/runs"}
    first = taken.step("create run", client.run_pipeline, experiment, "flights v1", **which, **settings)
    taken.states("run", lambda: client.get_run(first.run_id), ("SUCCEEDED", "FAILED"))
    which["version_id"] = versions[1]
    failing = client.run_pipeline(experiment, "flights v2", **which)
    taken.states("run", lambda: client.get_run(failing.run_id), ("SUCCEEDED", "FAILED"))
    ended = client.run_pipeline(experiment, "flights v1", **which)
    client.terminate_run(ended.run_id)
    taken.states("terminated run", lambda: client.get_run(ended.run_id), ("SUCCEEDED", "FAILED", "CANCELED"))
    taken.step("create run: unknown parameter", client.run_pipeline, experiment, "x", **which, params={"months": "1"})
    taken.step("create run: wrong type", client.run_pipeline, experiment, "x", **which, params={"data_root": 1})
    broken = which | {"version_id": versions[2]}
    taken.step("create run: no executor", client.run_pipeline, experiment, "x", **broken)
    taken.step("create run: unknown version", client.run_pipeline, experiment, "x", **which | {"version_id": NOBODY})
    taken.step("create run: unknown experiment", client.run_pipeline, NOBODY, "x", **which)
    client.delete_run(ended.run_id)
    taken.step("run: deleted", client.get_run, ended.run_id)


def schedule(taken: Recorder, client: Any, experiment: str, pipeline: str, version: str) -> None:
    """Of recurring runs, as `submit.py` makes them."""

    which = {"pipeline_id": pipeline, "version_id": version, "max_concurrency": 1, "no_catchup": True, "enabled": False}

    def make(cron: str, **options: Any) -> Any:
        return client.create_recurring_run(experiment, "flights v1", cron_expression=cron, **which, **options)

    taken.step("recurring runs: none", client.list_recurring_runs, page_size=100)
    made = taken.step("create recurring run", make, "0 0 6 1 * *", params={"data_root": "/mnt/flights/data"})
    taken.step("enable", client.enable_recurring_run, made.recurring_run_id)
    make("0 6 1 * *")
    time.sleep(5)  # until the controller has seen it
    taken.step("recurring runs", client.list_recurring_runs, page_size=1)
    taken.step("disable", client.disable_recurring_run, made.recurring_run_id)
    taken.step("create recurring run: wrong cron", make, "monthly")
    taken.step("create recurring run: unknown parameter", make, "0 0 6 1 * *", params={"months": "1"})
    taken.step("enable: unknown", client.enable_recurring_run, NOBODY)
    client.delete_recurring_run(made.recurring_run_id)
    taken.step("disable: deleted", client.disable_recurring_run, made.recurring_run_id)


def main() -> int:
    """Records; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("host", help="address of Kubeflow's page, which hands requests on to the API server")
    parser.add_argument("--image", default=package.IMAGE, help="has the commands true and false")
    parser.add_argument("--away", action="store_true", help="the API server was stopped")
    options = parser.parse_args()
    taken, submit = Recorder(), load()

    def ask(name: str, method: str, path: str) -> None:
        taken.step(name, urllib3.request, method, options.host + path, redirect=False, retries=False)

    with taken.listening(), tempfile.TemporaryDirectory() as folder:
        if options.away:
            taken.answers = json.loads(ANSWERS.read_text(encoding="utf-8"))
            ask("healthz: no API server", "GET", "/apis/v2beta1/healthz")
            ask("pipelines: no API server", "GET", "/apis/v2beta1/pipelines")
            taken.save()
            return 0
        client = taken.step("healthz, healthz", submit.connect, options.host)
        pipeline, *versions = upload(taken, client, Path(folder), options.image)
        experiment = taken.step(
            "experiments: none, create experiment", client.create_experiment, "flights"
        ).experiment_id
        taken.step("experiments", client.create_experiment, "flights")
        run(taken, client, experiment, pipeline, versions)
        schedule(taken, client, experiment, pipeline, versions[0])
        ask("no such path", "GET", "/apis/v2beta1/nothing")
        ask("no such method", "PUT", "/apis/v2beta1/pipelines")
        ask("page", "GET", "/")
        taken.save()
    return 0


if __name__ == "__main__":
    sys.exit(main())
