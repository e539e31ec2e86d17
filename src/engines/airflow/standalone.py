"""`airflow standalone`, in plain words and for this machine only: `python -m engines.airflow.standalone`, in Airflow's environment.

The command of Airflow starts scheduler, DAG processor, triggerer and API server (which has the web page), with a user of its own. It says a thousand
lines; and scheduler and triggerer also serve their logs to the network, on all addresses: no setting says otherwise, and nobody needs it where all is
on one machine and the API server reads the files.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.cli.commands import standalone_command
from airflow.configuration import conf

from engines.common import end_with_parent

SAYS = "standalone.log"
"""What the parts of Airflow say; in AIRFLOW_HOME."""


API_SERVER = "api-server"

SERVE_LOGS = ("scheduler", "triggerer")
"""The parts that would."""


class SubCommand(standalone_command.SubCommand):
    """A part of Airflow that offers no port but the API server's, starts after that one, and ends when this process does."""

    def __init__(self, *given: Any, **named: Any) -> None:
        """As Airflow's own."""
        super().__init__(*given, **named)
        self._stopped = threading.Event()

    def run(self) -> None:
        """Starts the process and collects what it says.

        A task asks the API server whether it may begin. A scheduler that is ready sooner would start one, and it would fail: five questions
        in ten seconds, and none is answered.
        """
        while self.name != API_SERVER and not self.parent.port_open(conf.getint("api", "port")):
            if self._stopped.wait(0.5):
                return
        local = ["--skip-serve-logs"] if self.name in SERVE_LOGS else []
        self.process = subprocess.Popen(
            ["airflow", *self.command, *local],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.env,
            # Asked, not killed: the parts have processes of its own to end.
            preexec_fn=functools.partial(end_with_parent, signal.SIGTERM),
        )
        for line in self.process.stdout:
            self.parent.output_queue.append((self.name, line))

    def stop(self) -> None:
        """Ends the process, if it was started."""
        self._stopped.set()
        super().stop()


class Standalone(standalone_command.StandaloneCommand):
    """Airflow's command, with but a few lines for a person, and all others in a file."""

    def __init__(self, log: Path) -> None:
        """Sends what this process prints into the log."""
        super().__init__()
        self.person = os.fdopen(os.dup(sys.stdout.fileno()), "w")
        with log.open("w") as file:
            log.chmod(0o600)  # Airflow says the password there, once
            os.dup2(file.fileno(), sys.stdout.fileno())
            os.dup2(file.fileno(), sys.stderr.fileno())

    def find_user_info(self) -> None:
        """Makes the user, and a file with the password that other users of this machine cannot read."""
        before = os.umask(0o077)
        try:
            super().find_user_info()
        finally:
            os.umask(before)

    def is_ready(self) -> bool:
        """Whether a page would be answered as well; Airflow asks only for the other parts."""
        return super().is_ready() and self.port_open(conf.getint("api", "port"))

    def print_ready(self) -> None:
        """Tells a person where to go."""
        ((user, password),) = json.loads(Path(SimpleAuthManager.get_generated_password_file()).read_text()).items()
        print(
            f"Airflow is ready: {conf.get('api', 'base_url')}\n"
            f"Log in as {user} with the password {password}\n"
            "A DAG is paused until you switch it on, under Dags in the menu; then it runs the months that are over.\n"
            "Stop it with Ctrl-C.",
            file=self.person,
            flush=True,
        )


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Runs until Ctrl-C or SIGTERM; returns the exit status."""
    home, port = Path(os.environ["AIRFLOW_HOME"]), conf.getint("api", "port")
    with socket.socket() as taken:
        if taken.connect_ex(("127.0.0.1", port)) == 0:
            print(
                f"Port {port} is taken on this machine. Choose another: make airflow AIRFLOW_PORT={port + 1}",
                file=sys.stderr,
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
