#!/usr/bin/env bash
# The first process of a lab host, already in its own namespaces: lays out a private /run and /etc, then only reaps.
set -euo pipefail
lab=$1 name=$2 modern=${3:-} dir=$1/$2

hostname "$name"
authorized=$(cat "$lab/ssh/id_ed25519.pub")
mount -t tmpfs -o mode=0755 lab /run
mkdir -p /run/{lock,sshd,lab,home/ops,home/guest}
chown 1500:1500 /run/home/ops
chown 1501:1501 /run/home/guest
printf '%s\n' "$authorized" >/run/lab/authorized_keys
for file in passwd group shadow hosts resolv.conf hostname; do
    [[ ! -e /etc/$file ]] || mount --bind "$dir/etc/$file" "/etc/$file"
done
# A newer engine: its files and its C library lie over the machine's /usr, in this namespace only.
if [[ -n $modern ]]; then
    mount -t overlay -o "ro,lowerdir=$modern/usr:/usr" overlay /usr
fi
# A disk that is soon full.
if [[ -s $lab/state/disk-$name ]]; then
    mount -t tmpfs -o "mode=0711,size=$(cat "$lab/state/disk-$name")" lab-disk "$dir/docker"
fi
: >"$dir/ready"
# Bash waits for any child, so what daemons leave behind is reaped.
while :; do
    sleep 3600 &
    wait $! || true
done
