#!/usr/bin/env bash
# All of it, one after the other: a cluster of kind, Kubeflow Pipelines on it, and the pipeline, for January and then with February.
#
#   bash deploy/kubeflow/try.sh
#
# Needs what deploy/kubeflow/README.md lists, the environment (`make environment`) and the image (`make image`). Takes half an hour or more.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-.venv/bin/python}
port=${PORT:-8085}
out=${OUT:-out}

image=$(bash deploy/kubeflow/kind-up.sh)
bash deploy/kubeflow/install.sh "$image"

# The forwarding ends when the pod behind it does; so it is begun again.
mkdir -p "$out"
(while :; do kubectl -n kubeflow port-forward service/ml-pipeline-ui "$port:80" --address 127.0.0.1; sleep 2; done) >"$out/port-forward.log" 2>&1 &
forward=$!
trap 'pkill -P "$forward" 2>/dev/null || true; kill "$forward" 2>/dev/null || true' EXIT
# Not its healthz: to that the page answers 200 also while the API server behind it is away.
for _ in $(seq 150); do
  if curl --fail --silent --output "$out/pipelines.json" "http://127.0.0.1:$port/apis/v2beta1/pipelines"; then break; fi
  sleep 2
done

for months in 1 "1 2"; do
  # shellcheck disable=SC2086  # the months are several words
  "$python" deploy/kubeflow/compile.py "$image" --months $months --output "$out/pipeline.yaml"
  "$python" deploy/kubeflow/submit.py "$out/pipeline.yaml" --host "http://127.0.0.1:$port" --wait 3600
done
echo "Two months have run on Kubeflow."
