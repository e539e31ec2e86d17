"""Concept figures, drawn by code in one visual language. Each returns a figure that carries its alt text.

course.show(figures.lifecycle())
"""

from course.figures.component import component_anatomy
from course.figures.example_gen_figure import example_gen
from course.figures.feature_store import feature_store
from course.figures.kubeflow_page import run_on_kubeflow
from course.figures.kubeflow_step import step_on_kubeflow
from course.figures.lifecycle_figure import lifecycle
from course.figures.pipeline import pipeline_dag
from course.figures.proof_of_concepts import poc_factory
from course.figures.spans import spans
from course.figures.technical_debt import hidden_debt
from course.figures.tfx import tfx_lifecycle
from course.figures.trainer import exported_model, trainer_anatomy
from course.figures.transform import analyze_and_map
from course.figures.tuning import tuner_loop, warm_start

__all__ = [
    "analyze_and_map",
    "component_anatomy",
    "example_gen",
    "exported_model",
    "feature_store",
    "hidden_debt",
    "lifecycle",
    "pipeline_dag",
    "poc_factory",
    "run_on_kubeflow",
    "spans",
    "step_on_kubeflow",
    "tfx_lifecycle",
    "trainer_anatomy",
    "tuner_loop",
    "warm_start",
]
