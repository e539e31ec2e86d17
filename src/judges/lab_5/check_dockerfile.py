"""A Dockerfile, judged as far as that goes without Docker: its base, how the package gets into the image, and the user at its end."""

from __future__ import annotations

import re
from pathlib import Path

from course import checks
from course.labs.lab_3.package import FOLDER
from judges.lab_5.dockerfile_instructions import instructions, last_stage
from judges.lab_5.image_files import Image
from judges.shared import workspace_files

BASE = "mlops-course"
MOST_FILES = 1000
NUMBER = re.compile(r"(\d+)(:\d+)?")


def judge(lab: checks.Lab) -> None:
    """The base, how the package gets into the image, and the user at the end.

    Raises:
        checks.Wrong: something of it is missing.
    """
    found = instructions(workspace_files.text(lab, f"{FOLDER}/Dockerfile", "It lies beside `pyproject.toml`."))
    bases = [rest.split() for name, rest in found if name == "FROM"]
    if not bases:
        raise checks.Wrong("Your `Dockerfile` has no `FROM`: which image does it start from?")
    base, last = last_stage(found)
    if not re.fullmatch(rf"(?:.*/)?{BASE}(?:[:@].+)?", base):
        raise checks.Wrong(
            f"Your `Dockerfile` starts from `{base[:60]}`. Only the course's image, `{BASE}`, has TFX and `flights` as they are locked."
        )
    image = Image(*_context(lab))
    for name, rest in last:
        image.read(name, rest)
    _brought(image)
    if not (number := NUMBER.fullmatch(image.user)) or int(number[1]) == 0:
        raise checks.Wrong(
            f"At the end of your `Dockerfile` the user is `{image.user[:30]}`. A step must not run as root, and Kubernetes can only "
            "tell by a number: which one does the course's image use?",
            points=1,
        )


def _context(lab: checks.Lab) -> tuple[list[str], bool]:
    """The files beside the Dockerfile, and whether setuptools builds them."""
    root = workspace_files.inside(lab, FOLDER)
    found = [path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()][:MOST_FILES]
    project = root / "pyproject.toml"
    text = workspace_files.text(lab, f"{FOLDER}/pyproject.toml") if project.is_file() else ""
    return [
        Path(path.relative_to(root)).as_posix() for path in found
    ], "setuptools" in text or "build-backend" not in text


def _brought(image: Image) -> None:
    """The package is copied and installed, by a user who may; or copied to where Python looks."""
    if image.lost:
        raise checks.Wrong(
            f"Your `Dockerfile` copies `{image.lost[0][:60]}`, and there is no such file or folder beside it, in `{FOLDER}`."
        )
    if not image.installs:
        if image.finds():
            return
        if not image.is_copied:
            raise checks.Wrong(
                "Your `Dockerfile` copies nothing into the image (`COPY`): how does the package get there?"
            )
        raise checks.Wrong(
            "Your `Dockerfile` never installs the package, and copies it to no folder that Python looks into: `RUN`, and the command "
            "that `lab.build()` runs."
        )
    good = [one for one in image.installs if not one.problem]
    chosen = (good or image.installs)[-1]
    if not image.is_copied:
        raise checks.Wrong("Your `Dockerfile` copies nothing into the image (`COPY`): how does the package get there?")
    if chosen.problem:
        is_late = "/" in chosen.target and not image.misses(image.at(chosen.target))
        raise checks.Wrong(
            "Your `Dockerfile` installs the package before it is copied into the image." if is_late else chosen.problem
        )
    if "--no-deps" not in chosen.words:
        raise checks.Wrong(
            "The `pip install` of your `Dockerfile` may replace the locked versions in the image by others: which option leaves "
            "dependencies alone?",
            points=1,
        )
    if chosen.user.split(":")[0] not in ("root", "0"):
        raise checks.Wrong(
            "The environment in the course's image belongs to root, and the image's user is not root: your `RUN` could not write "
            "there. Switch the user for it, and back.",
            points=1,
        )
