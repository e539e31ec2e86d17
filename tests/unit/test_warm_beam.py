"""What Beam keeps: it reads a signature once, and makes one view of its options, whose values are those of the options as before."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator

import pytest

from engines.quiet import import_quietly
from warm import beam

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(autouse=True, scope="module")
def kept() -> None:
    """As where TFX was imported with `quickly`."""
    import_quietly()


@pytest.fixture
def read(monkeypatch) -> Iterator[list]:
    """The functions whose signatures were really read."""
    found = []
    signature = inspect.signature
    monkeypatch.setattr(inspect, "signature", lambda function: found.append(function) or signature(function))
    return found


def test_a_signature_is_read_once_for_the_function_and_once_for_its_methods(read):
    from apache_beam.typehints.decorators import get_signature

    class Step:
        def process(self, element: int, weight: float = 1.0) -> str: ...

    first, second = Step(), Step()
    assert list(get_signature(first.process).parameters) == ["element", "weight"]
    assert get_signature(second.process).return_annotation == "str"
    assert list(get_signature(Step.process).parameters) == ["self", "element", "weight"]
    assert read == [first.process, Step.process]


def test_an_edited_function_is_read_again(read):
    from apache_beam.typehints.decorators import get_signature

    def step(element): ...

    def edited(element, window=None): ...

    assert list(get_signature(step).parameters) == ["element"]
    step.__code__, step.__defaults__ = edited.__code__, edited.__defaults__  # as IPython's autoreload does it
    assert list(get_signature(step).parameters) == ["element", "window"]


@pytest.mark.parametrize("what", [int, str.strip, functools.partial(print, "a"), functools.lru_cache(lambda one: one)])
def test_what_is_no_plain_function_is_read_as_beam_reads_it(what):
    from apache_beam.typehints import decorators

    assert decorators.get_signature(what) == decorators.get_signature.__wrapped__(what)


def test_there_is_one_view_of_each_kind_and_it_has_the_values_of_its_options():
    from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions

    options, others = PipelineOptions(["--direct_num_workers=3"]), PipelineOptions([])
    view = options.view_as(DirectOptions)
    assert options.view_as(DirectOptions) is view
    assert view.direct_num_workers == 3
    assert isinstance(options.view_as(StandardOptions), StandardOptions)
    view.direct_num_workers = 2
    assert options.view_as(StandardOptions).view_as(DirectOptions).direct_num_workers == 2
    assert others.view_as(DirectOptions).direct_num_workers == 1


def test_to_keep_twice_changes_nothing():
    from apache_beam.options.pipeline_options import PipelineOptions

    before = PipelineOptions.view_as
    beam.keep()
    assert PipelineOptions.view_as is before
