#!/usr/bin/env bash
# The data: the gate takes the sample, by the schema and the rules of this change. SAMPLE_MONTHS (1); CHECK_ROOT (out/ci) has what is made.
source "$(dirname "$0")/../common.sh"
project run --to DataGate --months "${SAMPLE_MONTHS:-1}" ${SAMPLE_ROOT:+--data-root "$SAMPLE_ROOT"} --output-root "${CHECK_ROOT:-out/ci}"
