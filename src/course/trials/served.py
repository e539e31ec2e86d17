"""Serves a small model with a student's project, and asks it: a step of a trial.

    main([FOLDER, REQUESTS, LOG, ANSWERS])

FOLDER holds the module `served`, whose PROJECT is served. REQUESTS is a JSON list of lists of rows; to ANSWERS go status and body of the answer to each. LOG is the
log of requests that the server writes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from course.labs.lab_6 import small_model


def main(arguments: list[str]) -> int:
    """Serves and asks; returns the exit status."""
    from serving import process

    folder, requests, log, answers = arguments
    sys.path.insert(0, str(Path(folder).absolute()))
    small_model.push(Path("models"), 1)
    found = []
    try:
        with process.start("served:PROJECT", "models", log=log, timeout=90) as server:
            for rows in json.loads(Path(requests).read_text(encoding="utf-8")):
                body = json.dumps({"instances": rows}).encode()
                reply = server.send("POST", f"/v1/models/{server.name}:predict", body)
                found.append({"status": reply.status, "body": reply.body})
    except process.NotStarted as error:
        print(error)
        return 1
    Path(answers).write_text(json.dumps(found), encoding="utf-8")
    return 0
