//! A PostgreSQL of the tests' own: from Debian's packages, on a socket in a temporary directory and on a loopback port, one for all tests
//! of this binary. It refuses to run as root and runs as another user then; a guard process ends it with this one, however that ends.

use std::{
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::lab::Skipped;

/// The password of the user `deck`, which only TCP asks for.
pub const PASSWORD: &str = "a-word-of-the-tests";

const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the server ("$@" behind the directory), waits for the end of whoever holds its input, and cleans up.
const GUARD: &str = r#"trap '' INT HUP TERM; dir=$1; shift; "$@" >"$dir/log" 2>&1 </dev/null & pid=$!; cat >/dev/null; kill -INT "$pid"; wait "$pid"; rm -rf "$dir""#;

static CLUSTER: OnceLock<Result<Cluster, Skipped>> = OnceLock::new();
static DATABASES: AtomicUsize = AtomicUsize::new(0);

/// A server that runs.
pub struct Cluster {
    dir: PathBuf,
    bin: PathBuf,
    port: u16,
    /// Its input's end tells the guard to end the server.
    _guard: Child,
}

/// The server of this process, or why there is none.
pub fn cluster() -> Result<&'static Cluster, &'static Skipped> {
    CLUSTER.get_or_init(Cluster::start).as_ref()
}

fn skip(why: &str) -> Skipped {
    Skipped::because(format!("no PostgreSQL: {why}: tests/lab/install.sh installs it"))
}

/// Debian's programs; the newest version that is there.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    found.retain(|bin| ["initdb", "postgres", "psql"].iter().all(|program| bin.join(program).exists()));
    found.sort();
    found.pop()
}

/// A certificate for the loopback address, and that of who signed it in `ca.crt`.
fn certify(dir: &Path) {
    const MAKE: &str = "set -e; cd \"$1\"; key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
        openssl req -x509 $key -days 2 -subj /CN=authority -keyout ca.key -out ca.crt
        openssl req $key -subj /CN=server -keyout server.key -out server.csr
        printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' >ext
        openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out server.crt
        chmod 600 server.key";
    let made = Command::new("bash").args(["-c", MAKE, "certify"]).arg(dir).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// The user to run as, where we are root.
fn user() -> Option<String> {
    let text = std::fs::read_to_string("/etc/passwd").unwrap();
    let known = |name: &str| text.lines().any(|line| line.split(':').next() == Some(name));
    ["postgres", "nobody"].into_iter().find(|name| known(name)).map(str::to_owned)
}

impl Cluster {
    #[allow(clippy::zombie_processes, reason = "the guard outlives this process: it waits for its end")]
    fn start() -> Result<Self, Skipped> {
        let bin = programs().ok_or_else(|| skip("its programs are not in /usr/lib/postgresql"))?;
        let is_root = rustix::process::geteuid().is_root();
        let user = user().filter(|_| is_root);
        if is_root && user.is_none() {
            return Err(skip("it does not run as root, and there is no other user"));
        }
        let wrapped = |program: &str| -> Vec<String> {
            let mut words = match &user {
                Some(user) => ["setpriv", "--reuid", user, "--regid", user, "--init-groups"].map(str::to_owned).to_vec(),
                None => Vec::new(),
            };
            if user.as_deref() == Some("nobody") {
                words[4] = "nogroup".to_owned();
            }
            words.push(bin.join(program).display().to_string());
            words
        };
        // Short: a socket's path has 107 characters.
        let dir = std::env::temp_dir().join(format!("qd-pg-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(dir.join("word"), PASSWORD).unwrap();
        certify(&dir);
        if let Some(user) = &user {
            assert!(Command::new("chown").args(["-R", user]).arg(&dir).status().unwrap().success());
        }
        let data = dir.join("data").display().to_string();
        let words = wrapped("initdb");
        let mut initdb = Command::new(&words[0]);
        initdb.args(&words[1..]).args(["-D", &data, "-U", "deck", "-E", "UTF8", "--locale=C", "-A", "trust", "--no-sync"]);
        let made = initdb.arg(format!("--pwfile={}", dir.join("word").display())).current_dir(&dir).output().unwrap();
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr).into_owned();
            std::fs::remove_dir_all(&dir).unwrap();
            return Err(skip(&format!("initdb: {}", said.lines().last().unwrap_or_default())));
        }
        std::fs::write(dir.join("data/pg_hba.conf"), "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n").unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = wrapped("postgres");
        let socket = dir.display().to_string();
        let port_word = port.to_string();
        server.extend(
            ["-D", &data, "-k", &socket, "-p", &port_word, "-h", "127.0.0.1", "-F", "-c", "max_connections=60", "-c", "ssl=on"]
                .map(str::to_owned),
        );
        for file in ["server.crt", "server.key"] {
            server.extend([
                "-c".to_owned(),
                format!("{}={}/{file}", if file.ends_with("crt") { "ssl_cert_file" } else { "ssl_key_file" }, dir.display()),
            ]);
        }
        let guard = Command::new("bash")
            .args(["-c", GUARD, "guard"])
            .arg(&dir)
            .args(server)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let cluster = Self { dir, bin, port, _guard: guard };
        let deadline = Instant::now() + PATIENCE;
        while !cluster.psql("postgres", "select 1").status().unwrap().success() {
            let log = std::fs::read_to_string(cluster.dir.join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "PostgreSQL does not start: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(cluster)
    }

    fn psql(&self, database: &str, statements: &str) -> Command {
        let mut command = Command::new(self.bin.join("psql"));
        command.arg("-h").arg(&self.dir).args(["-p", &self.port.to_string(), "-U", "deck", "-d", database, "-qAtX"]);
        command.args(["-v", "ON_ERROR_STOP=1", "-c", statements]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// What anybody with a shell there does.
    pub fn run(&self, database: &str, statements: &str) -> String {
        let output = self.psql(database, statements).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{statements}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// An empty database of a test's own.
    pub fn database(&self) -> String {
        let name = format!("ledger_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        self.run("postgres", &format!("create database {name}"));
        name
    }

    /// The URL of a database over the socket, where nobody asks for a password.
    pub fn socket_url(&self, database: &str) -> String {
        format!("postgres://deck@localhost:{}/{database}?host={}", self.port, self.dir.display())
    }

    /// The URL of a database over TCP.
    pub fn tcp_url(&self, database: &str) -> String {
        format!("postgres://deck@127.0.0.1:{}/{database}", self.port)
    }

    /// The certificate of who signed the server's.
    pub fn authority(&self) -> String {
        self.dir.join("ca.crt").display().to_string()
    }
}
