"""The file of a metadata store that cannot be used: told by its name and with what to do, by whatever it is opened for."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from ml_metadata.errors import AbortedError, InternalError, NotFoundError

from engines import store, store_file
from engines.store_file import StoreError
from flights.config import Config


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A store of ML Metadata's, without anything in it."""
    config = Config(output_root=str(tmp_path_factory.mktemp("whole")))
    store.open_store(config).get_executions()
    return Path(config.metadata_path)


@pytest.fixture
def config(whole, tmp_path) -> Config:
    """A pipeline with a copy of that store, and an artifact."""
    made = Config(output_root=str(tmp_path / "out"))
    (tmp_path / "out/artifacts/Trainer/model").mkdir(parents=True)
    shutil.copy(whole, made.metadata_path)
    return made


@contextmanager
def locked(path: str):
    """Another program that has begun to write, as a database browser does as long as a change is not saved."""
    program = (
        "import sqlite3, sys\nopened = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "opened.execute('BEGIN EXCLUSIVE')\nprint('locked', flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            process.stdin.close()


def alter(path: str, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as opened:
        for statement in statements:
            opened.execute(statement)
        opened.commit()


def noise(path: str) -> None:
    Path(path).write_bytes(bytes(range(256)) * 200)


def half(path: str) -> None:
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: len(content) // 2])


def holes(path: str) -> None:
    content = bytearray(Path(path).read_bytes())
    content[20_000:60_000] = bytes(40_000)
    Path(path).write_bytes(content)


def folder(path: str) -> None:
    Path(path).unlink()
    Path(path).mkdir()


FAULTS = {
    "noise": (noise, "is damaged"),
    "half": (half, "is damaged"),
    "holes": (holes, "is damaged"),
    "a table is missing": (lambda path: alter(path, "DROP TABLE Execution"), "is damaged"),
    "empty": (lambda path: Path(path).write_bytes(b""), "is empty"),
    "folder": (folder, "is a folder"),
    "newer": (lambda path: alter(path, "UPDATE MLMDEnv SET schema_version = 99"), "is of another version"),
    "older": (lambda path: alter(path, "UPDATE MLMDEnv SET schema_version = 7"), "is of another version"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_store_that_cannot_be_used_is_told_by_its_file_with_what_to_do(fault, config):
    spoil, said = FAULTS[fault]
    spoil(config.metadata_path)
    with pytest.raises(StoreError) as told:
        store.repair(config)
    message = str(told.value)
    assert message.startswith(f"{config.metadata_path} {said}")
    assert "Move it and the folder `artifacts` beside it away, or name another --output-root" in message
    assert "\n" not in message
    assert Path(config.metadata_path).exists(), "what cannot be read is left as it is"


def test_artifacts_without_their_store_are_told(config):
    """A new store would give the numbers of their folders to others."""
    Path(config.metadata_path).unlink()
    with pytest.raises(StoreError, match=r"metadata.sqlite is gone, and there are artifacts of earlier runs"):
        store.repair(config)
    assert not Path(config.metadata_path).exists()


def test_what_is_told_to_do_helps(config):
    noise(config.metadata_path)
    for name in ("metadata.sqlite", "artifacts"):
        (Path(config.output_root) / name).rename(Path(config.output_root) / f"{name}.old")
    assert store.repair(config) == []
    assert store.open_store(config).get_executions() == []


def test_empty_file_of_a_run_that_was_killed_at_its_beginning_is_a_new_store(config):
    shutil.rmtree(config.pipeline_root)
    Path(config.metadata_path).write_bytes(b"")
    assert store.repair(config) == []


@pytest.mark.parametrize("name", ["out", "a b#c%d", "é'\"", "100%25"])
def test_whole_store_passes_whatever_its_folder_is_called(name, whole, tmp_path):
    config = Config(output_root=str(tmp_path / name))
    Path(config.output_root).mkdir()
    shutil.copy(whole, config.metadata_path)
    before = Path(config.metadata_path).read_bytes()
    assert store.repair(config) == []
    assert Path(config.metadata_path).read_bytes() == before


def test_locked_store_is_told_before_anything_runs(config, monkeypatch):
    monkeypatch.setattr(store_file, "PATIENCE", 0.1)
    with locked(config.metadata_path), pytest.raises(StoreError, match=r"is locked by another program.*run again"):
        store.repair(config)
    assert store.repair(config) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize(("mode", "said"), [(0o444, "cannot be written to"), (0o000, "cannot be opened")])
def test_store_that_is_not_ours_is_told(mode, said, config):
    os.chmod(config.metadata_path, mode)
    with pytest.raises(StoreError, match=said):
        store.repair(config)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        # As ML Metadata 1.21 says it of a file that another program has locked, on a full disk, and on a bad one.
        (AbortedError("Concurrent writes aborted after max number of retries."), "is locked by another program"),
        (InternalError("Error when executing query: database or disk is full query: INSERT"), "the disk is full"),
        (RuntimeError("Error when executing query: disk I/O error query: SELECT"), "the disk reports an error"),
    ],
)
def test_fault_in_mid_run_is_told_as_well(error, said, config):
    with pytest.raises(StoreError, match=said) as told, store_file.explained(config.metadata_path):
        raise error
    assert str(told.value).startswith(config.metadata_path)
    assert told.value.__cause__ is error


@pytest.mark.parametrize(
    "error", [RuntimeError("a component failed: the tap is locked"), NotFoundError("no type"), ValueError("locked")]
)
def test_errors_of_others_pass_as_they_are(error, config):
    with pytest.raises(type(error)) as told, store_file.explained(config.metadata_path):
        raise error
    assert told.value is error
