#!/usr/bin/env bash
# Staging, smoke test, shadow, canary, production; a version that fails on the way is taken back, and the one before goes on.
#   VERSION          that is released, by the number of its folder
#   DATA_ROOT        has the rows of the smoke test
#   RELEASE_OPTIONS  further ones of the command, such as --server URL --log FILE of the model server
source "$(dirname "$0")/../common.sh"
# shellcheck disable=SC2086  # several options
project release "${VERSION:?Set VERSION to the version that is to be released.}" ${DATA_ROOT:+--data-root "$DATA_ROOT"} ${OUTPUT_ROOT:+--output-root "$OUTPUT_ROOT"} ${RELEASE_OPTIONS:-}
