"""What is served as a folder of versions changes: told by one look after another, with versions that need no TensorFlow."""

from __future__ import annotations

import logging
import shutil

import pytest

from serving import traffic
from serving.models import Refused, Versions, versions_in
from serving.traffic import Traffic


class Version:
    """A version that is named by what its file says."""

    def __init__(self, folder):
        text = (folder / "saved_model.pb").read_text()
        if text.startswith("broken"):
            raise Refused(text)
        self.text = text

    def predict(self, examples):
        return [0.5] * len(examples)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "serving").mkdir()
    return tmp_path / "serving"


@pytest.fixture
def versions(folder):
    return Versions(folder, Version)


def push(folder, version: int, text: str = "good") -> None:
    (folder / str(version)).mkdir(exist_ok=True)
    (folder / str(version) / "saved_model.pb").write_text(text)


def settle(versions) -> Traffic:
    """Two looks: the first sees that something is new, the second that it does not change any more."""
    versions.look()
    versions.look()
    return versions.served.traffic


def test_the_newest_by_number_answers(folder, versions):
    for version in (9, 10, 2):
        push(folder, version)
    (folder / "11.tmp").mkdir()
    (folder / "12").write_text("no folder")
    versions.look()
    assert versions.served.traffic == Traffic(10)
    assert set(versions.served.models) == {10}
    assert set(versions_in(folder)) == {2, 9, 10}


def test_a_name_that_is_no_number_of_64_bits_is_no_version(folder, versions):
    """A larger one was served, and then neither the log nor the address of the traffic could write it."""
    good = [str(2**63 - 1), "3", "0"]
    for name in (*good, str(2**63), "9" * 200, "1.0", "-1", "latest", "٤", "²", "03", "0003"):
        push(folder, name)
    assert versions_in(folder) == {int(name): folder / name for name in good}
    shutil.rmtree(folder / "3")
    assert versions_in(folder)[3] == folder / "03"


def test_a_newer_one_takes_over_and_the_older_goes(folder, versions):
    push(folder, 1)
    versions.look()
    before = versions.served
    push(folder, 2)
    assert settle(versions) == Traffic(2)
    assert set(versions.served.models) == {2}
    assert set(before.models) == {1}, "a request that has begun keeps its version"
    assert versions.status() == {2: ("AVAILABLE", ""), 1: ("END", "")}


def test_a_broken_one_is_refused_once_with_its_reason_and_the_one_before_goes_on(folder, versions, caplog):
    push(folder, 1)
    versions.look()
    push(folder, 2, "broken: no variables")
    with caplog.at_level(logging.INFO, "serving"):
        for _ in range(4):
            assert settle(versions) == Traffic(1)
    assert caplog.messages == ["version 2 is refused: broken: no variables."]
    assert versions.status() == {2: ("END", "broken: no variables"), 1: ("AVAILABLE", "")}
    push(folder, 3)
    assert settle(versions) == Traffic(3)
    assert versions.refused == {2: "broken: no variables"}


def test_where_the_newest_is_broken_from_the_start_an_older_one_answers(folder, versions):
    push(folder, 1)
    push(folder, 2, "broken")
    versions.look()
    assert versions.served.traffic == Traffic(1)


def test_where_all_are_broken_nothing_is_served(folder, versions):
    push(folder, 1, "broken")
    versions.look()
    assert versions.served is None
    assert versions.refused == {1: "broken"}


def test_a_version_that_is_still_growing_is_not_looked_into(folder, versions):
    """Pusher copies file by file."""
    push(folder, 1)
    versions.look()
    push(folder, 2, "broken: half")
    versions.look()
    push(folder, 2, "good, and whole")
    versions.look()
    assert versions.served.traffic == Traffic(1)
    assert not versions.refused
    versions.look()
    assert versions.served.traffic == Traffic(2)


def test_a_refused_version_is_tried_again_when_its_files_have_changed(folder, versions):
    push(folder, 1)
    versions.look()
    push(folder, 2, "broken")
    assert settle(versions) == Traffic(1)
    push(folder, 2, "mended now")
    assert settle(versions) == Traffic(2)
    assert not versions.refused


def test_the_traffic_file_names_champion_challenger_and_shadow(folder, versions):
    for version in (1, 2, 3, 4):
        push(folder, version)
    versions.look()
    traffic.write(folder, Traffic(1, 2, 0.5, 3))
    assert settle(versions) == Traffic(1, 2, 0.5, 3)
    assert set(versions.served.models) == {1, 2, 3, 4}, "the newest is tried as well, so that its status is known"
    traffic.write(folder, None)
    assert settle(versions) == Traffic(4)


def test_a_version_pushed_later_waits_for_the_traffic_file(folder, versions):
    push(folder, 1)
    traffic.write(folder, Traffic(1))
    versions.look()
    push(folder, 2)
    assert settle(versions) == Traffic(1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("garbage", "no JSON can be read there"),
        ('{"champion": 7}', "version 7 is not there."),
        ('{"champion": 1, "challenger": 2, "share": 0.5}', "version 2 was refused."),
        ('{"champion": 1, "shadow": 7}', "version 7 is not there."),
    ],
)
def test_a_traffic_file_that_cannot_be_followed_changes_nothing_and_is_told_once(text, said, folder, versions, caplog):
    push(folder, 1)
    push(folder, 2, "broken")
    traffic.write(folder, Traffic(1))
    versions.look()
    traffic.path(folder).write_text(text)
    with caplog.at_level(logging.INFO, "serving"):
        for _ in range(3):
            assert settle(versions) == Traffic(1)
    assert said in versions.served.fault
    assert len([message for message in caplog.messages if said in message]) == 1
    traffic.write(folder, Traffic(1))
    settle(versions)
    assert not versions.served.fault


def test_a_traffic_file_that_names_a_version_too_early_is_followed_when_it_comes(folder, versions):
    push(folder, 1)
    traffic.write(folder, Traffic(2))
    versions.look()
    assert (versions.served.traffic, bool(versions.served.fault)) == (Traffic(1), True)
    push(folder, 2)
    assert settle(versions) == Traffic(2)
    assert not versions.served.fault


def test_a_garbled_traffic_file_keeps_a_newer_push_from_taking_over(folder, versions):
    """Who writes the file means to decide; until it can be read, what was served goes on."""
    push(folder, 1)
    versions.look()
    traffic.path(folder).write_text("{")
    push(folder, 2)
    assert settle(versions) == Traffic(1)


def test_what_is_loaded_goes_on_when_its_folder_is_gone(folder, versions):
    push(folder, 1)
    versions.look()
    shutil.rmtree(folder)
    assert settle(versions) == Traffic(1)
    assert set(versions.served.models) == {1}
