"""Cells of a notebook that become files."""

from __future__ import annotations

import ast


def first_name(source: str) -> str:
    """The first name that a cell defines; empty for a cell of imports."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            return statement.name
        if isinstance(statement, ast.Assign):
            return ast.unparse(statement.targets[0])
    return ""
