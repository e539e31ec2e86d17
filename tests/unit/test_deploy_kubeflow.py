"""What `deploy/kubeflow` hands to a cluster. The client is Kubeflow's own, and speaks to a service that answers as a real one did (`kubeflow_api`)."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubeflow_api import ANSWERS, Answer, Service, recorded, serving
from kubeflow_api.package import write as compiled

from flights.config import Config

FOLDER = Path(__file__).parents[2] / "deploy" / "kubeflow"

submit: Any = None


@pytest.fixture(scope="module", autouse=True)
def _client() -> None:
    """Kubeflow's client is long to import: only in the worker that needs it, and not while all of them collect."""
    globals().update(submit=importlib.import_module("kubeflow_api.record").load())


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as found:
        yield found


@pytest.fixture(autouse=True)
def no_context_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("kfp.client.client.Client._LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))


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


@pytest.mark.parametrize(
    ("when", "cron", "words"),
    [
        ("0 6 1 * *", "0 0 6 1 * *", "on the 1st of each month at 06:00 UTC"),
        ("monthly", "0 0 6 1 * *", "on the 1st of each month at 06:00 UTC"),
        ("30 5 * * mon", "0 30 5 * * 1", "every Monday at 05:30 UTC"),
    ],
)
def test_a_recurring_run_is_of_the_same_version_one_at_a_time_and_told_in_words(
    service, tmp_path, capsys, when, cron, words
):
    """Kubeflow reads the first field of a cron as seconds, of five fields too."""
    path = compiled(tmp_path)
    assert submit.main([path, "--host", service.address, "--every", when, "--data-root", "/d"]) == 0
    (recurring,) = service.recurring
    assert recurring["trigger"] == {"cron_schedule": {"cron": cron}}
    assert recurring["mode"] == "ENABLE"
    assert int(recurring["max_concurrency"]) == 1
    assert recurring["no_catchup"] is True
    assert recurring["pipeline_version_reference"] == service.runs[0]["pipeline_version_reference"]
    assert recurring["runtime_config"] == service.runs[0]["runtime_config"]
    assert words in capsys.readouterr().out


@pytest.mark.parametrize("when", ["0 0 6 1 * *", "yearly", "@monthly", "", "*/5 * * * *", "0 6 31 2 *", "0 6 1 *"])
def test_a_time_that_is_not_understood_is_refused_before_anything_is_started(service, tmp_path, capsys, when):
    assert submit.main([compiled(tmp_path), "--host", service.address, "--every", when]) == 1
    assert capsys.readouterr().err.startswith(f"submit: --every {when!r}")
    assert not service.pipelines
    assert not service.runs


def test_a_time_that_the_service_refuses_starts_nothing_and_the_earlier_one_stays_on(service, tmp_path, capsys):
    path = compiled(tmp_path)
    assert submit.main([path, "--host", service.address, "--every", "monthly"]) == 0
    service.instead["POST recurringruns"] = recorded("create recurring run: wrong cron")
    assert submit.main([path, "--host", service.address, "--every", "weekly"]) == 1
    assert "not a supported format" in capsys.readouterr().err
    assert len(service.runs) == 1
    assert [one["recurring_run_id"] for one in service.enabled()] == ["recurring-1"]


def leave_schedules(service: Service) -> None:
    """What earlier calls of `submit.py` left, of two versions, and a schedule of another pipeline."""
    for pipeline, cron in (("p1", "0 6 1 * *"), ("p1", "0 0 6 * * 1"), ("p2", "0 0 6 * * *")):
        reference = {"pipeline_id": pipeline, "pipeline_version_id": "v0"}
        trigger = {"cron_schedule": {"cron": cron}}
        body = {"display_name": f"of {pipeline}", "pipeline_version_reference": reference, "trigger": trigger}
        service.answer("POST", "recurringruns", {}, body | {"mode": "ENABLE", "max_concurrency": 1})


def test_a_new_schedule_takes_the_place_of_all_earlier_ones_of_this_pipeline(service, tmp_path, capsys):
    leave_schedules(service)
    for memory, when in ((3, "monthly"), (4, "daily")):
        assert submit.main([compiled(tmp_path, memory=memory), "--host", service.address, "--every", when]) == 0
        of_this = [one for one in service.enabled() if one["pipeline_version_reference"]["pipeline_id"] == "p1"]
        assert len(of_this) == 1
    assert len(service.enabled()) == 2
    assert service.most_enabled == 3, "never more than there were"
    said = capsys.readouterr().out
    first = submit.read(compiled(tmp_path, memory=3))[1]
    assert "Switched off: of p1: every day at 01:06 UTC" in said, "what five fields mean to the service"
    assert "Switched off: of p1: every Monday at 06:00 UTC" in said
    assert f"Switched off: flights {first}: on the 1st of each month" in said


def test_two_schedules_of_a_pipeline_are_never_on_at_once(service, tmp_path):
    for when in ("monthly", "weekly", "daily"):
        assert submit.main([compiled(tmp_path), "--host", service.address, "--every", when]) == 0
    assert service.most_enabled == 1
    assert [one["trigger"]["cron_schedule"]["cron"] for one in service.enabled()] == ["0 0 6 * * *"]


def test_schedules_are_listed_and_switched_off_and_nothing_is_started(service, tmp_path, capsys):
    path = compiled(tmp_path, image="mlops-course:latest")  # an image that could not be submitted any more
    assert submit.main([path, "--host", service.address, "--schedules"]) == 0
    assert submit.main([path, "--host", service.address, "--stop-schedule"]) == 0
    assert capsys.readouterr().out == "flights has no schedule.\nflights has no schedule that is on.\n"
    service.pipelines["p1"] = "flights"
    leave_schedules(service)
    assert submit.main([path, "--host", service.address, "--schedules"]) == 0
    assert capsys.readouterr().out == "on  of p1: every day at 01:06 UTC\non  of p1: every Monday at 06:00 UTC\n"
    assert submit.main([path, "--host", service.address, "--stop-schedule"]) == 0
    assert [one["display_name"] for one in service.enabled()] == ["of p2"]
    assert capsys.readouterr().out.count("Switched off: of p1") == 2
    assert submit.main([path, "--host", service.address, "--schedules"]) == 0
    assert capsys.readouterr().out.startswith("off of p1: every day at 01:06 UTC\noff of p1")
    assert not service.runs


@pytest.mark.parametrize("request_", ["", "GET pipelines", "POST runs"])
def test_a_program_that_answers_with_a_page_is_no_kubeflow_and_that_is_said(service, tmp_path, capsys, request_):
    """Any page at that port, or one that asks for a login, wherever it comes in."""
    service.instead[request_] = recorded("page")
    assert submit.main([compiled(tmp_path), "--host", service.address]) == 1
    said = capsys.readouterr().err
    assert said.startswith(
        f"submit: {service.address} answers 200 with text/html; charset=utf-8, which is not Kubeflow"
    )
    assert "port-forward" in said
    assert not service.runs


@pytest.mark.parametrize("other", [Answer(404, "text/plain", "not found"), Answer(200, "application/json", [])])
def test_a_program_that_answers_otherwise_is_no_kubeflow_and_that_is_said(service, tmp_path, capsys, other):
    """Another program's page that is not found, or JSON of another kind: before anything is uploaded."""
    service.instead[""] = other
    assert submit.main([compiled(tmp_path), "--host", service.address]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"submit: {service.address} answers {other.status} with {other.kind}, which is not")
    assert not service.pipelines


def test_kubeflows_page_without_its_api_server_is_said_before_anything_is_asked_of_that(service, tmp_path, capsys):
    """The page says 200 for its own health."""
    service.instead["GET healthz"] = recorded("healthz: no API server")
    assert submit.main([compiled(tmp_path), "--host", service.address]) == 1
    said = capsys.readouterr().err
    assert "its API server does not answer yet" in said
    assert "get pods" in said
    assert not service.pipelines


def test_an_api_server_that_goes_away_meanwhile_has_refused_nothing(service, tmp_path, capsys):
    service.instead["POST runs"] = recorded("pipelines: no API server")
    assert submit.main([compiled(tmp_path), "--host", service.address]) == 1
    said = capsys.readouterr().err
    assert said.startswith(
        f"submit: the API server behind {service.address} does not answer (504 Gateway Timeout): Error"
    )
    assert "refused" not in said


def test_the_port_is_not_that_of_airflow():
    from engines.airflow import home

    port = urllib.parse.urlsplit(submit.HOST).port
    assert port != home.PORT
    assert f" {port}:80" in submit.FORWARD
    for name in ("README.md", "install.sh"):
        assert f"{submit.FORWARD.removeprefix('kubectl -n kubeflow ')}" in (FOLDER / name).read_text()


def test_waits_for_a_run_until_it_succeeded(service, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(submit.time, "sleep", lambda _: None)
    assert submit.main([compiled(tmp_path), "--host", service.address, "--wait", "60"]) == 0
    assert service.states == [recorded("run: SUCCEEDED")]
    assert "succeeded" in capsys.readouterr().out


@pytest.mark.parametrize("state", ["FAILED", "CANCELED", "SKIPPED"])
def test_a_run_that_ends_otherwise_is_a_failure(service, tmp_path, capsys, state):
    service.states = [recorded("run: FAILED", state=state)]
    assert submit.main([compiled(tmp_path), "--host", service.address, "--wait", "60"]) == 1
    assert state in capsys.readouterr().err


def test_a_run_that_is_terminated_is_waited_for_until_it_has_ended(service, tmp_path, monkeypatch, capsys):
    """Version 2.16.1 calls it FAILED then, not CANCELED."""
    monkeypatch.setattr(submit.time, "sleep", lambda _: None)
    service.states = [recorded(f"terminated run: {state}") for state in ("CANCELING", "FAILED")]
    assert submit.main([compiled(tmp_path), "--host", service.address, "--wait", "60"]) == 1
    assert "ended as FAILED" in capsys.readouterr().err


def test_waiting_has_an_end(service, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(submit.time, "sleep", lambda _: None)
    service.states = [recorded("run: RUNNING")]
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
    service.instead["POST runs"] = recorded("create run: unknown parameter")
    assert submit.main([compiled(tmp_path), "--host", service.address]) == 1
    said = "parameter(s) provided are not required by pipeline: months"
    assert capsys.readouterr().err == f"submit: Kubeflow Pipelines refused (400 Bad Request): {said}\n"


def test_an_upload_that_the_service_refuses_is_said_without_its_trace(service, tmp_path, capsys):
    service.pipelines["p1"] = "flights"
    service.versions.append(recorded("upload version").body)
    service.instead["POST pipelines/upload_version"] = recorded("upload version: another schema")
    assert submit.main([compiled(tmp_path), "--host", service.address]) == 1
    said = "Failed to create a pipeline version"
    assert capsys.readouterr().err == f"submit: Kubeflow Pipelines refused (500 Internal Server Error): {said}\n"


REFUSALS = [name for name, answer in ANSWERS.items() if answer["status"] >= 400]


@pytest.mark.parametrize("name", REFUSALS)
def test_the_reason_of_a_refusal_is_one_line_that_says_more_than_its_status(name):
    """Some of the real answers hold it in `message` alone, beside a detail `Internal Server Error`, and some end with a trace of the server's calls."""
    said = submit.reason(recorded(name).body if name.endswith("no API server") else json.dumps(recorded(name).body))
    assert 5 < len(said) < 500
    assert "Internal Server Error" not in said
    assert not re.search(r"[\n{]|github.com/kubeflow", said)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("create run: no executor", 'executor(label="exec-b") not found in deployment config'),
        ("create run: unknown version", "ResourceNotFoundError: PipelineVersion 0"),
        ("run: deleted", "Run "),
    ],
)
def test_the_reason_of_a_refusal_is_in_the_servers_words(name, words):
    assert words in submit.reason(json.dumps(recorded(name).body))


def test_two_pipelines_of_one_name_are_said(service, tmp_path, capsys):
    """Kubeflow's client raises a ValueError."""
    service.pipelines |= {"p1": "flights", "p2": "flights"}
    assert submit.main([compiled(tmp_path), "--host", service.address]) == 1
    assert capsys.readouterr().err.startswith("submit: ")


def test_a_run_that_was_deleted_while_it_is_waited_for_is_said(service, tmp_path, capsys):
    service.states = [recorded("run: deleted")]
    assert submit.main([compiled(tmp_path), "--host", service.address, "--wait", "60"]) == 1
    assert re.search(r"refused \(404 Not Found\): Run [-0-9a-f]+ not found\n$", capsys.readouterr().err)


def test_an_api_server_that_restarts_behind_its_page_is_waited_for(service, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(submit.time, "sleep", lambda _: None)
    service.states[1:1] = [recorded("pipelines: no API server")] * 3
    assert submit.main([compiled(tmp_path), "--host", service.address, "--wait", "60"]) == 0
    service.states = [recorded("pipelines: no API server")]
    assert submit.main([compiled(tmp_path), "--host", service.address, "--wait", "60"]) == 1
    assert "does not answer (504 Gateway Timeout)" in capsys.readouterr().err


def test_a_service_that_is_away_for_a_moment_is_waited_for(service, tmp_path, monkeypatch, capsys):
    """`kubectl port-forward` ends when the pod behind it does."""
    monkeypatch.setattr(submit.time, "sleep", lambda _: None)
    times = iter([True, True, False])
    theirs = submit.kfp.Client.get_run

    def get_run(client, run_id):
        if next(times, False):
            raise submit.urllib3.exceptions.ProtocolError("Connection aborted.")
        return theirs(client, run_id)

    monkeypatch.setattr(submit.kfp.Client, "get_run", get_run)
    assert submit.main([compiled(tmp_path), "--host", service.address, "--wait", "60"]) == 0
    assert "succeeded" in capsys.readouterr().out


def test_a_service_that_stays_away_is_said(service, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(submit.time, "sleep", lambda _: None)

    def get_run(*_):
        raise submit.urllib3.exceptions.ProtocolError("Connection aborted.")

    monkeypatch.setattr(submit.kfp.Client, "get_run", get_run)
    assert submit.main([compiled(tmp_path), "--host", service.address, "--wait", "60"]) == 1
    assert "no Kubeflow Pipelines answers" in capsys.readouterr().err


def test_a_file_that_would_be_refused_or_never_run_is_not_uploaded(service, tmp_path, capsys):
    """The server's own answer to a bad file says that it failed, and not why."""
    path = Path(compiled(tmp_path))
    path.write_text(path.read_text().replace("2.1.0", "2.0.0"))
    assert submit.main([str(path), "--host", service.address]) == 1
    assert "its schema version is 2.0.0" in capsys.readouterr().err
    assert not service.pipelines


@pytest.fixture
def tools(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess]:
    """Runs a script where `docker`, `kind` and `kubectl` only write down how they are called."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def run(
        script: str,
        *arguments: str,
        clusters: str = "",
        without: str = "",
        image: bool = True,
        size: str = "4 8200000000",
        context: str = "kind-flights",
        environment: dict[str, str] | None = None,
    ):
        said = {"docker": 'echo "sha256:0123456789abcdef"' if image else "exit 1"}
        said["docker"] = f'[ "$1" != info ] || {{ echo "{size}"; exit; }}\n{said["docker"]}'
        said["kind"] = f'[ "$1" != get ] || echo "{clusters}"'
        said["kubectl"] = f'[ "$1" != config ] || echo "{context}"\n[ "${{@: -1}}" != - ] || cat >> {tmp_path}/applied'
        for name, words in said.items():
            if name == without:
                continue
            (folder / name).write_text(f'#!/bin/bash\necho {name} "$@" >> {tmp_path}/calls\n{words}\n')
            (folder / name).chmod(0o755)
        for name in ("bash", "cat", "dirname", "grep", "sed"):
            if not (folder / name).exists():
                (folder / name).symlink_to(f"/bin/{name}" if Path(f"/bin/{name}").exists() else f"/usr/bin/{name}")
        return subprocess.run(
            [str(folder / "bash"), str(FOLDER / script), *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": str(folder), **(environment or {})},
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


def test_kind_up_points_kubectl_at_its_cluster_also_where_it_was_there(tools, tmp_path):
    assert tools("kind-up.sh", clusters="flights").returncode == 0
    assert "kind export kubeconfig --name flights" in calls(tmp_path)


@pytest.mark.parametrize(("size", "few"), [("2 8200000000", "2 CPUs"), ("4 4100000000", "3 GiB")])
def test_kind_up_says_where_docker_has_too_little_for_the_steps_to_start(tools, size, few):
    """Kubernetes would let a pod wait for ever, and Kubeflow's page shows no reason."""
    done = tools("kind-up.sh", size=size)
    assert done.returncode == 0, "it may be enough for another use"
    assert few in done.stderr
    assert "4 CPUs and 8 GB" in done.stderr
    assert "CPUs" not in tools("kind-up.sh").stderr


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


def test_the_job_is_what_the_restricted_standard_of_kubernetes_asks_for():
    """The installed namespace warns of any other pod. Source: kubernetes.io/docs/concepts/security/pod-security-standards."""
    pod = yaml.safe_load((FOLDER / "fill.yaml").read_text())["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_install_takes_a_cluster_that_is_not_kinds_only_when_it_is_named(tools, tmp_path):
    done = tools("install.sh", "mlops-course:0123456789ab", context="company-production")
    assert done.returncode == 1
    assert "company-production" in done.stderr
    assert not [call for call in calls(tmp_path) if "apply" in call]
    named = {"CONTEXT": "company-production"}
    done = tools("install.sh", "mlops-course:0123456789ab", context="company-production", environment=named)
    assert done.returncode == 0, done.stderr
    talks = [call for call in calls(tmp_path) if "config" not in call]
    assert all(call.startswith("kubectl --context company-production ") for call in talks)


def test_install_refuses_an_image_that_is_no_name(tools, tmp_path):
    done = tools("install.sh", "a|b")
    assert done.returncode == 1
    assert "no name of an image" in done.stderr
    assert not (tmp_path / "calls").exists()


def test_the_manifests_mount_what_the_compiler_names():
    text = (FOLDER.parents[1] / "src" / "engines" / "kubeflow" / "compiler.py").read_text()
    claim = yaml.safe_load((FOLDER / "volume.yaml").read_text())
    pod = yaml.safe_load((FOLDER / "fill.yaml").read_text())["spec"]["template"]["spec"]
    mount = pod["containers"][0]["volumeMounts"][0]["mountPath"]
    assert claim["metadata"]["name"] == Config().volume
    assert f'MOUNTED = "{Path(mount).parent}"' in text
    assert Path(mount).name == Config().volume
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert f"{mount}/data" in pod["containers"][0]["command"][-1]
    assert f"{mount}/serving" in pod["containers"][0]["command"][-1]


def fake(folder: Path, **words: str) -> dict[str, str]:
    """An environment in which commands write down how they are called, and then do what is given."""
    folder.mkdir(exist_ok=True)
    for name, line in words.items():
        path = folder / name
        path.write_text(f'#!/bin/bash\necho {name} "$@" >> {folder.parent}/calls\n{line}\n')
        path.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


KUBECTL = '[ "$1" != config ] || echo kind-flights\n[ "${@: -1}" != - ] || cat > /dev/null'
"""A kubectl for `fake`: it reads what it is to apply."""


def script(name: str, *arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", str(FOLDER / name), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=60,
    )


def test_tools_that_are_not_the_ones_that_were_checked_are_not_installed(tmp_path):
    environment = fake(tmp_path / "bin", curl='while [ "$1" != --output ]; do shift; done; echo other > "$2"')
    done = script("tools.sh", str(tmp_path / "tools"), environment=environment)
    assert done.returncode != 0
    assert not [path for path in (tmp_path / "tools").iterdir() if path.suffix != ".part"]
    assert "v0.31.0/kind-linux-amd64" in calls(tmp_path)[0]


def test_a_kubectl_of_the_tools_goes_with_the_kubernetes_of_the_cluster():
    """One minor version more or less: kubernetes.io/releases/version-skew-policy."""
    kubectl = re.search(r"release/v1\.(\d+)\.\d+/bin", (FOLDER / "tools.sh").read_text())
    node = re.search(r"kindest/node:v1\.(\d+)\.\d+@sha256:[0-9a-f]{64}", (FOLDER / "kind-up.sh").read_text())
    assert abs(int(kubectl[1]) - int(node[1])) <= 1


def test_all_of_it_is_cluster_installation_and_two_months(tmp_path):
    environment = fake(
        tmp_path / "bin",
        docker='case $1 in info) echo "4 8200000000";; image) echo sha256:0123456789abcdef;; esac',
        kind="",
        kubectl=KUBECTL,
        curl=f"grep -q port-forward {tmp_path}/calls",  # it answers when it is forwarded
        python="",
    )
    done = script("try.sh", environment={**environment, "PYTHON": "python", "OUT": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    ran = [call for call in calls(tmp_path) if call.startswith("python ")]
    compiled, submitted = ran[::2], ran[1::2]
    assert [call.partition("--months ")[2] for call in compiled] == [
        f"1 --output {tmp_path}/pipeline.yaml",
        f"1 2 --output {tmp_path}/pipeline.yaml",
    ]
    assert all("compile.py mlops-course:0123456789ab " in call for call in compiled)
    assert all(f"submit.py {tmp_path}/pipeline.yaml --host http://127.0.0.1:8085 --wait" in call for call in submitted)
    names = calls(tmp_path)
    first = [
        next(i for i, call in enumerate(names) if word in call) for word in ("kind create", "apply -k", "compile.py")
    ]
    assert first == sorted(first)
    assert next(call for call in names if "port-forward" in call).endswith("--address 127.0.0.1")
    asked = next(call for call in names if call.startswith("curl ")).partition("/apis/v2beta1/")[2]
    assert asked in ANSWERS["pipelines"]["request"]
    assert ANSWERS[f"{asked}: no API server"]["status"] == 504, (
        "it is waited until the API server answers, not its page alone"
    )


def test_the_first_thing_that_fails_ends_it(tmp_path):
    fine = {
        "docker": "[ $1 != image ] || echo sha256:0123456789abcdef",
        "kind": "",
        "kubectl": KUBECTL,
    }
    environment = fake(tmp_path / "bin", **fine, curl="", python='[ "${1##*/}" != submit.py ]')
    done = script("try.sh", environment={**environment, "PYTHON": "python", "OUT": str(tmp_path)})
    assert done.returncode != 0
    assert sum(call.startswith("python ") for call in calls(tmp_path)) == 2


def test_logs_of_every_pod_are_kept_also_where_some_cannot_be_had(tmp_path):
    words = 'case "$*" in *"get pods --output name"*) echo pod/a; echo pod/b;; *describe*) exit 1;; *) echo said;; esac'
    done = script("logs.sh", str(tmp_path / "kept"), environment=fake(tmp_path / "bin", kubectl=words))
    assert done.returncode == 0
    assert (tmp_path / "kept" / "events.txt").read_text() == "said\n"
    assert sorted(path.name for path in (tmp_path / "kept" / "pods").iterdir()) == ["a.txt", "b.txt"]


def test_the_code_hosts_run_takes_its_commands_from_here_weekly_and_by_hand_and_keeps_what_was_said():
    workflow = yaml.safe_load((FOLDER.parents[1] / ".github" / "workflows" / "kubeflow.yml").read_text())
    assert set(workflow[True]) == {"workflow_dispatch", "schedule"}  # YAML 1.1 reads `on` as true
    assert len(workflow[True]["schedule"]) == 1
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert "permissions" not in job
    ran = [step["run"] for step in job["steps"] if "run" in step]
    names = [word for command in ran for word in command.split() if word.startswith("deploy/kubeflow/")]
    assert names == [f"deploy/kubeflow/{name}.sh" for name in ("tools", "try", "logs")]
    assert all((FOLDER.parents[1] / name).is_file() for name in names)
    last = job["steps"][-2:]
    assert all(step["if"] == "always()" for step in last)
    assert "out/reports/kubeflow" in last[0]["run"]
    assert "out/reports/kubeflow" in last[1]["with"]["path"]
