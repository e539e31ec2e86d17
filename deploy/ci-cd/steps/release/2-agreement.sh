#!/usr/bin/env bash
# The registry, the traffic file, the folder of the server and the metadata store agree on what is in service.
source "$(dirname "$0")/../common.sh"
project registry check ${OUTPUT_ROOT:+--output-root "$OUTPUT_ROOT"}
project registry list ${OUTPUT_ROOT:+--output-root "$OUTPUT_ROOT"}
