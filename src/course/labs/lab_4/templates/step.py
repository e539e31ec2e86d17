"""Does a step of the pipeline, and ends with its exit status: `flights.airflow.step` with this lab's settings.

`lab.airflow` keeps a process ready that has imported TFX, and says where by a variable. Then that one forks for the step; otherwise this process
becomes the step, which takes some ten seconds longer.
"""

import json
import os
import socket
import sys

PACKAGE, PROJECT = "@PACKAGE@", "@PROJECT@"


def main(arguments: "list[str]") -> int:
    """Returns the exit status."""
    arguments = [*arguments, "--project", PROJECT]
    worker = os.environ.get("LAB_4_WORKER", "")
    if not os.path.exists(worker):
        os.environ["PYTHONPATH"] = PACKAGE
        os.execv(sys.executable, [sys.executable, "-m", "flights.airflow.step", *arguments])
    order = {"arguments": arguments, "package": PACKAGE, "folder": os.getcwd()}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(worker)
        socket.send_fds(connection, [json.dumps(order).encode()], [1, 2])
        status = connection.recv(16)
    return int(status) if status else 137  # the step was killed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
