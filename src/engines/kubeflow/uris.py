"""Addresses in an object store, and the folders under which Kubeflow's launcher mounts them into a container.

Kubeflow tells a task that its input is at `minio://bucket/key`; its launcher has put it under `/minio/bucket/key` and takes what the
task writes there back to the store. TFX can open the second, and must be told; what the task says of its outputs must be the first.
Source: `component/launcher_v2.go` and `objectstore/config.go` of Kubeflow Pipelines 2.16.
"""

from __future__ import annotations

MOUNTS = {"minio://": "/minio/", "s3://": "/s3/", "gs://": "/gcs/"}
"""Scheme of the store, and the folder of its buckets."""


def to_local(uri: str) -> str:
    """The folder of an address; what is no address of a store stays as it is."""
    for scheme, mount in MOUNTS.items():
        if uri.startswith(scheme):
            return mount + uri.removeprefix(scheme)
    return uri


def to_remote(path: str) -> str:
    """The address of a folder under a mount; any other folder stays as it is."""
    for scheme, mount in MOUNTS.items():
        if path.startswith(mount):
            return scheme + path.removeprefix(mount)
    return path
