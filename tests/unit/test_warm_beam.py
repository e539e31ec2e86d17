"""What Beam keeps: it reads a signature once, and makes one view of its options, whose values are those of the options as before."""

from __future__ import annotations

import functools
import inspect
import os
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


def test_steps_without_state_are_not_looked_at_method_by_method(monkeypatch):
    import apache_beam as beam
    from apache_beam.runners import common
    from apache_beam.transforms import userstate

    looked_at = []
    wrapper = common.MethodWrapper
    monkeypatch.setattr(common, "MethodWrapper", lambda *of: looked_at.append(of[1]) or wrapper(*of))
    mapped = beam.Map(lambda element, weight=1: element).fn
    assert userstate.get_dofn_specs(mapped) == userstate.get_dofn_specs(beam.DoFn()) == (set(), set())
    assert not looked_at


def test_states_and_timers_are_found_wherever_beam_finds_them():
    import apache_beam as beam
    from apache_beam.coders import BytesCoder
    from apache_beam.transforms import userstate

    state, timer = userstate.BagStateSpec("bag", BytesCoder()), userstate.TimerSpec("timer", "WATERMARK")
    bag_of, timer_of = beam.DoFn.StateParam(state), beam.DoFn.TimerParam(timer)

    def wrapped(self, element, bag=bag_of): ...

    class Stateful(beam.DoFn):
        def process(self, element, bag=bag_of, later=timer_of): ...

    class Decorated(beam.DoFn):
        @functools.wraps(wrapped)
        def process(self, *arguments): ...

    class Twice(beam.DoFn):
        def process(self, element, one=bag_of, other=bag_of): ...

    class Told(beam.DoFn):
        def process(self, *arguments): ...

        def _inspect_process(self):
            return ["element", "bag"], [bag_of]

    steps = [Stateful(), Decorated(), Told(), beam.Map(lambda element, bag=bag_of: element).fn]
    found = [userstate.get_dofn_specs(step) for step in steps]
    assert found == [({state}, {timer}), ({state}, set()), ({state}, set()), (set(), set())]
    assert found == [userstate.get_dofn_specs.__wrapped__(step) for step in steps]
    with pytest.raises(ValueError, match="duplicate process method parameters"):
        userstate.get_dofn_specs(Twice())


def test_a_function_is_sent_with_the_submodules_that_cloudpickle_itself_finds():
    import concurrent.futures.thread
    import xml.dom.minidom

    import cloudpickle.cloudpickle as original  # Beam has a copy of it in its package
    from apache_beam.internal.cloudpickle import cloudpickle

    def step():
        return concurrent.futures.thread.ThreadPoolExecutor, xml.dom, os.path, "minidom"

    given = step.__code__, [concurrent, xml, os, None, "text"]
    found = cloudpickle._find_imported_submodules(*given)
    assert {one.__name__ for one in found} == {"concurrent.futures", "concurrent.futures.thread", "xml.dom"}
    assert len(found) == 3
    assert set(found) == set(original._find_imported_submodules(*given))


def test_a_runner_of_one_process_measures_no_side_input(monkeypatch):
    import apache_beam as beam
    from apache_beam.runners.worker import statecache
    from apache_beam.testing.util import assert_that, equal_to

    measured = []
    monkeypatch.setattr(statecache, "get_deep_size", lambda *values: measured.append(values) or 1)
    with beam.Pipeline("FnApiRunner") as pipeline:
        weights = pipeline | "weights" >> beam.Create([1, 2])
        sums = pipeline | beam.Create([10]) | beam.Map(lambda one, all_: one + sum(all_), beam.pvalue.AsList(weights))
        assert_that(sums, equal_to([13]))
    assert not measured


def test_to_keep_twice_changes_nothing():
    from apache_beam.options.pipeline_options import PipelineOptions

    before = PipelineOptions.view_as
    beam.keep()
    assert PipelineOptions.view_as is before
