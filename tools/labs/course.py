"""nbgrader's view of the course: which folder holds what. Importing it takes a few seconds."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

# nbgrader calls `alembic` by name when it makes a gradebook.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])

log = logging.getLogger("course.nbgrader")
log.setLevel(logging.WARNING)
log.propagate = False
if not log.handlers:
    log.addHandler(logging.NullHandler())


def course_directory(lab: str, solutions: Path, folder: Path, student: str = "*") -> tuple[CourseDirectory, Config]:
    """nbgrader's settings for a lab: source in `solutions`, everything that is written in `folder`."""
    config = Config()
    own = config.CourseDirectory
    own.root = str(folder.resolve())
    own.db_url = f"sqlite:///{folder.resolve() / 'gradebook.db'}"
    own.source_directory = str(solutions.resolve())
    own.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__"]
    directory = CourseDirectory(config=config)
    directory.assignment_id, directory.student_id = lab, student
    return directory, config
