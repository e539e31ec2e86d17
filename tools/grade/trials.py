"""Runs the trials that a check asks for, each in a box of its own: the trusted side of `judges.trial`."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

from tools.grade.box import Box
from tools.grade.limits import Limits

MARGIN = 60.0
"""Seconds beyond those of its steps: for imports."""
MOST = 1800.0
"""Seconds that a check may ask for."""


@dataclasses.dataclass(frozen=True)
class Trials:
    """Those of one submission.

    Attributes:
        box: in which they are run.
        folder: for each a folder, named by its number, with `given`, what it is made of, and `room`, for what comes of it.
        limits: what it may use besides time.
    """

    box: Box
    folder: Path
    limits: Limits

    def run(self, number: int, seconds: float) -> dict[str, Any]:
        """Runs one: what its steps said, as lines, and the limit that it has met."""
        top = self.folder / str(number)
        report = self.box.run(
            [sys.executable, "-P", "-m", "course.trials", str(top / "given" / "trial.json"), "{scratch}/out/room"],
            top / "room",
            collect="out/room",
            limits=dataclasses.replace(self.limits, seconds=min(seconds, MOST) + MARGIN),
            visible=[top / "given"],
        )
        words = self.limits.words(report.limit) if report.limit else None
        return {"ran": [line.decode(errors="replace") for line in report.lines], "limit": words}
