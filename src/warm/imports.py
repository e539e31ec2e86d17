"""What a process imports that forks steps of a pipeline: the libraries that a step needs, and nothing of any project."""

STEPS = (
    "tensorflow",
    "keras",
    "tensorflow_transform",
    "tfx.v1",
    "tfx.dsl.compiler.compiler",
    "tfx.dsl.components.common.resolver",
    "tfx.orchestration.local.runner_utils",
    "tfx.orchestration.portable.launcher",
    "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_entrypoint_utils",
    "tfx.orchestration.kubeflow.v2.file_based_example_gen.driver",
    "tfx.components.evaluator.executor",
    "tfx.components.example_validator.executor",
    "tfx.components.pusher.executor",
    "tfx.components.statistics_gen.executor",
    "tfx.components.trainer.executor",
    "tfx.components.transform.executor",
    "pandas",
    "pyarrow.csv",
)
