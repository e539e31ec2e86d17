"""What a run is told of folders, files and addresses: what is no place here is refused before anything runs; a secret is kept nowhere."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from engines import common, places
from engines.airflow.project import ProjectError, of_config
from flights import cli, schedule
from flights.config import Config

SECRET = "s3cr3t"

NO_PLACE = [
    "s3://bucket/runs",
    "s3:/bucket/runs",
    "s3a://bucket/runs",
    "gs://bucket/runs",
    "hdfs://namenode:8020/runs",
    "minio://bucket/runs",
    "abfss://container@account.dfs.core.windows.net/runs",
    "https://example.com/runs",
    "file:///tmp/runs",
    "file:runs",
    "S3://bucket/runs",
    "C:\\runs",
    "c:/runs",
    "\\\\server\\runs",
    "out\\runs",
    "$HOME/runs",
    "${OUT}/runs",
    "%TEMP%/runs",
    "out/$USER/runs",
    "/tmp/${USER}",
    "out/$(date)/runs",
    "out/`date`",
    "out/%TEMP%/runs",
    f"out/{'n' * 256}/runs",
    "~nobody-of-this-name/runs",
    "",
    "  ",
    " out/runs",
    "out/runs\n",
    "out/\x00runs",
]


@pytest.mark.parametrize("setting", ["output_root", "data_root", "schema_file"])
@pytest.mark.parametrize("path", NO_PLACE)
def test_what_is_no_path_of_this_machine_is_refused_by_its_setting(path, setting, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"^{setting}"):
        Config(**{setting: path})
    with pytest.raises(ProjectError, match=f"^{setting}"):
        schedule.project(settings={setting: path})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [["run"], ["predict", "{}"]])
@pytest.mark.parametrize("root", ["s3://bucket/runs", "file:///x", "C:\\x", ""])
def test_the_command_line_says_so_and_makes_nothing(root, command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main([*command, "--output-root", root]) == 1
    assert "output_root" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_home_folder_that_no_shell_has_written_out_is_written_out(monkeypatch, tmp_path):
    """`--output-root=~/runs`: bash expands `~` only where a word begins."""
    monkeypatch.setenv("HOME", str(tmp_path))
    config = Config(output_root="~/runs", tracking_uri="sqlite:///~/runs.db")
    assert config.output_root == f"{tmp_path}/runs"
    assert config.tracking_uri == f"sqlite:///{tmp_path}/runs.db"


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for setting in ("output_root", "data_root"):
        for path in (file, file / "below" / "it"):
            with pytest.raises(ValueError, match=rf"{setting}=.* {file} is no folder"):
                Config(**{setting: str(path)})
    with pytest.raises(ValueError, match=r"schema_file=.* it is a folder"):
        Config(schema_file=str(tmp_path))
    with pytest.raises(ValueError, match=r"tracking_uri=.* it is a folder"):
        Config(tracking_uri=f"sqlite:///{tmp_path}")
    with pytest.raises(ValueError, match=rf"tracking_uri=.* {file} is no folder"):
        Config(tracking_uri=f"sqlite:///{file}/runs.db")


@pytest.mark.parametrize("path", ["out/run:1", "out/Größe 1", "./s3:1", "out/~old", "../runs", "/tmp/a@b"])
def test_folders_with_uncommon_names_are_folders(path):
    assert Config(output_root=path).output_root == path


def test_a_schema_may_be_named_by_its_package():
    name = "package:flights/schema/schema.pbtxt"
    assert Config(schema_file=name).schema_file == name
    assert schedule.project(settings={"schema_file": name}).settings["schema_file"] == name
    assert (
        of_config(Config(schema_file=name), "flights.pipeline:create_pipeline", schedule.MONTHS).settings["schema_file"]
        == name
    )


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///s3://bucket/runs.db",
        "sqlite:///C:\\runs.db",
        "sqlite:///out/",
        f"sqlite:///{'n' * 256}.db",
        "http://localhost:5000\n",
        "http://",
        "https:///x",
    ],
)
def test_a_tracking_store_that_keeps_nothing_here_is_refused(uri):
    with pytest.raises(ValueError, match="tracking_uri"):
        Config(tracking_uri=uri)


def test_airflow_logs_to_the_file_that_was_meant_whatever_folder_its_steps_run_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    project = of_config(
        Config(tracking_uri="sqlite:///out/runs.db"), "flights.pipeline:create_pipeline", schedule.MONTHS
    )
    assert project.settings["tracking_uri"] == f"sqlite:///{tmp_path}/out/runs.db"


WITH_SECRET = [
    f"postgresql://user:{SECRET}@db.example.com/mlflow",
    f"postgresql://user:{SECRET}@db.example.com:5432/mlflow?sslmode=require",
    f"postgresql://:{SECRET}@db/mlflow",
    f"postgresql://user:a@{SECRET}@db/mlflow",
    f"postgresql://user:a/{SECRET}@db/mlflow",
    f"postgresql://user:a#{SECRET}@db/mlflow",
    f"postgresql://user:a?{SECRET}@db/mlflow",
    f"postgresql://user%3A{SECRET}@db/mlflow",
    f"postgresql://user@db/mlflow?password={SECRET}",
    f"postgresql://db/mlflow?user=user&password={SECRET}",
    f"postgresql://db/mlflow?sslmode=require;PASSWORD={SECRET}",
    f"postgresql://db/mlflow?sslpassword={SECRET}",
    f"postgresql://db/mlflow?pass%77ord={SECRET}",
    f"postgresql://db/mlflow#password={SECRET}",
    f"postgresql://db/mlflow;password={SECRET}",
    f"postgresql://db/mlflow?pw={SECRET}",
    f"postgresql://db/mlflow?user=user:{SECRET}",
    f"postgresql://db/mlflow?options=-c password={SECRET}",
    f"postgresql://user@db:{SECRET}/mlflow",
    f"mysql+pymysql://user:{SECRET}@db/mlflow",
    f"sqlite:///runs.db?password={SECRET}",
    f"sqlite:///runs.db?key={SECRET}",
    f"https://user%3A{SECRET}%40mlflow.example.com",
    f"mysql://root:{SECRET}@localhost/mlflow",
    f"mysql://localhost/mlflow?passwd={SECRET}",
    f"http://user:{SECRET}@localhost:5000",
    f"https://{SECRET}@mlflow.example.com",
    f"https://mlflow.example.com/?token={SECRET}",
    f"https://mlflow.example.com?sig={SECRET}",
    f"https://mlflow.example.com/#{SECRET}",
    # Not addresses that are known; their passwords are none the less.
    f"postgres://user:{SECRET}@db/mlflow",
    f"postgresql+psycopg2://user:{SECRET}@db/mlflow",
    f"POSTGRESQL://user:{SECRET}@db/mlflow",
    f"mssql://user:{SECRET}@db/mlflow?x={SECRET}",
    f"user:{SECRET}@db/mlflow",
    f" https://user:{SECRET}@mlflow.example.com",
]


@pytest.mark.parametrize("uri", WITH_SECRET)
def test_an_address_with_a_secret_is_refused_and_the_secret_not_said(uri, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for make in (lambda: Config(tracking_uri=uri), lambda: schedule.project(settings={"tracking_uri": uri})):
        with pytest.raises(ValueError, match="tracking_uri") as refused:
            make()
        assert SECRET not in str(refused.value)
        assert SECRET not in repr(refused.value.__cause__)
    assert cli.main(["run", "--track", uri]) == 1
    assert SECRET not in "".join(capsys.readouterr())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("setting", ["output_root", "data_root", "schema_file"])
@pytest.mark.parametrize(
    "path", [f"s3://key:{SECRET}@bucket/runs", f"https://host/runs?sig={SECRET}", f"ftp://{SECRET}@host/x"]
)
def test_a_secret_in_a_path_is_not_said_either(path, setting):
    with pytest.raises(ValueError, match=setting) as refused:
        Config(**{setting: path})
    assert SECRET not in str(refused.value)


def test_a_secret_of_another_kind_is_not_said_either():
    with pytest.raises(ValueError, match="tracking_uri") as refused:
        Config(tracking_uri=f"postgresql://user:{SECRET}@db/mlflow".encode())
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        (WITH_SECRET[0], "PGPASSWORD"),
        (f"mysql://root:{SECRET}@localhost/mlflow", "read_default_file"),
        (f"http://user:{SECRET}@localhost:5000", "MLFLOW_TRACKING_PASSWORD"),
        (f"https://{SECRET}@mlflow.example.com", "MLFLOW_TRACKING_TOKEN"),
    ],
)
def test_the_way_that_works_instead_is_named(uri, named):
    with pytest.raises(ValueError, match=named):
        Config(tracking_uri=uri)


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://user@db.example.com:5432/mlflow?sslmode=require&passfile=/run/pgpass&sslkey=/run/key.pem",
        "postgresql:///mlflow",
        "mysql://user@localhost/mlflow?read_default_file=~/.my.cnf",
        "postgresql+psycopg2://user@db:5432/mlflow",
        "postgresql://user@[::1]:5432/mlflow",
        "mysql+pymysql://user@db/mlflow?charset=utf8mb4",
        "sqlite:////tmp/runs.db?timeout=20",
        "http://localhost:5000",
        "http://[::1]:5000",
        "https://mlflow.example.com/team",
    ],
)
def test_an_address_without_a_secret_is_taken_as_it_is(uri):
    assert Config(tracking_uri=uri).tracking_uri == uri


def test_a_password_of_the_environment_is_in_nothing_that_is_written(tmp_path, monkeypatch):
    """The project of Airflow is the settings that are written; it is searched with all its bytes, as is the rest of the folder."""
    for name in ("PGPASSWORD", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.setenv(name, SECRET)
    of_config(
        Config(output_root=str(tmp_path), tracking_uri="postgresql://user@db/mlflow"),
        "flights.pipeline:create_pipeline",
        schedule.MONTHS,
    ).save(tmp_path / "project.json")
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert json.loads(written[0].read_text())["settings"]["tracking_uri"] == "postgresql://user@db/mlflow"
    assert not any(SECRET.encode() in path.read_bytes() for path in written)


def test_the_folder_that_keeps_a_file_from_being_written_is_found(tmp_path, monkeypatch):
    """`os.access` is played: root, which tests may run as, may write anywhere."""
    assert places.unwritable(tmp_path / "a" / "runs.db") is None
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    assert places.unwritable(tmp_path / "a" / "runs.db") == tmp_path


def test_a_tracking_file_that_cannot_be_written_is_told_before_the_run(tmp_path, monkeypatch, root):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    config = Config(data_root=str(root / "data/flights"), tracking_uri=f"sqlite:///{tmp_path}/sub/runs.db")
    with pytest.raises(PermissionError, match=rf"--track: {tmp_path} cannot be written"):
        common.require_inputs(config)
