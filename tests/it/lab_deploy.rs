//! Deployments on real engines by the verbs alone: from nothing to running, on to the next version, back again, killed in the middle, and a
//! version that never gets well.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use serde_json::Value;

use crate::{
    lab::Lab,
    program::{Ended, Program},
};

const HOSTS: [&str; 3] = ["app-01", "app-02", "app-03"];

struct Shop<'a> {
    lab: &'a Lab,
    program: Program,
    registry: String,
}

/// An image `shop/web:1.0.N-N-aaaaaaN` in the registry; without its page of health it never gets well.
fn push(lab: &Lab, registry: &str, n: u32, well: bool) -> String {
    let version = format!("1.0.{n}-{n}-aaaaaa{n}");
    let reference = format!("{registry}/shop/web:{version}");
    let health = if well { "echo ok >/srv/healthz" } else { "true" };
    let name = format!("make-{n}");
    lab.docker(
        "app-01",
        &["run", "--name", &name, "base:latest", "sh", "-c", &format!("mkdir -p /srv; echo v{n} >/srv/index.html; {health}")],
    );
    lab.docker("app-01", &["commit", &name, &reference]);
    lab.docker("app-01", &["rm", &name]);
    lab.docker("app-01", &["push", "-q", &reference]);
    // Nobody may get it but by its digest.
    lab.docker("app-01", &["rmi", &reference]);
    version
}

impl<'a> Shop<'a> {
    fn new(lab: &'a Lab) -> Self {
        let program = Program::new();
        let registry = std::fs::read_to_string(lab.dir().join("lab.json")).unwrap();
        let registry: Value = serde_json::from_str(&registry).unwrap();
        let registry = registry["registry"]["address"].as_str().unwrap().to_owned();
        program.file(".ssh/config", &std::fs::read_to_string(lab.dir().join("ssh/config")).unwrap());
        let password = program.file("db-password", "s3cret-of-the-lab\n");
        std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let shop = Self { lab, program, registry };
        shop.template("rolling", "");
        let template = shop.program.file("shop/.keep", "").replace(".keep", "quarterdeck.toml");
        let urls: BTreeMap<_, _> = [
            ("app-01", format!("tcp://{}:2375", shop.address("app-01"))),
            ("app-02", format!("unix://{}", lab.host("app-02")["unix"].as_str().unwrap())),
            // Its probes go through sshd.
            ("app-03", "ssh://app-03".to_owned()),
        ]
        .into();
        let hosts: String = urls
            .iter()
            .map(|(name, url)| format!("[hosts.{name}]\nurl = {url:?}\naddress = {:?}\nenvironment = \"production\"\n", shop.address(name)))
            .collect();
        let state = shop.program.file("state/.keep", "").replace("/.keep", "");
        shop.program.file(
            ".config/quarterdeck/config.toml",
            &format!(
                "state = {state:?}\n{hosts}[apps.shop]\ntemplate = {template:?}\n[secrets.shop.production]\nDB_PASSWORD = {{ file = {password:?} }}\n"
            ),
        );
        shop
    }

    fn address(&self, host: &str) -> String {
        self.lab.host(host)["address"].as_str().unwrap().to_owned()
    }

    fn template(&self, strategy: &str, vars: &str) {
        let registry = &self.registry;
        let strategy = match strategy {
            "rolling" => r#"{ kind = "rolling", batch = 1, pause = "0s", bake = "1s", keep-warm = "0s" }"#,
            _ => r#"{ kind = "recreate", bake = "0s", keep-warm = "0s" }"#,
        };
        self.program.file(
            "shop/quarterdeck.toml",
            &format!(
                r#"
[app]
name = "shop"
registry = "{registry}"
version = "1.0.1"

[images.web]
context = "web"

[services.web]
image = "web"
command = ["httpd", "-f", "-p", "80", "-h", "/srv"]
ports = ["80"]
secrets = ["DB_PASSWORD"]
needs = ["db"]
memory = "32m"
health = {{ http = "/healthz", port = 80, interval = "200ms", rise = 2, timeout = "20s" }}
stop = "1s"

[services.db]
image = "base:latest"
command = ["sh", "-c", "test -f /data/born || date >/data/born; httpd -f -p 5432 -h /data"]
ports = ["5432"]
volumes = ["data:/data"]
health = {{ command = ["test", "-f", "/data/born"], interval = "200ms", rise = 1, timeout = "60s" }}
stop = "1s"

[jobs.migrate]
image = "web"
command = ["sh", "-c", "wget -q -O /dev/null http://$QD_DB_ADDR/born"]
needs = ["db"]
timeout = "60s"

[environments.production]
hosts = ["app-01", "app-02", "app-03"]
strategy = {strategy}
verify = {{ service = "web", http = "/", contains = "v" }}

[environments.production.services.web]
vars = {{ {vars} }}

[environments.production.services.db]
hosts = ["app-01"]
"#
            ),
        );
    }

    fn verb(&self, args: &[&str]) -> Ended {
        self.program.run(args)
    }

    /// What runs of a service: host → (version, environment, restart policy).
    fn running(&self, service: &str) -> BTreeMap<String, Vec<String>> {
        let of = |host: &str| {
            let filters = ["--filter", "label=quarterdeck.app=shop", "--filter", &format!("label=quarterdeck.service={service}")];
            let ids = self.lab.docker(host, &[&["ps", "-q", "--no-trunc"][..], &filters].concat());
            ids.lines()
                .map(|id| {
                    let format = r#"{{index .Config.Labels "quarterdeck.version"}} {{.HostConfig.RestartPolicy.Name}}"#;
                    self.lab.docker(host, &["inspect", "-f", format, id]).trim().to_owned()
                })
                .collect()
        };
        HOSTS.iter().map(|host| ((*host).to_owned(), of(host))).collect()
    }

    fn page(&self, host: &str) -> String {
        let label = r#"{{index .Config.Labels "quarterdeck.ports"}}"#;
        let ids = self.lab.docker(host, &["ps", "-q", "--filter", "label=quarterdeck.service=web"]);
        let ports = self.lab.docker(host, &["inspect", "-f", label, ids.trim()]);
        let port = ports.trim().strip_prefix("80/tcp=").unwrap().to_owned();
        let bound = self.lab.docker(host, &["port", ids.trim(), "80/tcp"]);
        assert_eq!(bound.trim(), format!("{}:{port}", self.address(host)));
        self.lab.docker(host, &["exec", ids.trim(), "cat", "/srv/index.html"]).trim().to_owned()
    }

    /// This version runs once on every host, and nothing of ours is left lying about.
    fn is_on(&self, version: &str) {
        for (host, found) in self.running("web") {
            assert_eq!(found, [format!("{version} always")], "{host}");
        }
        for host in HOSTS {
            let all = self.lab.docker(host, &["ps", "-a", "--format", "{{.Names}} {{.State}}"]);
            assert!(!all.contains("quarterdeck-lock") && !all.contains("-job-"), "{host}: {all}");
            let kept: Vec<_> = all.lines().filter(|line| line.contains("-web-") && line.contains("-kept")).collect();
            assert!(kept.len() <= 1 && kept.iter().all(|line| line.ends_with("exited")), "{host}: {all}");
        }
    }

    fn deploy(&self, version: &str) -> Ended {
        self.verb(&["deploy", "shop", "production", "--release", version, "--yes"])
    }
}

#[test]
fn a_shop_goes_on_and_back() {
    let _turn = crate::lab::turn();
    let lab = match Lab::raise("deploy", &["up"]) {
        Ok(lab) => lab,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let shop = Shop::new(&lab);
    let [one, two, bad] = [(1, true), (2, true), (3, false)].map(|(n, well)| push(&lab, &shop.registry, n, well));

    let planned = shop.verb(&["plan", "shop", "production", "--release", &one]);
    assert_eq!(planned.code, Some(0), "{planned:?}");
    assert!(planned.out.contains("web: 3 change, 0 stay"), "{planned:?}");
    assert!(planned.out.contains("DB_PASSWORD as variables: docker inspect on the host shows them"), "{planned:?}");
    assert_eq!(shop.running("web").values().flatten().count(), 0, "a plan does nothing");

    first_and_next(&shop, &one, &two);
    what_never_gets_well(&shop, &two, &bad);
    killed_and_carried_on(&shop, &one, &two);
    let audit = shop.verb(&["audit", "--format", "json"]);
    let rows = audit.rows();
    let of = |action: &str, outcome: &str| rows.iter().filter(|row| row["action"] == action && row["outcome"] == outcome).count();
    assert!(of("app.deploy", "done") >= 3 && of("app.deploy", "failed") >= 1 && of("app.rollback", "done") >= 1, "{audit:?}");
    let told = shop.verb(&["deployments", "shop", "production", "--format", "json"]);
    assert!(told.rows().iter().any(|row| row["state"] == "good" && row["release"].as_str().is_some_and(|name| name.starts_with(&two))));
    let secret = std::process::Command::new("grep")
        .args(["-r", "s3cret-of-the-lab", &shop.program.file("state/.keep", "").replace("/.keep", "")])
        .output();
    assert_eq!(secret.unwrap().stdout, b"", "the secret is in the state directory");
}

fn first_and_next(shop: &Shop<'_>, one: &str, two: &str) {
    shop.template("recreate", "");
    let ended = shop.deploy(one);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    shop.is_on(one);
    assert!(HOSTS.iter().all(|host| shop.page(host) == "v1"));
    let born = shop.lab.docker("app-01", &["run", "--rm", "-v", "shop-production-data:/data", "base:latest", "cat", "/data/born"]);
    // What is frozen stays as it is.
    assert_eq!(shop.verb(&["freeze", "shop", "production", "--reason", "the fair"]).code, Some(0));
    let frozen = shop.deploy(two);
    assert!(frozen.code == Some(5) && frozen.err.contains("the fair"), "{frozen:?}");
    shop.is_on(one);
    assert_eq!(shop.verb(&["thaw", "shop", "production", "--reason", "over"]).code, Some(0));
    // All of it runs: nothing happens.
    let again = shop.deploy(one);
    assert!(again.code == Some(0) && again.out.contains("nothing to do"), "{again:?}");

    shop.template("rolling", "");
    let ended = shop.deploy(two);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    shop.is_on(two);
    assert!(HOSTS.iter().all(|host| shop.page(host) == "v2"));

    // Variables alone: other containers of the same image, without a pull.
    shop.template("rolling", "GREETING = \"hello\"");
    let ended = shop.deploy(two);
    assert!(ended.code == Some(0) && ended.out.contains("(variables, no pull)"), "{ended:?}");
    shop.template("rolling", "");
    let ended = shop.deploy(two);
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let back = shop.verb(&["rollback", "shop", "production", "--to", one, "--yes"]);
    assert_eq!(back.code, Some(0), "{back:?}");
    shop.is_on(one);
    let forth = shop.deploy(two);
    assert!(forth.code == Some(0) && forth.out.contains("by the kept"), "{forth:?}");
    shop.is_on(two);
    let still = shop.lab.docker("app-01", &["run", "--rm", "-v", "shop-production-data:/data", "base:latest", "cat", "/data/born"]);
    assert_eq!(born, still, "the data stays");
}

fn what_never_gets_well(shop: &Shop<'_>, two: &str, bad: &str) {
    let before = shop.lab.docker("app-01", &["ps", "-q", "--filter", "label=quarterdeck.service=web"]);
    let ended = shop.deploy(bad);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("taken back") && ended.out.contains("404"), "{ended:?}");
    shop.is_on(two);
    let after = shop.lab.docker("app-01", &["ps", "-q", "--filter", "label=quarterdeck.service=web"]);
    assert_eq!(before, after, "the old one never went");
    let evidence = ended.err.lines().find_map(|line| line.trim().strip_prefix("evidence: ")).unwrap_or_else(|| panic!("{ended:?}"));
    assert!(std::path::Path::new(evidence).join("01-failure.txt").exists(), "{evidence}");
}

/// The run is killed when its journal tells of this step; then it is carried on, or taken back.
fn killed_and_carried_on(shop: &Shop<'_>, one: &str, two: &str) {
    for (at, verb, then) in [
        ("app-02 start shop-production-web", "resume", one),
        ("app-02 rename", "unwind", one),
        ("app-03 start shop-production-web", "resume", two),
    ] {
        let mut child = shop
            .program
            .command(&[
                "deploy",
                "shop",
                "production",
                "--release",
                if shop.running("web")["app-01"][0].starts_with(one) { two } else { one },
                "--yes",
            ])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut seen = Vec::new();
        for line in lines {
            let found = line.contains(at);
            seen.push(line);
            if found {
                break;
            }
        }
        assert!(seen.last().is_some_and(|line| line.contains(at)), "{seen:#?}");
        let runs = shop.program.runs();
        assert_eq!(runs.len(), 1, "{runs:?}");
        crate::terminal::pty::signal_process(runs[0].0, rustix::process::Signal::KILL);
        // Who follows it says so.
        assert_eq!(child.wait().unwrap().code(), Some(1));
        let lock = shop
            .lab
            .docker("app-01", &["ps", "-a", "--filter", "name=quarterdeck-lock", "--format", r#"{{.Label "quarterdeck.deployment"}}"#]);
        let id = lock.trim();
        assert_eq!(id, runs[0].1);
        // Nobody else gets in meanwhile.
        let other = shop.deploy(one);
        assert!(matches!(other.code, Some(4)) || other.out.contains("nothing to do"), "{other:?}");
        let ended = shop.verb(&["deployment", verb, id, "--alive", "--yes"]);
        assert_eq!(ended.code, Some(if verb == "resume" { 0 } else { 1 }), "{ended:?}");
        shop.is_on(then);
    }
}
