"""Lab 6: which model is put into service for tasks 5 and 6."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from course.labs.lab_6 import first_version
from judges.lab_6 import service_data
from serving import traffic


def _version(folder):
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_text("")
    return folder


def test_newest_version_of_lab_3_is_taken_and_what_was_inherited_there_is_not(tmp_path):
    assert first_version.pushed(tmp_path) is None
    _version(tmp_path / "mine" / "serving" / "1700000002")
    newest = _version(tmp_path / "mine" / "serving" / "1700000010")
    _version(tmp_path / "mine" / "artifacts" / "Pusher" / "1700000011")
    (tmp_path / "inherited" / "serving" / "1700000012").mkdir(parents=True)
    assert first_version.pushed(tmp_path) == newest


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(("is_good", "words"), [(True, "that of your lab 3"), (False, "that of lab 3's solution")])
def test_own_model_is_put_into_service_if_it_can_be_and_else_the_one_that_was_delivered(
    tmp_path, capsys, is_good, words
):
    workspace = tmp_path / "lab-6-operate"
    workspace.mkdir()
    service_data.write(workspace, 1)
    mine = _version(tmp_path / "lab-3-pipeline" / "mine" / "serving" / "1700000001")
    if is_good:
        shutil.copytree(service_data.FIRST_MODEL, mine, dirs_exist_ok=True)
    config = first_version.begin(workspace)
    said = capsys.readouterr().out
    assert words in said
    assert f"In service: version {traffic.read(config.serving_root).champion}, that of" in said
    assert ("cannot be evaluated" in said) is not is_good
    assert config.data_root == str(workspace / "months")
    again = first_version.begin(workspace, own=False)
    assert [one.name for one in workspace.glob("pipeline*")] == ["pipeline-02"]
    assert again.output_root == str(workspace / "pipeline-02")
    assert "that of lab 3's solution" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.long
def test_model_that_is_delivered_is_what_the_package_of_lab_3_learns(tmp_path, monkeypatch):
    from flights.serving import PROJECT
    from serving import models

    committed = service_data.FIRST_MODEL
    monkeypatch.setattr(service_data, "FIRST_MODEL", tmp_path / "made")
    monkeypatch.syspath_prepend(str(tmp_path))  # what is put in front of the path there goes with the test
    service_data.make_first_model()
    rows = PROJECT.encode(PROJECT.check(service_data.requests(1, service_data.WATCHED)[:300]))
    before, now = (np.array(models.load(one, PROJECT).predict(rows)) for one in (committed, tmp_path / "made"))
    assert np.abs(now - before).mean() < 0.01  # of 0.05 to 0.5; processors do not add alike
