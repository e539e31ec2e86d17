#!/usr/bin/env bash
# Fetches the distribution of Flink (requirements/flink.txt) into .tools/flink/cluster: once, checked by its hash, and whole or not at all.
# `make flink-cluster` calls it, after the course's environment is made.
#
#   --if-possible   where it cannot be had, say so in a line, and go on
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "${1:-}" = --if-possible ]; then bash "deploy/flink/$(basename "$0")" || echo "Going on without Flink's cluster: its test is skipped." >&2; exit 0; fi
folder=.tools/flink
wanted=$(cat requirements/flink.txt deploy/flink/fetch-cluster.sh | cksum)
is_there() { [ "$(cat "$folder/cluster/.complete" 2>/dev/null || true)" = "$wanted" ]; }
is_there && exit 0
mkdir -p "$folder"
exec 9>"$folder/.lock"
if command -v flock >/dev/null; then flock 9; fi  # two who ask at once
is_there && exit 0
free_gib=$(($(df -Pk . | awk 'NR==2 {print $4}') / 1048576))
[ "$free_gib" -ge 1 ] || { echo "Flink's distribution needs 1 GiB while it is unpacked, and less is free in $PWD." >&2; exit 1; }
echo "Fetching the distribution of Flink (230 MB, once) ..." >&2
part=$folder/cluster-part
rm -rf "$part" "$folder/cluster"
mkdir -p "$part/download" "$part/cluster"
"${VENV:-.venv}/bin/python" -m pip --quiet --disable-pip-version-check download --no-cache-dir --no-deps --no-binary :all: \
    --no-build-isolation --require-hashes -r requirements/flink.txt --dest "$part/download" ||
    { echo "Flink could not be fetched (see above). Is there a network connection?" >&2; exit 1; }
name=$(sed -n 's/^\(apache-flink-libraries\)==\([0-9.]*\).*/\1-\2/p' requirements/flink.txt)
tar -xzf "$part/download/$name.tar.gz" -C "$part/cluster" --strip-components 2 "$name/deps"
[ -e "$part/cluster/bin/bash-java-utils.jar" ] || { echo "The distribution of Flink is not laid out as expected." >&2; exit 1; }
echo "$wanted" >"$part/cluster/.complete"
mv "$part/cluster" "$folder/cluster"
rm -rf "$part"
