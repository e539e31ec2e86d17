#!/usr/bin/env bash
# Format and lint, as pyproject.toml says.
source "$(dirname "$0")/../common.sh"
"$PYTHON" -m ruff format --check src tests
"$PYTHON" -m ruff check src tests
