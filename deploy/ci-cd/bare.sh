#!/usr/bin/env bash
# Sets up a bare git repository whose hooks are the pipelines: a push is tried, and declined or trained and released.
#   bash deploy/ci-cd/bare.sh FOLDER
# Safe to run again, after a change of the hooks or of what is set here. By environment variables:
#   PYTHON       of the environment that the steps work in (default: that of .venv)
#   WORK         folder of checked out trees, logs, and `current`, the code in service (default: FOLDER.work)
#   OUTPUT_ROOT  what is in service: models, registry, metadata (default: out in WORK)
#   SAMPLE_ROOT, DATA_ROOT, COURSE, and all others of deploy/ci-cd/steps
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?Name the folder of the repository.}
whole() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }

PYTHON=$(whole "${PYTHON:-.venv/bin/python}")
if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "$PYTHON is no Python 3.11: set PYTHON to that of an environment with TFX, such as the course's." >&2
    exit 1
fi
folder=$(whole "$folder")
WORK=$(whole "${WORK:-$folder.work}")
OUTPUT_ROOT=${OUTPUT_ROOT:-$WORK/out}
mkdir -p "$WORK" "$folder/ci-cd"

git -c init.defaultBranch=main init --quiet --bare "$folder"
cd "$folder"
git config receive.denyNonFastForwards true # what was released stays in the history
git config receive.denyDeletes true
git config cicd.python "$PYTHON"
git config cicd.work "$WORK"
git config --unset-all cicd.env || true
for name in PYTHON COURSE PACKAGE SAMPLE_ROOT SAMPLE_MONTHS DATA_ROOT OUTPUT_ROOT RETRAIN_OPTIONS RELEASE_OPTIONS; do
    value=${!name:-}
    case $name in COURSE | *_ROOT) [ -z "$value" ] || value=$(cd "$OLDPWD" && whole "$value") ;; esac
    [ -z "$value" ] || git config --add cicd.env "$name=$value"
done
cp "$here/pipeline.py" ci-cd/pipeline.py
cp "$here"/hooks/* hooks/
echo "Push to $folder: its hooks try each change, train what is merged into main, and release what is better."
