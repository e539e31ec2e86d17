"""What `deploy/kubeflow` hands to a cluster. The client is Kubeflow's own, and speaks to a service that keeps what it is told."""

from __future__ import annotations

import http.server
import importlib.util
import json
import os
import subprocess
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from email import message_from_bytes
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "kubeflow"
PREFIX = "/apis/v2beta1/"


def load():
    specification = importlib.util.spec_from_file_location("submit", FOLDER / "submit.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


submit = load()


class Service:
    """A Kubeflow Pipelines that runs nothing: it answers as the real one does, and remembers."""

    def __init__(self) -> None:
        self.pipelines: dict[str, str] = {}
        self.versions: list[dict] = []
        self.experiments: list[dict] = []
        self.runs: list[dict] = []
        self.recurring: list[dict] = []
        self.states = ["PENDING", "RUNNING", "SUCCEEDED"]
        self.refuse = ""

    def get(self, path: str, query: dict[str, str]) -> dict:
        wanted = json.loads(query.get("filter", "{}")).get("predicates", [{}])[0].get("stringValue")
        if path == "healthz":
            return {"multi_user": False}
        if path == "pipelines":
            return {"pipelines": [{"pipeline_id": key} for key, name in self.pipelines.items() if name == wanted]}
        if path.endswith("/versions"):  # a page holds one version, so that there are several pages
            place = int(query.get("page_token") or 0)
            more = {"next_page_token": str(place + 1)} if place + 1 < len(self.versions) else {}
            return {"pipeline_versions": self.versions[place : place + 1], **more}
        if path == "experiments":
            return {"experiments": [one for one in self.experiments if one["display_name"] == wanted]}
        assert path.startswith("runs/"), path
        return {"run_id": "r1", "state": self.states.pop(0) if len(self.states) > 1 else self.states[0]}

    def post(self, path: str, query: dict[str, str], body: dict, uploaded: bytes) -> dict:
        if path == "pipelines/upload":
            list(yaml.safe_load_all(uploaded))
            self.pipelines["p1"] = query["name"]
            return self.get_pipeline("p1") | {"version": self._add_version(query["name"])}
        if path == "pipelines/upload_version":
            return self._add_version(query["name"])
        kinds = {"experiments": (self.experiments, "experiment_id"), "runs": (self.runs, "run_id")}
        kept, key = kinds.get(path, (self.recurring, "recurring_run_id"))
        kept.append(body | {key: f"{key}-{len(kept) + 1}"})
        return kept[-1]

    def get_pipeline(self, key: str) -> dict:
        return {"pipeline_id": key, "display_name": self.pipelines[key]}

    def _add_version(self, name: str) -> dict:
        self.versions.append(
            {"pipeline_id": "p1", "pipeline_version_id": f"v{len(self.versions) + 1}", "display_name": name}
        )
        return self.versions[-1]


def handler(service: Service) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(lambda path, query: service.get(path, query))

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"] or 0))
            kind = self.headers["Content-Type"]
            if kind.startswith("multipart/"):
                parts = message_from_bytes(f"Content-Type: {kind}\n\n".encode() + content).get_payload()
                body, uploaded = {}, parts[0].get_payload(decode=True)
            else:
                body, uploaded = json.loads(content), b""
            self._answer(lambda path, query: service.post(path, query, body, uploaded))

        def _answer(self, find: Callable[[str, dict[str, str]], dict]) -> None:
            path, _, query = self.path.partition("?")
            values = {key: found[0] for key, found in urllib.parse.parse_qs(query).items()}
            refused = service.refuse and not path.endswith("/healthz")
            answer = {"error": service.refuse} if refused else find(path.removeprefix(PREFIX), values)
            self.send_response(400 if refused else 200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(found)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        found.address = f"http://127.0.0.1:{server.server_port}"
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_context_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("kfp.client.client.Client._LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))


def compiled(folder: Path, image: str = "mlops-course:0123456789ab", memory: int = 3) -> str:
    """A pipeline of one step, as small as the service takes it."""
    container = {"image": image, "command": ["true"], "resources": {"memoryLimit": memory}}
    spec = {
        "pipelineInfo": {"name": "flights"},
        "schemaVersion": "2.1.0",
        "components": {"comp-a": {"executorLabel": "exec-a"}},
        "deploymentSpec": {"executors": {"exec-a": {"container": container}}},
        "root": {"dag": {"tasks": {"a": {"componentRef": {"name": "comp-a"}, "taskInfo": {"name": "a"}}}}},
    }
    path = folder / "pipeline.yaml"
    path.write_text(yaml.safe_dump_all([spec, {"platforms": {"kubernetes": {}}}]))
    return str(path)


def test_a_run_has_the_version_of_the_file_and_its_parameters(service, tmp_path):
    path = compiled(tmp_path)
    options = ["--host", service.address, "--data-root", "/mnt/flights/data", "--serving-root", "/mnt/flights/serving"]
    assert submit.main([path, *options, "--pipeline-root", "s3://models/runs"]) == 0

    version = submit.read(path)[1]
    assert service.pipelines == {"p1": "flights"}
    wanted = next(one for one in service.versions if one["display_name"] == version)
    (run,) = service.runs
    assert run["pipeline_version_reference"] == {
        "pipeline_id": "p1",
        "pipeline_version_id": wanted["pipeline_version_id"],
    }
    assert run["experiment_id"] == service.experiments[0]["experiment_id"]
    assert run["runtime_config"]["pipeline_root"] == "s3://models/runs"
    parameters = run["runtime_config"]["parameters"]
    assert parameters["data_root"] == "/mnt/flights/data"
    assert json.loads(parameters["push_destination"]) == {"filesystem": {"base_directory": "/mnt/flights/serving"}}
    assert not service.recurring


def test_parameters_that_are_not_given_keep_what_was_compiled_in(service, tmp_path):
    assert submit.main([compiled(tmp_path), "--host", service.address]) == 0
    config = service.runs[0]["runtime_config"]
    assert not config.get("parameters")
    assert "pipeline_root" not in config


def test_a_file_is_uploaded_once_and_a_changed_one_again(service, tmp_path):
    for _ in range(2):
        assert submit.main([compiled(tmp_path), "--host", service.address]) == 0
    before = len(service.versions)
    assert submit.main([compiled(tmp_path, memory=4), "--host", service.address]) == 0
    assert len(service.versions) == before + 1
    assert len(service.experiments) == 1
    used = [run["pipeline_version_reference"]["pipeline_version_id"] for run in service.runs]
    assert used[0] == used[1] != used[2]


def test_a_recurring_run_is_of_the_same_version_one_at_a_time(service, tmp_path):
    path = compiled(tmp_path)
    assert submit.main([path, "--host", service.address, "--every", "0 0 6 1 * *", "--data-root", "/d"]) == 0
    (recurring,) = service.recurring
    assert recurring["trigger"] == {"cron_schedule": {"cron": "0 0 6 1 * *"}}
    assert recurring["mode"] == "ENABLE"
    assert int(recurring["max_concurrency"]) == 1
    assert recurring["no_catchup"] is True
    assert recurring["pipeline_version_reference"] == service.runs[0]["pipeline_version_reference"]
    assert recurring["runtime_config"] == service.runs[0]["runtime_config"]


def test_waits_for_a_run_until_it_succeeded(service, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(submit.time, "sleep", lambda _: None)
    assert submit.main([compiled(tmp_path), "--host", service.address, "--wait", "60"]) == 0
    assert service.states == ["SUCCEEDED"]
    assert "succeeded" in capsys.readouterr().out


@pytest.mark.parametrize("state", ["FAILED", "CANCELED", "SKIPPED"])
def test_a_run_that_ends_otherwise_is_a_failure(service, tmp_path, capsys, state):
    service.states = [state]
    assert submit.main([compiled(tmp_path), "--host", service.address, "--wait", "60"]) == 1
    assert state in capsys.readouterr().err


def test_waiting_has_an_end(service, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(submit.time, "sleep", lambda _: None)
    service.states = ["RUNNING"]
    assert submit.main([compiled(tmp_path), "--host", service.address, "--wait", "0.01"]) == 1
    assert "still RUNNING" in capsys.readouterr().err


@pytest.mark.parametrize("image", ["mlops-course", "mlops-course:latest", "host:5000/mlops-course"])
def test_an_image_that_says_not_which_is_refused(service, tmp_path, capsys, image):
    assert submit.main([compiled(tmp_path, image), "--host", service.address]) == 1
    assert "kind-up.sh" in capsys.readouterr().err
    assert not service.pipelines


@pytest.mark.parametrize("image", ["mlops-course:1", "host:5000/mlops-course:1", "mlops-course@sha256:" + "0" * 64])
def test_an_image_that_says_which_is_taken(tmp_path, image):
    assert submit.read(compiled(tmp_path, image))[0] == "flights"


def test_what_is_no_compiled_pipeline_is_said(service, tmp_path, capsys):
    for content in ("just: a file", "", "[", "- 1"):
        (tmp_path / "other.yaml").write_text(content)
        assert submit.main([str(tmp_path / "other.yaml"), "--host", service.address]) == 1
        assert "not a compiled pipeline" in capsys.readouterr().err
    assert submit.main([str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml" in capsys.readouterr().err


def test_no_service_is_said_with_what_to_do(tmp_path, capsys):
    assert submit.main([compiled(tmp_path), "--host", "http://127.0.0.1:9"]) == 1
    assert "port-forward" in capsys.readouterr().err


def test_what_the_service_refuses_is_said(service, tmp_path, capsys):
    service.refuse = "KFP only supports schema version 2.1.0"
    assert submit.main([compiled(tmp_path), "--host", service.address]) == 1
    assert "schema version 2.1.0" in capsys.readouterr().err


@pytest.fixture
def tools(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess]:
    """Runs a script where `docker`, `kind` and `kubectl` only write down how they are called."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def run(script: str, *arguments: str, clusters: str = "", without: str = "", image: bool = True):
        said = {"docker": 'echo "sha256:0123456789abcdef"' if image else "exit 1", "kubectl": "cat", "kind": ""}
        said["kind"] = f'[ "$1" != get ] || echo "{clusters}"'
        for name, words in said.items():
            if name == without:
                continue
            (folder / name).write_text(
                f'#!/bin/bash\necho {name} "$@" >> {tmp_path}/calls\n'
                + (f'[ "${{@: -1}}" != - ] || cat >> {tmp_path}/applied' if name == "kubectl" else words)
                + "\n"
            )
            (folder / name).chmod(0o755)
        for name in ("bash", "cat", "dirname", "grep", "sed"):
            if not (folder / name).exists():
                (folder / name).symlink_to(f"/bin/{name}" if Path(f"/bin/{name}").exists() else f"/usr/bin/{name}")
        return subprocess.run(
            [str(folder / "bash"), str(FOLDER / script), *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": str(folder)},
            check=False,
            timeout=30,
        )

    return run


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def test_kind_up_makes_the_cluster_once_and_names_the_image_by_its_content(tools, tmp_path):
    done = tools("kind-up.sh")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "mlops-course:0123456789ab\n" or done.stdout.endswith("mlops-course:0123456789ab\n")
    assert "docker tag mlops-course:latest mlops-course:0123456789ab" in calls(tmp_path)
    assert "kind load docker-image mlops-course:0123456789ab --name flights" in calls(tmp_path)
    made = [call for call in calls(tmp_path) if call.startswith("kind create")]
    assert len(made) == 1
    tools("kind-up.sh", clusters="flights")
    assert [call for call in calls(tmp_path) if call.startswith("kind create")] == made


@pytest.mark.parametrize("tool", ["docker", "kind", "kubectl"])
def test_kind_up_names_what_is_missing(tools, tool):
    done = tools("kind-up.sh", without=tool)
    assert done.returncode == 1
    assert f"{tool} is not here" in done.stderr


def test_kind_up_says_how_to_build_the_image(tools):
    done = tools("kind-up.sh", image=False)
    assert done.returncode == 1
    assert "make image" in done.stderr


def test_install_fills_the_volume_by_the_image(tools, tmp_path):
    done = tools("install.sh", "mlops-course:0123456789ab")
    assert done.returncode == 0, done.stderr
    names = " ".join(calls(tmp_path))
    assert names.index("cluster-scoped-resources?ref=2.16.1") < names.index("env/platform-agnostic?ref=2.16.1")
    assert names.index("volume.yaml") < names.index("delete job fill-flights") < names.index("wait job/fill-flights")
    job = yaml.safe_load((tmp_path / "applied").read_text())
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "mlops-course:0123456789ab"


def test_install_refuses_an_image_that_is_no_name(tools, tmp_path):
    done = tools("install.sh", "a|b")
    assert done.returncode == 1
    assert "no name of an image" in done.stderr
    assert not (tmp_path / "calls").exists()


def test_the_manifests_mount_what_the_compiler_names():
    text = (FOLDER.parents[1] / "src" / "flights" / "kubeflow" / "compiler.py").read_text()
    claim = yaml.safe_load((FOLDER / "volume.yaml").read_text())
    pod = yaml.safe_load((FOLDER / "fill.yaml").read_text())["spec"]["template"]["spec"]
    mount = pod["containers"][0]["volumeMounts"][0]["mountPath"]
    assert f'VOLUME, MOUNT = "{claim["metadata"]["name"]}", "{mount}"' in text
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert f"{mount}/data" in pod["containers"][0]["command"][-1]
    assert f"{mount}/serving" in pod["containers"][0]["command"][-1]
