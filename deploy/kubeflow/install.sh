#!/usr/bin/env bash
# Kubeflow Pipelines alone (no other part of Kubeflow) on the cluster of kind that kubectl talks to, and the volume of the pipeline with
# its data.
#
#   bash deploy/kubeflow/install.sh IMAGE        IMAGE: what kind-up.sh printed, or the image's name in your own registry
#   CONTEXT=NAME bash deploy/kubeflow/install.sh IMAGE        on another cluster: `kubectl config get-contexts` names them
#
# Needs some 3 GiB of memory, 40 GiB of volumes and the internet. May be run again.
set -euo pipefail
VERSION=${VERSION:-2.16.1}
FROM=github.com/kubeflow/pipelines/manifests/kustomize
here=$(cd "$(dirname "$0")" && pwd)
image=${1:?"usage: bash deploy/kubeflow/install.sh IMAGE (kind-up.sh prints its name)"}

command -v kubectl >/dev/null || { echo "install: kubectl is not here. deploy/kubeflow/README.md says where it comes from." >&2; exit 1; }
case $image in
  *[!a-zA-Z0-9./:@_-]*) echo "install: '$image' is no name of an image." >&2; exit 1 ;;
esac
context=${CONTEXT:-$(kubectl config current-context 2>/dev/null || true)}
if [ -z "${CONTEXT:-}" ] && [ -n "$context" ] && [ "${context#kind-}" = "$context" ]; then
  echo "install: kubectl talks to '$context', which is no cluster of kind. CONTEXT=$context installs there; kind-up.sh makes one." >&2
  exit 1
fi
kubectl() { command kubectl --context "$context" "$@"; }

kubectl version --request-timeout=10s >/dev/null \
  || { echo "install: no cluster answers kubectl. kind-up.sh makes one; \`kubectl config current-context\` names the one in use." >&2; exit 1; }

# Without `timeout`, kubectl gives git 27 seconds to fetch the repository.
kubectl apply -k "$FROM/cluster-scoped-resources?ref=$VERSION&timeout=300"
kubectl wait crd/applications.app.k8s.io --for condition=established --timeout=60s
kubectl apply -k "$FROM/env/platform-agnostic?ref=$VERSION&timeout=300"
kubectl -n kubeflow wait deployments --all --for condition=available --timeout=900s

kubectl -n kubeflow apply -f "$here/volume.yaml"
kubectl -n kubeflow delete job fill-flights --ignore-not-found
sed "s|IMAGE|$image|" "$here/fill.yaml" | kubectl -n kubeflow apply -f -
kubectl -n kubeflow wait job/fill-flights --for condition=complete --timeout=600s

echo "Kubeflow Pipelines is there. Its page: kubectl -n kubeflow port-forward service/ml-pipeline-ui 8085:80, then http://127.0.0.1:8085"
