"""How a step would run in a container: as whom, with what, and what is said where there is no Docker. The engine is a stand-in here."""

from __future__ import annotations

import os
import types
from pathlib import Path

import docker
import pytest

from engines.errors import MissingEngineError
from engines.kubeflow import containers
from flights import cli
from flights.config import Config


class Engine:
    """A Docker engine with one image."""

    def __init__(self, user: str = "1000:1000", security: tuple[str, ...] = ()) -> None:
        self.images = types.SimpleNamespace(get=self._get)
        self.user, self.security = user, security

    def ping(self) -> bool:
        return True

    def info(self) -> dict:
        return {"SecurityOptions": list(self.security)}

    def _get(self, name: str):
        if name != "mlops-course:latest":
            raise docker.errors.ImageNotFound(name)
        return types.SimpleNamespace(attrs={"Config": {"User": self.user}})


@pytest.fixture
def runner(monkeypatch, tmp_path):
    """The runner's settings: for an engine, a caller and a configuration."""

    def make(engine: Engine, uid: int = 501, **settings) -> dict:
        monkeypatch.setattr(docker, "from_env", lambda: engine)
        monkeypatch.setattr(os, "getuid", lambda: uid)
        monkeypatch.setattr(os, "getgid", lambda: uid + 1)
        chowned.clear()
        config = Config(output_root=str(tmp_path / "out"), **settings)
        return containers.runner(config, tmp_path / "out" / "kubeflow", "mlops-course:latest", 3.0).container_run_args

    chowned: list[tuple] = []
    monkeypatch.setattr(os, "chown", lambda *arguments: chowned.append(arguments))
    make.chowned = chowned
    return make


def test_a_step_runs_as_its_caller_on_no_network(runner, tmp_path):
    settings = runner(Engine())
    assert settings["user"] == "501:502"
    assert settings["network_mode"] == "none"
    assert settings["mem_limit"] == 3_000_000_000
    assert runner.chowned == []


def test_data_are_read_only_and_what_is_pushed_can_be_written(runner, tmp_path):
    data, serving = runner(Engine())["mounts"]
    assert data["ReadOnly"]
    assert data["Source"] == data["Target"] == str(Path(Config.data_root).absolute())
    assert not serving.get("ReadOnly")
    assert serving["Target"] == str(tmp_path / "out" / "serving")
    assert (tmp_path / "out" / "serving").is_dir()


def test_root_is_no_user_of_a_container_and_the_folders_are_handed_over(runner, tmp_path):
    assert runner(Engine(), uid=0)["user"] == "1000:1000"
    folders = {tmp_path / "out" / "serving", tmp_path / "out" / "kubeflow"}
    assert runner.chowned == [(folder, 1000, 1000) for folder in sorted(folders, reverse=True)]


def test_root_in_a_rootless_engine_is_the_caller_outside(runner):
    assert runner(Engine(security=("name=seccomp,profile=default", "name=rootless")))["user"] == "0:0"


def test_runs_tracked_on_a_server_reach_it(runner):
    assert runner(Engine(), tracking_uri="http://127.0.0.1:5000")["network_mode"] == "host"


def test_runs_tracked_in_a_file_are_refused_because_a_container_would_lose_them(runner):
    with pytest.raises(ValueError, match="no file of a container's outlives it"):
        runner(Engine(), tracking_uri="sqlite:///out/mlflow.db")


def test_an_image_with_a_user_by_name_is_refused_as_by_kubernetes(runner):
    with pytest.raises(MissingEngineError, match=r"its user is 'student'.*a number"):
        runner(Engine(user="student"))


def test_no_image_says_how_it_is_built(monkeypatch):
    monkeypatch.setattr(docker, "from_env", Engine)
    with pytest.raises(MissingEngineError, match="no image another:latest: `make image` builds it"):
        containers.image_user("another:latest")


def test_no_engine_says_why_and_how_to_get_one(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(
        MissingEngineError, match=r"No Docker engine answers \(No such file or directory\). Start Docker.*`make image`"
    ):
        containers.image_user("mlops-course:latest")


def test_no_engine_has_no_containers_left_over(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert containers.remove_left_over(tmp_path) == []


def test_containers_are_for_kubeflow_alone(capsys):
    assert cli.main(["run", "--containers"]) == 1
    assert "Write --engine kubeflow --containers" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "state", "words"),
    [
        (0, {}, ""),
        (1, {}, ""),
        (137, {"OOMKilled": True}, "\nKilledError: the container was killed: it used more memory than a step has.\n"),
        (137, {"OOMKilled": False}, "\nKilledError: the container was killed: signal 9.\n"),
    ],
)
def test_a_container_that_was_killed_has_an_epitaph(code, state, words):
    assert containers._epitaph(code, state) == words
