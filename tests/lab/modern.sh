#!/usr/bin/env bash
# Fetches a newer engine than this Debian has (dockerd, containerd, runc and their libraries) from the machine's own Debian
# mirror, without installing it: a private apt root reads the later suites, and the packages are only unpacked.
# A lab host lays the result over its private /usr (host-init.sh). Prints the directory; exit 4: not to be had.
set -euo pipefail

CACHE=${QUARTERDECK_LAB_CACHE:-/var/cache/quarterdeck-lab}
SUITES=(trixie sid)
PACKAGES=(docker.io containerd runc tini-static libc6 libseccomp2 libsystemd0 libcap2)

refuse() { printf 'lab: --modern cannot be had here: %s\n' "$1" >&2; exit 4; }
((EUID == 0)) || refuse "it needs root"
command -v apt-get >/dev/null || refuse "there is no apt-get"

mkdir -p "$CACHE"
exec 7>"$CACHE/lock"
flock 7
if [[ -e $CACHE/modern/version ]]; then
    printf '%s\n' "$CACHE/modern"
    exit 0
fi

root=$CACHE/apt
rm -rf "$root" "$CACHE/modern.tmp"
mkdir -p "$root"/{lists/partial,cache/archives/partial,etc/parts,debs}
: >"$root/status"
mirror=$(apt-get indextargets --format "\$(REPO_URI)" 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sort -u | head -n 1)
[[ -n $mirror ]] || refuse "the apt sources of this machine name no Debian mirror"
keyring=$(apt-get indextargets 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sed -n 's/^Signed-By: //p' | head -n 1)
[[ -r $keyring ]] || keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[[ -r $keyring ]] || refuse "no keyring for the Debian mirror"
for suite in "${SUITES[@]}"; do
    printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$suite"
done >"$root/etc/sources.list"

private_apt() {
    local tool=$1
    shift
    "$tool" -q -o Dir::State="$root" -o Dir::State::lists="$root/lists" -o Dir::State::status="$root/status" \
        -o Dir::Cache="$root/cache" -o Dir::Etc::sourcelist="$root/etc/sources.list" -o Dir::Etc::sourceparts="$root/etc/parts" \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts="$root/etc/parts" \
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
        -o APT::Sandbox::User=root "$@"
}

private_apt apt-get update >"$root/update.log" 2>&1 || refuse "the later suites cannot be read: $(tail -n 1 "$root/update.log")"
(cd "$root/debs" && private_apt apt-get download "${PACKAGES[@]}") >"$root/download.log" 2>&1 ||
    refuse "the packages cannot be fetched: $(grep -hE '^(Err|E:|W:)' "$root/update.log" "$root/download.log" | head -n 1)"
mkdir "$CACHE/modern.tmp"
for deb in "$root"/debs/*.deb; do
    dpkg-deb -x "$deb" "$CACHE/modern.tmp"
done
for deb in "$root"/debs/docker.io_*.deb; do
    dpkg-deb -f "$deb" Version >"$CACHE/modern.tmp/version"
done
rm -rf "$root"
mv "$CACHE/modern.tmp" "$CACHE/modern"
printf '%s\n' "$CACHE/modern"
