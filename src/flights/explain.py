"""What a model's answers depend on: which columns matter over many flights, and for one of them.

The model is asked as it is served, with raw columns. Columns that say the same, such as temperature and dew point, are shuffled
together: shuffled alone, each is covered by the other and seems not to matter, and the flights that result cannot exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import tensorflow as tf
from sklearn.inspection import permutation_importance

from . import features
from .data import COLUMN_TYPES, LABEL
from .examples import encode
from .metrics import auc
from .model import PROBABILITY

Groups = Mapping[str, Sequence[str]]
"""Columns that are shuffled together, by the name of the group."""

Model = Callable[[pd.DataFrame], np.ndarray]
"""Anything that answers a data frame of raw flights with probabilities, such as `Served`."""

GROUPS: Groups = features.GROUPS


class Served:
    """A SavedModel that answers for a data frame of raw flights."""

    def __init__(self, folder: str | Path) -> None:
        """Loads the model that the pipeline exported."""
        self._model = tf.saved_model.load(str(folder))
        self._serve = self._model.signatures["serving_default"]

    def __call__(self, flights: pd.DataFrame) -> np.ndarray:
        """The probability of arriving late, shape (flights,)."""
        columns = {name: COLUMN_TYPES[name] for name in features.RAW}
        table = pa.table({name: pa.array(flights[name], kind, from_pandas=True) for name, kind in columns.items()})
        return self._serve(examples=tf.constant(list(encode(table))))[PROBABILITY].numpy()[:, 0]


class _ByGroup:
    """A model for scikit-learn whose inputs are groups: in each column, from which flight the group's values are taken."""

    def __init__(self, model: Model, flights: pd.DataFrame, groups: Groups) -> None:
        self.model, self.flights, self.groups = model, flights, groups

    def fit(self, *_: object) -> None:
        """The model is trained; scikit-learn asks for this method and does not call it."""

    def score(self, rows: pd.DataFrame, late: np.ndarray) -> float:
        """The AUC for flights put together from the rows of each group."""
        mixed = self.flights.copy()
        for name, columns in self.groups.items():
            if (rows[name] == np.arange(len(rows))).all():
                continue  # not shuffled; a column may be in another group that is
            mixed[list(columns)] = self.flights[list(columns)].take(rows[name]).set_axis(mixed.index)
        return auc(late, self.model(mixed))


def importance(
    model: Model, flights: pd.DataFrame, groups: Groups = GROUPS, repeats: int = 5, seed: int = 13
) -> pd.DataFrame:
    """How much AUC is lost where the values of a group are shuffled among the flights: permutation importance.

    Args:
        model: a model as it is served.
        flights: raw flights with their label.
        groups: columns that are shuffled together.
        repeats: shuffles of each group.
        seed: of the shuffles.

    Returns:
        For each group, `loss` of AUC on average and `spread`, its standard deviation over the shuffles; largest loss first.
    """
    rows = pd.DataFrame({name: np.arange(len(flights)) for name in groups})
    late = flights[LABEL].astype(int).to_numpy()
    found = permutation_importance(_ByGroup(model, flights, groups), rows, late, n_repeats=repeats, random_state=seed)
    table = pd.DataFrame({"loss": found.importances_mean, "spread": found.importances_std}, index=list(groups))
    return table.sort_values("loss", ascending=False)


def one_flight(
    model: Model, flight: pd.Series, others: pd.DataFrame, groups: Groups = GROUPS
) -> tuple[float, pd.Series]:
    """What the prediction of one flight owes to each group: its fall when the group's values are those of other flights.

    Not a division of the prediction: what two groups do together is counted with both, or with neither.

    Args:
        model: a model as it is served.
        flight: raw columns of the flight.
        others: flights that lend their values, one after the other; the mean over them is taken.
        groups: columns that are replaced together.

    Returns:
        The prediction, and for each group the prediction less the mean prediction with borrowed values; largest first.
    """
    same = pd.DataFrame([flight[features.RAW]] * len(others), index=others.index).astype(others[features.RAW].dtypes)
    prediction = float(model(same[:1])[0])
    owed = {}
    for name, columns in groups.items():
        mixed = same.copy()
        mixed[list(columns)] = others[list(columns)]
        owed[name] = prediction - float(model(mixed).mean())
    return prediction, pd.Series(owed).sort_values(key=abs, ascending=False)
