# shellcheck shell=bash
# A known set of containers, so that tests can name what they expect. README.md lists it.

readonly WEB_NEW=shop/web:1.0.1-22-7e56158 WEB_OLD=shop/web:1.0.1-21-3c9d2aa
readonly API_NEW=shop/api:1.0.1-19-04bd1c9 API_OLD=shop/api:1.0.1-18-b7a90f2
readonly WORKER=shop/worker:2.3.0-7-9ab34cd GATEWAY=pay/gateway:4.1.0-112-c0ffee1

seed() {
    local hosts name image
    hosts=$(host_list)
    for image in "$WEB_OLD" "$API_NEW" "$API_OLD" "$WORKER" "$GATEWAY"; do
        image_make "$image"
    done
    # Drift: app-01 gets the first bits of this tag, every other host what was pushed over them.
    image_make "$WEB_NEW" first
    image_pull app-01 "$WEB_NEW"
    image_make "$WEB_NEW" second
    in_parallel seed_host "$hosts"
    say "seeded: $(for name in $hosts; do printf '%s %s · ' "$name" "$(docker_on "$name" ps -aq | wc -l)"; done)"
}

seed_host() { # HOST
    case $1 in
        app-01) seed_app_01 ;;
        app-02) seed_app_02 ;;
        *) seed_other "$1" ;;
    esac
}

# run_as HOST NAME IMAGE DOCKER-ARGS… : as docker run -d; what follows -- is the command.
run_as() {
    local host=$1 name=$2 image=$3 args=() command=()
    shift 3
    while (($#)); do
        if [[ $1 == -- ]]; then shift; command=("$@"); break; fi
        args+=("$1")
        shift
    done
    docker_on "$host" run -d --name "$name" "${args[@]}" "$image" "${command[@]}" >/dev/null
}

compose_labels() { # PROJECT SERVICE NUMBER
    printf -- '--label=com.docker.compose.%s\n' "project=$1" "service=$2" "container-number=$3" oneoff=False \
        "project.working_dir=/srv/$1" "version=2.24.0" "config-hash=$(printf '%s' "$1/$2" | sha256sum | cut -d' ' -f1)"
}
run_compose() { # HOST PROJECT SERVICE NUMBER IMAGE ARGS…
    local labels
    mapfile -t labels < <(compose_labels "$2" "$3" "$4")
    run_as "$1" "$2-$3-$4" "$(image_ref "$5")" --restart unless-stopped "${labels[@]}" "${@:6}"
}

deck_labels() { # APP SERVICE ENVIRONMENT VERSION
    printf -- '--label=quarterdeck.%s\n' "app=$1" "service=$2" "environment=$3" "version=$4" "release=r-0001" "deployment=d-0001" \
        "config=3" "by=lab" "at=2026-01-02T03:04:05Z"
}
run_deck() { # HOST APP SERVICE ENVIRONMENT IMAGE ARGS…
    local labels
    mapfile -t labels < <(deck_labels "$2" "$3" "$4" "${5##*:}")
    run_as "$1" "$2-$3" "$(image_ref "$5")" --restart always "${labels[@]}" "${@:6}"
}

seed_pull() { # HOST IMAGE…
    local image
    for image in "${@:2}"; do image_pull "$1" "$image"; done
}

seed_app_01() {
    local h=app-01
    seed_pull $h "$API_NEW" "$WORKER" "$GATEWAY"
    docker_on $h network create --label com.docker.compose.project=shop shop_default >/dev/null
    docker_on $h volume create --label com.docker.compose.project=shop shop_data >/dev/null
    run_compose $h shop web 1 "$WEB_NEW" --network shop_default -p 8081:8080
    run_compose $h shop web 2 "$WEB_NEW" --network shop_default -p 8082:8080
    run_compose $h shop api 1 "$API_NEW" --network shop_default -p 127.0.0.1:9000:8080 -v shop_data:/data -m 64m
    run_compose $h shop worker 1 "$WORKER" --network shop_default --cpus 0.5
    run_deck $h pay gateway production "$GATEWAY" -p 20001:8080
    run_as $h cache base:latest -p 6379:6379 -- sleep infinity
    run_as $h crasher base:latest --restart always -- sh -c 'echo "FATAL no configuration" >&2; exit 3'
    run_as $h migrate base:latest -- sh -c 'echo done; exit 0'
    run_as $h broken-job base:latest -- sh -c 'echo "level=error msg=\"disk full\""; exit 1'
    run_as $h paused base:latest -- sleep infinity
    docker_on $h pause paused >/dev/null
    docker_on $h create --name never-started base:latest sleep 1 >/dev/null
    run_hostile $h
}

seed_app_02() {
    local h=app-02
    seed_pull $h "$WEB_NEW" "$API_OLD" "$GATEWAY"
    run_compose $h shop web 1 "$WEB_NEW" -p 8081:8080
    run_compose $h shop api 1 "$API_OLD" -p 9000:8080
    run_deck $h pay gateway production "$GATEWAY" -p 20001:8080
    run_as $h sick "$(image_ref "$GATEWAY")" -- sh -c 'echo bad >/srv/health; exec sleep infinity'
    run_as $h greedy base:latest --memory 8m --restart no -- sh -c 'x=x; while :; do x=$x$x; done'
    run_as $h cron base:latest -- sleep infinity
}

seed_other() { # HOST
    local h=$1
    seed_pull "$h" "$WEB_OLD" "$API_NEW" "$GATEWAY"
    run_compose "$h" shop web 1 "$WEB_OLD" -p 8081:8080
    run_compose "$h" shop api 1 "$API_NEW" -p 9000:8080
    run_deck "$h" pay gateway staging "$GATEWAY" -p 20001:8080
    run_as "$h" legacy-web-v12 base:latest -- sleep infinity
}

# Everything a name, label or log line may try on a terminal. Two mebibytes of label would be refused; ten kibibytes are not.
run_hostile() { # HOST
    local long
    printf -v long '%10240s' ''
    run_as "$1" hostile base:latest \
        --label "org.opencontainers.image.version=$(printf '\033[31m1.0\033]0;owned\007\033[2J')" \
        --label "com.docker.compose.service=$(printf 'web\342\200\256cilam\342\200\254')" \
        --label "com.docker.compose.project=$(printf 'two\nlines\r\ttab')" \
        --label "long=${long// /x}" --label "$(printf 'k\033[1mey=\302\233value')" \
        -e "$(printf 'TITLE=\033]2;owned\007')" \
        -- sh -c "printf '\\033[2J\\033]0;owned\\007\\033[31mred\\033[0m \\342\\200\\256rtl\\n'; printf 'a\\rb\\000c\\377\\n'; head -c 40000 /dev/zero | tr '\\0' x; echo; exec sleep infinity"
}

# COUNT tiny containers on each host (of the given or all). They share the host's network and end at once when stopped.
fill() { # COUNT [HOST…]
    local count=$1 hosts
    shift
    [[ $count =~ ^[1-9][0-9]{0,3}$ ]] || die 2 "fill $count: a number from 1 to 9999"
    hosts=${*:-$(host_list)}
    FILL_COUNT=$count in_parallel fill_host "$hosts"
}

fill_host() { # HOST
    local i body id
    host_exists "$1" || die 2 "no host $1"
    body='{"Image":"base:latest","Cmd":["sleep","infinity"],"StopSignal":"SIGKILL","Labels":{"lab.fill":"yes"},"HostConfig":{"NetworkMode":"host"}}'
    for ((i = 1; i <= FILL_COUNT; i++)); do
        id=$(engine "$1" -X POST -H 'Content-Type: application/json' -d "$body" "/containers/create?name=$(printf 'fill-%04d' "$i")" | jq -r .Id)
        engine "$1" -X POST "/containers/$id/start"
    done
}
