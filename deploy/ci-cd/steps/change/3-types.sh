#!/usr/bin/env bash
# Types, as pyproject.toml says.
source "$(dirname "$0")/../common.sh"
"$PYTHON" -m mypy --package "$PACKAGE"
