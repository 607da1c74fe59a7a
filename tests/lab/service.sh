#!/bin/sh
# The service of every image of the lab: says its version and health on port 8080 and writes a log without end.
# A test turns it unhealthy with: echo bad > /srv/health
echo ok >/srv/health
read -r name version salt </srv/version
busybox httpd -p 8080 -h /srv
trap 'echo "level=info msg=\"stopping\" service=$name"; exit 0' TERM
echo "level=info msg=\"started\" service=$name version=$version salt=$salt"
n=0
while :; do
    n=$((n + 1))
    echo "{\"level\":\"info\",\"msg\":\"request served\",\"service\":\"$name\",\"n\":$n,\"ms\":$((n * 7 % 90))}"
    if [ $((n % 7)) = 0 ]; then echo "level=warn msg=\"slow request\" service=$name n=$n"; fi
    if [ $((n % 13)) = 0 ]; then echo "ERROR request $n failed: upstream timed out" >&2; fi
    sleep "${LOG_EVERY:-2}" &
    wait $!
done
