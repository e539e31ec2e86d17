#!/usr/bin/env bash
# kind and kubectl of fixed versions, checked, into a folder: for a machine that has neither, as the one of the weekly run on the code host.
#
#   bash deploy/kubeflow/tools.sh FOLDER        Linux on x86-64
#
# A kubectl goes with a Kubernetes of its own minor version and of the ones beside it: 1.35 with the 1.34 of kind-up.sh.
set -euo pipefail
folder=${1:?"usage: bash deploy/kubeflow/tools.sh FOLDER"}
mkdir -p "$folder"

fetch() { # name, address, SHA-256
  curl --fail --silent --show-error --location --retry 5 --retry-all-errors --output "$folder/$1.part" "$2"
  echo "$3  $folder/$1.part" | sha256sum --check --quiet
  chmod 755 "$folder/$1.part"
  mv "$folder/$1.part" "$folder/$1"
}
fetch kind https://github.com/kubernetes-sigs/kind/releases/download/v0.31.0/kind-linux-amd64 \
  eb244cbafcc157dff60cf68693c14c9a75c4e6e6fedaf9cd71c58117cb93e3fa
fetch kubectl https://dl.k8s.io/release/v1.35.0/bin/linux/amd64/kubectl \
  a2e984a18a0c063279d692533031c1eff93a262afcc0afdc517375432d060989
echo "$folder"
