#!/usr/bin/env bash
# Decides whether to train, trains, judges beside the model in service, and registers what is better.
#   REASON           whoever asks for it by hand says why, as a merge does; empty: the policy decides, as by the calendar
#   RETRAIN_OPTIONS  further ones of the command
# The output `version` is what was registered, or empty.
source "$(dirname "$0")/../common.sh"
# shellcheck disable=SC2086  # several options
project retrain ${REASON:+--by-hand "$REASON"} ${DATA_ROOT:+--data-root "$DATA_ROOT"} ${OUTPUT_ROOT:+--output-root "$OUTPUT_ROOT"} ${RETRAIN_OPTIONS:-}
"$PYTHON" - "$PACKAGE" "${OUTPUT_ROOT:-}" >> "${GITHUB_OUTPUT:-/dev/stdout}" <<'END'
import importlib, sys
from pathlib import Path
from operation.history import History
package, output = sys.argv[1:]
output = output or importlib.import_module(f"{package}.config").Config.output_root
print("version=" + History(Path(output) / "retraining").records()[-1].version)
END
