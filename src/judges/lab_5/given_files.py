"""What lab 5 gives to the student."""

from __future__ import annotations

import shutil
from pathlib import Path

from course.labs.lab_3.package import FOLDER, NAME
from course.labs.lab_5 import MENDED
from flights.data import month_path
from judges.lab_3 import months, solution_package
from judges.lab_5 import inherited_pipeline


def write(root: Path, seed: int) -> list[str]:
    """Writes everything into the workspace; returns a line for each folder."""
    (root / FOLDER).mkdir()
    solution_package.write(root / FOLDER)
    for number in months.GOOD:
        path = month_path(root / "months", number)
        path.parent.mkdir(parents=True)
        text = months.month(number).to_csv(index=False, float_format="%.2f", lineterminator="\n")
        path.write_text(text, encoding="utf-8")
    inherited_pipeline.write(root, seed)
    shutil.copytree(root / inherited_pipeline.FOLDER, root / MENDED)
    beside = ", ".join(sorted(inherited_pipeline.files_beside(seed)))
    return [
        f"{FOLDER}/{NAME}: the package of lab 3, as its solution leaves it",
        "months/span-01, span-02: January and February, 2,000 flights each",
        f"inherited/: the pipeline `delays` that a colleague has left, and beside it pyproject.toml, {beside} (task 2)",
        "mended/: a copy of it, for you to mend (task 3)",
    ]
