#!/usr/bin/env bash
# Sets up a bare git repository whose hooks are the pipelines: a push is tried, and declined or trained and released.
#   bash deploy/ci-cd/bare.sh FOLDER
# Safe to run again, after a change of the hooks or of what is set here: what is not given stays. By environment variables:
#   PYTHON       of the environment that the steps work in (default: that of .venv)
#   WORK         folder of checked out trees, logs, and `current`, the code in service (default: FOLDER.work)
#   OUTPUT_ROOT  what is in service: models, registry, metadata (default: out in WORK)
#   SAMPLE_ROOT, DATA_ROOT, RELEASE_OPTIONS, and all others of deploy/ci-cd/steps; empty: the default again
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$PWD
whole() { case $1 in /*) echo "$1" ;; *) echo "$top/$1" ;; esac; }
folder=$(whole "${1:?Name the folder of the repository.}")

git -c init.defaultBranch=main init --quiet --bare "$folder"
cd "$folder"
PYTHON=$(whole "${PYTHON:-$(git config cicd.python || echo .venv/bin/python)}")
WORK=$(whole "${WORK:-$(git config cicd.work || echo "$folder.work")}")
if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "$PYTHON is no Python 3.11: set PYTHON to that of an environment with TFX, such as the course's." >&2
    exit 1
fi
[ -n "${OUTPUT_ROOT:-$(git config cicd.OUTPUT_ROOT.value || true)}" ] || OUTPUT_ROOT=$WORK/out

git config receive.denyNonFastForwards true # what was released stays in the history
git config receive.denyDeletes true
git config cicd.python "$PYTHON"
git config cicd.work "$WORK"
for name in PYTHON COURSE PACKAGE SAMPLE_ROOT SAMPLE_MONTHS DATA_ROOT OUTPUT_ROOT RETRAIN_OPTIONS RELEASE_OPTIONS; do
    [ -n "${!name+given}" ] || continue
    value=${!name}
    if [ -z "$value" ]; then
        git config --unset "cicd.$name.value" || true
        continue
    fi
    case $name in COURSE | *_ROOT) value=$(whole "$value") ;; esac
    git config "cicd.$name.value" "$value"
done
mkdir -p "$WORK" ci-cd
cp "$here/pipeline.py" ci-cd/pipeline.py
cp "$here"/hooks/* hooks/
echo "Push to $folder: its hooks try each change, train what is merged into main, and release what is better."
