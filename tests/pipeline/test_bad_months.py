"""A bad month stops the pipeline before anything is trained, and says why. The months are those of data/fixtures."""

from __future__ import annotations

import shutil

import ledger
import pytest

from flights import data
from tools.data import fixtures

REFUSED = {
    "truncated": "span-01/flights.csv, line 201",
    "duplicated-rows": "200 of its 400 rows are there before",
}
"""Fixtures that the reader refuses, one of a broken file and one that can be read, with what it must say; tests/unit/test_data.py has all of them read."""

ANOMALOUS = {
    "missing-label": "column late: Column (dropped|is completely missing)",
    "sparse-weather": "column temp: .*\n.*column visib: .*",
}
"""Fixtures that break the schema, in one column and in several, with what the gate must say; lesson 05 looks at all of them."""

MENDED = "missing-label"
"""The one of them whose month is mended."""

EACH_RUN = {"truncated", MENDED}
"""One of each kind, which is in `make test`: whatever is wrong, the pipeline stops in the same way."""

BEFORE_TRAINING = {
    "CsvExampleGen",
    "ImportSchemaGen",
    "LatestBlessedModel",
    "StatisticsGen",
    "ExampleValidator",
    "DataGate",
}


def some(fixtures) -> list:
    """Those of a kind; all but one are long."""
    return [pytest.param(name, marks=() if name in EACH_RUN else pytest.mark.long) for name in fixtures]


def assert_stopped(config, failed: str) -> None:
    """The named node failed, nothing was trained or pushed, and the store is sound."""
    states = ledger.last_states(config)
    assert states.pop(failed) == "FAILED"
    assert set(states.values()) <= {"COMPLETE", "CACHED"}
    assert set(states) < BEFORE_TRAINING
    assert not ledger.versions(config)
    ledger.assert_sound(config)


@pytest.mark.parametrize("fixture", some(REFUSED))
def test_file_that_cannot_be_read_stops_at_once(fixture, run, make_config, root):
    config = make_config(fixture, data_root=str(root / "data/fixtures" / fixture))
    with pytest.raises(data.DataError, match=REFUSED[fixture]):
        run(config)
    assert_stopped(config, "CsvExampleGen")


@pytest.mark.parametrize("fixture", some(sorted(ANOMALOUS.keys() - {MENDED})))
def test_month_that_breaks_the_contract_stops_at_the_gate(fixture, run, make_config, root):
    config = make_config(fixture, data_root=str(root / "data/fixtures" / fixture))
    assert_stopped_at_the_gate(fixture, run, config)


def assert_stopped_at_the_gate(fixture, run, config):
    from flights.gate import BadDataError

    with pytest.raises(BadDataError, match=f"(?s){ANOMALOUS[fixture]}") as stopped:
        run(config)
    assert "Nothing was trained" in str(stopped.value)
    assert_stopped(config, "DataGate")


@pytest.fixture
def months(tmp_path, root):
    """A data root with January of the sample and, as February, that of the sample with a fault, if a test names one."""

    def make(february: str | None):
        shutil.copytree(root / "data/flights/span-01", tmp_path / "span-01")
        if february:
            (tmp_path / "span-02").mkdir()
            (tmp_path / "span-02/flights.csv").write_bytes(fixtures.FAULTS[february](fixtures.sample_rows(2)))
        return str(tmp_path)

    return make


def test_month_of_another_mixture_is_drift(run, make_config, months):
    from flights.gate import BadDataError

    config = make_config("drift", data_root=months("drifted-month"), months=(1, 2))
    with pytest.raises(BadDataError) as stopped:
        run(config)
    assert "month-02 against month-01, column origin: High Linfty distance" in str(stopped.value)
    assert_stopped(config, "DataGate")


@pytest.mark.long
def test_good_months_beside_a_bad_one_do_not_save_the_run(run, make_config, months):
    from flights.gate import BadDataError

    config = make_config("february", data_root=months("unknown-carrier"), months=(1, 2))
    with pytest.raises(BadDataError, match="month-02, column carrier: Unexpected string values"):
        run(config)
    assert_stopped(config, "DataGate")


@pytest.mark.parametrize("asked", [(2, 2), (1, 2), (1, 3)])
def test_month_that_is_not_there_is_named(asked, run, make_config, months):
    config = make_config(f"missing-{asked[0]}-{asked[1]}", data_root=months(None), months=asked)
    with pytest.raises(data.DataError, match=r"span-02/flights\.csv.*no such file.*make data"):
        run(config)
    assert not ledger.executions(config)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_run_that_was_broken_off_leaves_no_execution_running(error, run, make_config, monkeypatch):
    """Whether somebody pressed Ctrl-C or a driver failed: the store is in order at once, not only at the next run."""
    from tfx.orchestration.portable import launcher

    def fail(*_):
        raise error("broken off")

    monkeypatch.setattr(launcher.Launcher, "_run_executor", fail)
    config = make_config(f"broken-off-{error.__name__}")
    with pytest.raises(error):
        run(config)
    assert ledger.last_states(config) == {"CsvExampleGen": "FAILED"}
    ledger.assert_sound(config)


def test_mended_month_goes_through_where_the_bad_one_stopped(run, make_config, root):
    """The same pipeline, the same folder: the file is replaced, and nothing of the bad one is taken from the cache."""
    folder = root / "data/fixtures" / MENDED
    assert_stopped_at_the_gate(MENDED, run, make_config("mended", data_root=str(folder)))
    config = make_config("mended")
    states = {report.node: report.state for report in run(config, last="DataGate")}
    assert states == {
        "CsvExampleGen": "done",
        "StatisticsGen": "done",
        "ImportSchemaGen": "cached",
        "ExampleValidator": "done",
        "DataGate": "done",
    }
    ledger.assert_sound(config)
