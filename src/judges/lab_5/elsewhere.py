"""The student's work, done elsewhere: the Dockerfile, the installation, the compilation, and runs on flights that the check has drawn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from course import checks
from course.labs.lab_3.package import FOLDER, NAME
from course.labs.lab_5 import INHERITED, MENDED, pipeline_spec
from judges.lab_3 import months
from judges.shared import workspace_files
from judges.trial import Ran, Step, Trial
from warm import imports

IMAGE, DRAW = "image", 77
SECONDS, RUN_SECONDS = 240, 400
"""That a step has; on a system without forks each task of a run imports TFX anew."""
ANY_IMAGE = "elsewhere:1"
GAPS = ("temp", "wind_speed", "visib")
TRAINER = (2.0, 4.0)
"""What the Trainer is to get: cores, and GB."""


@dataclass(frozen=True)
class Elsewhere:
    """What has come of a trial."""

    ran: Ran

    def failure(self, number: int) -> str:
        """The last words of a step that did not come to its end; empty: it did."""
        done = self.ran.steps[number]
        lines = [line.replace("`", "'").strip() for line in done.said.splitlines() if line.strip()]
        if done.status is None:
            return "it had not ended when its time was over."
        return " ".join(lines[-3:])[-400:] or f"exit status {done.status}" if done.status else ""

    def compiled(self, name: str) -> pipeline_spec.Compiled | None:
        """A pipeline that was compiled; None where it was not."""
        path = self.ran.folder / f"{name}.yaml"
        if not path.is_file() or path.stat().st_size > workspace_files.MOST_BYTES:
            return None
        return pipeline_spec.parsed(path.read_text(encoding="utf-8", errors="replace"), path.name)

    def said(self, pattern: str) -> dict[str, Any]:
        """What a file says that a step has left: a JSON object, empty where it is none."""
        for path in sorted(self.ran.folder.glob(pattern)):
            if path.is_file() and path.stat().st_size < workspace_files.MOST_BYTES:
                found = pipeline_spec.json_of(path.read_text(encoding="utf-8", errors="replace"))
                return found if isinstance(found, dict) else {}
        return {}

    def ended(self) -> set[str]:
        """The tasks of a run that came to their end."""
        return {path.parent.name for path in self.ran.folder.glob("runs/*/*/executor_output.json")}

    def begun(self) -> set[str]:
        """The tasks of a run that began."""
        return {path.name for path in self.ran.folder.glob("runs/*/*") if path.is_dir()}


def image(lab: checks.Lab) -> Elsewhere:
    """The Dockerfile is done, and the package installed: steps 0 and 1."""
    files = _package(lab, FOLDER)
    steps = [
        Step("course.trials.image", ["package", "told.json"], seconds=SECONDS),
        Step("course.trials.compiled", ["package", IMAGE, ""], seconds=SECONDS),
    ]
    return Elsewhere(lab.run(Trial("your Dockerfile, and your package installed elsewhere", files, steps)))


def own(lab: checks.Lab, settings: Mapping[str, Any]) -> Elsewhere:
    """The student's package, compiled for January and February; and January's pipeline run on a month that its gate has to refuse: steps 0 and 1.

    Args:
        lab: whose package.
        settings: of its configuration, where it knows such.
    """
    place = {"data_root": "data of the check", "output_root": "made elsewhere"}
    compiled = [settings | place | {"months": span} for span in ([1, 1], [1, 2])]
    spoilt = months.month(1, DRAW)
    spoilt = spoilt.assign(carrier=spoilt["carrier"].replace({"UA": "UAL", "B6": "JBU"}))
    steps = [
        _compile(NAME, ANY_IMAGE, {"january": compiled[0], "february": compiled[1]}, {"Trainer": TRAINER}),
        _run("january", months.to_csv(spoilt)),
    ]
    files = _package(lab, FOLDER)
    return _done(lab, "your package compiled elsewhere, and run on a month that is spoilt", files, *steps)


def mended(lab: checks.Lab) -> Elsewhere:
    """The mended package, compiled twice."""
    files = _package(lab, MENDED)
    named = {"pipeline_name": INHERITED}
    compiled = {name: named | {"data_root": name, "output_root": f"{name}/out"} for name in ("first", "second")}
    return _done(
        lab, "the mended package, compiled twice elsewhere", files, _compile(INHERITED, f"{INHERITED}:7", compiled)
    )


def mended_run(lab: checks.Lab, compiled: Elsewhere) -> Elsewhere:
    """What it was compiled to, run on flights of January that the student has not seen, with gaps in what may have some."""
    files = {name: compiled.ran.folder / name for name in (IMAGE, "first.yaml")}
    flights = months.month(1, DRAW)
    places = np.arange(len(flights)) % 20
    flights = flights.assign(**{name: flights[name].mask(places == number) for number, name in enumerate(GAPS)})
    steps = [_run("first", months.to_csv(flights))]
    return _done(lab, "the mended pipeline, run on other flights of January", files, *steps)


def _package(lab: checks.Lab, name: str) -> dict[str, Any]:
    return {
        "package": workspace_files.folder(
            lab, name, name, "there, with your package in it: run the notebook from its top"
        )
    }


def _done(lab: checks.Lab, title: str, files: Mapping[str, Any], *steps: Step) -> Elsewhere:
    return Elsewhere(lab.run(Trial(title, files, steps, imports.STEPS)))


def _compile(
    package: str, image: str, files: Mapping[str, Mapping[str, Any]], resources: Mapping[str, Any] | None = None
) -> Step:
    listed = [{"path": f"{name}.yaml", "settings": settings} for name, settings in files.items()]
    job = {"package": package, "image": image, "resources": resources or {}, "files": listed}
    return Step("course.trials.compiled", ["package", IMAGE, json.dumps(job)], seconds=SECONDS)


def _run(name: str, month: str) -> Step:
    parameters = {"data_root": "months", "push_destination": "serving"}
    arguments = [f"{name}.yaml", IMAGE, "runs", json.dumps(parameters), "DataGate"]
    return Step("course.trials.tasks", arguments, {"months/span-01/flights.csv": month}, RUN_SECONDS)
