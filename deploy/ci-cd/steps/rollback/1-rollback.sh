#!/usr/bin/env bash
# Takes the latest step back, by hand: who answered before answers again.
#   REASON  is kept with the step
source "$(dirname "$0")/../common.sh"
project registry rollback --why "${REASON:?Set REASON to why.}" ${OUTPUT_ROOT:+--output-root "$OUTPUT_ROOT"}
