"""Airflow's stable REST API, `/api/v2`, asked in this process: no server, no port. For Airflow's environment.

`python -m engines.airflow.rest DAG` prints what became of all runs of a DAG, as JSON, in six seconds, which is what it costs to make the API:
`engines.airflow.home.task_runs` asks the same in a fork of a process that has made it. Any other question to it: `engines.airflow.rest.Api().get(PATH)`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from warm.loading import quickly

Get = Callable[[str], dict[str, Any] | None]
"""Gives the answer to a path, None when there is no such thing."""

PAGE = 100
"""Entries of an answer; Airflow gives no more at a time."""


_SECRET = secrets.token_hex(64)
"""Signs the token; the API of this process, and of its forks, keeps the one that it was made with."""


def task_runs(get: Get, dag: str) -> list[dict[str, Any]]:
    """All tasks of all runs of a DAG: the fields of `engines.airflow.home.TaskRun`, but for its log."""
    runs = {run["dag_run_id"]: run for run in _pages(get, f"/dags/{quote(dag, safe='')}/dagRuns", "dag_runs")}
    found = _pages(get, f"/dags/{quote(dag, safe='')}/dagRuns/~/taskInstances", "task_instances")
    return [_task_run(get, task, runs[task["dag_run_id"]]) for task in found if task["dag_run_id"] in runs]


def _task_run(get: Get, task: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    place = [task["dag_id"], "dagRuns", task["dag_run_id"], "taskInstances", task["task_id"]]
    value = None
    if task["state"] == "success":
        value = get(f"/dags/{'/'.join(quote(one, safe='') for one in place)}/xcomEntries/return_value")
    return {
        "dag": task["dag_id"],
        "run": task["dag_run_id"],
        "month": (run["logical_date"] or "")[:7],
        "run_state": run["state"],
        "task": task["task_id"],
        "state": task["state"] or "",
        "tries": task["try_number"],
        "ended": task["end_date"] or "",
        "seconds": task["duration"] or 0.0,
        "result": str(value["value"] or "") if value else "",
    }


def _pages(get: Get, path: str, name: str) -> Iterator[dict[str, Any]]:
    """All entries of a list that comes in pages."""
    seen, total = 0, 1
    while seen < total:
        page = get(f"{path}?limit={PAGE}&offset={seen}") or {name: [], "total_entries": 0}
        yield from page[name]
        seen, total = seen + PAGE, page["total_entries"]


class Api:
    """The API, as the one administrator that there is."""

    def __init__(self) -> None:
        """Imports it, which takes some seconds."""
        # Of this process alone: nobody else can ask it.
        os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"] = "True"
        os.environ["AIRFLOW__API_AUTH__JWT_SECRET"] = _SECRET
        with quickly():
            import httpx
            from airflow.api_fastapi.app import cached_app

            app = cached_app(apps="core")
        logging.disable(logging.WARNING)
        self._loop = asyncio.new_event_loop()
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here")
        token = self._ask("/auth/token").json()["access_token"]
        self._client.headers["Authorization"] = f"Bearer {token}"

    def _ask(self, path: str) -> Any:
        return self._loop.run_until_complete(self._client.get(path))

    def get(self, path: str) -> dict[str, Any] | None:
        """The answer to a path, `/dags/my-pipeline/dagRuns` for example; None when there is no such thing."""
        answer = self._ask(f"/api/v2{path}")
        return None if answer.status_code == 404 else answer.raise_for_status().json()


def main(dag: str) -> None:
    """Prints what became of all runs of a DAG."""
    told = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what Airflow says while it is imported
    print(json.dumps(task_runs(Api().get, dag)), file=told, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
