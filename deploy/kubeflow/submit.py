"""Hands a compiled pipeline to Kubeflow Pipelines: uploads it, runs it once, and, if asked, from then on by the calendar.

    python deploy/kubeflow/submit.py pipeline.yaml
    python deploy/kubeflow/submit.py pipeline.yaml --data-root /mnt/flights/data --wait 3600
    python deploy/kubeflow/submit.py pipeline.yaml --every "0 0 6 1 * *"

Parameters that are not given keep the defaults that were compiled in.
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

HOST = "http://127.0.0.1:8080"
"""Where `kubectl port-forward` makes the service appear."""

ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
"""States that a run does not leave. The client's own `wait_for_run_completion` does not know the third."""


class SubmitError(RuntimeError):
    """The pipeline cannot be handed over, or did not succeed; the message says why."""


def read(path: str | Path) -> tuple[str, str]:
    """The name of a compiled pipeline, and a name for this version of it, which is another whenever the file is.

    Raises:
        SubmitError: no such file, no compiled pipeline, or images that a cluster would look for on the internet at every start.
    """
    try:
        content = Path(path).read_bytes()
        documents = list(yaml.safe_load_all(content))
        name, executors = documents[0]["pipelineInfo"]["name"], documents[0]["deploymentSpec"]["executors"]
    except OSError as error:
        raise SubmitError(f"{path}: {error.strerror}. Compile the pipeline first (lesson 12).") from None
    except (yaml.YAMLError, KeyError, TypeError, IndexError):
        raise SubmitError(f"{path}: not a compiled pipeline.") from None
    for image in sorted({executor["container"]["image"] for executor in executors.values() if "container" in executor}):
        tag = image.rpartition("/")[2].partition(":")[2]
        if tag in ("", "latest") and "@" not in image:
            raise SubmitError(
                f"{path}: image {image!r} says not which one. Kubernetes would fetch it anew for every step, and the cache compares "
                "names only. Compile with the name that kind-up.sh prints."
            )
    return name, hashlib.sha256(content).hexdigest()[:12]


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


def submit(client: kfp.Client, path: str | Path, experiment: str, every: str | None = None, **settings: Any) -> str:
    """Starts a run of a version; with `every`, also a recurring run.

    Args:
        client: of the service.
        path: the compiled pipeline.
        experiment: under which the runs are listed.
        every: cron with six fields, the first for seconds; in UTC.
        settings: `params` and `pipeline_root`, as `kfp.Client.run_pipeline` takes them. Not `enable_caching`: for a pipeline
            that was uploaded the client forgets it without a word. Whether steps are cached is compiled in.

    Returns:
        The run's id.
    """
    name, version = read(path)
    pipeline_id, version_id = upload(client, path)
    place = client.create_experiment(experiment).experiment_id
    which = {"pipeline_id": pipeline_id, "version_id": version_id}
    run = client.run_pipeline(place, f"{name} {version}", **which, **settings)
    if every:
        # One at a time: two runs would push into the same folder. After a pause only the latest missed run is made up for.
        client.create_recurring_run(
            place, f"{name} {version}", cron_expression=every, max_concurrency=1, no_catchup=True, **which, **settings
        )
    return run.run_id


def wait(client: kfp.Client, run_id: str, seconds: float, pause: float = 10) -> None:
    """Waits for a run to succeed.

    Raises:
        SubmitError: it ended otherwise, or not in time.
    """
    end = time.monotonic() + seconds
    while True:
        state = client.get_run(run_id).state
        if state == "SUCCEEDED":
            return
        if state in ENDED:
            raise SubmitError(f"The run ended as {state}. Its page shows the task that failed, and its log.")
        if time.monotonic() > end:
            raise SubmitError(
                f"The run is still {state or 'pending'} after {seconds:g} s. It goes on; its page shows how far it is."
            )
        time.sleep(pause)


def parser() -> argparse.ArgumentParser:
    """The options."""
    main = argparse.ArgumentParser(prog="submit.py", description=__doc__.partition("\n")[0])
    main.add_argument("pipeline", help="the compiled pipeline, a .yaml file")
    main.add_argument("--host", default=HOST, help=f"address of Kubeflow Pipelines (default: {HOST})")
    main.add_argument("--experiment", default="flights", help="under which the runs are listed (default: flights)")
    main.add_argument("--data-root", metavar="FOLDER", help="where the steps find the months")
    main.add_argument("--serving-root", metavar="FOLDER", help="where the steps push models to")
    main.add_argument("--pipeline-root", metavar="URI", help="where artifacts go (default: the service's own store)")
    main.add_argument(
        "--every", metavar="CRON", help='run by the calendar, too: "0 0 6 1 * *" is the 1st of each month at 6:00 UTC'
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
        read(options.pipeline)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # that it speaks to version 2 only
            client = kfp.Client(host=options.host)
        run_id = submit(client, options.pipeline, options.experiment, options.every, **settings)
        if options.wait:
            wait(client, run_id, options.wait)
            print("The run succeeded.")
    except SubmitError as error:
        print(f"submit: {error}", file=sys.stderr)
        return 1
    except (urllib3.exceptions.HTTPError, TimeoutError):
        print(
            f"submit: no Kubeflow Pipelines answers at {options.host}. Is it installed (install.sh), and does "
            "`kubectl -n kubeflow port-forward service/ml-pipeline-ui 8080:80` run?",
            file=sys.stderr,
        )
        return 1
    except kfp_server_api.ApiException as error:
        print(f"submit: Kubeflow Pipelines refused: {error.status} {error.reason}: {error.body}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
