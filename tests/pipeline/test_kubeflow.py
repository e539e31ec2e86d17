"""The compiled pipeline, run as Kubeflow would: killed and run again, the same result as locally, and a candidate that is refused."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import listening
import outcomes
import pytest
import yaml
from kubeflow_backend import DEFAULT_ROOT, Backend
from kubeflow_pod import pods
from lazy_pipeline import create_components

from flights import data
from flights.config import Config

COMMAND = [str(Path(sys.executable).with_name("flights")), "run", "--engine", "kubeflow"]
PATIENCE = 600  # seconds, on a machine with much to do


@pytest.fixture(scope="module")
def config(make_config) -> Config:
    return make_config("kubeflow")


@pytest.fixture(scope="module")
def kubeflow(run):
    from engines.kubeflow import runner as kubeflow

    return kubeflow


@pytest.fixture(scope="module")
def first(kubeflow, config) -> Config:
    """Of the first run: that of the test before, or one of its own where that test is not run."""
    if not Path(config.serving_root).exists():
        kubeflow.run(config, create_components)
    return config


@pytest.mark.long
def test_killed_in_a_step_then_run_again_it_finishes_with_one_version(kubeflow, config, root, request):
    """The first run is killed with -9, and its step with it; the second starts anew, leaves nothing of the first, and listens to no other machine."""
    options = ["--data-root", config.data_root, "--output-root", config.output_root]
    process = subprocess.Popen(
        [*COMMAND, *options], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        end = time.monotonic() + PATIENCE
        while not any(kubeflow.runs_folder(config).glob("flights-*/StatisticsGen/started")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.1)
        time.sleep(1)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    killed = kubeflow.latest_run(config)
    end = time.monotonic() + PATIENCE
    while left := running(str(kubeflow.runs_folder(config))):
        assert time.monotonic() < end, f"the step outlived its run: {left}"
        time.sleep(0.1)

    request.getfixturevalue(
        "shared_imports"
    )  # not earlier: the run that is killed has steps that are found by their commands
    seen = []
    with listening.heard() as addresses:
        reports = kubeflow.run(config, create_components, seen.append)
    assert listening.to_others(addresses) == []
    assert seen == reports
    assert len(reports) == 10
    assert kubeflow.verdict(config).startswith("Blessed and pushed")
    assert len(list(Path(config.serving_root).iterdir())) == 1
    assert not killed.exists()


def running(name: str) -> list[str]:
    """The commands of the processes that have this in them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found.append(path.read_bytes().decode(errors="replace"))
    return [command[:80] for command in found if name in command]


@pytest.mark.long
def test_the_result_is_that_of_the_local_engine(first, run, tmp_path_factory):
    shared = outcomes.shared_folder(tmp_path_factory)
    assert outcomes.of_kubeflow(first) == outcomes.reference(first, run, shared)


@pytest.mark.long
@pytest.mark.usefixtures("shared_imports")
def test_a_candidate_that_gains_too_little_is_refused_and_the_first_stays_in_service(kubeflow, first):
    """Without a baseline there is nothing to gain against, and it would be blessed: so the baseline was found.

    Lesson 12 has a run refused for that, on this engine, for each change.
    """
    (served,) = Path(first.serving_root).iterdir()
    kubeflow.run(dataclasses.replace(first, months=(1, 2), max_auc_loss=-0.4), create_components)
    assert kubeflow.verdict(first).startswith("Refused")
    assert list(Path(first.serving_root).iterdir()) == [served]


@pytest.mark.usefixtures("shared_imports")
def test_a_step_that_fails_is_named_with_its_reason_and_its_log(kubeflow, make_config, tmp_path, monkeypatch):
    broken, temporary = tmp_path / "data", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    source = data.month_path(make_config().data_root, 1)
    (broken / "span-01").mkdir(parents=True)
    text = source.read_text().replace(",UA,", ",??,")
    (broken / "span-01" / "flights.csv").write_text(text)
    with pytest.raises(
        kubeflow.EngineError, match=r"(?s)DataGate failed \(log: .*BadDataError: The data break the contract"
    ):
        kubeflow.run(Config(data_root=str(broken), output_root=str(tmp_path / "out")), create_components)
    assert kubeflow.verdict(Config(output_root=str(tmp_path / "out"))) == "No model was evaluated yet."
    assert not list(temporary.glob("kfp-workspace-*")), (
        "kfp makes a folder there for each run, unless it is told another place"
    )


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that each user may enter. pytest's are its own user's; and TensorFlow asks by access(2), which leaves out what a process may read beyond it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def volume(root, place) -> Path:
    """What a claim holds: data that its user may only read, and a folder for models."""
    folder = place / "volume"
    shutil.copytree(root / "data" / "flights", folder / "data")
    (folder / "serving").mkdir()
    return folder


@pytest.fixture(scope="module")
def image(root, place, _server):
    (place / "pods").mkdir()
    with pods(root, place / "pods", _server) as found:
        yield found


@pytest.fixture(scope="module")
def run_all(run, tmp_path_factory, image, volume, place):
    """A function that runs all steps, each in a pod, with a store and after an earlier run."""
    if image.user != os.getuid():
        os.chown(volume / "serving", image.user, image.user)
    destination = json.dumps({"filesystem": {"base_directory": str(volume / "serving")}})
    parameters = {"data_root": str(volume / "data"), "push_destination": destination}

    def run_compiled(config: Config, pipeline_root: str, earlier: Backend | None = None) -> Backend:
        from engines.kubeflow import compiler

        path = compiler.compile_pipeline(config, create_components, tmp_path_factory.mktemp("spec") / "pipeline.yaml")
        spec = next(yaml.safe_load_all(path.read_text()))
        backend = Backend(spec, place / "cluster", parameters, pipeline_root=pipeline_root, earlier=earlier)
        for name in backend.tasks:
            status = backend.run(name, image)
            assert status == 0, backend.log(name)[-2000:]
        return backend

    return run_compiled


@pytest.fixture(scope="module")
def on_minio(run_all) -> Backend:
    """A first run, with the store that is installed."""
    return run_all(Config(), DEFAULT_ROOT)


@pytest.fixture(scope="module")
def on_s3(run_all, on_minio) -> Backend:
    """A second one, with another store, whose candidate has to answer as it would in service."""
    return run_all(Config(infra_check=True), "s3://models/runs", on_minio)


def test_a_pod_has_an_empty_home_and_no_repository_beside_its_code(image, root):
    assert image.about["user"] == image.user
    assert image.about["in_home"] == []
    assert not image.about["folder"].startswith(str(root))
    assert not [file for file in image.about["files"] if file.startswith(str(root))]


@pytest.mark.long
def test_an_image_imports_tfx_as_its_user_and_with_a_home_that_it_may_not_write_to(root, place):
    (place / "alone").mkdir()
    with pods(root, place / "alone") as image:
        assert (image.about["user"], image.about["in_home"]) == (image.user, [])


def test_a_pod_has_a_user_that_is_not_root(image):
    if image.user == 0:
        pytest.skip("this container's root may not hand on the right to read all files (CAP_DAC_READ_SEARCH)")
    assert image.about["user"] > 0


@pytest.mark.parametrize("store", ["minio", pytest.param("s3", marks=pytest.mark.long)], ids=["minio", "s3"])
def test_all_steps_run_as_on_a_real_kubeflow_with_its_logs_and_both_kinds_of_store(store, request):
    """Each in an empty file system, with messages as driver and launcher make them; `kfp.local` makes others."""
    backend = request.getfixturevalue(f"on_{store}")
    assert len(backend.recorded) == (10 if store == "minio" else 11)
    assert backend.cached == []
    blessing = backend.recorded["Evaluator"]["blessing"]["metadata"]
    assert blessing["current_model"] == backend.recorded["Trainer"]["model"]["uri"]
    made = [artifact for outputs in backend.recorded.values() for artifact in outputs.values()]
    assert all(artifact["uri"].startswith(f"{store}://") for artifact in made)
    assert f"/{store}/" not in json.dumps(backend.recorded), "a folder of a pod that is gone is on record"


@pytest.mark.long
def test_a_pod_starts_a_model_server_with_the_candidate_and_the_pusher_is_given_what_came_of_it(on_s3):
    """As another user, from the folders of the store; and what a store loses, an empty folder, would be no blessing but none asked for."""
    checked = on_s3.recorded["InfraCheck"]["blessing"]
    assert checked["metadata"]["blessed"] == 1
    assert checked["metadata"]["reason"].startswith("The model server answered 20 examples")
    assert (on_s3.stored(checked["uri"]) / "INFRA_BLESSED").read_text().strip() == checked["metadata"]["reason"]
    (given,) = on_s3.messages["Pusher"]["inputs"]["artifacts"]["infra_blessing"]["artifacts"]
    assert given["uri"] == checked["uri"]


def test_a_first_run_has_no_baseline_and_its_model_is_pushed(on_minio, volume):
    """With nothing pushed, the step before leaves an empty folder, which a store does not keep: an optional input is lost."""
    blessing = on_minio.recorded["Evaluator"]["blessing"]["metadata"]
    assert blessing["blessed"] == 1
    assert "baseline_model" not in blessing
    assert list((volume / "serving").glob("*/saved_model.pb"))


def test_the_result_in_pods_is_that_of_the_local_engine(on_minio, run, make_config, volume, tmp_path_factory):
    reference = outcomes.reference(make_config(), run, outcomes.shared_folder(tmp_path_factory))
    config = dataclasses.replace(make_config(), output_root=str(volume))
    found = outcomes.summary(lambda node, key: on_minio.stored(on_minio.recorded[node][key]["uri"]), config)
    assert found == reference | {"versions": found["versions"]}


@pytest.mark.long
def test_the_second_run_finds_the_first_ones_model_as_its_baseline(on_s3, volume):
    second = on_s3.recorded["Evaluator"]["blessing"]["metadata"]
    assert second["baseline_model"] == on_s3.recorded["LatestBlessedModel"]["model"]["uri"]
    assert len(list((volume / "serving").glob("*/saved_model.pb"))) == 1 + int(second["blessed"])
