"""A submission's kernel that is forked from a warm process is confined as one that is started, and knows nothing of other submissions."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import classroom
import pytest

from tools.grade import box
from tools.grade.confine.plan import NAMESPACES, ROOT_NAMESPACES, USER_NAMESPACES, Limits
from tools.grade.inside import forked

pytestmark = pytest.mark.slow
FEW = (
    *("ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell", "jupyter_client.connect"),
    *("matplotlib_inline.backend_inline", "matplotlib.font_manager", "absl.logging", "pandas"),
)
"""What the warm process imports here: TFX is not what is tested."""

OWN, OTHER = "student-of-this-run", "student-of-the-run-before"

CONFINED = """
import os, re
status = dict(re.findall(r"(Cap\\w+|NoNewPrivs|Seccomp|Uid):\\s*(\\S+)", open("/proc/self/status").read()))
try:
    os.utime("/proc/self/exe")
    program = "written"
except OSError as error:
    program = error.strerror
regions = [line.split() for line in open("/proc/self/maps")]
shared = [region for region in regions if region[1][1] == "w" and region[1][3] == "s"]
environment = sorted(os.environ)
above = os.listdir(os.path.dirname(os.path.dirname(os.path.dirname(os.getcwd()))))
processes = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
"""

REMEMBERED = """
def remembers(pattern):
    with open("/proc/self/mem", "rb", 0) as memory:
        for region in [line.split() for line in open("/proc/self/maps")]:
            first, last = (int(end, 16) for end in region[0].split("-"))
            if region[1][:2] == "rw" and last - first < 2**30:
                memory.seek(first)
                if re.search(pattern, memory.read(last - first)):
                    return True
    return False

known = [remembers(b"student-of-this-ru[n]"), remembers(b"student-of-the-run-befor[e]")]  # not the words themselves: they would be found
"""

ANSWERS = ("status", "program", "shared", "environment", "above", "processes", "known")


@pytest.fixture(scope="module", params=NAMESPACES)
def answers(request, tmp_path_factory) -> Iterator[dict[str, dict]]:
    """What the kernel of a submission finds, after another one: forked, and started anew."""
    classroom.need_namespaces()
    if request.param == ROOT_NAMESPACES and box.choose() != ROOT_NAMESPACES:
        pytest.skip("not started by root")
    if request.param == USER_NAMESPACES and (reason := box._fails(box.Box(USER_NAMESPACES))):
        pytest.skip(reason)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forked, "IMPORTED", FEW)
        patch.setenv("SECRET_OF_WHO_GRADES", "1")
        with box.warmed(request.param) as warm:
            assert warm
            found = {}
            for name, own in {"forked": warm, "started": None}.items():
                for student in (OTHER, OWN):
                    found[name] = _run(box.Box(request.param, warm=own), student, tmp_path_factory.mktemp("run"))
            yield found


def _run(own: box.Box, student: str, top: Path) -> dict:
    top.chmod(0o755)
    for path in (top.parent, top / "task", top / "left"):
        path.mkdir(exist_ok=True)
        path.chmod(0o755)
    cells = [{"kind": "code", "source": source} for source in (CONFINED, REMEMBERED)]
    task = {"cells": [*cells, {"kind": "check", "answers": {name: name for name in ANSWERS}}], "namespaces": True}
    task |= {"seconds": 90, "cell_seconds": 60, "output": 10_000, "flood": 2**20}
    (top / "task/task.json").write_text(json.dumps(task))
    report = own.run(
        [sys.executable, "-m", "tools.grade.inside.run", str(top / "task/task.json")],
        top / "left",
        folder=box.ROOT / "labs/lab",
        collect="{scratch}/out",
        limits=Limits(seconds=90),
        visible=[top / "task"],
        environment={"COURSE_GRADED_AS": student},
        forks=True,
    )
    assert report.complete, report.errors
    said = [json.loads(line) for line in report.lines]
    checked = next((line["answers"] for line in said if "check" in line), None)
    assert checked, said
    return {name: checked[name]["value"] for name in ANSWERS}


@pytest.mark.parametrize("way", ["forked", "started"])
def test_the_kernel_has_no_right_that_a_submission_may_not_have(answers, way):
    status = answers[way]["status"]
    assert {name: int(value, 16) for name, value in status.items() if name.startswith("Cap")} == dict.fromkeys(
        ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"], 0
    )
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert status["Uid"] != "0"


@pytest.mark.parametrize("way", ["forked", "started"])
def test_the_program_that_the_kernel_runs_cannot_be_changed(answers, way):
    """Once loaded, it lies on a mount of its own, which `/proc/self/exe` reaches past the file system that is shown."""
    assert answers[way]["program"] == "Read-only file system"


def test_a_forked_kernel_shares_no_memory_that_can_be_written(answers):
    assert answers["forked"]["shared"] == []


def test_a_forked_kernel_remembers_its_own_submission_and_no_other(answers):
    assert answers["forked"]["known"] == [True, False]


def test_a_forked_kernel_sees_what_one_that_is_started_sees(answers):
    way, started = answers["forked"], answers["started"]
    assert set(started["environment"]) - set(way["environment"]) <= {"JPY_PARENT_PID"}
    assert "SECRET_OF_WHO_GRADES" not in way["environment"]
    assert set(way["environment"]) <= set(started["environment"]) | {"TF_CPP_MIN_LOG_LEVEL"}
    assert way["above"] == started["above"]
    assert way["processes"] == started["processes"] == [1, 2, 3]
