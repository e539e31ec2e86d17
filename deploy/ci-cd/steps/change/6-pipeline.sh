#!/usr/bin/env bash
# The pipeline on the sample, as far as a pushed model. It says whether all works; whether the model is good is asked when it is trained on all data.
source "$(dirname "$0")/../common.sh"
CHECK_ROOT=${CHECK_ROOT:-out/ci}
mkdir -p "$CHECK_ROOT"
project run --months "${SAMPLE_MONTHS:-1}" ${SAMPLE_ROOT:+--data-root "$SAMPLE_ROOT"} --output-root "$CHECK_ROOT" \
    --train-epochs 1 --min-auc 0 --min-slice-auc 0 | tee "$CHECK_ROOT/said.txt"
grep -q "^Blessed and pushed: " "$CHECK_ROOT/said.txt"
