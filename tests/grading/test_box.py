"""What a command that is not trusted can do in its box: see what it is shown, write to one folder, and nothing else."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import sys
from pathlib import Path

import classroom
import pytest

from judges.trial import Done, Step, Trial
from tools.grade import box, judge
from tools.grade.limits import Limits

pytestmark = pytest.mark.slow
PLACES = (
    "/x",
    "/dev/x",
    "/proc/sys/kernel/core_pattern",
    "/usr/x",
    f"{box.ROOT}/x",
    f"{box.ROOT}/src/course/x",
    "/scratch/x",
)
TRIES = f"""
import ctypes, errno, json, os, re, resource, socket

def code(number):
    return errno.errorcode[ctypes.get_errno()] if number < 0 else "done"

def opened(path):
    try:
        open(path, "a").close()
        return "done"
    except OSError as error:
        return errno.errorcode[error.errno]

def plug(family):
    try:
        return socket.socket(family, socket.SOCK_DGRAM) and "done"
    except OSError as error:
        return errno.errorcode[error.errno]

libc = ctypes.CDLL(None, use_errno=True)
told = dict(re.findall(r"(Cap\\w+|NoNewPrivs|Seccomp|Uid):\\s*(\\S+)", open("/proc/self/status").read()))
told |= {{"open": {{path: opened(path) for path in {PLACES!r}}}, "socket": {{family: plug(family) for family in (1, 2, 10, 16, 17, 40)}}}}
told |= {{"unshare": [code(libc.unshare(flag)) for flag in (0x10000000, 0x20000, 0x40000000)], "memfd": code(libc.memfd_create(b"x", 0))}}
told |= {{"user": __import__("getpass").getuser() and __import__("pwd").getpwuid(os.getuid()).pw_dir, "hosts": open("/etc/hosts").read()}}
told |= {{"ptrace": code(libc.ptrace(16, 1, 0, 0)), "processes": sorted(filter(str.isdigit, os.listdir("/proc")))}}
told |= {{"environment": sorted(os.environ), "above": os.listdir("{box.ROOT}"), "src": os.listdir("{box.ROOT}/src")}}
told |= {{"tools": [os.listdir("{box.ROOT}/tools"), os.listdir("{box.ROOT}/tools/grade")], "threads": resource.getrlimit(resource.RLIMIT_NPROC)[1]}}
print(json.dumps(told))
"""
SECRETS = (
    "import judges",
    "from judges.lab_1 import faults",
    "from judges.lab_2 import candidate_predictions",
    "from judges.lab_4 import cases",
    "from course.labs.lab_1 import faults",
    "from course import checks; checks.tasks('lab-1-data')",
    "from course import checks; checks.Lab('lab-2-model', 'anna', None).data()",
    "from course import checks; checks.Lab('lab-4-airflow', 'anna', None).data()",
    "import tools.grade.judge",
    "import tools.labs",
)
"""What a submission would ask for that wants to know what is planted."""


def run(into: Path, code: str, *, how: str = box.BUBBLEWRAP, **limits: float) -> box.Report:
    """A program in a box of its own."""
    return box.Box(how).run(
        [sys.executable, "-P", "-c", code],
        into,
        collect="out",
        folder=box.ROOT / "labs" / "x",
        limits=Limits(**{"seconds": 30} | limits),
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict:
    """What a program finds when it tries."""
    classroom.need_bubblewrap()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET_OF_WHO_GRADES", "1")
        patch.setenv("PYTHONPATH", str(box.ROOT))  # as some start the course's tools
        report = run(tmp_path_factory.mktemp("left"), TRIES)
    assert report.lines, report.errors
    return json.loads(report.lines[0])


def test_it_has_no_right_that_a_submission_may_not_have(told):
    assert {int(value, 16) for name, value in told.items() if name.startswith("Cap")} == {0}
    assert (told["NoNewPrivs"], told["Seccomp"]) == ("1", "2")
    assert told["Uid"] != "0"
    assert (told["unshare"], told["ptrace"]) == (["EPERM"] * 3, "EPERM")
    assert told["threads"] == Limits.threads


def test_it_writes_to_its_own_folder_only(told):
    assert {path for path, answer in told["open"].items() if answer == "done"} == {"/scratch/x"}


def test_its_user_has_a_name_and_a_home(told):
    assert (told["user"], told["hosts"]) == ("/scratch/home", "127.0.0.1 localhost\n")


def test_it_has_sockets_of_this_machine_and_of_the_internet_only(told):
    assert [family for family, answer in told["socket"].items() if answer == "done"] == ["1", "2", "10"]


def test_it_has_no_memory_that_is_not_counted(told):
    assert told["memfd"] == "ENOSYS"


def test_it_sees_the_course_and_not_what_judges_it_nor_who_grades(told):
    assert set(told["above"]) <= {
        "src",
        "data",
        "out",
        "tools",
        "labs",
        "pyproject.toml",
        Path(sys.prefix).name,
        ".tools",
        ".airflow",
    }
    assert set(told["src"]) == {"course", "engines", "flights", "operation", "serving", "warm"}
    assert told["tools"] == [["grade"], ["inside"]]
    assert "SECRET_OF_WHO_GRADES" not in told["environment"]
    assert told["processes"] == ["1", "2"]


DIGESTS = f"""
import hashlib, os
for top in {[str(box.ROOT), "/scratch", "/tmp"]!r}:
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name not in (".venv", ".airflow", ".tools")]
        for name in names:
            print(hashlib.sha256(open(os.path.join(folder, name), "rb").read()).hexdigest())
"""


def test_no_file_of_what_judges_can_be_read(tmp_path):
    """Neither the judges of a lab, nor its solution, nor what grades it or tests it."""
    classroom.need_bubblewrap()
    secret = {}
    for folder in ("src/judges", "solutions", "tests", "tools/grade", "tools/labs"):
        for path in (box.ROOT / folder).rglob("*"):
            if (
                path.is_file()
                and path.stat().st_size > 100
                and "inside" not in path.parts
                and path.suffix in (".py", ".ipynb")
            ):
                secret[hashlib.sha256(path.read_bytes()).hexdigest()] = path
    report = run(tmp_path, DIGESTS, processes=4)
    seen = {line.decode() for line in report.lines}
    assert hashlib.sha256((box.ROOT / "src/course/checks/session.py").read_bytes()).hexdigest() in seen, report.errors
    assert [secret[digest] for digest in seen & secret.keys()] == []


@pytest.mark.parametrize("how", [box.BUBBLEWRAP, box.DOCKER])
@pytest.mark.parametrize("line", SECRETS)
def test_what_judges_cannot_be_imported(line, how, tmp_path):
    classroom.need_bubblewrap()
    if how == box.DOCKER and (reason := box._fails(box.Box(how))):
        pytest.skip(reason)
    report = run(tmp_path, f"try:\n    {line}\nexcept (ImportError, ValueError) as error:\n    print(error)", how=how)
    assert report.lines, report
    assert re.match(b"No module named|there is no lab|cannot import name 'faults'", report.lines[0])


@pytest.mark.parametrize(
    ("code", "limit"),
    [
        ("import time; time.sleep(99)", "time"),
        ("import os, time; os.fork(), os.fork(); x = b'x' * 2 * 10**8; time.sleep(99)", "memory"),
        ("import os, time; [os.fork() for _ in range(5)]; time.sleep(99)", "processes"),
        ("while True: print('x' * 10**6)", "output"),
        ("for i in range(10**6): open(f'/scratch/{i}', 'w').close()", "disk"),
    ],
)
def test_each_limit_ends_it(code, limit, tmp_path, monkeypatch):
    classroom.need_bubblewrap()
    monkeypatch.setattr("tools.grade.watch.GRACE", 0)
    report = run(tmp_path, code, seconds=3 if limit == "time" else 60, memory=5 * 10**8, processes=8, files=500)
    assert report.limit == limit, report


def test_what_is_left_is_copied_when_nothing_runs_any_more(tmp_path):
    classroom.need_bubblewrap()
    code = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    for i in range(10**6): open('/scratch/out/a', 'w').write(str(i))\nwhile not os.path.exists('/scratch/out/a'): time.sleep(0.01)\nprint(1)"
    report = run(tmp_path / "left", code)
    assert report.lines == [b"1"]
    assert report.seconds < 20
    assert [path.name for path in (tmp_path / "left").iterdir()] == ["a"]


def test_a_trial_runs_in_a_box_and_its_room_comes_back_as_data(tmp_path):
    """Its steps can neither see the judge nor be seen by it: files come back, links do not."""
    classroom.need_bubblewrap()
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    step = (
        "import os\ndef main(arguments):\n    os.symlink('/etc/passwd', 'link')\n    open('who', 'w').write(f'{arguments} {os.getcwd()} {os.listdir(os.environ[\"HOME\"])} {os.path.exists(\""
        + str(Path.home())
        + "/.bashrc\")}')\n    import judges"
    )
    # A module of ours in reality; here it lies where the steps find it.
    room = tmp_path / "modules"
    room.mkdir()
    (room / "sample_step.py").write_text(step)
    (tmp_path / "trials").mkdir()
    run_trial = functools.partial(box.Box(box.BUBBLEWRAP).trial, tmp_path / "trials", Limits())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(room))
        asked = Trial("x", {"a/b": "text"}, [Step("sample_step", ["one"]), Step("sample_step", seconds=5)])
        ran = judge.Confined(tmp_path / "trials", lambda line: run_trial(line["ask"], line["seconds"])).run(asked)
    assert ran.steps[0].status == 1
    assert "No module named 'judges'" in ran.steps[0].said
    assert (ran.folder / "who").read_text() == "['one'] /scratch/out/room [] False"
    assert sorted(os.listdir(ran.folder)) == ["a", "who"]
    assert ran.steps[1] != Done(None), "each step is run, whatever came of the one before"
