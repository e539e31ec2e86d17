"""Installs a package into an empty folder, and compiles its pipeline there: a step of a trial.

    main([PACKAGE, IMAGE, JOB])

PACKAGE is installed into the folder IMAGE. JOB, as JSON, is empty, or what `separate_process.compile_package` takes: it finds the package in IMAGE alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from course.labs.lab_5 import install_package, separate_process


def main(arguments: list[str]) -> int:
    """Does it; returns the exit status."""
    package, image, job = arguments
    try:
        install_package.install(Path(package).resolve(), Path(image).resolve())
    except RuntimeError as error:
        print(error)
        return 1
    sys.path.insert(0, str(Path(image).resolve()))
    return separate_process.compile_package(json.loads(job)) if job else 0
