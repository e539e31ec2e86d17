"""Which pushed version is exported, and which scores a month."""

from __future__ import annotations

import pytest

from flights import versions
from flights.config import Config
from serving import traffic


@pytest.fixture
def config(tmp_path) -> Config:
    """Three pushed versions, and a folder that is none."""
    for name in ("8", "9", "10"):
        folder = tmp_path / "serving" / name
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").touch()
    (tmp_path / "serving" / "11").mkdir()
    return Config(output_root=str(tmp_path))


def test_newest_without_a_traffic_file(config):
    assert versions.pushed(config).name == "10"


def test_champion_where_a_traffic_file_names_one(config):
    traffic.write(config.serving_root, traffic.Traffic(champion=9, challenger=10, share=0.5))
    assert versions.pushed(config).name == "9"
    assert versions.pushed(config, "8").name == "8"


@pytest.mark.parametrize("name", ["11", "12", "..", "serving"])
def test_version_that_is_not_there_is_named_with_those_that_are(config, name):
    with pytest.raises(FileNotFoundError, match=f"there is no version '{name}'. There are 10, 8, 9."):
        versions.pushed(config, name)


def test_champion_that_is_not_there_is_not_replaced_by_another(config):
    traffic.write(config.serving_root, traffic.Traffic(champion=12))
    with pytest.raises(FileNotFoundError, match="no version '12'"):
        versions.pushed(config)
