#!/usr/bin/env bash
# Fetches LiteRT for browsers (package-lock.json, checked by its hashes) into .tools/browser/lib: once, and whole or not at all.
#
#   --if-possible   where it cannot be had, say so in a line, and go on
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "${1:-}" = --if-possible ]; then bash deploy/browser/fetch.sh || echo "Going on without LiteRT for browsers: the test of the page is skipped." >&2; exit 0; fi
folder=.tools/browser
wanted=$(cat deploy/browser/package-lock.json deploy/browser/fetch.sh | cksum)
[ "$(cat "$folder/lib/.complete" 2>/dev/null || true)" = "$wanted" ] && exit 0
command -v npm >/dev/null && npm --version >/dev/null 2>&1 || {
    echo "The page needs npm, once, to fetch LiteRT for browsers: \`npm\` is missing. Debian, Ubuntu: apt-get install npm; macOS: brew install node" >&2
    exit 1
}
mkdir -p "$folder"
exec 9>"$folder/.lock"
if command -v flock >/dev/null; then flock 9; fi  # two who ask at once
[ "$(cat "$folder/lib/.complete" 2>/dev/null || true)" = "$wanted" ] && exit 0
echo "Fetching LiteRT for browsers (40 MB, once) ..." >&2
rm -rf "$folder/build" "$folder/part"
mkdir -p "$folder/build" "$folder/part/wasm"
cp deploy/browser/package.json deploy/browser/package-lock.json "$folder/build"
npm ci --prefix "$folder/build" --ignore-scripts --no-audit --no-fund --silent ||
    { echo "LiteRT for browsers could not be fetched. Is there a network connection?" >&2; exit 1; }
# Of four builds of the WebAssembly a page needs one: this one, or `compat` in an older browser. Threads and WebGPU are for larger models.
modules=$folder/build/node_modules/@litertjs
cp "$modules/core/dist/index.js" "$folder/part/core.js"
cp "$modules/wasm-utils/dist/index.js" "$folder/part/wasm-utils.js"
cp "$modules"/core/wasm/litert_wasm_{,compat_}internal.{js,wasm} "$folder/part/wasm"
echo "$wanted" >"$folder/part/.complete"
rm -rf "$folder/lib" "$folder/build"
mv "$folder/part" "$folder/lib"
