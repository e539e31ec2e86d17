"""Views of TFX's objects, drawn from the real protos: stable (no paths, times, ids), escaped, without scripts, offline.

Each returns an object that displays itself as the last expression of a cell. `course.begin` makes `artifact`, `artifacts`,
`execution`, `component` and `outputs` the way in which TFX's own objects are shown.
"""

from course.views.beside import compare
from course.views.breach import anomalies
from course.views.by_slice import explore_slices, slice_plot, slices
from course.views.calibrated import calibration
from course.views.choosing import choose
from course.views.contract import schema
from course.views.diff import explore_schema_diff, schema_diff
from course.views.graph import pipeline
from course.views.held import explore_anomalies, explore_schema
from course.views.learning import learning_curves
from course.views.ledger import store
from course.views.months import drift, explore_drift
from course.views.operating import explore_thresholds, thresholds
from course.views.profile import statistics
from course.views.record import artifact, artifacts
from course.views.rows import examples
from course.views.scores import metrics
from course.views.searched import explore_trials, trials
from course.views.step import component, execution, outputs
from course.views.verdict import blessed, blessing
from course.views.versus import against_baseline

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
    "explore_schema",
    "explore_schema_diff",
    "explore_slices",
    "explore_thresholds",
    "explore_trials",
    "learning_curves",
    "metrics",
    "outputs",
    "pipeline",
    "schema",
    "schema_diff",
    "slice_plot",
    "slices",
    "statistics",
    "store",
    "thresholds",
    "trials",
]
