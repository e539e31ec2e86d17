"""References outside TensorFlow: what simple rules and other algorithms reach with the same columns of the same flights.

A network that does not beat them is not worth its pipeline; where it does not, one should know.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from .columns import GROUP, LABEL, SPAN, WEEKDAY, minutes
from .features import CATEGORICAL, CLOCK, NUMERIC, SCALED

PRIOR_FLIGHTS = 20
"""With how many flights of the average a route's rate is mixed, so that a route of three flights is not called hopeless."""

SEED = 13


def prepare(flights: pd.DataFrame) -> pd.DataFrame:
    """The columns that the network sees, before scaling: numbers as floats with the same stand-ins for missing values.

    Args:
        flights: raw columns, as `data.read_month` gives them.

    Returns:
        Numbers, departure in minutes, and `carrier`, `origin`, `dest` and `weekday` as text.
    """
    columns = {name: flights[name].astype("float64").fillna(missing) for name, missing in NUMERIC.items()}
    columns |= {name: minutes(flights[clock].astype("int64")).astype("float64") for name, clock in CLOCK.items()}
    columns |= {name: flights[name].fillna("").astype(str) for name in (*CATEGORICAL, WEEKDAY)}
    return pd.DataFrame(columns, index=flights.index)


def no_skill(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """Every flight gets the rate of the training flights."""
    return np.full(len(test), train[LABEL].mean())


def route_rate(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """The share of late flights on the same route, in the newest month of the training flights."""
    last = train[train[SPAN] == train[SPAN].max()]
    average = last[LABEL].mean()
    routes = last.groupby(list(GROUP))[LABEL].agg(["sum", "count"])
    rate = (routes["sum"] + PRIOR_FLIGHTS * average) / (routes["count"] + PRIOR_FLIGHTS)
    found = rate.reindex(pd.MultiIndex.from_frame(test[list(GROUP)])).to_numpy(float)
    return np.where(np.isnan(found), average, found)


def logistic_regression(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """A linear model on scaled numbers and one column for each word."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers, words = [*SCALED], [*CATEGORICAL, WEEKDAY]
    model = make_pipeline(
        make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), words)),
        LogisticRegression(C=0.1, max_iter=500),
    )
    return model.fit(prepare(train), train[LABEL].astype(int)).predict_proba(prepare(test))[:, 1]


def gradient_boosting(train: pd.DataFrame, test: pd.DataFrame, early_stopping: bool = False) -> np.ndarray:
    """Trees that correct each other: scikit-learn's histogram-based boosting, words as categories.

    Args:
        train: flights to learn from.
        test: flights to predict.
        early_stopping: stop when a tenth of the training flights, drawn at random, gains no more; else 100 trees.
    """
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    words = [*CATEGORICAL, WEEKDAY]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    model = make_pipeline(
        make_column_transformer((codes, words), remainder="passthrough"),
        HistGradientBoostingClassifier(
            categorical_features=list(range(len(words))),
            max_iter=500 if early_stopping else 100,
            early_stopping=early_stopping,
            random_state=SEED,
        ),
    )
    return model.fit(prepare(train), train[LABEL].astype(int)).predict_proba(prepare(test))[:, 1]


REFERENCES: dict[str, Callable[[pd.DataFrame, pd.DataFrame], np.ndarray]] = {
    "no skill": no_skill,
    "last month's rate by route": route_rate,
    "logistic regression": logistic_regression,
    "gradient boosting": gradient_boosting,
}
"""By name: from training flights with labels and from flights to predict, the probability that each of these is late."""


def scores(train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """What each reference reaches.

    Returns:
        A row for each of `REFERENCES`: `auc`, `log_loss`, and the `seconds` it took.
    """
    from sklearn.metrics import log_loss, roc_auc_score

    rows, labels = {}, test[LABEL].astype(int)
    for name, reference in REFERENCES.items():
        started = time.perf_counter()
        predicted = reference(train, test)
        seconds = time.perf_counter() - started
        rows[name] = {
            "auc": roc_auc_score(labels, predicted),
            "log_loss": log_loss(labels, predicted),
            "seconds": seconds,
        }
    return pd.DataFrame(rows).T
