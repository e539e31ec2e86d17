"""Serves a small model with a student's project, and asks it: a step of a trial.

    main([FOLDER, REQUESTS, LOG, ANSWERS])

FOLDER holds the module `served`, whose PROJECT is served. REQUESTS is a JSON list of lists of rows; to ANSWERS go status and body of the answer to each. LOG is the
log of requests that the server writes. The server is this process, which has TensorFlow already; a thread asks it, as a client would.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
from pathlib import Path

from course.labs.lab_6 import small_model


def main(arguments: list[str]) -> int:
    """Serves and asks; returns the exit status."""
    from serving.__main__ import CannotServe, serve

    folder, requests, log, answers = arguments
    sys.path.insert(0, str(Path(folder).absolute()))
    small_model.push(Path("models"), 1)
    read, write = os.pipe()
    asking = threading.Thread(target=_ask, args=(read, Path(requests), Path(answers)), daemon=True)
    asking.start()
    try:
        serve(importlib.import_module("served").PROJECT, "models", port=0, log=Path(log).absolute(), report=write)
    except CannotServe as error:
        print(error)
        return 1
    return 0


def _ask(report: int, requests: Path, answers: Path) -> None:
    """Asks as soon as the server says where it is, and ends it."""
    from serving import process

    with os.fdopen(report) as told:
        said = json.loads(told.read() or "{}")
    try:
        if "url" not in said:
            return
        client, found = process.Client(said["url"], said["name"]), []
        for rows in json.loads(requests.read_text(encoding="utf-8")):
            body = json.dumps({"instances": rows}).encode()
            reply = client.send("POST", f"/v1/models/{client.name}:predict", body)
            found.append({"status": reply.status, "body": reply.body})
        answers.write_text(json.dumps(found), encoding="utf-8")
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
