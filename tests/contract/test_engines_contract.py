"""Every engine gives the same result: each has a test that says so, and a new engine without one is found here."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from flights.cli import ENGINES

REFERENCE = "local"
"""What the others are compared with: `outcomes.reference` of tests/pipeline runs it."""

VARIANTS = [*(engine for engine in ENGINES if engine != REFERENCE), "containers"]
"""The engines, and Kubeflow's steps in containers instead of processes."""


def compares(path: Path) -> bool:
    """Whether a test of a file asserts that two summaries are equal, one of them the reference."""
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    asserts = [
        node
        for function in functions
        if function.name.startswith("test_")
        for node in ast.walk(function)
        if isinstance(node, ast.Assert)
    ]
    return any(
        isinstance(node.test, ast.Compare)
        and isinstance(node.test.ops[0], ast.Eq)
        and "outcomes.of_" in ast.unparse(node.test)
        and "outcomes.reference(" in ast.unparse(node.test)
        for node in asserts
    )


def test_the_reference_is_an_engine_and_there_are_others():
    assert REFERENCE in ENGINES
    assert {"flink", "kubeflow"} <= set(VARIANTS)


@pytest.mark.parametrize("engine", VARIANTS)
def test_each_engine_is_compared_with_the_local_one(engine, root):
    path = root / "tests" / "pipeline" / f"test_{engine}.py"
    assert path.is_file(), f"engine {engine} has no tests: {path.relative_to(root)}"
    assert compares(path), f"{path.relative_to(root)}: no test asserts outcomes.of_...(...) == outcomes.reference(...)"


def test_a_file_that_compares_nothing_is_found(tmp_path):
    path = tmp_path / "test_new.py"
    for body in ("pass", "assert outcomes.of_local(config)", "assert outcomes.of_local(a) != outcomes.reference(b)"):
        path.write_text(f"def test_it(config):\n    {body}\n")
        assert not compares(path)
    path.write_text(
        "def test_it(config):\n    assert outcomes.of_new(config) == outcomes.reference(config, run, shared)\n"
    )
    assert compares(path)


def test_the_summary_holds_what_the_engines_are_compared_in(root):
    text = (root / "tests" / "pipeline" / "outcomes.py").read_text()
    for key in ("examples", "schema", "vocabularies", "evaluated", "blessed", "versions"):
        assert f'"{key}": ' in text
