#!/usr/bin/env bash
# Builds the course's image: `make image`. What has not changed is taken from the build before, and then it takes seconds.
#
#   BASE=ubuntu:24.04        another base than the Dockerfile's
#   IMAGE=mlops-course       its name
# Further options are for `docker build`, for example --no-cache.
set -euo pipefail
cd "$(dirname "$0")/../.."
image=${IMAGE:-mlops-course}

stop() { printf 'The image was not built: %s\n' "$1" >&2; shift; for line in "$@"; do printf '  %s\n' "$line" >&2; done; exit 1; }
timeout 20 docker info >/dev/null 2>&1 || stop "no Docker engine answers." \
    "Start Docker Desktop, or Docker's service." "As root on Debian or Ubuntu, without either: apt-get install docker.io, and bash deploy/image/engine.sh make image"

has_image() { docker image inspect "$1" >/dev/null 2>&1; }
base=${BASE:-$(sed -n 's/^ARG BASE=//p' deploy/image/Dockerfile)}
own=mlops-course-base:$(cksum <deploy/image/base.sh | cut -d' ' -f1)
if [ -z "${BASE:-}" ] && ! has_image "$base"; then
    if has_image "$own"; then
        base=$own
    elif ! pulled=$(timeout 300 docker pull --quiet "$base" 2>&1); then
        if [ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null; then
            echo "$base cannot be pulled here: making a base of Debian's packages ..." >&2
            bash deploy/image/base.sh "$own"
            base=$own
        else
            stop "$base cannot be pulled: $pulled" "Where no registry of images is reached, root can make a base on Debian: apt-get install debootstrap"
        fi
    fi
fi

# An engine without a bridge (deploy/image/engine.sh starts such a one) builds on the machine's own network. (To bash 3.2, which macOS has, an empty array is unset.)
network=()
if ! docker network inspect bridge >/dev/null 2>&1; then network=(--network host); export DOCKER_BUILDKIT=0; fi
docker build --build-arg BASE="$base" ${network[@]+"${network[@]}"} --tag "$image" --file deploy/image/Dockerfile "$@" .
