#!/usr/bin/env bash
# Decides whether to train, trains, judges beside the model in service, and registers what is better.
#   REASON           of who asks for it by hand, as a merge does; empty: the policy decides, as by the calendar
#   RETRAIN_OPTIONS  further ones of the command
# The output `version` is the version that is new, or empty. One that came from the cache, and was released or refused before, is not.
source "$(dirname "$0")/../common.sh"
# shellcheck disable=SC2086  # several options
project retrain ${REASON:+--by-hand "$REASON"} ${DATA_ROOT:+--data-root "$DATA_ROOT"} ${OUTPUT_ROOT:+--output-root "$OUTPUT_ROOT"} ${RETRAIN_OPTIONS:-}
"$PYTHON" - "$PACKAGE" "${OUTPUT_ROOT:-}" >> "${GITHUB_OUTPUT:-/dev/stdout}" <<'END'
import importlib, json, sys
from pathlib import Path
package, output = sys.argv[1:]
output = output or importlib.import_module(f"{package}.config").Config.output_root
decisions = Path(output, "retraining", "history.jsonl").read_text(encoding="utf-8").splitlines()
*before, version = [json.loads(line)["version"] for line in decisions]
print("version=" + ("" if version in before else version))
END
