"""The command behind `make project NAME=my_project FOLDER=../my-project`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.project.start import ProjectFault, start


def main(arguments: list[str] | None = None) -> int:
    """Writes the project; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make project", description=__doc__)
    parser.add_argument("name", help="of the package, as it is imported: my_project")
    parser.add_argument("folder", type=Path, help="that is made")
    options = parser.parse_args(arguments)
    try:
        start(options.name, options.folder)
    except (ProjectFault, OSError) as error:
        print(f"make project: {error}", file=sys.stderr)
        return 1
    print(f"{options.folder} has your project; its README.md says how to go on.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
