"""Starts a program that sees its own files, and those that it loads, on mounts that cannot be written: `python -m ...readonly HOW PATH ... -- COMMAND`.

A process that is forked from the program and confined later keeps the mounts from which it was loaded: by `/proc/self/exe` it reaches the program
itself, past the file system that it is shown. So they must allow no more than that.
"""

from __future__ import annotations

import os
import sys

from tools.grade.confine import system
from tools.grade.confine.plan import USER_NAMESPACES


def main() -> None:
    """Mounts, and becomes the program."""
    how, *rest = sys.argv[1:]
    paths, command = rest[: rest.index("--")], rest[rest.index("--") + 1 :]
    if how == USER_NAMESPACES:
        system.unshare_user(system.NEWNS, os.geteuid(), os.getegid())
    else:
        system.unshare(system.NEWNS)
    system.mount("none", "/", flags=system.MS_REC | system.MS_PRIVATE)
    for path in sorted({os.path.realpath(path) for path in paths}):
        system.bind(path, path)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
