"""A policy's file, read strictly: each fault is told with the file and the key."""

from __future__ import annotations

import json

import pytest

from operation import policy_file
from operation.policy import AllOf, AnyOf, Calendar, CalibrationGap, Drift, Guards, Loss, Never, NewRows
from operation.policy_file import PolicyError

READ = [
    ({"policy": {"Never": {}}}, Never(), Guards()),
    (
        {"why": "It is so.", "policy": {"CalibrationGap": {"limit": 1, "surely": True}}, "guards": {"cool_down": 28}},
        CalibrationGap(1, surely=True),
        Guards(28),
    ),
    (
        {"policy": {"AnyOf": [{"Loss": {"limit": 0.1, "measure": "cost"}}, {"AllOf": [{"NewRows": {"rows": 9}}]}]}},
        AnyOf((Loss(0.1, "cost"), AllOf((NewRows(9),)))),
        Guards(),
    ),
    (
        {"policy": {"Drift": {"columns": 2, "limit": None}}, "guards": {"budget": None, "days": 30}},
        Drift(2),
        Guards(days=30),
    ),
    ({"policy": {"Calendar": {"months": 3}}, "guards": {"budget": 4}}, Calendar(3), Guards(budget=4)),
]


@pytest.mark.parametrize(("given", "policy", "guards"), READ)
def test_what_is_written_is_what_decides(given, policy, guards, tmp_path):
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(given))
    assert policy_file.load(file) == (policy, guards)


REFUSED = {
    "{": r"no JSON \(",
    "[]": r"the file is \[\]\. Write an object",
    "{}": "policy is missing.",
    '{"policy": {"Never": {}}, "policy": {"Never": {}}}': r"no JSON \(policy is there twice\)",
    '{"policies": {"Never": {}}}': "policies is unknown; there are why, policy, guards.",
    '{"why": 3, "policy": {"Never": {}}}': "why is 3. Write a text.",
    '{"policy": "Never"}': 'policy is "Never". Write one policy with its settings',
    '{"policy": {"Never": {}, "Calendar": {}}}': "Write one policy with its settings",
    '{"policy": {"Weekly": {}}}': "policy.Weekly is unknown; there are Never, Calendar, NewRows, Drift, CalibrationGap, Loss, AnyOf, AllOf.",
    '{"policy": {"Never": {"limit": 1}}}': "policy.Never.limit is unknown; it has no settings.",
    '{"policy": {"CalibrationGap": {}}}': "policy.CalibrationGap.limit is missing.",
    '{"policy": {"CalibrationGap": {"limit": "0.04"}}}': 'policy.CalibrationGap.limit is "0.04". Write a number.',
    '{"policy": {"CalibrationGap": {"limit": 0.04, "sure": true}}}': "policy.CalibrationGap.sure is unknown; there are limit, surely.",
    '{"policy": {"CalibrationGap": {"limit": 0.04, "surely": 1}}}': "policy.CalibrationGap.surely is 1. Write true or false.",
    '{"policy": {"CalibrationGap": {"limit": true}}}': "policy.CalibrationGap.limit is true. Write a number.",
    '{"policy": {"CalibrationGap": {"limit": NaN}}}': "policy.CalibrationGap: .*limit is a number greater than 0",
    '{"policy": {"Calendar": {"months": 1.5}}}': "policy.Calendar.months is 1.5. Write a whole number.",
    '{"policy": {"Calendar": {"months": 0}}}': "policy.Calendar: .*months is a number greater than 0",
    '{"policy": {"Calendar": []}}': r"policy.Calendar is \[\]\. Write an object",
    '{"policy": {"Loss": {"limit": 0.1, "measure": "AUC"}}}': 'policy.Loss.measure is "AUC". Write "auc" or "log_loss" or "cost".',
    '{"policy": {"AnyOf": {}}}': r"policy.AnyOf is \{\}\. Write a list of policies.",
    '{"policy": {"AnyOf": []}}': "policy.AnyOf: AnyOf: name policies.",
    '{"policy": {"AnyOf": [{"Never": {}}, {"Nothing": {}}]}}': r"policy.AnyOf\[1\].Nothing is unknown",
    '{"policy": {"Never": {}}, "guards": {"cooldown": 1}}': "guards.cooldown is unknown; there are cool_down, budget, days.",
    '{"policy": {"Never": {}}, "guards": {"cool_down": 1.5}}': "guards.cool_down is 1.5. Write a whole number.",
    '{"policy": {"Never": {}}, "guards": {"budget": "few"}}': 'guards.budget is "few". Write a whole number or null.',
    '{"policy": {"Never": {}}, "guards": {"cool_down": -1}}': "guards: .*cool_down is a number of days",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_fault_is_told_with_file_and_key(text, tmp_path):
    file = tmp_path / "policy.json"
    file.write_text(text)
    with pytest.raises(PolicyError, match=REFUSED[text]) as refused:
        policy_file.load(file)
    assert str(refused.value).startswith(f"{file}: ")


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(PolicyError, match=r"none\.json: it cannot be read \(No such file or directory\)"):
        policy_file.load(tmp_path / "none.json")
