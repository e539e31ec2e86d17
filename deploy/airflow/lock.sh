#!/usr/bin/env bash
# Renews requirements/airflow.txt, the lock of Airflow's environment, from pyproject.toml beside this file. The pins that are there are
# kept; UPGRADE=1 lets them move.
set -euo pipefail
cd "$(dirname "$0")/../.."
uv=$PWD/.tools/venv/bin/uv
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp deploy/airflow/pyproject.toml "$work/"
if [ -z "${UPGRADE:-}" ] && [ -s requirements/airflow.txt ]; then
    pins=$(sed -nE 's/^([A-Za-z0-9_.-]+==[^\\]*[^ \\]) *\\?$/    "\1",/p' requirements/airflow.txt)
    sed -i.bak "s/^\[tool\.uv\]\$/&\nconstraint-dependencies = [\n${pins//$'\n'/\\n}\n]/" "$work/pyproject.toml"
fi
"$uv" lock --quiet --project "$work" --python 3.11
# Exported, not uv.lock: this file names no package index.
"$uv" export --project "$work" --frozen --no-emit-project --no-header --no-annotate --quiet -o "$PWD/requirements/airflow.txt" >/dev/null
echo "requirements/airflow.txt: $(grep -c == requirements/airflow.txt) pins"
