"""The command line; see the package's docstring."""

from __future__ import annotations

import argparse
import sys

from tools.docs import readme


def main(arguments: list[str] | None = None) -> int:
    """Renews the README, or with `--check` says whether it is up to date. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.docs", description="Write what follows from something else.")
    parser.add_argument("document", choices=["readme"])
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the table is not up to date")
    options = parser.parse_args(arguments)
    try:
        changed = readme.renew(write=not options.check)
    except readme.NotReadable as error:
        print(error, file=sys.stderr)
        return 1
    if changed and options.check:
        print("README.md: the table of lessons is not up to date; run: make readme", file=sys.stderr)
        return 1
    print("README.md: " + ("renewed" if changed else "up to date"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
