#!/usr/bin/env bash
# Makes a base for the Dockerfile beside it where no registry of images can be reached: Debian 13, and Python 3.11 from Debian 12.
#
#   deploy/image/base.sh [NAME]        NAME: of the image, mlops-course-base
#
# Needs root on a Debian, `debootstrap`, and a Docker engine. All comes from the Debian mirror that this machine uses.
set -euo pipefail
name=${1:-mlops-course-base}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
. /etc/os-release
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk -v release="${VERSION_CODENAME:-}" '$2 == release && $3 == "main" {print $1; exit}')
[ "${ID:-}" = debian ] && [ -n "$mirror" ] || { echo "This machine's apt knows no Debian mirror." >&2; exit 1; }

work=$(mktemp -d)
root=$work/root
finish() { code=$?; [ "$code" = 0 ] || tail -n 20 "$work/log" >&2; rm -rf --one-file-system "$work"; exit "$code"; }
trap finish EXIT
quietly() { "$@" >>"$work/log" 2>&1; }

quietly debootstrap --variant=minbase --include=ca-certificates --keyring="$keyring" trixie "$root" "$mirror"
for release in trixie bookworm; do echo "deb [signed-by=$keyring] $mirror $release main"; done >"$root/etc/apt/sources.list"
# Each package from Debian 13 where it has it, but for the Python that python3.11-venv goes with.
cat >"$root/etc/apt/preferences.d/python311" <<'END'
Package: *
Pin: release n=bookworm
Pin-Priority: 100

Package: python3 python3-minimal libpython3-stdlib
Pin: release n=bookworm
Pin-Priority: 900
END
quietly chroot "$root" apt-get -q update
quietly env DEBIAN_FRONTEND=noninteractive \
    chroot "$root" apt-get -q install -y --no-install-recommends python3.11 python3.11-venv python3.11-dev
# Whom this machine trusts, the image's builder trusts: some networks have a certificate authority of their own.
for authority in /usr/local/share/ca-certificates/*.crt; do
    [ ! -e "$authority" ] || cp "$authority" "$root/usr/local/share/ca-certificates/"
done
quietly chroot "$root" update-ca-certificates
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb
authorities=/etc/ssl/certs/ca-certificates.crt
tar --numeric-owner -C "$root" -c . | docker import \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change "ENV SSL_CERT_FILE=$authorities PIP_CERT=$authorities" --change 'CMD ["bash"]' - "$name" >/dev/null
