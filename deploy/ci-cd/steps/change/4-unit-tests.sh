#!/usr/bin/env bash
# The project's own tests.
source "$(dirname "$0")/../common.sh"
"$PYTHON" -m pytest -q tests
