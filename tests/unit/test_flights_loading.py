"""Loading what stays: the collector is off meanwhile and on again afterwards, whatever happens."""

from __future__ import annotations

import gc
import os

import pytest

from flights.loading import quickly


@pytest.fixture(autouse=True)
def collected():
    """The collector as it was, with all objects of the other tests within its reach again."""
    yield
    gc.unfreeze()
    gc.enable()


def test_the_collector_is_off_meanwhile_and_leaves_alone_what_was_loaded():
    gc.unfreeze()
    with quickly():
        assert not gc.isenabled()
        with quickly():
            pass
        assert not gc.isenabled(), "the inner one turned it on"
        assert gc.get_freeze_count() == 0
    assert gc.isenabled()
    assert gc.get_freeze_count() > 1000


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
