"""Slices by what is not a column: the hour and the part of the day of the scheduled departure.

TFMA slices by values of columns, and the departure is a number such as 1745: as a slice, each minute would stand alone. Its own way
to compute slices, `slice_keys_sql`, needs ZetaSQL, which this stack does not have. Evaluator takes `custom_extractors` from a module
that it is given by name: here, TFMA's own and one more, which adds columns to a batch of flights after the model has answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.evaluators import jackknife, poisson_bootstrap
from tensorflow_model_analysis.extractors import unbatch_extractor

from flights.config import DERIVED_SLICES

SEED = 13

PARTS_OF_DAY = {"00-09": 0, "09-14": 9, "14-18": 14, "18-24": 18}
"""Parts of the day by name, with the hour at which they begin: from the calm morning to the evening, when delays have piled up."""


def hour(sched_dep_time: np.ndarray) -> np.ndarray:
    """The hour of a departure, 0 to 23, from HHMM."""
    return sched_dep_time // 100


def part_of_day(sched_dep_time: np.ndarray) -> np.ndarray:
    """The name of the part of the day, as bytes, from HHMM."""
    names = np.array([name.encode() for name in PARTS_OF_DAY], dtype=object)
    return names[np.searchsorted(list(PARTS_OF_DAY.values()), hour(sched_dep_time), side="right") - 1]


DERIVED: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "hour": ("sched_dep_time", hour),
    "part_of_day": ("sched_dep_time", part_of_day),
}
"""Columns that slices may name beside those of the data: which column each is made from, and how."""

if set(DERIVED) != set(DERIVED_SLICES):
    raise ImportError("flights.config.DERIVED_SLICES does not name what flights.slicing derives.")


def needed(eval_config: tfma.EvalConfig) -> bool:
    """Whether Evaluator needs this module for what it is to compute."""
    return bool(_derived(eval_config)) or eval_config.options.compute_confidence_intervals.value


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
    if eval_config.options.compute_confidence_intervals.value:
        _draw_alike_each_time()
        extractors.append(tfma.extractors.Extractor("SortSliceKeys", beam.Map(sort_slice_keys)))
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


def sort_slice_keys(extracts: dict[str, Any]) -> dict[str, Any]:
    """A flight with its slices in an order that is the same in each process: TFMA takes them from a set."""
    keys = extracts[tfma.SLICE_KEY_TYPES_KEY]
    return {**extracts, tfma.SLICE_KEY_TYPES_KEY: keys[sorted(range(len(keys)), key=lambda place: str(keys[place]))]}


def _draw_alike_each_time() -> None:
    """Makes TFMA draw the same flights in each run.

    It draws at random, and no setting of an EvalConfig gives it a seed: the same model on the same flights would get other
    intervals each time. With a seed the draws still follow the order in which flights and slices come, which is another in each
    process; so the jackknife deals flights into heaps by what they are. The bootstrap's intervals may differ in the third digit.
    """
    jackknife.beam = _BeamThatDealsByContent()
    for method in (jackknife, poisson_bootstrap):
        original = method.ComputeWithConfidenceIntervals
        if not hasattr(original, "seeded"):
            method.ComputeWithConfidenceIntervals = _seeded(original)


class _BeamThatDealsByContent:
    """Beam, as the jackknife uses it, with a `Partition` that does not draw."""

    def __getattr__(self, name: str) -> Any:
        return getattr(beam, name)

    @staticmethod
    def Partition(_: Callable[..., int], number: int) -> beam.PTransform:
        return beam.Partition(heap, number)


def heap(sliced: tuple[Any, Any], number: int) -> int:
    """The heap that a flight of a slice is dealt to, 0 to `number` - 1: as good as drawn, and the same in each run."""
    return int.from_bytes(hashlib.sha256(_content(sliced[1])).digest()[:8], "big") % number


def _content(value: Any) -> bytes:
    """What a nested extract holds, as bytes that do not depend on the process."""
    if isinstance(value, Mapping):  # TFMA has mappings of its own
        return b"".join(str(name).encode() + _content(value[name]) for name in sorted(value, key=str))
    if isinstance(value, list | tuple):
        return b"".join(_content(one) for one in value)
    array = np.asarray(value)
    return str(array.tolist()).encode() if array.dtype == object else array.tobytes()


def _seeded(original: Callable[..., beam.PTransform]) -> Callable[..., beam.PTransform]:
    def seeded(**arguments: Any) -> beam.PTransform:
        return original(**{**arguments, "random_seed_for_testing": SEED})

    seeded.seeded = True
    return seeded


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
