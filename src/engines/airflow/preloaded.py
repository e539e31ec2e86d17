"""What a process imports, and makes, that forks Airflow's commands: half of the work of each of them. For Airflow's environment.

The API that tasks speak to makes a copy of itself for each version of its schemas when it is first asked, which takes as long as to import Airflow. So
each API is asked once here, for its health, by a client that starts no thread: a fork would have no such thread.
"""

from __future__ import annotations

import asyncio
from typing import Any

import airflow.__main__
import airflow.cli.commands.dag_command
import airflow.dag_processing.dagbag
import airflow.sdk.execution_time.task_runner  # noqa: F401
import httpx
from airflow.sdk.execution_time.supervisor import in_process_api_server

from engines.airflow import rest


async def _ask(app: Any, path: str) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        await client.get(path)


asyncio.run(_ask(in_process_api_server().app, "/health"))
rest.Api()
