#!/usr/bin/env bash
# What a cluster has to say, into a folder: its pods, its events, its workflows, and what each pod printed. For a run that failed.
#
#   bash deploy/kubeflow/logs.sh FOLDER
set -uo pipefail # one that cannot be had is no reason to leave out the others
folder=${1:?"usage: bash deploy/kubeflow/logs.sh FOLDER"}
mkdir -p "$folder/pods"
keep() { "${@:2}" >"$folder/$1" 2>&1 || true; }

keep nodes.txt kubectl describe nodes
keep pods.txt kubectl get pods --all-namespaces --output wide
keep events.txt kubectl get events --all-namespaces --sort-by .lastTimestamp
keep describe.txt kubectl -n kubeflow describe pods
keep workflows.yaml kubectl -n kubeflow get workflows.argoproj.io --output yaml
for pod in $(kubectl -n kubeflow get pods --output name 2>/dev/null); do
  keep "pods/${pod#pod/}.txt" kubectl -n kubeflow logs "$pod" --all-containers --prefix
done
keep disk.txt df -h
echo "$folder"
