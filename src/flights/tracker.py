"""The last component of a run that is tracked: it logs to MLflow what the run did and what came of it."""

import json

from tfx import v1 as tfx


@tfx.dsl.components.component
def ExperimentTracker(
    model: tfx.dsl.components.InputArtifact[tfx.types.standard_artifacts.Model],
    evaluation: tfx.dsl.components.InputArtifact[tfx.types.standard_artifacts.ModelEvaluation],
    blessing: tfx.dsl.components.InputArtifact[tfx.types.standard_artifacts.ModelBlessing],
    tracking_uri: tfx.dsl.components.Parameter[str],
    experiment: tfx.dsl.components.Parameter[str],
    run_name: tfx.dsl.components.Parameter[str],
    months: tfx.dsl.components.Parameter[str],
):
    """Logs settings, months, metrics (overall, by slice, by epoch) and blessing of the model that was evaluated.

    The settings are those that the Trainer stored with the model, after the Tuner. It runs after Pusher: whether a model may
    be pushed does not hang on whether somebody keeps a diary.
    """
    from . import experiments, warm_start  # the function runs on its own, perhaps in a container

    past = warm_start.recall(f"{model.uri}/Format-Serving")
    experiments.log_run(
        tracking_uri,
        run_name,
        settings=past.settings,
        metrics=experiments.metrics_of(evaluation.uri),
        history=past.history,
        tags={
            "months": "-".join(str(month) for month in json.loads(months)),
            "blessed": "yes" if blessing.get_int_custom_property("blessed") else "no",
            "started_from": past.started_from or "random weights",
            "model": model.uri,
            "evaluation": evaluation.uri,
        },
        experiment=experiment,
    )
