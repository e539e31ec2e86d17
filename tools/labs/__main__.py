"""The command line; see the package's docstring."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tools.labs import checkpoints, generate, hand_out, source
from tools.notebooks.execute import shown


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns the exit code: 0, or 1 when something is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tools.labs", description="Make the labs from the solutions.")
    parser.add_argument("command", nargs="?", choices=("generate", "check", "hand-out"), default="generate")
    parser.add_argument("folder", nargs="?", type=Path, help="where the labs of a class go (hand-out)")
    parser.add_argument("--salt", default="", help="of the class (hand-out; made up unless it is given)")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        if options.command == "hand-out":
            if options.folder in (None, Path()):
                raise ValueError("Which folder? make hand-out FOLDER=class")
            salt = hand_out.hand_out(options.folder, options.salt)
            print(f"{options.folder} has the labs for the class. Grade them with SALT={salt}")
            return 0
        if options.command == "generate":
            for path in [*generate.generate(), *checkpoints.generate()]:
                print(f"{shown(path)}")
            print(f"{len(source.names())} labs, {time.monotonic() - started:.0f} s")
            return 0
        stale = differences(generate.made()) + checkpoints.differences()
    except (source.SourceError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    if stale:
        print("\n".join(stale), "make labs writes them anew.", sep="\n", file=sys.stderr)
    return int(bool(stale))


def differences(files: dict) -> list[str]:
    """What in labs/ is not what the solutions make of it."""
    there = generate.existing()
    found = [f"labs/{path} is not made from solutions/" for path in there if path not in files]
    for path, content in files.items():
        if path not in there:
            found.append(f"labs/{path} is missing")
        elif (source.LABS / path).read_bytes() != content:
            found.append(f"labs/{path} is not what solutions/ make of it")
    return found


if __name__ == "__main__":
    sys.exit(main())
