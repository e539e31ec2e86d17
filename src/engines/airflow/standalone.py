"""`airflow standalone`, in plain words and for this machine only: `python -m engines.airflow.standalone`, in Airflow's environment.

The command of Airflow starts scheduler, triggerer and web server, with a user of its own. It says a thousand lines, among them the password,
and two of the three also serve their logs to the network, on all addresses; nobody needs that where all is on one machine.
"""

from __future__ import annotations

import functools
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from airflow.cli.commands import standalone_command
from airflow.configuration import conf

from engines.common import end_with_parent

SAYS = "standalone.log"
"""What the parts of Airflow say; in AIRFLOW_HOME."""


class SubCommand(standalone_command.SubCommand):
    """A part of Airflow that offers no port but the web server's, and ends when this process does."""

    def run(self) -> None:
        """Starts the process and collects what it says."""
        local = [] if self.name == "webserver" else ["--skip-serve-logs"]
        self.process = subprocess.Popen(
            ["airflow", *self.command, *local],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.env,
            # Asked, not killed: the web server has processes of its own to end.
            preexec_fn=functools.partial(end_with_parent, signal.SIGTERM),
        )
        for line in self.process.stdout:
            self.parent.output_queue.append((self.name, line))


class Standalone(standalone_command.StandaloneCommand):
    """Airflow's command, with but a few lines for a person, and all others in a file."""

    def __init__(self, log: Path) -> None:
        """Sends what this process prints into the log."""
        super().__init__()
        self.person = os.fdopen(os.dup(sys.stdout.fileno()), "w")
        with log.open("w") as file:
            os.dup2(file.fileno(), sys.stdout.fileno())
            os.dup2(file.fileno(), sys.stderr.fileno())

    def print_ready(self) -> None:
        """Tells a person where to go."""
        password = Path(conf.get("core", "AIRFLOW_HOME", fallback=os.environ["AIRFLOW_HOME"])) / PASSWORD
        user = self.user_info["username"]
        login = self.user_info["password"] or password.read_text().strip()
        print(
            f"Airflow is ready: http://localhost:{self.web_server_port}\n"
            f"Log in as {user} with the password {login}\n"
            "A DAG is paused until you switch it on, at its left in the list; then it runs the months that are over.\n"
            "Stop it with Ctrl-C.",
            file=self.person,
            flush=True,
        )


PASSWORD = "standalone_admin_password.txt"


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Runs until Ctrl-C or SIGTERM; returns the exit status."""
    home, port = Path(os.environ["AIRFLOW_HOME"]), conf.getint("webserver", "WEB_SERVER_PORT")
    with socket.socket() as taken:
        if taken.connect_ex(("127.0.0.1", port)) == 0:
            print(
                f"Port {port} is taken on this machine. Choose another: make airflow AIRFLOW_PORT=8090", file=sys.stderr
            )
            return 1
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell has those that it starts in the background ignore SIGINT
        signal.signal(number, _stop)
    print(f"Starting Airflow (half a minute; what it says is in {home / SAYS}) ...", flush=True)
    standalone_command.SubCommand = SubCommand
    Standalone(home / SAYS).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
