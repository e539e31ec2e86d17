"""Lab 3, task 1: a package is judged by what stands in its files."""

from __future__ import annotations

import lab_three
import pytest

from tools.labs import checkpoints


@pytest.fixture
def lab(tmp_path):
    return lab_three.lab(tmp_path)


def judged(lab, change=None):
    lab_three.write_package(lab, change)
    return lab_three.evaluate(lab, "package")


def test_nothing_gets_nothing(lab):
    points, told = lab_three.evaluate(lab, "package")
    assert points == 0
    assert "`my_flights/config.py`" in told


def add(text):
    return lambda found: found + text


def instead(old, new):
    def edit(found):
        assert old in found, f"the finished package has no {old!r} any more"
        return found.replace(old, new)

    return edit


IMPORTS = "from my_flights import features"
RIGHT = {
    "as the solution": {},
    "relative imports": {"model": instead(IMPORTS, "from . import features")},
    "by the full name": {"model": instead(IMPORTS, "import my_flights.features as features")},
    "names one by one": {"pipeline": add("\nfrom .features import LABEL, derive\n")},
    "a further file": {"helpers": lambda _: "WIDTH = 16\n", "model": add("\nfrom my_flights.helpers import WIDTH\n")},
    "a name of the package itself": {
        "__init__": add("\nLABEL = 'late'\n"),
        "model": add("\nfrom my_flights import LABEL\n"),
    },
    "a function of another file": {
        "steps": lambda _: "def preprocessing_fn(inputs):\n    return dict(inputs)\n",
        "features": add("\nfrom my_flights.steps import preprocessing_fn\n"),
    },
    "more arguments that need not be given": {"model": instead("run_fn(fn_args)", "run_fn(fn_args, *, verbose=0)")},
    "any arguments": {"model": instead("def run_fn(fn_args):", "def run_fn(*given):\n    (fn_args,) = given\n")},
    "parts of flights": {
        "model": add("\nfrom flights.model import PROBABILITY\n"),
        "pipeline": add("\nfrom flights import pipeline as engine\n\nARGS = engine.BEAM_ARGS\n"),
    },
    "another name of an own function": {
        "pipeline": lambda found: (
            found.replace("def create_components(", "def _parts(") + "\n\ncreate_components = _parts\n"
        )
    },
    "a lambda": {
        "pipeline": lambda found: (
            found.replace("def create_components(", "def _parts(")
            + "\n\ncreate_components = lambda config: _parts(config)\n"
        )
    },
    "everything of another file": {
        "steps": lambda _: "def preprocessing_fn(inputs):\n    return dict(inputs)\n",
        "features": add("\nfrom my_flights.steps import *\n"),
    },
    "the class in a method": {"config": add("\nclass A:\n    def name(self):\n        return __class__\n")},
    "TensorFlow's log": {"model": add('\nimport os\nos.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"\n')},
    "its own file": {"config": add("\nfrom pathlib import Path\nHERE = Path(__file__).resolve()\n")},
    "a path in a docstring": {"config": add('\n"""Such as /home/anna/flights."""\n')},
    "text that only looks like a path": {
        "config": add('\nPARTS = ["a/b", "/", "/serving", "http://x/y", "s3://flights/data"]\n')
    },
}


@pytest.mark.parametrize("what", RIGHT)
def test_right_package_passes(lab, what):
    assert judged(lab, RIGHT[what]) == (5, "")


STUB = "\n\ndef preprocessing_fn(inputs):\n    return {}\n"
WRONG = {
    "no file": ({"model": lambda _: None}, 0, "There is no `my_flights/model.py`"),
    "an empty file": ({"model": lambda _: ""}, 0, "no function `run_fn`"),
    "no Python": ({"model": add("\ndef :\n")}, 0, "is no Python"),
    "nested too deep": ({"model": add("(" * 9000)}, 0, "is no Python"),
    "too long": ({"model": add("#" * 300_000)}, 0, "is longer than"),
    "no entry": ({"model": instead("def run_fn", "def train")}, 0, "no function `run_fn`"),
    "no pipeline": ({"pipeline": instead("def create_pipeline", "def pipeline")}, 0, "no function `create_pipeline`"),
    "no configuration": ({"config": instead("class Config(", "class Settings(")}, 0, "defines no `Config`"),
    "two arguments": ({"pipeline": instead("baseline=None", "baseline")}, 0, "called with one argument"),
    "no argument": ({"model": instead("run_fn(fn_args)", "run_fn()")}, 0, "called with one argument"),
    "a function that does nothing": ({"features": add(STUB)}, 0, "never looks at what it is given"),
    "a function of flights": (
        {"features": add("\nfrom flights.features import preprocessing_fn\n")},
        0,
        "yours to write",
    ),
    "another name for it": (
        {"model": add("\nfrom flights.model import run_fn as train\n\n\ndef run_fn(fn_args):\n    train(fn_args)\n")},
        4,
        "`run_fn` of `flights`",
    ),
    "by its module": (
        {
            "pipeline": add(
                "\nimport flights.pipeline\n\n\ndef create_components(c):\n    return flights.pipeline.create_components(c)\n"
            )
        },
        4,
        "`create_components` of `flights`",
    ),
    "a name of the notebook": ({"config": add("\nROOT = workspace\n")}, 4, "uses `workspace`"),
    "an import that is lost": ({"model": instead("import keras\n", "")}, 4, "uses `keras`"),
    "no such package": ({"model": add("\nimport of_nobody\n")}, 4, "imports `of_nobody`"),
    "nothing of flights": ({"model": add("\nfrom flights.data import NOPE\n")}, 4, "`flights` does not have"),
    "no file of flights": ({"model": add("\nimport flights.nowhere\n")}, 4, "`flights` does not have"),
    "no such file": ({"model": add("\nfrom my_flights.helpers import x\n")}, 4, "no such file"),
    "no such name": ({"model": add("\nfrom my_flights.features import NOTHING\n")}, 4, "has no such name"),
    "a local path": ({"config": add('\nDATA = "/home/anna/flights"\n')}, 4, "place of one machine"),
    "a short one": ({"config": add('\nDATA = "/tmp"\n')}, 4, "place of one machine"),
    "half of one": ({"config": add('\nNAME = "anna"\nDATA = f"/home/{NAME}"\n')}, 4, "place of one machine"),
    "from where it runs": ({"config": add('\nDATA = "../data/flights"\n')}, 4, "place of one machine"),
    "where it runs": ({"config": add("\nfrom pathlib import Path\nDATA = Path.cwd()\n")}, 4, "asks the machine"),
    "by a name of its own": ({"config": add("\nfrom os import environ\nDATA = environ\n")}, 4, "asks the machine"),
    "somebody's home": ({"config": add('\nimport os\nDATA = os.path.expanduser("x")\n')}, 4, "asks the machine"),
    "a module by another name": ({"config": add("\nimport os as o\nDATA = o.getcwd()\n")}, 4, "asks the machine"),
    "the arguments": ({"config": add("\nimport sys\nDATA = sys.argv\n")}, 4, "asks the machine"),
    "a temporary folder": ({"config": add("\nimport tempfile\nDATA = tempfile.mkdtemp()\n")}, 4, "asks the machine"),
    "the user": ({"config": add("\nimport getpass\nDATA = getpass.getuser()\n")}, 4, "asks the machine"),
    "no Python in which line": ({"model": lambda _: "def :\n"}, 0, "model.py, line 1"),
    "the kernel": ({"config": add("\nimport ipykernel\n")}, 4, "imports `ipykernel`"),
    "the course by a call": ({"config": add('\nC = __import__("course")\n')}, 4, "imports `course`"),
    "the course by importlib": (
        {"config": add('\nimport importlib\nC = importlib.import_module("course.checks")\n')},
        4,
        "imports `course`",
    ),
    "the course": ({"config": add("\nfrom course import checks\n")}, 4, "imports `course`"),
    "the notebook": ({"config": add("\nfrom IPython import get_ipython\n")}, 4, "imports `IPython`"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_package_is_told(lab, what):
    change, most, told = WRONG[what]
    points, message = judged(lab, change)
    assert told in message
    assert points == most
    assert len(message) < 1500


def test_many_files_are_not_read(lab):
    assert "are plenty" in judged(lab, {f"more_{number}": lambda _: "" for number in range(30)})[1]


def test_link_out_of_the_workspace_is_not_followed(lab, tmp_path):
    lab_three.write_package(lab)
    (tmp_path / "model.py").write_text("secret = 1 +")
    path = lab.workspace / "package" / "my_flights" / "model.py"
    path.unlink()
    path.symlink_to(tmp_path / "model.py")
    points, told = lab_three.evaluate(lab, "package")
    assert points == 0
    assert "leads out of your workspace" in told


def test_checkpoint_is_what_the_solution_leaves():
    assert checkpoints.differences() == []
