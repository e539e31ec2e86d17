"""Month after month in one store: each candidate is held against the model in service, and a worse one is not pushed."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import ledger
import outcomes
import pytest

from engines import store
from engines.lineage import Lineage
from flights.plan import COST, Costs, Demand, Plan
from flights.verdict import refusal

pytestmark = pytest.mark.long
"""Each day lesson 08 has candidates pushed and refused beside the model in service, and lab 3's checks look for the baseline of its solution."""


@pytest.fixture(scope="module")
def january(run, make_config, tmp_path_factory):
    """Trained and judged on January, blessed: the model in service. A copy of what other tests have run."""
    config, shared = make_config(), outcomes.shared_folder(tmp_path_factory)
    assert outcomes.reference(config, run, shared)["blessed"]
    shutil.copytree(shared / outcomes.LOCAL, config.output_root)
    return config


@pytest.fixture(scope="module")
def march(run, make_config, january):
    """Trained on February, judged on March, beside the model in service."""
    config = make_config(months=(2, 3), train_epochs=4)
    reports = run(config)
    return config, {report.node: report.state for report in reports}


def failures(config) -> list[str]:
    """Which demands the newest candidate missed, as `metric kind slice`."""
    import tensorflow_model_analysis as tfma

    result = tfma.load_validation_result(ledger.last_output(config, "Evaluator", "evaluation").uri)
    missed = []
    for each in result.metric_validations_per_slice:
        where = ",".join(key.column for key in each.slice_key.single_slice_keys) or "all"
        for failure in each.failures:
            missed += [
                f"{failure.metric_key.name} {kind.name} {where}" for kind, _ in failure.metric_threshold.ListFields()
            ]
    return missed


def test_first_model_has_nothing_to_be_held_against(january):
    assert store.latest_verdict(january).startswith("Blessed and pushed")
    assert ledger.baseline_of(ledger.last_output(january, "Evaluator", "blessing")) is None


def test_next_candidate_is_held_against_the_first(january, march):
    config, states = march
    models = sorted(store.open_store(config).get_artifacts_by_type("Model"), key=lambda artifact: artifact.id)
    assert len(models) >= 2
    first, second = models[:2]
    assert ledger.last_input(config, "Evaluator", "baseline_model").id == first.id
    assert ledger.last_input(config, "Evaluator", "model").id == second.id
    blessing = ledger.last_output(config, "Evaluator", "blessing")
    assert ledger.baseline_of(blessing) == first.id
    # Another month is other data: only the schema is the same.
    assert {node for node, state in states.items() if state == "cached"} == {"ImportSchemaGen"}


def test_both_models_are_judged_on_the_same_flights(march):
    import tensorflow_model_analysis as tfma

    uri = ledger.last_output(march[0], "Evaluator", "evaluation").uri
    counts = {
        name: tfma.load_eval_result(uri, model_name=name).get_metrics_for_slice()["example_count"]["doubleValue"]
        for name in (tfma.CANDIDATE_KEY, tfma.BASELINE_KEY)
    }
    assert counts == {tfma.CANDIDATE_KEY: 2000, tfma.BASELINE_KEY: 2000}


def test_better_or_equal_candidate_is_pushed_as_a_new_version(march):
    config, _ = march
    assert not failures(config)
    assert len(ledger.versions(config)) == 2
    ledger.assert_sound(config)


def test_candidate_below_the_absolute_demand_is_refused(run, make_config, march):
    before = ledger.versions(march[0])
    config = make_config(months=(2, 3), train_epochs=4, min_auc=0.99)
    states = {report.node: report.state for report in run(config)}
    assert states["Trainer"] == "cached"
    assert failures(config) == ["auc value_threshold all"]
    assert_not_pushed(config, before)


@pytest.fixture(scope="module")
def crippled(run, make_config, march):
    """A training that went wrong, judged by nothing but not to be worse; with the versions that were there before, and its model."""
    before = ledger.versions(march[0])
    config = make_config(
        months=(2, 3), train_epochs=1, learning_rate=1e-6, min_auc=0.0, min_slice_auc=0.0, max_auc_loss=0.001
    )
    states = {report.node: report.state for report in run(config)}
    return config, states, before, ledger.last_output(config, "Trainer", "model").id


def test_candidate_that_lost_too_much_against_the_baseline_is_refused(crippled):
    config, states, before, _ = crippled
    assert states["Transform"] == "cached"
    assert states["Trainer"] == "done"
    assert failures(config) == ["auc change_threshold all"]
    assert_not_pushed(config, before)


@pytest.fixture(scope="module")
def planned(run, make_config, crippled):
    """After that, the candidate from before with a plan of which it misses one demand; with the versions that were there before."""
    before = ledger.versions(crippled[0])
    plan = Plan((Demand("AUC", at_most=0.9), Demand(COST, at_most=0.0)), Costs(100, 300, 15))
    config = make_config(months=(2, 3), train_epochs=4, plan=plan)
    run(config)
    return config, before


def test_plan_is_what_the_evaluator_enforces_and_its_cost_is_a_metric_like_others(planned):
    """No model costs nothing; without that demand the candidate would be blessed."""
    config, before = planned
    assert failures(config) == ["cost_against_rule value_threshold all"]
    assert_not_pushed(config, before)
    assert store.latest_verdict(config, refusal).startswith("Refused: cost against rule of all flights is 0.")


def test_refused_candidate_is_no_baseline(planned):
    """The next run is held against the newest model that was blessed, not against the newest."""
    config, _ = planned
    newest = max(artifact.id for artifact in store.open_store(config).get_artifacts_by_type("Model"))
    baseline = ledger.baseline_of(ledger.last_output(config, "Evaluator", "blessing"))
    assert baseline == blessed_model(config) < newest


def test_lineage_tells_the_months_of_each_model_and_goes_astray_at_no_baseline(march, crippled):
    """On a real store; the answers to more questions are on one that is made by hand, in tests/unit/test_engines_lineage.py."""
    found = Lineage.of_file(march[0].metadata_path)
    first, second = found.versions()[:2]
    told = found.version(second.version)
    assert [use.file.span for use in told.model.trained_on] == [2]
    assert [use.file.span for use in told.model.validated_on] == [3]
    assert [verdict.baseline for verdict in told.verdicts] == [first.model]
    assert told.model.base is None
    assert told.push.folder == f"{march[0].serving_root}/{second.version}"
    path = Path(march[0].data_root, told.model.trained_on[0].file.path)
    assert told.model.trained_on[0].file.checksum == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [sentence for sentence in told.unknown if "predictions" not in sentence] == []

    how = {one.model.artifact: one.how for one in found.reached(span=1)}
    assert how == {first.model: "trained"}
    *_, refused = crippled
    for span, how in {2: "trained", 3: "evaluated"}.items():
        reached = {one.model.artifact: (one.how, one.model.outcome) for one in found.reached(span=span)}
        assert reached[second.model] == (how, "pushed")
        assert reached[refused] == (how, "refused")
        assert first.model not in reached


def blessed_model(config) -> int:
    """Number of the newest model with a blessing."""
    return max(
        artifact.custom_properties["current_model_id"].int_value
        for artifact in store.open_store(config).get_artifacts_by_type("ModelBlessing")
        if artifact.custom_properties["blessed"].int_value == 1
    )


def assert_not_pushed(config, before: list[str]) -> None:
    """The versions are those of before, and the newest of them is still the one in service."""
    assert re.match(
        r"Refused: \S.* of all flights (is|changed by) [-+]?\d.*\(demanded: ", store.latest_verdict(config, refusal)
    )
    assert ledger.versions(config) == before
    assert store.latest_version(config).name == before[-1]
    pushed = ledger.last_output(config, "Pusher", "pushed_model")
    assert pushed.custom_properties["pushed"].int_value == 0
    ledger.assert_sound(config)
