"""`flights export` and `flights score` as they are typed. What they stand on is a stand-in here."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from engines.common import NodeReport
from flights import cli, targets
from flights.config import Config


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What the modules behind the commands were asked for."""
    seen: list[tuple] = []

    def to_litert(version, folder, month_file):
        seen.append(("litert", version, folder, month_file))
        return types.SimpleNamespace(file=tmp_path / "model", flights=2000, largest_difference=2.1e-7)

    def to_archive(version, folder):
        seen.append(("archive", version, folder))
        return tmp_path / "model"

    def score(config, month, file, version, report):
        seen.append(("score", config, month, file, version))
        report(NodeReport("BulkInferrer", "done", 3.9))
        return types.SimpleNamespace(file=file, flights=2000, version="9")

    (tmp_path / "model").write_bytes(b"12345")
    monkeypatch.setattr(targets, "import_quietly", lambda: None)
    export = types.SimpleNamespace(to_litert=to_litert, to_archive=to_archive, TOLERANCE=1e-5)
    versions = types.SimpleNamespace(pushed=lambda config, version: Path(config.serving_root) / (version or "9"))
    for name, module in (("export", export), ("versions", versions), ("score", types.SimpleNamespace(score=score))):
        monkeypatch.setitem(sys.modules, f"flights.{name}", module)
        monkeypatch.setattr(f"flights.{name}", module, raising=False)
    return seen


def test_newest_version_goes_into_the_folder_of_exports(asked, capsys):
    assert cli.main(["export", "--to", "litert", "--output-root", "/tmp/o", "--data-root", "/tmp"]) == 0
    expected = ("litert", Path("/tmp/o/serving/9"), Path("/tmp/o/exports/9"), Path("/tmp/span-12/flights.csv"))
    assert asked == [expected]
    said = capsys.readouterr().out
    assert "Version 9 for LiteRT" in said
    assert "5 bytes" in said
    assert "2,000 flights of span-12/flights.csv: probabilities differ by 2.1e-07 at most (allowed: 1e-05)." in said


def test_archive_of_a_named_version(asked, capsys):
    assert cli.main(["export", "--to", "saved-model", "--version", "7", "--output-root", "/tmp/o"]) == 0
    assert asked == [("archive", Path("/tmp/o/serving/7"), Path("/tmp/o/exports/7"))]
    assert "Version 7 as an archive" in capsys.readouterr().out


def test_folder_and_file_are_those_of_where_the_command_was_typed(asked, root, monkeypatch):
    """From `notebooks` it works in the repository, where data and output are."""
    monkeypatch.chdir(root / "notebooks")
    cli.main(["export", "--to", "litert", "--folder", "there", "--month", "3"])
    cli.main(["score", "--month", "3", "--file", "march.parquet"])
    assert asked[0][2:] == (root / "notebooks/there", Path(Config.data_root) / "span-03/flights.csv")
    assert asked[1][2:] == (3, root / "notebooks/march.parquet", "")


def test_month_is_scored_into_the_folder_of_scores(asked, capsys):
    assert cli.main(["score", "--month", "3", "--version", "7", "--output-root", "/tmp/o"]) == 0
    ((_, config, *rest),) = asked
    assert config.output_root == "/tmp/o"
    assert rest == [3, Path("/tmp/o/scores/month-03.parquet"), "7"]
    said = capsys.readouterr().out
    assert "BulkInferrer         done      3.9 s" in said
    assert "2,000 flights, scored by version 9: /tmp/o/scores/month-03.parquet" in said


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["export"], "--to"),
        (["export", "--to", "tfjs"], "litert, saved-model"),
        (["score"], "--month"),
        (["score", "--month", "13"], "'13': write a month, from 1 to 12"),
        (["score", "--month", "1-3"], "'1-3': write a month, from 1 to 12"),
    ],
)
def test_wrong_options_are_named(arguments, expected, capsys):
    with pytest.raises(SystemExit):
        cli.main(arguments)
    said = capsys.readouterr().err
    assert all(word.strip("'") in said for word in expected.split(", "))
