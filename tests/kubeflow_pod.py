"""What a step finds in its pod, as far as one machine has it: another user, an empty home, no repository, folders of its own for the store.

The process of this module stands for the image: it has imported TFX, and the packages of the pipeline from a copy of them alone. Each line of its
input is an order for one step, which is run in a fork. As root, Python may lie where only root may read: so the user keeps the right to read
all there is (CAP_DAC_READ_SEARCH), and no right to write. In a container whose root has not that right itself, the user stays root.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

USER = 1000
"""Whom the image of the course is made for: USER in its Dockerfile."""
READS_ALL = "-all,+dac_read_search"


class Pods:
    """Runs steps, each in a fork.

    Attributes:
        about: what the processes see: `user`, `home`, what is in it, `folder`, and the files that the packages were imported from.
    """

    def __init__(self, process: subprocess.Popen, user: int) -> None:
        """Args: process: of this module, with pipes; user: whose it is."""
        self._process, self.user = process, user
        self.about = self._answer()

    def run(self, arguments: Sequence[str], log: Path, mounts: dict[str, str]) -> int:
        """Runs the command of a step to its end, and returns its exit status.

        Args:
            arguments: without `python -m MODULE`.
            log: the file for what it prints.
            mounts: the folder that stands for the launcher's, by the scheme of the store.
        """
        order = {"arguments": list(arguments), "log": str(log), "mounts": mounts}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()["status"]

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        assert line, "the process that stands for the image has ended"
        return json.loads(line)


@contextlib.contextmanager
def pods(packages: Sequence[Path], folder: Path) -> Iterator[Pods]:
    """The image, for a while.

    Args:
        packages: folders of the packages that it holds.
        folder: for its files.
    """
    for package in packages:
        shutil.copytree(package, folder / "image" / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    home = folder / "home"
    home.mkdir(mode=0o555)
    prefix, user = [], os.getuid()
    if user == 0 and _reads_all():
        user = USER
        identity = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        rights = [f"--{kind}={READS_ALL}" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
        prefix = ["setpriv", *identity, *rights]
    temporary = folder / "tmp"
    temporary.mkdir(mode=0o777)
    temporary.chmod(0o777)
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(folder / "image"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(temporary),
    }
    process = subprocess.Popen(
        [*prefix, sys.executable, __file__],
        cwd=home,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Pods(process, user)
    finally:
        process.stdin.close()
        process.wait()


def _reads_all() -> bool:
    """Whether this process has CAP_DAC_READ_SEARCH, whose number is 2: capabilities(7)."""
    (rights,) = re.findall(r"^CapEff:\s*(\w+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return bool(int(rights, 16) >> 2 & 1)


def main() -> None:
    """Answers orders, a line each, until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    home = os.environ["HOME"]
    from engines.quiet import import_quietly

    import_quietly()
    import flights.pipeline  # noqa: F401
    import serving  # noqa: F401
    from engines.kubeflow import entrypoint, uris

    files = [str(sys.modules[name].__file__) for name in ("engines", "flights", "serving", "warm")]
    os.environ["HOME"] = home  # of which `import_quietly` makes another, for people
    seen = {"user": os.getuid(), "home": home, "in_home": os.listdir(home), "folder": os.getcwd(), "files": files}
    print(json.dumps(seen), file=answers, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.dup2(log, 1)
                os.dup2(log, 2)
                uris.MOUNTS.clear()
                uris.MOUNTS.update(order["mounts"])
                status = entrypoint.main(order["arguments"])
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(json.dumps({"status": status}), file=answers, flush=True)


if __name__ == "__main__":
    # The folder of this module is the tests', which no image has.
    sys.path[:] = [path for path in sys.path if path != str(Path(__file__).parent)]
    main()
