"""What errors cost, as a metric that TFMA computes for each slice like its own: it names this module in its configuration, and imports it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types, metric_util

from .columns import DEPARTURE, hour
from .plan import COST, Costs

Sums = tuple[float, float]
"""What the model's errors cost, and the rule's."""


class CostAgainstRule(metric_types.Metric):
    """Cost of the model's errors by the cost of the rule's, on the same flights: below 1, the model is worth having.

    The model acts from the probability on from which it pays (`Costs.threshold`), the rule of thumb from an hour of the day on. Not a
    number where the rule makes no error.
    """

    def __init__(
        self,
        false_alarm: float,
        miss: float,
        rule_from_hour: int,
        name: str = "cost_against_rule",
    ) -> None:
        """Args: as in `plan.Costs`."""
        given = {"false_alarm": false_alarm, "miss": miss, "rule_from_hour": rule_from_hour}
        super().__init__(metric_util.merge_per_key_computations(_computations), name=name, **given)


if CostAgainstRule.__name__ != COST:
    raise ImportError("plan.COST does not name the metric of cost.py.")


def _computations(
    false_alarm: float,
    miss: float,
    rule_from_hour: int,
    name: str,
    eval_config: Any = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> metric_types.MetricComputations:
    key = metric_types.MetricKey(
        name=name, model_name=model_name, output_name=output_name, example_weighted=example_weighted
    )
    combiner = _Costing(key, eval_config, Costs(false_alarm, miss, rule_from_hour))
    wanted = metric_types.FeaturePreprocessor(feature_keys=[DEPARTURE])
    return [metric_types.MetricComputation(keys=[key], preprocessors=[wanted], combiner=combiner)]


class _Costing(beam.CombineFn):
    """Adds up what errors cost."""

    def __init__(self, key: metric_types.MetricKey, eval_config: Any, costs: Costs) -> None:
        self._key, self._eval_config, self._costs = key, eval_config, costs

    def create_accumulator(self) -> Sums:
        return 0.0, 0.0

    def add_input(self, sums: Sums, element: metric_types.StandardMetricInputs) -> Sums:
        planned = hour(int(np.ravel(element.features[DEPARTURE])[0]))
        for label, prediction, weight in metric_util.to_label_prediction_example_weight(
            element,
            eval_config=self._eval_config,
            model_name=self._key.model_name,
            output_name=self._key.output_name,
            example_weighted=self._key.example_weighted,
        ):
            late, by = bool(label.item()), weight.item()
            model = self._cost(prediction.item() >= self._costs.threshold, late)
            rule = self._cost(planned >= self._costs.rule_from_hour, late)
            sums = sums[0] + by * model, sums[1] + by * rule
        return sums

    def _cost(self, acts: bool, late: bool) -> float:
        if acts == late:
            return 0.0
        return self._costs.false_alarm if acts else self._costs.miss

    def merge_accumulators(self, several: Iterable[Sums]) -> Sums:
        model, rule = zip(*several, strict=True)
        return sum(model), sum(rule)

    def extract_output(self, sums: Sums) -> dict[metric_types.MetricKey, float]:
        return {self._key: sums[0] / sums[1] if sums[1] else math.nan}
