"""What makes code another code: what a module really imports, and nothing else. The packages are made for each test; no TensorFlow is loaded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engines import sources


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A function that writes files of a package `made`, which Python finds."""
    monkeypatch.syspath_prepend(tmp_path / "code")

    def write(**files: str) -> Path:
        for name, text in {"__init__": "", **files}.items():
            path = tmp_path / "code" / "made" / (name if "." in name else f"{name}.py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "code" / "made"

    yield write
    for name in [name for name in sys.modules if name.split(".")[0] == "made"]:
        del sys.modules[name]


def changes(path: Path, module: str = "made.model") -> bool:
    """Whether an edit of a file is one of the module's code; the file is then as it was."""
    before, text = sources.fingerprint(module), path.read_text()
    path.write_text(text + "\n# edited\n")
    after = sources.fingerprint(module)
    path.write_text(text)
    assert sources.fingerprint(module) == before
    return after != before


@pytest.mark.parametrize(
    "line",
    [
        "from made import fifth",
        "from made import other, fifth as f",
        "from made.fifth import f",
        "import made.fifth",
        "import os, made.fifth as f",
        "from . import fifth",
        "from .fifth import f",
        "from made import *",
        "def run_fn(fn_args):\n    from made.fifth import f",
        "class A:\n    def f(self):\n        import made.fifth",
        "try:\n    from .fifth import f\nexcept ImportError:\n    f = None",
        "if True:\n    pass\nelse:\n    from made import fifth",
        "import importlib\nfifth = importlib.import_module('made.fifth')",
        "import importlib\nfifth = importlib.import_module('.fifth', __package__)",
        "import importlib\nfifth = importlib.import_module(f'{__package__}.fifth')",
        "import importlib\nfifth = importlib.import_module('%s.fifth' % __package__)",
        "import importlib\nfifth = importlib.import_module('made.' + 'fifth')",
        "from importlib import import_module as load\nNAMES = ['fifth']\nfound = [load('.' + name, __package__) for name in NAMES]",
        "fifth = __import__('made', fromlist=['fifth']).fifth",
        "fifth = __import__('fifth', globals(), locals(), [], 1)",
        "import runpy\nfrom pathlib import Path\nfifth = runpy.run_path(Path(__file__).with_name('fifth.py'))",
        "from pathlib import Path\nexec(Path(__file__).with_name('fifth.py').read_text())",
        "import os, sys\nsys.path.insert(0, os.path.dirname(__file__))\nimport fifth",
        "import made\ndef run_fn(fn_args):\n    return made.fifth.f()",
        "import made as m\nF = m.fifth.F",
        "import pkgutil\nf = pkgutil.resolve_name('made.fifth:f')",
        f"X = {' + '.join(['1'] * 900)}\nfrom made import fifth",
    ],
)
def test_a_module_that_is_imported_is_in_it_however_that_is_written(line, package):
    folder = package(model=line, fifth="", other="", unrelated="")
    assert changes(folder / "fifth.py")
    assert changes(folder / "__init__.py")
    if "*" not in line and "+ 1" not in line:
        assert not changes(folder / "unrelated.py")


def test_what_is_imported_by_what_is_imported_is_in_it_in_a_circle_too(package):
    folder = package(
        model="from made import one", one="from made import two", two="from made import model, three", three=""
    )
    assert changes(folder / "three.py")


@pytest.mark.parametrize("initial", [{"sub/__init__": ""}, {}], ids=["package", "folder without __init__"])
@pytest.mark.parametrize("line", ["from made.sub import deep", "from made.sub.deep import f", "from .sub import deep"])
def test_folders_of_a_package_are_looked_into(line, initial, package):
    folder = package(
        model=line, **initial, **{"sub/deep": "from .. import up\nfrom .beside import f", "sub/beside": "", "up": ""}
    )
    for name in ("sub/deep.py", "sub/beside.py", "up.py", *(f"{name}.py" for name in initial)):
        assert changes(folder / name), name


def test_what_a_package_imports_for_all_of_its_modules_is_in_it(package):
    folder = package(
        **{"model": "from made.sub import deep", "sub/__init__": "from made import fifth", "sub/deep": "", "fifth": ""}
    )
    assert changes(folder / "fifth.py")


def test_a_module_outside_of_the_package_is_in_it_if_it_is_no_library(package):
    folder = package(model="import numpy, json\nimport helpers\nfrom second import part")
    (folder.parent / "helpers.py").write_text("")
    (folder.parent / "second").mkdir()
    (folder.parent / "second/part.py").write_text("")
    names = sources.files("made.model")
    assert set(names) == {"made.py", "made.model.py", "helpers.py", "second.part.py"}
    assert changes(folder.parent / "second/part.py")


@pytest.mark.parametrize(
    "line",
    [
        "import pkgutil, importlib, made\nfor one in pkgutil.iter_modules(made.__path__):\n    importlib.import_module('made.' + one.name)",
        "import importlib\ndef load(name):\n    '''Of this package, such as fifth.'''\n    return importlib.import_module('.' + name, __package__)",
    ],
)
def test_all_modules_are_in_it_where_the_name_comes_from_elsewhere(line, package):
    folder = package(model="from made import plugins", plugins=line, fifth="", unrelated="")
    assert changes(folder / "fifth.py")
    assert changes(folder / "unrelated.py")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("WORDS = json.loads(Path(__file__).with_name('words.json').read_text())", "words.json"),
        ("WORDS = (Path(__file__).parent / 'lists' / 'words.txt').read_text()", "lists/words.txt"),
        ("WORDS = importlib.resources.files(__package__).joinpath('lists/words.txt').read_text()", "lists/words.txt"),
        ("FILES = sorted(Path(__file__).parent.glob('*.csv'))", "airports.csv"),
        ("def read(name):\n    return Path(__file__).with_name(f'{name}.txt').read_text()", "words.txt"),
        ("VERSION = Path(__file__).with_name('VERSION').read_text()", "VERSION"),
        ("FILES = sorted((Path(__file__).parent / 'lists').iterdir())", "lists/words.txt"),
        ("FILES = sorted(Path(__file__).parent.glob('lists/*'))", "lists/words.txt"),
        ("def read(name):\n    return Path(__file__).with_name(f'{name}_words.txt').read_text()", "all_words.txt"),
        ("def read(name):\n    return Path(__file__).with_name('%s_words.txt' % name).read_text()", "all_words.txt"),
        ("END = '.js' + 'on'\nWORDS = Path(__file__).with_name('words' + END).read_text()", "words.json"),
        ("WORDS = (Path(__file__).parents[1] / 'words.json').read_text()", "../words.json"),
    ],
)
def test_files_that_a_module_reads_from_its_package_are_in_it(line, name, package):
    folder = package(model="from made import reads", reads=line)
    for path in (folder / name, folder / "notes.md"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("one two")
    assert changes(folder / name)
    assert not changes(folder / "notes.md")


def test_imports_for_type_checkers_are_not_in_it(package):
    line = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from made import fifth\nelse:\n    from made import sixth"
    folder = package(model=line, fifth="", sixth="")
    assert not changes(folder / "fifth.py")
    assert changes(folder / "sixth.py")


def test_a_new_file_that_shadows_nothing_changes_nothing_and_one_that_is_imported_does(package):
    folder = package(model="try:\n    from made import extra\nexcept ImportError:\n    extra = None")
    before = sources.fingerprint("made.model")
    package(unrelated="")
    assert sources.fingerprint("made.model") == before
    (folder / "extra.py").write_text("")
    assert sources.fingerprint("made.model") != before


def test_it_is_the_same_in_another_folder_and_process(package, tmp_path):
    folder = package(model="from made import fifth\nWORDS = 'words.json'", fifth="")
    (folder / "words.json").write_text("[]")
    shutil.copytree(folder.parent, tmp_path / "elsewhere" / "code")
    command = "from engines import sources; print(sources.fingerprint('made.model'))"
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "elsewhere" / "code")}
    said = subprocess.run(
        [sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert said.stdout.strip() == sources.fingerprint("made.model")
    assert sources.fingerprint("made.model", located={"made": tmp_path / "elsewhere/code/made"}) == said.stdout.strip()


def test_nothing_is_imported_for_it(package):
    package(
        model="raise SystemExit('imported')\nimport tensorflow, tfx.components", __init__="raise SystemExit('imported')"
    )
    command = "import sys; from engines import sources; sources.fingerprint('made.model'); print(sorted({'made', 'tensorflow', 'tfx'} & set(sys.modules)))"
    said = subprocess.run(
        [sys.executable, "-c", command],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "[]"


def test_a_copy_of_the_package_under_another_name_has_its_own(root, tmp_path, monkeypatch):
    copy = tmp_path / "our_delays"
    shutil.copytree(root / "src/flights", copy, ignore=shutil.ignore_patterns("__pycache__"))
    for path in copy.rglob("*.py"):
        path.write_text(
            path.read_text().replace("from flights", "from our_delays").replace("import flights", "import our_delays")
        )
    monkeypatch.syspath_prepend(tmp_path)
    (copy / "model.py").write_text((copy / "model.py").read_text() + "\nfrom our_delays import fifth\n")
    (copy / "fifth.py").write_text("")
    assert changes(copy / "fifth.py", "our_delays.model")
    assert changes(copy / "columns.py", "our_delays.model")
    assert not changes(copy / "fifth.py", "our_delays.features")
    assert not any(name.startswith("flights") for name in sources.files("our_delays.model"))


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(ModuleNotFoundError, match=r"flights\.modle"):
        sources.fingerprint("flights.modle")


def test_a_file_that_python_cannot_read_is_in_it_all_the_same(package):
    folder = package(model="from made import fifth", fifth="def broken(:")
    assert changes(folder / "fifth.py")


def test_a_process_does_not_pass_the_code_that_it_has_imported_off_as_the_code_that_was_edited_since(package):
    """In a notebook's kernel: TFX takes a function from the module that is loaded, whatever its file says by then."""
    import importlib

    folder = package(model="from made import fifth\nX = 1", fifth="", unrelated="")
    model = importlib.import_module("made.model")
    before = sources.fingerprint("made.model")
    (folder / "unrelated.py").write_text("X = 2")
    assert sources.fingerprint("made.model") == before
    (folder / "fifth.py").write_text("X = 2")
    with pytest.raises(sources.EditedError, match=r"fifth\.py was edited .* Restart"):
        sources.fingerprint("made.model")
    (folder / "fifth.py").write_text("")
    assert sources.fingerprint("made.model") == before
    (folder / "model.py").write_text("from made import fifth\nX = 345")
    importlib.reload(model)
    assert sources.fingerprint("made.model") != before
