# shellcheck shell=bash
# Images made without a network: a root of busybox and its applet links, and small services on top of it.

images_base() {
    local root=$LAB/images/base busybox applet first
    busybox=$(command -v busybox)
    mkdir -p "$root"/{bin,etc,tmp,proc,sys,dev,root,srv,run}
    cp "$busybox" "$root/bin/busybox"
    for applet in $("$busybox" --list); do
        [[ $applet == busybox ]] || ln -sf busybox "$root/bin/$applet"
    done
    printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
    first=$(host_list | head -n 1)
    tar -C "$root" -c . | docker_on "$first" import --change 'CMD ["/bin/sh"]' - base:latest >/dev/null
    image_push "$first" base:latest
    in_parallel image_base_pull "$(host_list | tail -n +2)"
}

image_base_pull() { # HOST
    image_pull "$1" base:latest
    docker_on "$1" tag "$(registry_address)/base:latest" base:latest
}

docker_on() { # HOST DOCKER-ARGS…
    local host=$1
    shift
    host_exists "$host" || die 2 "no host $host; there are $(host_list | tr '\n' ' ')"
    # Neither the caller's context nor a registry login of theirs plays a part here.
    env -u DOCKER_CONTEXT -u DOCKER_TLS_VERIFY -u DOCKER_API_VERSION DOCKER_HOST="unix://$LAB/$host/docker.sock" \
        DOCKER_CONFIG="$LAB/images/config" DOCKER_BUILDKIT=0 docker "$@"
}

image() { # make REPO:TAG [SALT] | pull HOST REPO:TAG
    case $1 in
        make) [[ -n ${2:-} ]] || die 2 "image make needs REPO:TAG"; image_make "$2" "${3:-}" ;;
        pull) [[ -n ${3:-} ]] || die 2 "image pull needs HOST and REPO:TAG"; image_pull "$2" "$3" ;;
        *) usage >&2; die 2 "unknown: image $1" ;;
    esac
}

image_ref() { printf '%s/%s' "$(registry_address)" "$1"; }

image_push() { # HOST LOCAL-NAME
    docker_on "$1" tag "$2" "$(image_ref "$2")"
    docker_on "$1" push -q "$(image_ref "$2")" >/dev/null
}
image_pull() { docker_on "$1" pull -q "$(image_ref "$2")" >/dev/null; }

# A service image REPO:TAG, built on one host and pushed. The salt changes its bits and not its name.
image_make() { # REPO:TAG [SALT]
    local name=$1 salt=${2:-} repo=${1%:*} tag=${1##*:} builder context
    builder=$(image_builder)
    context=$LAB/images/$(printf '%s' "$name-$salt" | tr -c 'A-Za-z0-9.\n-' _)
    mkdir -p "$context"
    cp "$HERE/service.sh" "$context/service"
    chmod 0755 "$context/service"
    printf '%s %s %s\n' "$repo" "$tag" "$salt" >"$context/version"
    cat >"$context/Dockerfile" <<DOCKER
FROM base:latest
COPY service version /srv/
LABEL org.opencontainers.image.title="$repo" org.opencontainers.image.version="$tag" org.opencontainers.image.revision="${tag##*-}" lab.salt="$salt"
HEALTHCHECK --interval=5s --timeout=3s --retries=1 CMD grep -qx ok /srv/health
EXPOSE 8080
CMD ["/srv/service"]
DOCKER
    # The old builder announces its end on every use; only a failed build's words matter.
    docker_on "$builder" build -q -t "$name" "$context" >"$context.log" 2>&1 || { cat "$context.log" >&2; return 1; }
    image_push "$builder" "$name"
}

# Builds happen on app-02 where there is one, so that app-01 has pulled all that it runs.
image_builder() { host_list | grep '^app-' | head -n 2 | tail -n 1; }
