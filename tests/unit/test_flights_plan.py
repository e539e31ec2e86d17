"""Demands and the plan: what cannot be right is refused when it is written, and what is written is what TFMA enforces."""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest

from engines.quiet import import_quietly
from flights.config import Config
from flights.plan import AGREED, COST, HIGHER, LOWER, METRICS, Costs, Demand, Plan

pytestmark = pytest.mark.xdist_group("tfx")

PLAN = Plan(
    (
        Demand("AUC", at_least=0.6, at_most=0.8, max_loss=0.01),
        Demand("AUC", by=("origin",), at_least=0.6),
        Demand(COST, at_most=0.95),
    ),
    Costs(100, 300, 15),
)
"""The plan of lesson 02."""
FEW = 300
"""Flights that are enough: TFMA takes a second for each thousand."""


@pytest.fixture(scope="module")
def tfma():
    import_quietly()
    return importlib.import_module("tensorflow_model_analysis")


@pytest.fixture(scope="module")
def flights_of_april(everything):
    """Flights of April with what is known only afterwards, and of the months before, drawn as lesson 02 draws them."""
    import pandas as pd

    year = everything[everything.late.notna()]
    drawn = [year[year.month == month].sample(700, random_state=month) for month in range(1, 5)]
    table = pd.concat(drawn, ignore_index=True)
    return table.assign(late=table.late.astype(int))


def judge(tfma, folder, flights, scores, **settings):
    """What TFMA's own evaluation says of predictions: the same EvalConfig, metrics and validation as in the Evaluator."""
    from tensorflow_model_analysis.utils import config_util

    from flights.evaluation import make_eval_config
    from flights.model import PROBABILITY

    given = config_util.update_eval_config_with_defaults(
        make_eval_config(Config(**settings)), has_baseline=False, rubber_stamp=True
    )
    given.model_specs[0].signature_name = ""  # the predictions are there; no model is asked
    table = flights[["origin", "carrier", "sched_dep_time", "late"]].assign(
        **{PROBABILITY: np.asarray(scores, float), "sched_dep_time": flights.sched_dep_time.astype(int)}
    )
    tfma.analyze_raw_data(table.reset_index(drop=True), given, output_path=str(folder))
    return tfma.load_validation_result(str(folder))


# --- What is refused when it is written ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("demand", "said"),
    [
        ({"metric": "auc", "at_least": 0.6}, "Did you mean 'AUC'"),
        ({"metric": "binary_crossentropy", "at_most": 0.6}, "Did you mean 'BinaryCrossentropy'"),
        ({"metric": "Auc", "at_least": 0.6}, "Did you mean 'AUC'"),
        ({"metric": "", "at_least": 0.6}, "There are: AUC"),
        ({"metric": None, "at_least": 0.6}, "no such metric"),
        ({"metric": "ConfusionMatrixPlot", "at_least": 0.6}, "no such metric"),
        ({"metric": "AUC", "at_least": 1.5}, "AUC lies between 0 and 1"),
        ({"metric": "AUC", "at_most": -1}, "AUC lies between 0 and 1"),
        ({"metric": "AUC", "at_least": 60}, "AUC lies between 0 and 1"),
        ({"metric": "BinaryCrossentropy", "at_most": -0.1}, "between 0 and infinity"),
        ({"metric": "BinaryCrossentropy", "at_least": 0.6}, "Write at_most"),
        ({"metric": "Calibration", "max_loss": 0.1}, "Write at_least and at_most"),
        ({"metric": "ExampleCount", "at_least": -1}, "lies between"),
        ({"metric": "ExampleCount", "max_loss": 5}, "Write at_least and at_most"),
        ({"metric": "AUC", "max_loss": 2.0}, "differ by 1 at most"),
        ({"metric": "AUC", "at_least": "0.6"}, "a number is demanded"),
        ({"metric": "AUC", "at_least": True}, "a number is demanded"),
        ({"metric": "AUC", "at_most": math.inf}, "a number is demanded"),
        ({"metric": "AUC", "max_loss": math.nan}, "a number is demanded"),
        ({"metric": "AUC", "by": "origin", "at_least": 0.6}, "a tuple of texts"),
        ({"metric": "AUC", "by": ["origin"], "at_least": 0.6}, "a tuple of texts"),
        ({"metric": "AUC", "by": ("carrier",), "only": "DL", "at_least": 0.6}, "a tuple of texts"),
        ({"metric": "AUC", "by": ("weekday",), "only": (1, 2), "at_least": 0.6}, "a tuple of texts"),
        ({"metric": "AUC", "by": ("origin", "origin"), "at_least": 0.6}, "twice"),
        ({"metric": "AUC", "by": ("origin",), "only": ("JFK ",), "at_least": 0.6}, "spaces at an end"),
        ({"metric": "AUC", "by": ("origin",), "only": ("J\u200bFK",), "at_least": 0.6}, "cannot be seen"),
    ],
)
def test_demand_that_cannot_be_right_is_refused_with_what_to_write(demand, said):
    with pytest.raises(ValueError, match=said):
        Demand(**demand)


@pytest.mark.parametrize(
    "demand",
    [
        {"metric": "BinaryCrossentropy", "max_loss": 0.01},
        {"metric": "BinaryCrossentropy", "at_least": 0.2, "at_most": 0.6},
        {"metric": "Calibration", "at_least": 0.8, "at_most": 1.25},
        {"metric": "AUC", "at_most": 0.8},
        {"metric": "ExampleCount", "at_least": 1000},
        {"metric": "MatthewsCorrelationCoefficient", "at_least": -0.1},
    ],
)
def test_demand_that_can_be_met_and_missed_is_accepted(demand):
    Demand(**demand)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"demands": ()}, "demands nothing"),
        ({"demands": [Demand("AUC", at_least=0.6)]}, "tuple of Demand"),
        ({"demands": PLAN.demands, "costs": {"miss": 300}}, "costs must be"),
        ({"demands": PLAN.demands}, "CostAgainstRule needs costs"),
        ({"demands": (Demand("AUC", at_least=0.6), Demand("AUC", at_most=0.5))}, "at least 0.6 and at most 0.5"),
        (
            {
                "demands": (
                    Demand("AUC", by=("origin",), only=("LGA",), at_most=0.5),
                    Demand("AUC", by=("origin",), at_least=0.6),
                )
            },
            "contradict",
        ),
    ],
)
def test_plan_that_demands_nothing_or_what_nothing_can_meet_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        Plan(**settings)


@pytest.mark.parametrize(
    "prices", [{"miss": 0}, {"false_alarm": -1}, {"miss": "300"}, {"rule_from_hour": 25}, {"rule_from_hour": 15.0}]
)
def test_prices_that_are_none_are_refused(prices):
    with pytest.raises(ValueError, match=next(iter(prices))):
        Costs(**{"false_alarm": 100, "miss": 300, "rule_from_hour": 15} | prices)


def test_demands_beside_the_plan_or_the_bars_do_not_contradict_them():
    for settings in ({"plan": PLAN}, {"min_auc": 0.6}):
        with pytest.raises(ValueError, match="contradict"):
            Config(**settings, demands=(Demand("AUC", at_most=0.55),))
    of_others = Demand("AUC", by=("origin",), only=("LGA",), at_most=0.5)
    Config(plan=Plan((of_others, Demand("AUC", by=("origin",), only=("JFK",), at_least=0.6))), demands=(of_others,))


def test_cost_without_prices_is_refused_when_the_configuration_is_made():
    with pytest.raises(ValueError, match="CostAgainstRule needs prices"):
        Config(demands=(Demand(COST, at_most=0.95),))


# --- The file -----------------------------------------------------------------------------------------------------


def test_agreed_plan_is_what_lesson_02_writes_and_shows(tmp_path):
    """No number of it stands in two places: the lesson computes the plan, and this file is it."""
    import json
    from pathlib import Path

    notebook = json.loads((Path(__file__).parents[2] / "notebooks/02-plan.ipynb").read_text())
    shown = ["".join(out.get("text", "")) for cell in notebook["cells"] for out in cell.get("outputs", [])]
    assert AGREED.read_text() in shown
    assert Plan.load(AGREED).save(tmp_path / "plan.json").read_text() == AGREED.read_text()
    assert Plan.load(AGREED) == PLAN


def test_saved_plan_is_the_same_when_it_is_loaded(tmp_path):
    plan = Plan((*PLAN.demands, Demand("AUC", by=("carrier",), only=("DL", "UA"), max_loss=0.02)), Costs(50, 500, 9))
    assert Plan.load(plan.save(tmp_path / "plan.json")) == plan


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not JSON", "Expecting value"),
        ("[]", "no plan"),
        ('{"costs": {}}', "demands"),
        ('{"costs": {"miss": 3}, "demands": [{"metric": "AUC", "at_least": 0.6}]}', "false_alarm"),
        ('{"demands": [], "costs": null}', "demands nothing"),
        ('{"demands": [{"metric": "auc", "at_least": 0.6}]}', "Did you mean 'AUC'"),
        ('{"demands": [{"metric": "AUC", "minimum": 0.6}]}', "minimum"),
        ('{"demands": ["AUC"]}', "no plan"),
        ('{"demands": {"metric": "AUC", "at_least": 0.6}}', "a list of `demands`"),
        ('{"demands": [{"metric": "AUC", "at_least": 0.6, "at_least": 0.1}]}', "at_least is there twice"),
        ('{"demands": [{"metric": "AUC", "at_least": 0.6}], "demands": []}', "demands is there twice"),
        ('{"demands": [{"metric": "AUC", "at_least": 0.6}], "costs": false}', "no plan"),
        ('{"demands": [{"metric": "AUC", "at_least": 0.6}], "costs": {}}', "false_alarm"),
        (f'{{"demands": [{{"metric": "ExampleCount", "at_least": 1{"0" * 400}}}]}}', "a number is demanded"),
        ("[" * 100_000, "recursion"),
        ('{"demands": [{"metric": "AUC", "at_least": 0.6}], "floor": 1}', "floor"),
    ],
)
def test_file_that_is_no_plan_is_refused_by_its_name(tmp_path, text, said):
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=said) as raised:
        Plan.load(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_plan_may_be_written_by_an_editor_of_windows(tmp_path, encoding):
    path = tmp_path / "plan.json"
    path.write_text(AGREED.read_text(), encoding=encoding)
    assert Plan.load(path) == PLAN


# --- What TFMA makes of it ----------------------------------------------------------------------------------------


def test_directions_and_ranges_are_those_of_the_metrics_as_they_are_computed(tfma, tmp_path):
    """Of good predictions and bad ones, each metric prefers the good ones in the direction that the table says."""
    import pandas as pd

    random = np.random.default_rng(0)
    late = random.random(300) < 0.4
    good, bad = (np.clip(0.5 + shift * (late - 0.4) + random.normal(0, 0.2, 300), 0.02, 0.98) for shift in (0.4, 0.05))
    table = pd.DataFrame({"origin": "JFK", "sched_dep_time": 1800, "late": late.astype(int)})
    both = pd.concat([table.assign(carrier="good"), table.assign(carrier="bad")])
    demands = tuple(Demand(metric, by=("carrier",), at_most=min(one.high, 1e9)) for metric, one in METRICS.items())
    judge(tfma, tmp_path, both, np.concatenate([good, bad]), plan=Plan(demands, PLAN.costs))
    values = {
        key[0][1]: {name: value["doubleValue"] for name, value in found[""][""].items() if "doubleValue" in value}
        for key, found in tfma.load_eval_result(str(tmp_path)).slicing_metrics
        if len(key) == 1 and key[0][0] == "carrier"
    }
    from course.views.demands import snake

    names = {metric: {"FPR": "fpr", "FNR": "fnr"}.get(metric, snake(metric)) for metric in METRICS}
    names["F1Score"] = "f1_score"
    assert set(names.values()) <= set(values["good"]), "each metric is computed under its name"
    for metric, name in names.items():
        better, worse = values["good"][name], values["bad"][name]
        assert METRICS[metric].low <= min(better, worse) <= max(better, worse) <= METRICS[metric].high, metric
        if METRICS[metric].better == HIGHER:
            assert better > worse, metric
        if METRICS[metric].better == LOWER:
            assert better < worse, metric


@pytest.mark.parametrize(("candidate", "blessed"), [(0.48, True), (0.505, True), (0.52, False)])
def test_loss_may_not_get_worse_by_more_than_is_allowed(tfma, candidate, blessed):
    """`max_loss` of a loss once demanded that it does not get better."""
    from flights.evaluation import make_eval_config

    demand = Demand("BinaryCrossentropy", max_loss=0.01)
    assert validated(make_eval_config(Config(demands=(demand,))), "binary_crossentropy", candidate, 0.5) is blessed


def validated(eval_config, metric, candidate, baseline) -> bool:
    """What TFMA's own validator says of one metric of all flights; the AUC is good enough in any case."""
    from tensorflow_model_analysis.evaluators import metrics_validator
    from tensorflow_model_analysis.metrics import metric_types
    from tensorflow_model_analysis.utils import config_util

    full = config_util.update_eval_config_with_defaults(eval_config, has_baseline=True, rubber_stamp=False)
    metrics = {}
    for name, new, old in (("auc", 0.7, 0.7), (metric, candidate, baseline)):
        metrics[metric_types.MetricKey(name=name, model_name="candidate")] = new
        metrics[metric_types.MetricKey(name=name, model_name="baseline")] = old
        metrics[metric_types.MetricKey(name=name, model_name="candidate", is_diff=True)] = new - old
    return metrics_validator.validate_metrics(((), metrics), full).validation_ok


def test_plan_is_all_that_a_run_demands(tfma):
    from flights.evaluation import demands

    further = Demand("AUC", by=("carrier",), only=("DL",), max_loss=0.02)
    assert demands(Config(plan=PLAN, demands=(further,))) == [*PLAN.demands, further]


def test_leaked_model_is_refused_by_the_upper_bound_of_the_plan_and_by_nothing_else(tfma, tmp_path, flights_of_april):
    """A model that was given the delay at departure: without the plan it would be in production."""
    from sklearn.linear_model import LogisticRegression

    from flights.verdict import missed_of, refusal

    table = flights_of_april.assign(hour=flights_of_april.sched_dep_time // 100)
    past, april = table[table.month < 4], table[table.month == 4][:FEW]
    columns = ["hour", "dep_delay"]
    model = LogisticRegression(solver="newton-cholesky").fit(past[columns].astype(float), past.late)
    scores = model.predict_proba(april[columns].astype(float))[:, 1]
    (only,) = missed_of(judge(tfma, tmp_path / "planned", april, scores, plan=PLAN))
    assert (only.metric, only.slice, only.limit) == ("auc", (), "at least 0.6 and at most 0.8")
    assert only.value > 0.85
    assert refusal(tmp_path / "planned").startswith(f"Refused: AUC of all flights is {only.value:.3f} (demanded:")
    assert judge(tfma, tmp_path / "unplanned", april, scores).validation_ok


def test_cost_is_that_of_the_errors_by_that_of_the_rule(tfma, tmp_path):
    """False alarms at 100, misses at 300. Four flights at 9, 12, 13 and 18 o'clock; the second and the last are late.

    The rule acts from 15 on, and misses one: 300. Three models act on all of them, from 13 on, and never.
    """
    import pandas as pd

    four = pd.DataFrame({"origin": "JFK", "sched_dep_time": [900, 1259, 1300, 1800], "late": [0, 1, 0, 1]})
    wanted = {"all": (0, 200), "from 13": (13, 400), "never": (24, 600)}
    table = pd.concat([four.assign(carrier=name, acts=first) for name, (first, _) in wanted.items()])
    scores = np.where(table.sched_dep_time // 100 >= table.acts, 0.25, 0.24)
    plan = Plan((Demand(COST, by=("carrier",), at_most=0.5),), Costs(100, 300, 15))
    result = judge(tfma, tmp_path, table, scores, plan=plan)
    found = {
        one.slice_key.single_slice_keys[0].bytes_value.decode(): one.failures[0].metric_value.double_value.value
        for one in result.metric_validations_per_slice
    }
    assert found == pytest.approx({name: dollars / 300 for name, (_, dollars) in wanted.items()})


# --- Slices that no data have, and numbers that are none ----------------------------------------------------------


@pytest.fixture(scope="module")
def undefined(tfma, tmp_path_factory, flights_of_april) -> str:
    """What is said of a first run in which each demand asks for a number that there is not: of DL there is no flight, and of UA none is late."""
    from flights.verdict import refusal

    folder = tmp_path_factory.mktemp("undefined")
    table = flights_of_april[flights_of_april.carrier != "DL"].sample(FEW, random_state=0)
    table.loc[table.carrier == "UA", "late"] = 0
    scores = np.random.default_rng(0).random(len(table)) * 0.1 + table.late * 0.5
    absent = Demand("AUC", by=("carrier",), only=("DL",), max_loss=0.02)
    alike = Demand("AUC", by=("carrier",), only=("UA",), at_most=1.0)
    assert not judge(tfma, folder, table, scores, demands=(absent, alike), max_auc_loss=1.0).validation_ok
    return refusal(folder)


def test_slice_that_no_data_have_is_named_and_not_passed_even_in_a_first_run(undefined):
    assert "each metric of carrier DL is undefined: nothing of it was evaluated" in undefined


def test_area_of_a_slice_with_one_class_is_undefined_and_no_pass(undefined):
    """TFMA says 0 for it: below no upper bound, and no loss against the baseline's 0."""
    assert "AUC of carrier UA is undefined: all labels there are alike" in undefined
    assert "0.000" not in undefined
