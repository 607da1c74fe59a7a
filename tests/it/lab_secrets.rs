//! Known secrets go through everything that a deployment does on real engines, well and badly, and are then looked for in everything that is left
//! behind, as they are and in every other spelling. And a registry that wants to know who asks.

use std::{
    collections::BTreeSet,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use regex::bytes::Regex;

use crate::stand::{HOSTS, Shape, Stand, WELL};

/// Quotes of both kinds, a variable, a command, an escape, a line break, letters beyond ASCII.
const HARD: &str = "pä'ss \"w0rd\" $HOME %41&<b>\nzweite=Zeile`id`\\nEnde-ß";
const PLAIN: &str = "s3cret-of-the-lab-Q7x";
const CHANGED: &str = "an0ther-secret-of-the-lab";
const FILED: &str = "filed/s3cret+Zk81==";
const USER: &str = "deployer";
const PASSWORD: &str = "pa:ss'\"$%ü-Xk29";
/// Of that password.
const BCRYPT: &str = "$2y$05$abcdefghijklmnopqrstuuvXtQ2IQjyaqm8Hr21OAj09bkvzlWTbu";

/// Says all of its secrets in every way it knows, and never gets well.
const SHOUTS: &str = r#"env
echo "plain: $DB_PASSWORD"; echo "hard: $HARD"; cat /run/secrets/API_KEY; echo
for before in "" a ab; do for value in "$DB_PASSWORD" "$HARD"; do printf '%s%s' "$before" "$value" | base64; done; done
printf '%s' "$HARD" | sed 's/\\/\\\\/g; s/"/\\"/g'; echo
printf '%s' "$HARD" | od -An -tx1 | tr -d ' \n'; echo
exec httpd -f -p 80 -h /srv"#;

/// What most libraries let stand in a URL.
const COMPONENT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Every spelling of a secret that is looked for.
fn needles(secret: &str) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = [secret.to_owned()].into();
    found.extend(secret.lines().filter(|line| line.len() >= 8).map(str::to_owned));
    let json = |text: &str| {
        let text = serde_json::to_string(text).unwrap();
        text[1..text.len() - 1].to_owned()
    };
    let ascii = json(secret).chars().map(|c| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) }).collect();
    found.extend([json(secret), json(&json(secret)), ascii, format!("{secret:?}").trim_matches('"').to_owned()]);
    found
        .extend([secret.replace('\'', "'\\''"), secret.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$").replace('`', "\\`")]);
    let url = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let component = utf8_percent_encode(secret, &COMPONENT).to_string();
    found.extend([url.replace("%20", "+"), component.to_lowercase(), component, url]);
    found.insert(secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"));
    found.insert(secret.bytes().map(|byte| format!("{byte:02x}")).collect());
    for before in 0..3 {
        let shifted = [&vec![0; before], secret.as_bytes()].concat();
        for encoded in [BASE64_STANDARD.encode(&shifted), BASE64_URL_SAFE.encode(&shifted)] {
            found.insert(encoded[(before * 8).div_ceil(6)..shifted.len() * 8 / 6].to_owned());
        }
    }
    found
}

/// Everything that was found in a place.
struct Search {
    needle: Regex,
    spellings: usize,
    places: usize,
    bytes: usize,
    leaks: Vec<String>,
}

impl Search {
    fn of(secrets: &[&str]) -> Self {
        let needles: BTreeSet<String> = secrets.iter().flat_map(|secret| needles(secret)).collect();
        let any = needles.iter().map(|needle| regex::escape(needle)).collect::<Vec<_>>().join("|");
        Self { needle: Regex::new(&any).unwrap(), spellings: needles.len(), places: 0, bytes: 0, leaks: Vec::new() }
    }

    fn look(&mut self, place: &str, hay: &[u8]) {
        self.places += 1;
        self.bytes += hay.len();
        if let Some(found) = self.needle.find(hay) {
            let around = &hay[found.start().saturating_sub(60)..(found.end() + 20).min(hay.len())];
            self.leaks.push(format!("{place}: {}", String::from_utf8_lossy(around)));
        }
    }

    fn tree(&mut self, dir: &Path) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => self.tree(&path),
                false => self.look(&path.display().to_string(), &std::fs::read(&path).unwrap_or_default()),
            }
        }
    }
}

/// What was seen, and where.
type Seen = BTreeSet<(String, Vec<u8>)>;

/// Looks at all processes' arguments and at our own ones' environment, again and again.
struct Peek {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    thread: std::thread::JoinHandle<()>,
}

impl Peek {
    fn start() -> Self {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Seen::new())));
        let thread = std::thread::spawn({
            let (stop, seen) = (Arc::clone(&stop), Arc::clone(&seen));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    for process in std::fs::read_dir("/proc").unwrap().flatten() {
                        let file = |name: &str| std::fs::read(process.path().join(name)).unwrap_or_default();
                        let line = file("cmdline");
                        let ours = std::fs::read_link(process.path().join("exe")).is_ok_and(|exe| exe.ends_with("quarterdeck"));
                        let mut seen = seen.lock().unwrap();
                        if ours {
                            seen.insert(("environ of ours".to_owned(), file("environ")));
                        }
                        seen.insert(("cmdline".to_owned(), line));
                    }
                    std::thread::sleep(Duration::from_millis(60));
                }
            }
        });
        Self { stop, seen, thread }
    }

    fn end(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        Arc::try_unwrap(self.seen).unwrap().into_inner().unwrap()
    }
}

fn secret_file(stand: &Stand, name: &str, value: &str) -> String {
    let path = stand.program.file(name, &format!("{value}\n"));
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    path
}

/// What is in a lock, as whoever has the engine sees it.
fn lock_files(stand: &Stand, host: &str) -> Vec<u8> {
    let socket = format!("unix://{}", stand.lab.host(host)["unix"].as_str().unwrap());
    let output = std::process::Command::new("docker")
        .env("DOCKER_HOST", socket)
        .args(["cp", "quarterdeck-lock-shop-production:/", "-"])
        .output()
        .unwrap();
    assert!(output.status.success() && output.stdout.len() > 2_000, "{host}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn no_secret_is_left_anywhere() {
    let _turn = crate::lab::turn();
    let mut stand = match Stand::raise("secrets", &[], "") {
        Ok(stand) => stand,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let files = [("plain", PLAIN), ("hard", HARD), ("filed", FILED)].map(|(name, value)| secret_file(&stand, name, value));
    let [plain, hard, filed] = &files;
    let sources = format!(
        "[secrets.shop.production]\nDB_PASSWORD = {{ file = {plain:?} }}\nHARD = {{ command = [\"cat\", {hard:?}] }}\nAPI_KEY = {{ file = {filed:?} }}\n"
    );
    let state = stand.configure("state", &sources);
    let log = stand.program.file("log", "");
    stand.flags = ["-vv", "--log-file", &log].map(str::to_owned).to_vec();
    let uses = "secrets = [\"DB_PASSWORD\", \"HARD\", { name = \"API_KEY\", deliver = \"file\" }]";
    let shape = Shape { web: uses.to_owned(), ..Shape::default() };
    stand.shape(&shape);
    // A version keeps the spec that it was asked for with first: each of these has its own.
    let made = [(1, WELL), (2, SHOUTS), (3, WELL), (4, WELL), (5, WELL), (6, WELL)].map(|(n, script)| stand.push(n, script));
    let [one, shouting, with_job, asking, two, three] = made;
    let mut search = Search::of(&[PLAIN, HARD, FILED, CHANGED]);
    let peek = Peek::start();

    // Well: and the containers have what they need before they run.
    stand.good(&["plan", "shop", "production", "--release", &one]);
    stand.good(&["deploy", "shop", "production", "--release", &one, "--yes"]);
    for host in HOSTS {
        let document = stand.inspect(host, "web");
        let env: Vec<&str> = document["Config"]["Env"].as_array().unwrap().iter().filter_map(|value| value.as_str()).collect();
        assert!(env.contains(&format!("DB_PASSWORD={PLAIN}").as_str()) && env.contains(&format!("HARD={HARD}").as_str()), "{env:?}");
        assert!(!env.iter().any(|value| value.contains(FILED)), "what is a file is no variable");
        let id = document["Id"].as_str().unwrap();
        assert_eq!(stand.lab.docker(host, &["exec", id, "cat", "/run/secrets/API_KEY"]), FILED);
    }

    // Badly: what it says of its secrets is evidence, without them.
    let ended = stand.deploy(&shouting);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let evidence = ended.err.lines().find_map(|line| line.trim().strip_prefix("evidence: ")).unwrap_or_else(|| panic!("{ended:?}"));
    let names: Vec<String> = std::fs::read_dir(evidence).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let logs: Vec<String> = names.iter().filter(|name| name.ends_with(".log")).cloned().collect();
    assert!(names.iter().filter(|name| name.ends_with(".inspect.json")).count() == 2, "old and new: {names:?}");
    let said = logs.iter().map(|name| std::fs::read_to_string(Path::new(evidence).join(name)).unwrap()).collect::<String>();
    assert!(said.contains("plain: ••••••") && said.contains("DB_PASSWORD=••••••") && said.contains("hard: ••••••"), "{said}");
    stand.is_on(&one);

    // A job's last words are its failure.
    let job = "[jobs.migrate]\nimage = \"web\"\ncommand = [\"sh\", \"-c\", \"echo no login with $DB_PASSWORD and $HARD; exit 3\"]\nsecrets = [\"DB_PASSWORD\", \"HARD\"]\ntimeout = \"20s\"\n";
    stand.shape(&Shape { more: job.to_owned(), ..shape.clone() });
    let ended = stand.deploy(&with_job);
    assert!(ended.code == Some(1) && ended.out.contains("no login with ••••••"), "{ended:?}");
    // So are a probe's.
    stand.shape(&shape);
    let template = std::fs::read_to_string(stand.program.file("shop/.keep", "").replace(".keep", "quarterdeck.toml")).unwrap();
    let asks = "health = { command = [\"sh\", \"-c\", \"echo asked with $DB_PASSWORD; exit 1\"], interval = \"200ms\", timeout = \"3s\" }";
    let line = template.lines().find(|line| line.starts_with("health = ")).unwrap();
    stand.program.file("shop/quarterdeck.toml", &template.replace(line, asks));
    let ended = stand.deploy(&asking);
    assert!(ended.code == Some(1) && ended.out.contains("asked with ••••••"), "{ended:?}");
    stand.shape(&shape);
    stand.is_on(&one);

    // Killed in the middle: the locks lie open to whoever has the engine. Whoever carries it on says what has changed.
    let middle = |_: usize, line: &str| line.contains("app-02 start");
    let started =
        stand.until(&["deploy", "shop", "production", "--release", &two, "--yes"], middle).unwrap_or_else(|ended| panic!("{ended:?}"));
    let id = stand.kill(started).unwrap();
    for host in HOSTS {
        search.look(&format!("the lock on {host}"), &lock_files(&stand, host));
    }
    std::fs::write(plain, format!("{CHANGED}\n")).unwrap();
    let ended = stand.verb(&["deployment", "resume", &id, "--alive", "--yes"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("changed since it was asked for") && ended.err.contains(": DB_PASSWORD\n"), "{ended:?}");
    stand.is_on(&two);
    assert!(stand.inspect("app-03", "web")["Config"]["Env"].as_array().unwrap().contains(&format!("DB_PASSWORD={CHANGED}").into()));
    // What was made before that has the old value: that is a reason, and the only one.
    let rest = stand.good(&["deploy", "shop", "production", "--release", &two, "--yes"]);
    assert!(
        rest.out.contains("app-01 web: replace") && rest.out.contains("(secrets, no pull)") && !rest.out.contains("app-03 web: replace"),
        "{rest:?}"
    );
    stand.is_on(&two);

    // Without the key nobody can tell.
    let started =
        stand.until(&["deploy", "shop", "production", "--release", &three, "--yes"], middle).unwrap_or_else(|ended| panic!("{ended:?}"));
    let id = stand.kill(started).unwrap();
    let key = state.join("seal.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::remove_file(&key).unwrap();
    let ended = stand.verb(&["deployment", "unwind", &id, "--alive", "--yes"]);
    assert!(ended.code == Some(1) && ended.err.contains("cannot tell whether these secrets are what they were"), "{ended:?}");
    stand.is_on(&two);

    for args in [
        &["deployments"][..],
        &["deployment", "show", &id],
        &["releases", "shop"],
        &["audit"],
        &["app", "show", "shop"],
        &["ps"],
        &["versions"],
    ] {
        for format in ["json", "table"] {
            stand.verb(&[args, &["--format", format]].concat());
        }
    }
    for (place, bytes) in peek.end() {
        search.look(&place, &bytes);
    }
    for host in HOSTS {
        let ids = stand.lab.docker(host, &["ps", "-aq"]);
        let ids: Vec<&str> = ids.split_whitespace().collect();
        let format = "{{json .Config.Labels}} {{.Name}} {{json .Config.Cmd}} {{json .Config.Healthcheck}}";
        search.look(&format!("labels on {host}"), stand.lab.docker(host, &[&["inspect", "-f", format][..], &ids].concat()).as_bytes());
    }
    search.look("what was printed", stand.heard.lock().unwrap().as_bytes());
    search.look("the log", &std::fs::read(&log).unwrap());
    assert!(std::fs::read_dir(&state).unwrap().flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("ledger.db")));
    search.tree(&state);
    println!(
        "4 secrets in {} spellings looked for in {} places, {} kB: {} found",
        search.spellings,
        search.places,
        search.bytes >> 10,
        search.leaks.len()
    );
    assert_eq!(search.leaks, Vec::<String>::new());
}

#[test]
fn a_registry_that_wants_to_know_who_asks() {
    let _turn = crate::lab::turn();
    let mut stand = match Stand::raise("private", &[], "") {
        Ok(stand) => stand,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    stand.lab.verb("private", &[&format!("{USER}:{BCRYPT}")]);
    let open = std::mem::take(&mut stand.registry);
    stand.registry = open.replace(":5000", ":5001");
    let state = stand.configure("state", "");
    stand.shape(&Shape::default());
    // The Docker client's own login pushes.
    let config = |dir: &str, text: &str| stand.program.file(&format!("{dir}/config.json"), text).replace("/config.json", "");
    let auth = BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let kept = config("kept", &format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, stand.registry));
    let [one, two] = [1, 2].map(|n| stand.push_to(&stand.registry, n, WELL, &["--config", &kept]));
    let asked = |dir: &str, version: &str, path: Option<&str>| {
        let mut command = stand.program.command(&["deploy", "shop", "production", "--release", version, "--yes"]);
        if let Some(path) = path {
            command.env("PATH", format!("{path}:/usr/sbin:/usr/bin:/sbin:/bin"));
        }
        crate::program::Ended::of(&command.env("DOCKER_CONFIG", dir).output().unwrap())
    };

    let nobody = config("nobody", "{}");
    let ended = asked(&nobody, &one, None);
    assert!(ended.code == Some(1) && ended.err.contains(&format!("`docker login {}`", stand.registry)), "{ended:?}");
    let peek = Peek::start();
    let ended = asked(&kept, &one, None);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    stand.is_on(&one);

    // By a helper, which is asked once for all hosts and never told anything on its command line.
    let helper = stand.program.file(
        "bin/docker-credential-lab",
        "#!/bin/sh\nread server; echo \"$* $server\" >>\"$HOME/calls\"\nprintf '{\"ServerURL\":\"x\",\"Username\":\"deployer\",\"Secret\":%s}' \"$(cat \"$HOME/password.json\")\"\n",
    );
    std::fs::set_permissions(&helper, PermissionsExt::from_mode(0o755)).unwrap();
    stand.program.file("password.json", &serde_json::to_string(PASSWORD).unwrap());
    let helped = config("helped", &format!(r#"{{"credHelpers":{{"{}":"lab"}}}}"#, stand.registry));
    let ended = asked(&helped, &two, Some(helper.trim_end_matches("/docker-credential-lab")));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    stand.is_on(&two);
    let calls = std::fs::read_to_string(stand.program.file("calls.keep", "").trim_end_matches(".keep")).unwrap();
    // Once by who makes the plan, and once by the run, which is a process of its own: not once a host.
    assert_eq!(calls, format!("get {}\n", stand.registry).repeat(2));

    let mut search = Search::of(&[PASSWORD, &format!("{USER}:{PASSWORD}")]);
    for (place, bytes) in peek.end() {
        search.look(&place, &bytes);
    }
    search.look("what was printed", format!("{ended:?}").as_bytes());
    search.tree(&state);
    assert_eq!(search.leaks, Vec::<String>::new());
}
