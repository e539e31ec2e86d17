"""Components of the pipeline that watches: what was served, which model did, and the report. `pipeline` joins them.

Each is a few lines around a function of another module. Their first line imports what they need: they may run in a container.
"""

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact, standard_artifacts


class ServedRows(artifact.Artifact):
    """What was answered and what became of it, as `operation.served_rows` keeps it."""

    TYPE_NAME = "ServedRows"


class ReleasedModel(artifact.Artifact):
    """What is known of the version in service since its release, as `operation.released` keeps it."""

    TYPE_NAME = "ReleasedModel"


class MonitoringReport(artifact.Artifact):
    """A report: as JSON, as a page, and for Prometheus."""

    TYPE_NAME = "MonitoringReport"


@component
def ServedExampleGen(
    schema: InputArtifact[standard_artifacts.Schema],
    examples: OutputArtifact[standard_artifacts.Examples],
    served: OutputArtifact[ServedRows],
    project: Parameter[str],
    log: Parameter[str],
    first: Parameter[str],
    last: Parameter[str],
    before: Parameter[str],
    contents: Parameter[str],
    sizes: Parameter[str],
):
    """Reads log and labels: the served features of each period as a split of examples, and the rows with what became of them.

    `contents` are the files with their checksums, `{"log": {path: SHA-256}, "labels": ..., "labels before": ...}`, `sizes` the bytes of
    the logs that these are of: a log grows while it is read.
    """
    from operation import served_examples

    served_examples.write(
        schema, examples, served, served_examples.Given(project, log, first, last, before, contents, sizes)
    )


@component
def ModelInService(
    served: InputArtifact[ServedRows],
    released: OutputArtifact[ReleasedModel],
    project: Parameter[str],
    store: Parameter[str],
    pipeline: Parameter[str],
):
    """Keeps what the metadata store of the pipeline that trained says of the version that was in service: its statistics and quality."""
    from operation import released as known
    from operation import served_rows
    from operation.project import load_project

    log, _ = served_rows.load(served.uri)
    found = known.find(known.version(log.rows), store, pipeline, load_project(project).costs)
    known.save(found, released.uri)
    released.set_string_custom_property("version", found.version)
    if found.model is not None:
        released.set_int_custom_property("model", found.model)


@component
def Watch(
    served: InputArtifact[ServedRows],
    statistics: InputArtifact[standard_artifacts.ExampleStatistics],
    schema: InputArtifact[standard_artifacts.Schema],
    released: InputArtifact[ReleasedModel],
    report: OutputArtifact[MonitoringReport],
    project: Parameter[str],
    first: Parameter[str],
    last: Parameter[str],
    requests: Parameter[str],
):
    """Measures what was served against what was trained on, what was before, and what happened; writes the report."""
    from operation import watching

    found = watching.report(served, statistics, schema, released, project, first, last, requests)
    watching.write(found, report.uri)
    report.set_string_custom_property("first", first)
    report.set_string_custom_property("last", last)
    report.set_string_custom_property("version", found.version)
    report.set_string_custom_property("labels_until", found.until or "")
