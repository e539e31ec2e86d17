"""Hands a compiled pipeline to Kubeflow Pipelines: uploads it, runs it once, and, if asked, from then on by the calendar.

    python deploy/kubeflow/submit.py pipeline.yaml
    python deploy/kubeflow/submit.py pipeline.yaml --data-root /mnt/flights/data --wait 3600
    python deploy/kubeflow/submit.py pipeline.yaml --every monthly
    python deploy/kubeflow/submit.py pipeline.yaml --schedules
    python deploy/kubeflow/submit.py pipeline.yaml --stop-schedule

Parameters that are not given keep the defaults that were compiled in. A pipeline has one schedule: a new one takes the place of the old.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kfp
import kfp_server_api
import urllib3
import yaml

from engines.kubeflow import checks
from engines.kubeflow.schedule import HOW, Schedule, ScheduleError, parse, words

HOST = "http://127.0.0.1:8085"
"""Where `kubectl port-forward` makes the service appear. Airflow's page is at 8090 (`make airflow`)."""
FORWARD = "kubectl -n kubeflow port-forward service/ml-pipeline-ui 8085:80"

ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
"""States that a run does not leave. The client's own `wait_for_run_completion` does not know the third."""


AWAY = 6
"""How often in a row the service may not answer while a run is waited for: `kubectl port-forward` ends when the pod behind it does."""
GATEWAY = (502, 503, 504)
"""What stands before the service answers so while that is away; Kubeflow's own page, which is installed with it, says 504."""
NOT_READY = "`kubectl -n kubeflow get pods` shows whether ml-pipeline is ready."


class SubmitError(RuntimeError):
    """The pipeline cannot be handed over, or did not succeed; the message says why."""


def read(path: str | Path) -> tuple[str, str]:
    """The name of a compiled pipeline, and a name for this version of it, which is another whenever the file is.

    Raises:
        SubmitError: no such file, no compiled pipeline, one that would be refused or never run, or images that a cluster would look for on the
            internet at every start.
    """
    name, executors, content = load(path)
    if found := checks.problems(content.decode()):
        raise SubmitError("\n".join(f"{path}: {problem}" for problem in found))
    for image in sorted({executor["container"]["image"] for executor in executors.values() if "container" in executor}):
        tag = image.rpartition("/")[2].partition(":")[2]
        if tag in ("", "latest") and "@" not in image:
            raise SubmitError(
                f"{path}: image {image!r} says not which one. Kubernetes would fetch it anew for every step, and the cache compares "
                "names only. Compile with the name that kind-up.sh prints."
            )
    return name, hashlib.sha256(content).hexdigest()[:12]


def load(path: str | Path) -> tuple[str, dict[str, Any], bytes]:
    """The name of a compiled pipeline, its executors, and the bytes of the file.

    Raises:
        SubmitError: no such file, or no compiled pipeline.
    """
    try:
        content = Path(path).read_bytes()
        documents = list(yaml.safe_load_all(content))
        return documents[0]["pipelineInfo"]["name"], documents[0]["deploymentSpec"]["executors"], content
    except OSError as error:
        raise SubmitError(f"{path}: {error.strerror}. Compile the pipeline first (lesson 12).") from None
    except (yaml.YAMLError, KeyError, TypeError, IndexError, UnicodeDecodeError):
        raise SubmitError(f"{path}: not a compiled pipeline.") from None


def connect(host: str) -> kfp.Client:
    """A client of the service.

    Raises:
        SubmitError: something else answers there, or Kubeflow's page before its API server does. The client would take a page of HTML for an
            answer without content.
    """
    path = f"{host.rstrip('/')}/apis/v2beta1/healthz"
    answer = urllib3.request("GET", path, redirect=False, retries=False, timeout=30)
    is_asking_who_we_are = 300 <= answer.status < 400 or answer.status in (401, 403)  # the client may know
    health = _read_object(answer.data)
    if not is_asking_who_we_are and (answer.status != 200 or health is None):
        raise _not_kubeflow(host, answer.status, answer.headers.get("Content-Type"))
    if (health or {}).get("apiServerReady") is False:
        raise SubmitError(f"{host} is Kubeflow's page, and its API server does not answer yet. {NOT_READY}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # that it speaks to version 2 only
        client = kfp.Client(host=host)
    api = client._run_api.api_client  # all parts of the client share it
    theirs = api.deserialize

    def deserialize(response: Any, kind: Any) -> Any:
        if _read_object(response.data) is None:
            raise _not_kubeflow(host, 200, response.getheader("Content-Type"))
        return theirs(response, kind)

    api.deserialize = deserialize
    return client


def _read_object(content: bytes | str) -> dict[str, Any] | None:
    try:
        found = json.loads(content)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _not_kubeflow(host: str, status: int, kind: str | None) -> SubmitError:
    return SubmitError(
        f"{host} answers {status} with {kind or 'nothing'}, which is not Kubeflow Pipelines: another program has this port, or a page asks "
        f"for a login. `{FORWARD}` makes the service appear at {HOST}."
    )


def parameters(data_root: str | None, serving_root: str | None) -> dict[str, str]:
    """The parameters of a run: what is given."""
    found = {}
    if data_root:
        found["data_root"] = data_root
    if serving_root:
        found["push_destination"] = json.dumps({"filesystem": {"base_directory": serving_root}})
    return found


def upload(client: kfp.Client, path: str | Path) -> tuple[str, str]:
    """Uploads the file, unless this version is there already.

    Returns:
        The ids of the pipeline and of the version.
    """
    name, version = read(path)
    pipeline = client.get_pipeline_id(name)
    if pipeline is None:
        pipeline = client.upload_pipeline(str(path), pipeline_name=name).pipeline_id
    token = ""
    while True:
        page = client.list_pipeline_versions(pipeline, page_token=token, page_size=100)
        for known in page.pipeline_versions or []:
            if known.display_name == version:
                return pipeline, known.pipeline_version_id
        token = page.next_page_token
        if not token:
            break
    return pipeline, client.upload_pipeline_version(str(path), version, pipeline_id=pipeline).pipeline_version_id


def submit(
    client: kfp.Client, path: str | Path, experiment: str, every: Schedule | None = None, **settings: Any
) -> str:
    """Starts a run of a version; with `every`, also a recurring run, before it: that may be refused, and then nothing has started.

    Args:
        client: of the service.
        path: the compiled pipeline.
        experiment: under which the runs are listed.
        every: the times; they take the place of the pipeline's earlier ones.
        settings: `params` and `pipeline_root`, as `kfp.Client.run_pipeline` takes them. Not `enable_caching`: for a pipeline
            that was uploaded the client forgets it without a word. Whether steps are cached is compiled in.

    Returns:
        The run's id.
    """
    name, version = read(path)
    pipeline_id, version_id = upload(client, path)
    place = client.create_experiment(experiment).experiment_id
    which = {"pipeline_id": pipeline_id, "version_id": version_id}
    if every:
        # One at a time: two runs would push into the same folder. After a pause only the latest missed run is made up for.
        # It is made switched off: where the service refuses it, the earlier one goes on, and two are never on at once.
        made = client.create_recurring_run(
            place,
            f"{name} {version}",
            cron_expression=every.cron,
            max_concurrency=1,
            no_catchup=True,
            enabled=False,
            **which,
            **settings,
        )
        stop(client, pipeline_id)
        client.enable_recurring_run(made.recurring_run_id)
        print(f"From now on it runs {every.words} ({name} {version}).")
    return client.run_pipeline(place, f"{name} {version}", **which, **settings).run_id


def schedules(client: kfp.Client, pipeline_id: str) -> list[kfp_server_api.V2beta1RecurringRun]:
    """The recurring runs of a pipeline: of all its versions, in all experiments, switched on or off."""
    found, token = [], ""
    while True:
        page = client.list_recurring_runs(page_token=token, page_size=100)
        for one in page.recurring_runs or []:
            if one.pipeline_version_reference and one.pipeline_version_reference.pipeline_id == pipeline_id:
                found.append(one)
        token = page.next_page_token
        if not token:
            return found


def is_on(one: kfp_server_api.V2beta1RecurringRun) -> bool:
    """Whether a recurring run starts runs."""
    return one.status == "ENABLED" or one.mode == "ENABLE"


def told(one: kfp_server_api.V2beta1RecurringRun) -> str:
    """A recurring run in words."""
    trigger = one.trigger
    if trigger and trigger.cron_schedule:
        return f"{one.display_name}: {words(trigger.cron_schedule.cron or '')}"
    if trigger and trigger.periodic_schedule:
        return f"{one.display_name}: every {trigger.periodic_schedule.interval_second} seconds"
    return f"{one.display_name}"


def stop(client: kfp.Client, pipeline_id: str) -> int:
    """Switches off what starts runs of a pipeline, and says so; returns how many recurring runs that were."""
    running = [one for one in schedules(client, pipeline_id) if is_on(one)]
    for one in running:
        client.disable_recurring_run(one.recurring_run_id)
        print(f"Switched off: {told(one)}")
    return len(running)


def show_schedules(client: kfp.Client, name: str, stopping: bool) -> None:
    """Prints the recurring runs of a pipeline, or switches them off."""
    pipeline_id = client.get_pipeline_id(name)
    if stopping:
        if not (pipeline_id and stop(client, pipeline_id)):
            print(f"{name} has no schedule that is on.")
        return
    found = schedules(client, pipeline_id) if pipeline_id else []
    for one in found:
        print(f"{'on ' if is_on(one) else 'off'} {told(one)}")
    if not found:
        print(f"{name} has no schedule.")


def wait(client: kfp.Client, run_id: str, seconds: float, pause: float = 10) -> None:
    """Waits for a run to succeed.

    Raises:
        SubmitError: it ended otherwise, or not in time.
    """
    end, away = time.monotonic() + seconds, 0
    while True:
        try:
            state, away = client.get_run(run_id).state, 0
        except (urllib3.exceptions.HTTPError, kfp_server_api.ApiException) as error:
            away += 1
            if away > AWAY or getattr(error, "status", GATEWAY[0]) not in GATEWAY:
                raise
            time.sleep(pause)
            continue
        if state == "SUCCEEDED":
            return
        if state in ENDED:
            raise SubmitError(f"The run ended as {state}. Its page shows the task that failed, and its log.")
        if time.monotonic() > end:
            raise SubmitError(
                f"The run is still {state or 'pending'} after {seconds:g} s. It goes on; its page shows how far it is."
            )
        time.sleep(pause)


def reason(body: bytes | str | None) -> str:
    """What an answer says of an error: to its user where it does, and nothing of the trace of the server's calls that some end with."""
    words = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
    try:
        found = json.loads(words)
        words = found.get("error_message") or found["message"]
        details = [one["message"] for one in found.get("details") or [] if one.get("message")]
        if details and words.endswith(details[0]):  # else that is only `Internal Server Error`
            words = details[0]
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # it is of another form
    return " ".join(str(words).partition("\ngithub.com/")[0].split())[:500]


def parser() -> argparse.ArgumentParser:
    """The options."""
    main = argparse.ArgumentParser(prog="submit.py", description=__doc__.partition("\n")[0])
    main.add_argument("pipeline", help="the compiled pipeline, a .yaml file")
    main.add_argument("--host", default=HOST, help=f"address of Kubeflow Pipelines (default: {HOST})")
    main.add_argument("--experiment", default="flights", help="under which the runs are listed (default: flights)")
    main.add_argument("--data-root", metavar="FOLDER", help="where the steps find the months")
    main.add_argument("--serving-root", metavar="FOLDER", help="where the steps push models to")
    main.add_argument("--pipeline-root", metavar="URI", help="where artifacts go (default: the service's own store)")
    calendar = main.add_mutually_exclusive_group()
    calendar.add_argument("--every", metavar="WHEN", help=f"run by the calendar, too, in UTC. {HOW}")
    calendar.add_argument("--schedules", action="store_true", help="list the schedules of this pipeline; start nothing")
    calendar.add_argument(
        "--stop-schedule", action="store_true", help="switch the schedule of this pipeline off; start nothing"
    )
    main.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="wait for the end of the run")
    return main


def main(arguments: Sequence[str] | None = None) -> int:
    """Hands the pipeline over; returns the exit status: 0, or 1 after a sentence that says what is wrong."""
    options = parser().parse_args(arguments)
    settings: dict[str, Any] = {"params": parameters(options.data_root, options.serving_root)}
    if options.pipeline_root:
        settings["pipeline_root"] = options.pipeline_root
    try:
        if options.schedules or options.stop_schedule:
            show_schedules(connect(options.host), load(options.pipeline)[0], options.stop_schedule)
            return 0
        read(options.pipeline)
        every = None if options.every is None else parse(options.every)
        client = connect(options.host)
        run_id = submit(client, options.pipeline, options.experiment, every, **settings)
        if options.wait:
            wait(client, run_id, options.wait)
            print("The run succeeded.")
    except ScheduleError as error:
        print(f"submit: --every {error}", file=sys.stderr)
        return 1
    except (SubmitError, ValueError) as error:  # the client's own: two pipelines of one name, for example
        print(f"submit: {error}", file=sys.stderr)
        return 1
    except (urllib3.exceptions.HTTPError, TimeoutError):
        print(
            f"submit: no Kubeflow Pipelines answers at {options.host}. Is it installed (install.sh), and does "
            f"`{FORWARD}` run?",
            file=sys.stderr,
        )
        return 1
    except kfp_server_api.ApiException as error:
        said = f"({error.status} {error.reason}): {reason(error.body)}"
        if error.status in GATEWAY:
            print(f"submit: the API server behind {options.host} does not answer {said}. {NOT_READY}", file=sys.stderr)
        else:
            print(f"submit: Kubeflow Pipelines refused {said}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
