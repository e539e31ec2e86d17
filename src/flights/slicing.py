"""Slices by what is not a column but derived from one (`columns.DERIVED`): the hour and the part of the day of the scheduled departure.

TFMA slices by values of columns, and the departure is a number such as 1745: as a slice, each minute would stand alone. Its own way
to compute slices, `slice_keys_sql`, needs ZetaSQL, which this stack does not have. Evaluator takes `custom_extractors` from a module
that it is given by name: here, TFMA's own and one more, which adds columns to a batch of flights after the model has answered.
"""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.extractors import unbatch_extractor

from .columns import DERIVED


def needed(eval_config: tfma.EvalConfig) -> bool:
    """Whether Evaluator needs this module for what it is to compute."""
    return bool(_derived(eval_config))


def custom_extractors(
    eval_shared_model: Any, eval_config: tfma.EvalConfig, tensor_adapter_config: Any
) -> list[tfma.extractors.Extractor]:
    """TFMA's extractors, with one more before a batch is taken apart into flights; TFX's Evaluator calls it by this name."""
    extractors = tfma.default_extractors(
        eval_shared_model=eval_shared_model, eval_config=eval_config, tensor_adapter_config=tensor_adapter_config
    )
    names = [extractor.stage_name for extractor in extractors]
    extractors.insert(
        names.index(unbatch_extractor.UNBATCH_EXTRACTOR_STAGE_NAME),
        tfma.extractors.Extractor("AddDerivedColumns", beam.Map(add_columns, names=_derived(eval_config))),
    )
    return extractors


def add_columns(extracts: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """A batch with derived columns.

    Args:
        extracts: of one batch, as TFMA's extractors made them.
        names: of the derived columns.
    """
    features = dict(extracts[tfma.FEATURES_KEY])
    for name in names:
        source, derive = DERIVED[name]
        features[name] = derive(_dense(features[source], source)).reshape(-1, 1)
    return {**extracts, tfma.FEATURES_KEY: features}


def _derived(eval_config: tfma.EvalConfig) -> list[str]:
    """Derived columns that some slice is made of."""
    used = {name for spec in eval_config.slicing_specs for name in [*spec.feature_keys, *spec.feature_values]}
    return sorted(used & set(DERIVED))


def _dense(column: Any, name: str) -> np.ndarray:
    """The values of a column that every flight has, one each, shape (batch,)."""
    sparse = hasattr(column, "dense_shape")
    values = np.ravel(column.values if sparse else column)
    size = int(column.dense_shape[0]) if sparse else len(column)
    if len(values) != size:
        raise ValueError(f"Column {name}: {len(values)} values for {size} flights. Slices need one for each.")
    return values
