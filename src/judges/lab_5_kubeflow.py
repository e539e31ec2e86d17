"""Lab 5, Kubeflow: what it gives to the student, and its tasks.

The student's package is that of lab 3, given as its solution leaves it. The pipeline that is inherited, and what is wrong with it,
depend on the student (`lab.seed`).
"""

from __future__ import annotations

from typing import Any

from course import checks
from judges.lab_5 import check_compiled, check_image, check_migration, check_runs, check_specification, given_files

PRELOAD = ("tensorflow",)
"""What grading imports once, before it evaluates many submissions."""

SECONDS, CELL_SECONDS = 1200, 300
"""What grading gives a submission, and each of its cells, by the clock and on one core: it runs whole pipelines."""


def data(lab: checks.Lab) -> list[str]:
    """Writes what the student starts from.

    Returns:
        A line for each folder: what is in it.
    """
    return given_files.write(lab.workspace, lab.seed)


@checks.task("image", points=5, title="1. A package that an image can hold")
def in_image(lab: checks.Lab) -> None:
    """Metadata, what pip installs, and what the Dockerfile does."""
    check_image.judge_image(lab)


@checks.task("faults", points=3, title="2. What does not migrate")
def faults(lab: checks.Lab, faults: Any) -> None:
    """Six faults of an inherited pipeline, each with the component that it breaks."""
    check_migration.judge_faults(lab, faults)


@checks.task("mended", points=5, title="3. Mended")
def mended_pipeline(lab: checks.Lab) -> None:
    """The inherited pipeline, installed, compiled and run elsewhere."""
    check_migration.judge_mended(lab)


@checks.task("compiled", points=6, title="4. Compiled")
def compiled_pipeline(lab: checks.Lab, january: Any, february: Any) -> None:
    """The student's own pipeline, for two months."""
    check_compiled.judge_compiled(lab, january, february)


@checks.task("reading", points=5, title="5. The specification, read")
def read(lab: checks.Lab, january: Any, read: Any) -> None:
    """Ten questions to it."""
    check_specification.judge_reading(lab, january, read)


@checks.task("january", points=2, title="6. January")
def january(lab: checks.Lab, january: Any) -> None:
    """A whole run, step by step; its model is pushed."""
    check_runs.judge_january(lab, january)


@checks.task("february", points=2, title="7. February")
def february(lab: checks.Lab, january: Any, february: Any) -> None:
    """A new month, held against January's model."""
    check_runs.judge_february(lab, january, february)


@checks.task("refused", points=2, title="8. A candidate that is refused")
def refused(lab: checks.Lab, january: Any, february: Any, refused: Any) -> None:
    """The same gate, and a poor model."""
    check_runs.judge_refused(lab, january, february, refused)
