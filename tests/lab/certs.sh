# shellcheck shell=bash
# Keys and certificates of one lab: a CA, the TLS engine's certificate, a client's, and the wrong ones a doctor must tell apart.

tls_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; chmod 0600 "$1"; }

tls_ca() { # NAME
    tls_key "$LAB/tls/$1-key.pem"
    openssl req -x509 -new -key "$LAB/tls/$1-key.pem" -days 30 -subj "/CN=lab $1" -out "$LAB/tls/$1.pem" \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign"
}

tls_leaf() { # CA NAME USAGE SAN
    tls_key "$LAB/tls/$2-key.pem"
    openssl req -new -key "$LAB/tls/$2-key.pem" -subj "/CN=$2" |
        openssl x509 -req -CA "$LAB/tls/$1.pem" -CAkey "$LAB/tls/$1-key.pem" -set_serial "0x$(openssl rand -hex 8)" -days 30 \
            -out "$LAB/tls/$2.pem" -extfile <(
                printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=%s\n' "$3"
                [[ -z $4 ]] || printf 'subjectAltName=%s\n' "$4"
            ) 2>/dev/null
}

certs_create() { # HOSTS
    tls_ca ca
    tls_ca stranger-ca
    tls_leaf ca client clientAuth ""
    tls_leaf stranger-ca stranger-client clientAuth ""
    if (($1 >= 2)); then
        tls_leaf ca server serverAuth "IP:$(host_address app-02),DNS:app-02"
        tls_leaf ca wrong-name serverAuth "IP:192.0.2.77,DNS:wrong-name.invalid"
    fi
}

ssh_create() {
    ssh-keygen -q -t ed25519 -N '' -C lab-client -f "$LAB/ssh/id_ed25519"
    ssh-keygen -q -t ed25519 -N '' -C lab-stranger -f "$LAB/ssh/stranger"
    # The same key again, asking for its passphrase "lab".
    cp "$LAB/ssh/id_ed25519" "$LAB/ssh/locked"
    cp "$LAB/ssh/id_ed25519.pub" "$LAB/ssh/locked.pub"
    ssh-keygen -q -p -P '' -N lab -f "$LAB/ssh/locked" >/dev/null
    : >"$LAB/ssh/known_hosts"
}

# A server's own host key, with its line in known_hosts: host_key NAME ADDRESS PORT…
host_key() {
    local name=$1 address=$2 port line
    shift 2
    ssh_alias "$name" "$address"
    ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$LAB/ssh/host-$name"
    line=$(cut -d' ' -f1,2 "$LAB/ssh/host-$name.pub")
    for port in "$@"; do
        if ((port == 22)); then
            printf '%s,%s %s\n' "$address" "$name" "$line"
        else
            printf '[%s]:%s,[%s]:%s %s\n' "$address" "$port" "$name" "$port" "$line"
        fi
    done >>"$LAB/ssh/known_hosts"
}

# The same servers for those who read an ssh_config; every host is also there behind the first one as a bastion.
ssh_alias() { # NAME ADDRESS
    cat >>"$LAB/ssh/config" <<CONF
Host $1
  HostName $2
  HostKeyAlias $1
  User ops
  IdentityFile $LAB/ssh/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile $LAB/ssh/known_hosts
Host $1-via-app-01
  HostName $2
  HostKeyAlias $1
  User ops
  IdentityFile $LAB/ssh/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile $LAB/ssh/known_hosts
  ProxyJump app-01
CONF
}
