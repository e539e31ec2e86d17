#!/usr/bin/env bash
# Staging, smoke test, shadow, canary, production; a version that fails on the way is taken back, and the one before goes on.
#   VERSION          that is released, by the number of its folder
#   RELEASE_OPTIONS  further ones of the command
source "$(dirname "$0")/../common.sh"
# shellcheck disable=SC2086  # several options
project release "${VERSION:?Set VERSION to the version that is to be released.}" ${OUTPUT_ROOT:+--output-root "$OUTPUT_ROOT"} ${RELEASE_OPTIONS:-}
