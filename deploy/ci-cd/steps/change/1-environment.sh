#!/usr/bin/env bash
# The environment: the course's, made where there is none, with the packages that run, serve and watch this one.
source "$(dirname "$0")/../common.sh"
[ -x "$PYTHON" ] || make -C "$COURSE" environment
"$PYTHON" -c "
import engines, operation, serving, warm
from importlib.metadata import version
print('TFX', version('tfx'))"
