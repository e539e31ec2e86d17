"""InfraCheck: the component between Trainer and Pusher that tries whether a candidate can be served.

TFX's InfraValidator does it by TensorFlow Serving in a container; without a Docker engine it refuses every model, and only its log says why. This
one starts the model server of `serving` as a process of its own, and writes the same artifact, which Pusher takes as `infra_blessing`.
"""

from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import path_utils

from serving import candidate

BLESSED, NOT_BLESSED = "INFRA_BLESSED", "INFRA_NOT_BLESSED"
"""Files that say the same to people, as TFX's InfraValidator calls them; here they hold the reason."""

MOST = 10_000
"""Examples of a split that are read, in order to choose some."""


def read_examples(folder: str | Path, number: int) -> list[bytes]:
    """Serialised tf.Examples of a split, at equal distances from its first to its last.

    Args:
        folder: of the split.
        number: how many.

    Raises:
        candidate.CheckError: there is none.
    """
    import tensorflow as tf

    files = sorted(str(path) for path in Path(folder).glob("*.gz"))
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").take(MOST).batch(MOST)
    found = [one for batch in records.as_numpy_iterator() for one in batch]
    if not found:
        raise candidate.CheckError(f"{folder}: there are no examples in it.")
    number = min(number, len(found))
    return [found[place * len(found) // number] for place in range(number)]


@component
def InfraCheck(
    model: InputArtifact[standard_artifacts.Model],
    examples: InputArtifact[standard_artifacts.Examples],
    blessing: OutputArtifact[standard_artifacts.InfraBlessing],
    project: Parameter[str],
    split: Parameter[str],
    rows: Parameter[int] = 20,
    timeout: Parameter[int] = 120,
):
    """Serves the candidate in a process of its own, asks it about examples of a split, and blesses or refuses it, with the custom property `reason`.

    `project` is the `MODULE:OBJECT` that the model server is given. A model that cannot be served is refused, and the pipeline goes on. The
    component fails, with `candidate.CheckError`, where the check itself could not be made.
    """
    folder = Path(blessing.uri)
    folder.mkdir(parents=True, exist_ok=True)
    verdict = candidate.check(
        path_utils.serving_model_path(model.uri),
        read_examples(artifact_utils.get_split_uri([examples], split), rows),
        project,
        timeout,
        # Of a step that is killed the engine deletes this folder.
        scratch=folder,
    )
    blessing.set_int_custom_property("blessed", int(verdict.blessed))
    blessing.set_string_custom_property("reason", verdict.reason)
    (folder / (BLESSED if verdict.blessed else NOT_BLESSED)).write_text(f"{verdict.reason}\n")
