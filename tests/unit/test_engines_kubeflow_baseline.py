"""The baseline on Kubeflow: the newest complete version that Pusher left, or none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engines.quiet import import_quietly

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def baseline():
    import_quietly()
    from engines.kubeflow import baseline

    return baseline


@pytest.fixture
def run(baseline, tmp_path):
    """Runs the step; returns the artifact that it made."""
    from tfx.types import standard_artifacts

    def run(destination: str | None = None):
        model = standard_artifacts.Model()
        model.uri = str(tmp_path / "model")
        Path(model.uri).mkdir(exist_ok=True)
        where = {"filesystem": {"base_directory": str(tmp_path / "serving")}}
        properties = {"push_destination": json.dumps(where) if destination is None else destination}
        baseline.LatestPushedModelExecutor().Do({}, {"model": [model]}, properties)
        return model

    return run


def push(tmp_path: Path, version: str, complete: bool = True) -> None:
    """A version as Pusher leaves it, or as it is when Pusher was killed."""
    (tmp_path / "serving" / version / "variables").mkdir(parents=True)
    (tmp_path / "serving" / version / "variables" / "weights").write_text(version)
    if complete:
        (tmp_path / "serving" / version / "saved_model.pb").write_text(version)


def test_the_newest_version_by_number_is_the_baseline(run, tmp_path):
    for version in ("999", "1000", "20"):
        push(tmp_path, version)
    model = run()
    assert Path(model.uri, "Format-Serving", "saved_model.pb").read_text() == "1000"
    assert Path(model.uri, "Format-Serving", "variables", "weights").read_text() == "1000"
    assert model.get_string_custom_property("pushed_version") == "1000"


def test_what_is_half_written_or_has_no_number_is_no_baseline(run, tmp_path):
    push(tmp_path, "1")
    push(tmp_path, "2", complete=False)
    push(tmp_path, "trial")
    assert run().get_string_custom_property("pushed_version") == "1"


@pytest.mark.parametrize("folder_is_there", [True, False])
def test_with_nothing_pushed_the_output_stays_empty(folder_is_there, run, tmp_path):
    if folder_is_there:
        (tmp_path / "serving").mkdir()
    model = run()
    assert list(Path(model.uri).iterdir()) == []
    assert not model.get_string_custom_property("pushed_version")


@pytest.mark.parametrize("destination", ["", "/models", "[]", '{"filesystem": {}}'])
def test_a_destination_that_is_no_folder_is_refused_with_how_to_write_it(destination, run):
    with pytest.raises(ValueError, match=r'push_destination=.*write \{"filesystem"'):
        run(destination)
