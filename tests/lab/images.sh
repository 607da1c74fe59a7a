# shellcheck shell=bash
# Images made without a network: a root of busybox and its applet links.

images_base() {
    local root=$LAB/images/base busybox applet first
    busybox=$(command -v busybox)
    mkdir -p "$root"/{bin,etc,tmp,proc,sys,dev,root,srv}
    cp "$busybox" "$root/bin/busybox"
    for applet in $("$busybox" --list); do
        [[ $applet == busybox ]] || ln -sf busybox "$root/bin/$applet"
    done
    printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
    first=$(host_list | head -n 1)
    tar -C "$root" -c . | docker_on "$first" import --change 'CMD ["/bin/sh"]' - base:latest >/dev/null
}

docker_on() { # HOST DOCKER-ARGS…
    local host=$1
    shift
    env -u DOCKER_CONTEXT -u DOCKER_TLS_VERIFY DOCKER_HOST="unix://$LAB/$host/docker.sock" DOCKER_CONFIG="$LAB/images" DOCKER_BUILDKIT=0 docker "$@"
}
