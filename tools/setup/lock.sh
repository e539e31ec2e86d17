#!/usr/bin/env bash
# Renews requirements/course.txt, the lock, from pyproject.toml. The pins that are there are kept, so that adding a
# library moves nothing else; UPGRADE=1 lets everything move.
set -euo pipefail
cd "$(dirname "$0")/../.."
uv=$PWD/.tools/venv/bin/uv
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp pyproject.toml README.md "$work/"
if [ -z "${UPGRADE:-}" ] && [ -s requirements/course.txt ]; then
    # with its marker: a library can have one pin for each patch release of Python
    pins=$(sed -nE 's/^([A-Za-z0-9_.-]+==[^\\]*[^ \\]) *\\?$/    "\1",/p' requirements/course.txt)
    sed -i.bak "s/^\[tool\.uv\]\$/&\nconstraint-dependencies = [\n${pins//$'\n'/\\n}\n]/" "$work/pyproject.toml"
fi
"$uv" lock --project "$work" --python 3.11
# Exported, not uv.lock: this file names no package index, and pip, conda and uv all read it.
"$uv" export --project "$work" --frozen --no-emit-project --no-header --no-annotate --quiet -o "$PWD/requirements/course.txt" >/dev/null
"$uv" pip compile --quiet --generate-hashes --universal --no-header --no-emit-index-url --no-annotate --python-version 3.8 \
    requirements/tools.in -o requirements/tools.txt
echo "requirements/course.txt: $(grep -c == requirements/course.txt) pins"
