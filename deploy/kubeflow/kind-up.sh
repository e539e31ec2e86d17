#!/usr/bin/env bash
# A Kubernetes cluster of one node on this machine, in Docker (kind), with the course's image in it.
#
#   bash deploy/kubeflow/kind-up.sh        prints the name under which the cluster knows the image
#
# Needs Docker, kind and kubectl, and the image (`make image`). May be run again: what is there stays, a new image is added.
set -euo pipefail
CLUSTER=${CLUSTER:-flights}
# Kubernetes that Kubeflow Pipelines 2.16.1 is tested with: 1.29 to 1.34. The image is that of the release notes of kind 0.30.0.
NODE=${NODE:-kindest/node:v1.34.0@sha256:7416a61b42b1662ca6ca89f02028ac133a309a2a30ba309614e8ec94d976dc5a}
IMAGE=${IMAGE:-mlops-course:latest}

for tool in docker kind kubectl; do
  command -v "$tool" >/dev/null || { echo "kind-up: $tool is not here. deploy/kubeflow/README.md says where it comes from." >&2; exit 1; }
done
id=$(docker image inspect --format '{{.Id}}' "$IMAGE" 2>/dev/null) \
  || { echo "kind-up: Docker has no image $IMAGE: \`make image\` builds it." >&2; exit 1; }

# Of what Docker has, Kubeflow Pipelines and kind request 1.6 CPUs and 3.3 GiB. A step for which the rest is too little waits for ever.
read -r cpus memory < <(docker info --format '{{.NCPU}} {{.MemTotal}}') || true
if [ -n "$memory" ] && ((cpus < 4 || memory < 7500000000)); then
  echo "kind-up: Docker has $cpus CPUs and $((memory >> 30)) GiB; give it 4 CPUs and 8 GB, or steps may wait for ever." >&2
fi

if kind get clusters 2>/dev/null | grep -qx "$CLUSTER"; then
  kind export kubeconfig --name "$CLUSTER" >&2   # kubectl may be pointing at another cluster
else
  kind create cluster --name "$CLUSTER" --image "$NODE" --wait 120s >&2
fi

# A name that says which image it is. Kubernetes would look for `latest` on the internet at every start of a step, and Kubeflow's
# cache, which compares names, would take a new image under an old name for the old one.
id=${id#sha256:}
named=${IMAGE%:*}:${id:0:12}
docker tag "$IMAGE" "$named"
kind load docker-image "$named" --name "$CLUSTER" >&2
echo "$named"
