"""What a step finds in its pod, as far as one machine has it: another user, an empty home, no repository, folders of its own for the store.

The process that runs `main` stands for the image: it has TFX, and the packages of the pipeline from a copy of them alone. Each line of its
input is an order for one step, which is run in a fork. As root, Python may lie where only root may read: so the user keeps the right to read
all there is (CAP_DAC_READ_SEARCH), and no right to write. In a container whose root has not that right itself, the user stays root.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import shutil
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from warm import client, usage

USER = 1000
"""Whom the image of the course is made for: USER in its Dockerfile."""
READS_ALL = 2
"""The number of CAP_DAC_READ_SEARCH: capabilities(7)."""
PACKAGES = ("engines", "flights", "serving", "warm")


class Pods:
    """Runs steps, each in a fork.

    Attributes:
        about: what the processes see: `user`, `home`, what is in it, `folder`, and the files that the packages were imported from.
    """

    def __init__(self, orders: TextIO, answers: TextIO, user: int) -> None:
        """Args: orders and answers: of the process that stands for the image; user: whose it is."""
        self._orders, self._answers, self.user = orders, answers, user
        self.about = self._answer()

    def run(self, arguments: Sequence[str], log: Path, mounts: dict[str, str]) -> int:
        """Runs the command of a step to its end, and returns its exit status.

        Args:
            arguments: without `python -m MODULE`.
            log: the file for what it prints.
            mounts: the folder that stands for the launcher's, by the scheme of the store.
        """
        order = {"arguments": list(arguments), "log": str(log), "mounts": mounts}
        self._orders.write(json.dumps(order) + "\n")
        self._orders.flush()
        return self._answer()["status"]

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        assert line, "the process that stands for the image has ended"
        return json.loads(line)


@contextlib.contextmanager
def pods(root: Path, folder: Path, server: client.Warm | None = None) -> Iterator[Pods]:
    """The image, for a while.

    Args:
        root: of the repository, of whose packages the image has copies.
        folder: for its files.
        server: what has imported TFX; without one the image imports it itself, as its user and with its home.
    """
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / "src" / package, folder / "image" / package, ignore=ignored)
    home, temporary = folder / "home", folder / "tmp"
    home.mkdir(mode=0o555)
    temporary.mkdir()
    temporary.chmod(0o777)
    user = USER if os.getuid() == 0 and _reads_all() else os.getuid()
    environment = {name: os.environ[name] for name in ("PATH", usage.FILE) if name in os.environ} | {
        "HOME": str(home),
        "PYTHONPATH": str(folder / "image"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(temporary),
    }
    (orders, give), (listen, answers) = os.pipe(), os.pipe()
    process = client.begin(
        server,
        "kubeflow_pod",
        "main",
        user,
        environment=environment,
        folder=home,
        path=[str(Path(__file__).parent)],
        files=(orders, answers, 2),
    )
    os.close(orders)
    os.close(answers)
    with open(listen) as heard, open(give, "w") as said:
        yield Pods(said, heard, user)
    process.wait()


def _reads_all() -> bool:
    """Whether this process has CAP_DAC_READ_SEARCH."""
    (rights,) = re.findall(r"^CapEff:\s*(\w+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return bool(int(rights, 16) >> READS_ALL & 1)


def _become(user: int) -> None:
    """Of root's rights keeps that to read all, also for what is started from here: prctl(2), capset(2)."""
    keep_capabilities, ambient, raise_one, dumpable = 8, 47, 2, 4
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(keep_capabilities, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    rights = [1 << READS_ALL] * 3 + [0] * 3  # effective, permitted, inheritable; those from number 32 on
    assert libc.capset(struct.pack("Ii", 0x20080522, 0), struct.pack("6I", *rights)) == 0, os.strerror(
        ctypes.get_errno()
    )
    libc.prctl(ambient, raise_one, READS_ALL, 0, 0)
    libc.prctl(dumpable, 1, 0, 0, 0)  # or its own folder in /proc would be root's


def _leave_the_repository() -> None:
    """What was imported from it is imported anew, from the image, which is found first; the folder of this module, the tests', no image has."""
    sys.dont_write_bytecode = True
    sys.path.remove(str(Path(__file__).parent))
    for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
        del sys.modules[name]


def main(user: int) -> None:
    """Becomes the user, and answers orders, a line each, until there are no more."""
    _leave_the_repository()
    if user != os.getuid():
        _become(user)
    from warm.process import end_with_parent

    end_with_parent()  # which the kernel forgets for who becomes another user
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    home = os.environ["HOME"]
    from engines.quiet import import_quietly

    import_quietly()
    import flights.pipeline  # noqa: F401
    import serving  # noqa: F401
    from engines.kubeflow import entrypoint, uris

    files = [str(sys.modules[name].__file__) for name in PACKAGES]
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
