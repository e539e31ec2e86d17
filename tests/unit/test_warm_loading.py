"""Loading what stays: the collector is off meanwhile and on again afterwards, and what is deferred loads when something in it is asked for."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import sys
from pathlib import Path

import pytest

from warm import loading
from warm.loading import quickly


@pytest.fixture(autouse=True)
def collected():
    """The collector as it was, with all objects of the other tests within its reach again."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()
    gc.enable()


def test_the_collector_is_off_meanwhile_and_leaves_alone_what_was_loaded():
    gc.unfreeze()
    gc.set_threshold(700, 10, 10)
    with quickly():
        assert not gc.isenabled()
        with quickly():
            pass
        assert not gc.isenabled(), "the inner one turned it on"
        assert gc.get_freeze_count() == 0
    assert gc.isenabled()
    assert gc.get_freeze_count() > 1000
    assert gc.get_threshold() == (loading.OBJECTS, 10, 10), "it looks as often as before"


def test_the_collector_is_on_again_after_a_failed_import():
    with pytest.raises(ModuleNotFoundError), quickly():
        import no_such_module  # noqa: F401
    assert gc.isenabled()


def test_who_has_turned_the_collector_off_keeps_it_off():
    gc.disable()
    with quickly():
        pass
    assert not gc.isenabled()


def test_messages_are_not_translated_unless_somebody_asks(monkeypatch):
    monkeypatch.delenv("LANGUAGE", raising=False)
    with quickly():
        assert os.environ["LANGUAGE"] == "C"
    monkeypatch.setenv("LANGUAGE", "de")
    with quickly():
        assert os.environ["LANGUAGE"] == "de"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose sub-package is deferred and says when it is loaded."""
    folder = tmp_path / "clouds" / "extensions"
    folder.mkdir(parents=True)
    (tmp_path / "clouds" / "__init__.py").write_text("from clouds import extensions\n")
    (folder / "__init__.py").write_text("from clouds.extensions import vertex\nLOADED = True\n")
    (folder / "vertex.py").write_text("ANSWER = 42\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(loading, "DEFERRED", frozenset({"clouds.extensions"}))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "clouds"]:
        del sys.modules[name]


def load():
    with loading.quickly():
        return importlib.import_module("clouds")


@pytest.mark.usefixtures("package")
def test_what_is_deferred_loads_when_a_name_of_it_is_asked_for():
    clouds = load()
    for module in list(sys.modules.values()):
        _ = getattr(module, "__file__", None), getattr(module, "__wrapped__", None), vars(module)
    assert "clouds.extensions.vertex" not in sys.modules, "looking at all modules has loaded it"
    assert clouds.extensions.vertex.ANSWER == 42
    assert clouds.extensions.LOADED
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = clouds.extensions.nothing


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    "statement", ["import clouds.extensions.vertex as found", "from clouds.extensions import vertex as found"]
)
def test_what_is_deferred_can_be_imported(statement):
    load()
    names: dict = {}
    exec(statement, names)
    assert names["found"].ANSWER == 42


@pytest.mark.usefixtures("package")
def test_afterwards_python_is_as_before():
    finders = list(sys.meta_path)
    load()
    assert sys.meta_path == finders


def test_the_packages_that_are_deferred_exist():
    """A name that TFX has no longer would be waited for in vain, and nobody would see it but by the clock."""
    for name in loading.DEFERRED:
        top, *rest = name.split(".")
        (place,) = importlib.util.find_spec(top).submodule_search_locations
        assert Path(place, *rest, "__init__.py").is_file(), name
