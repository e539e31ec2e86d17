#!/usr/bin/env bash
# Makes or repairs the environment of Airflow in .airflow, exactly as requirements/airflow.txt locks it.
# `make airflow-environment` calls it, after the course's own environment is made: the installer and the interpreter are that one's.
# Safe to interrupt and to run again; when nothing has changed it takes a fraction of a second.
#
#   AIRFLOW_VENV=.airflow   where the environment goes
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=${AIRFLOW_VENV:-.airflow}
course=${VENV:-.venv}
tools=.tools

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
stop() { printf '\nSet-up of Airflow stopped: %s\n' "$1" >&2; shift; for line in "$@"; do printf '  %s\n' "$line" >&2; done; exit 1; }

stamp=$venv/.course-stamp
wanted=$(cat requirements/airflow.txt deploy/airflow/environment.sh | cksum | cut -d' ' -f1)-$PWD
[ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ] && exit 0
[ -x "$tools/venv/bin/uv" ] && [ -x "$course/bin/python" ] || stop "the course's environment is missing." "make environment"
free_gib=$(($(df -Pk . | awk 'NR==2 {print $4}') / 1048576))
[ "$free_gib" -ge 1 ] || stop "it takes half a GB with its cache, and less than 1 GiB is free in $PWD."

rm -f "$stamp"
"$venv/bin/python" -c 'import ssl, sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || {
    rm -rf "$venv"
    # The Python that the course's environment was made from: on an older system that one has a newer glibc beside it, which Airflow can do without.
    "$("$course/bin/python" -c 'import os, sys; print(os.path.realpath(os.path.join(sys.base_prefix, "bin", "python3.11")))')" \
        -m venv --without-pip "$venv"
}
say "Installing Airflow into $venv, an environment of its own (less than a minute, half a GB with its cache) ..."
UV_COMPILE_BYTECODE=1 UV_LINK_MODE=${UV_LINK_MODE:-copy} VIRTUAL_ENV=$(cd "$venv" && pwd) \
    "$PWD/$tools/venv/bin/uv" pip sync --quiet --require-hashes --strict requirements/airflow.txt ||
    stop "the packages could not be installed (see above)." "Run the same command again: what was downloaded is kept."
# The course's own packages are read from src/, as in the course's environment.
printf '%s\n' "$PWD/src" >"$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/mlops-course.pth"
printf '%s' "$wanted" >"$stamp"
say "The environment of Airflow is ready."
