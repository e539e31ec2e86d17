"""What Beam is told on engines of many machines: a Flink cluster, Spark, Dataflow.

NOT RUN IN THIS COURSE: nothing here was tried on such an engine. Tested is that Beam knows each option, and that Dataflow's own check
of them finds nothing wrong. What runs on one machine is `engines.flink.runner`.

    from engines import beam, local

    local.run(config, create_pipeline, beam_args=beam.flink(job_server="flink-jobs:8099"))

On each of them
- the workers need TFX and the pipeline's package: an image with both in your registry, with a tag of its own for each version of the
  code, for a worker does what its image holds, not what is on the machine that started the run;
- examples, artifacts and models are on storage that every worker reaches, so `data_root` and `output_root` are addresses such as
  s3://... or gs://..., and the metadata store is a database server: SQLite files stay on one machine. `pipeline_root` and
  `engines.store` are for local folders: that is what a move has to change;
- only what Beam does is done there: reading, statistics, Transform, the Evaluator. The Trainer stays where the run was started.
"""

from __future__ import annotations

BEAM_ARGS = [
    # The same runner everywhere; Beam's default would first try to download another one.
    "--runner=FnApiRunner",
    # Naming any image keeps TFX from packing its own source for remote workers, at every component: there are none here.
    "--sdk_container_image=unused",
]
"""What Beam is told on this machine."""

SIDECAR = "localhost:50000"
"""Beside each task manager or executor, in the same pod, a container of an image that gives out workers:
`python -m apache_beam.runners.worker.worker_pool_main --service_port=50000`. It needs nothing of Beam's own images."""

PACKED = "--sdk_container_image=course"
"""The workers have TFX in their image; with any image named, TFX does not pack its source for them at each component."""


def flink(job_server: str, parallelism: int = 8, artifacts: str = "", workers: str = SIDECAR) -> list[str]:
    """For a Flink cluster that is there to stay.

    Args:
        job_server: `host:port` of Beam's job server for Flink, which knows the cluster (`--flink-master`) and was started with an
            `--artifacts-dir` on storage that the task managers reach as well.
        parallelism: slots that a job takes. Each needs memory for its workers: on one machine more than its cores do not help.
        artifacts: `host:port` at which the job server takes files, where it is not the one that it announces (behind a Kubernetes service).
        workers: where a task manager finds its pool of workers.
    """
    return checked(
        [
            *_portable(job_server, workers, artifacts),
            f"--parallelism={parallelism}",
            # A task manager keeps its workers between jobs for so long: starting one takes the ten seconds of TFX's imports.
            "--environment_cache_millis=600000",
        ]
    )


def spark(job_server: str, artifacts: str = "", workers: str = SIDECAR) -> list[str]:
    """For a Spark 3 cluster; Beam's runner does not know Spark 4.

    Args:
        job_server: `host:port` of Beam's job server for Spark 3 (`beam-runners-spark-3-job-server`), which knows the cluster
            (`--spark-master-url`).
        artifacts: as for `flink`.
        workers: where an executor finds its pool of workers.
    """
    # How many tasks run at once is Spark's own setting: spark.default.parallelism, given to the job server.
    return checked([*_portable(job_server, workers, artifacts), "--environment_cache_millis=600000"])


def dataflow(project: str, region: str, bucket: str, image: str, max_workers: int = 8) -> list[str]:
    """For Google Cloud Dataflow, which starts machines for a job, and bills them by the second.

    Args:
        project: of Google Cloud.
        region: for example `europe-west1`; where the bucket is.
        bucket: `gs://...`, for what Dataflow stages; output_root is best in it too.
        image: the image in Artifact Registry, with Beam's entry point in it, which the local one lacks:
            `COPY --from=apache/beam_python3.11_sdk:2.77.0 /opt/apache/beam /opt/apache/beam` and
            `ENTRYPOINT ["/opt/apache/beam/boot"]`. Its version is that of Beam in the lock.
        max_workers: what a job may cost at most.
    """
    return checked(
        [
            "--runner=DataflowRunner",
            f"--project={project}",
            f"--region={region}",
            f"--temp_location={bucket}/dataflow/temporary",
            f"--staging_location={bucket}/dataflow/staging",
            f"--sdk_container_image={image}",
            "--sdk_location=container",  # Beam is in the image: nothing to upload
            f"--max_num_workers={max_workers}",
            "--machine_type=n1-standard-4",
            "--no_use_public_ips",
        ]
    )


def checked(arguments: list[str]) -> list[str]:
    """The arguments, if Beam knows them all. It passes over an option that it does not know, with a line in a log.

    Raises:
        ValueError: names those that it does not know.
    """
    from apache_beam.options.pipeline_options import PipelineOptions  # with it comes the whole of Beam: a second

    options = PipelineOptions(arguments)
    unknown = set(options.get_all_options(retain_unknown_options=True)) - set(options.get_all_options())
    if unknown:
        raise ValueError(f"Beam knows no option {', '.join(f'--{name}' for name in sorted(unknown))}.")
    return arguments


def _portable(job_server: str, workers: str, artifacts: str) -> list[str]:
    """For a runner that is reached through a job server."""
    endpoint = [f"--artifact_endpoint={artifacts}"] if artifacts else []
    return [
        "--runner=PortableRunner",
        f"--job_endpoint={job_server}",
        *endpoint,
        "--environment_type=EXTERNAL",
        f"--environment_config={workers}",
        PACKED,
    ]
