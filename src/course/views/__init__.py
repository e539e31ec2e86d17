"""Views of TFX's objects, drawn from the real protos: stable (no paths, times, ids), escaped, without scripts, offline.

Each returns an object that displays itself as the last expression of a cell. `course.begin` makes `artifact`, `artifacts`,
`execution`, `component` and `outputs` the way in which TFX's own objects are shown.
"""

from course.views.anomalies_view import anomalies
from course.views.artifact_view import artifact, artifacts
from course.views.baseline_comparison import against_baseline
from course.views.blessing_view import blessed, blessing
from course.views.calibration_view import calibration
from course.views.component_view import component, execution, outputs
from course.views.constraint_view import explore_anomalies, explore_schema
from course.views.contract import schema
from course.views.decision_threshold import explore_thresholds, thresholds
from course.views.drift_over_months import drift, explore_drift
from course.views.learning_curves_view import learning_curves
from course.views.lineage_view import explore_lineage, lineage
from course.views.metadata_tables import store
from course.views.metrics_by_slice import explore_slices, slice_plot, slices
from course.views.metrics_view import metrics
from course.views.pipeline_graph import pipeline
from course.views.rows import examples
from course.views.schema_comparison import explore_schema_diff, schema_diff
from course.views.side_by_side import side_by_side
from course.views.statistics_comparison import compare
from course.views.statistics_controls import choose
from course.views.statistics_view import statistics
from course.views.tuning_view import explore_trials, trials

__all__ = [
    "against_baseline",
    "anomalies",
    "artifact",
    "artifacts",
    "blessed",
    "blessing",
    "calibration",
    "choose",
    "compare",
    "component",
    "drift",
    "examples",
    "execution",
    "explore_anomalies",
    "explore_drift",
    "explore_lineage",
    "explore_schema",
    "explore_schema_diff",
    "explore_slices",
    "explore_thresholds",
    "explore_trials",
    "learning_curves",
    "lineage",
    "metrics",
    "outputs",
    "pipeline",
    "schema",
    "schema_diff",
    "side_by_side",
    "slice_plot",
    "slices",
    "statistics",
    "store",
    "thresholds",
    "trials",
]
