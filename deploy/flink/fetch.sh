#!/usr/bin/env bash
# Fetches the jars of Beam's job server for Flink (pom.xml) into .tools/flink/lib, and compiles the agent (src/) that keeps them to this machine: once,
# and whole or not at all.
#
#   --if-possible   where they cannot be had, say so in a line, and go on
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "${1:-}" = --if-possible ]; then bash "deploy/flink/$(basename "$0")" || echo "Going on without Flink: its tests are skipped." >&2; exit 0; fi
folder=.tools/flink
wanted=$(cat deploy/flink/pom.xml deploy/flink/src/main/java/*.java | cksum)
[ "$(cat "$folder/lib/.complete" 2>/dev/null || true)" = "$wanted" ] && exit 0
for program in java mvn; do
    command -v "$program" >/dev/null && "$program" -version >/dev/null 2>&1 || {
        echo "Flink needs Java 11 or newer, and Maven to fetch its jars: \`$program\` is missing." \
            "Debian, Ubuntu: apt-get install openjdk-17-jre-headless maven; macOS: brew install openjdk@17 maven" >&2
        exit 1
    }
done
mkdir -p "$folder"
exec 9>"$folder/.lock"
if command -v flock >/dev/null; then flock 9; fi  # two who ask at once
[ "$(cat "$folder/lib/.complete" 2>/dev/null || true)" = "$wanted" ] && exit 0
echo "Fetching Flink and Beam's job server (150 MB, once) ..." >&2
rm -rf "$folder/part" "$folder/build"
mvn --batch-mode --quiet --strict-checksums -f deploy/flink/pom.xml compiler:compile jar:jar dependency:copy-dependencies -DincludeScope=runtime \
    -Dfolder="$PWD/$folder/build" -DoutputDirectory="$PWD/$folder/part" || { echo "The jars could not be fetched (see above). Is there a network connection?" >&2; exit 1; }
mv "$folder/build/loopback-agent.jar" "$folder/part"
rm -rf "$folder/build"
echo "$wanted" >"$folder/part/.complete"
rm -rf "$folder/lib"
mv "$folder/part" "$folder/lib"
