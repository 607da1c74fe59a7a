//! `build` on real engines, by socket and over ssh, to a real registry that wants a password: from a commit to a digest.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use quarterdeck::{
    build::{
        Bench, BuildFault, Built, Context, Ignore, Logins, Material, Progress,
        git::{Place, Repository},
    },
    config::Endpoint,
    delivery::template::Template,
    engine::{
        docker::{Builder, Client, Meter},
        transport::Transports,
    },
    ledger::{Access, Ledger, StateDir},
    rights::Rights,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    lab::Lab,
    program::{Ended, Program},
};

/// The password of the registry; it must stand nowhere but in headers.
const SECRET: &str = "hunter2-Zq9";
/// Its bcrypt hash, made with `crypt(3)`.
const HASH: &str = "$2y$05$abcdefghijklmnopqrstuuEqmsPm8iBUl9W.nMGBwP.4DCmTe6VLO";
const PATIENCE: Duration = Duration::from_secs(60);

/// A registry of the lab's with a password; ended with the test.
struct Registry {
    child: Child,
    address: String,
}

impl Registry {
    fn raise(lab: &Lab) -> Self {
        let manifest: Value = serde_json::from_str(&fs::read_to_string(lab.dir().join("lab.json")).unwrap()).unwrap();
        let address = manifest["registry"]["address"].as_str().unwrap().to_owned();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/lab.sh");
        let killed = Command::new("bash").arg(script).arg("fault").arg(lab.dir()).arg("registry-kill").output().unwrap();
        assert!(killed.status.success(), "{killed:?}");
        let (passwords, config) = (lab.dir().join("registry/htpasswd"), lab.dir().join("registry/locked.yml"));
        fs::write(&passwords, format!("ops:{HASH}\n")).unwrap();
        let text = format!(
            "version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: {} }}, delete: {{ enabled: true }} }}\nauth: {{ htpasswd: {{ realm: lab, path: {} }} }}\nhttp: {{ addr: \"{address}\", secret: lab }}\n",
            lab.dir().join("registry/data").display(),
            passwords.display()
        );
        fs::write(&config, text).unwrap();
        let child = Command::new("docker-registry").arg("serve").arg(&config).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let registry = Self { child, address };
        until("the registry", || TcpStream::connect(&registry.address).is_ok());
        registry
    }

    /// The digest behind a tag, from the registry itself.
    fn digest(&self, repository: &str, tag: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let login = BASE64_STANDARD.encode(format!("ops:{SECRET}"));
        let accept = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json";
        let request = format!(
            "HEAD /v2/{repository}/manifests/{tag} HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {login}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let found = answer.starts_with("HTTP/1.1 200");
        answer.lines().find_map(|line| line.strip_prefix("Docker-Content-Digest: ")).filter(|_| found).map(str::to_owned)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not happen in time");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Looks at the command lines of all processes, again and again, for the secret.
struct Lookout {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<String>>>,
}

impl Lookout {
    fn post() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut found = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
                    for file in ["cmdline", "environ"] {
                        let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
                        let text = String::from_utf8_lossy(&bytes);
                        if text.contains(SECRET) || text.contains(&BASE64_STANDARD.encode(SECRET)) {
                            found.push(format!("{}: {text}", entry.path().display()));
                        }
                    }
                }
                thread::sleep(Duration::from_millis(5));
            }
            found
        });
        Self { stop, thread: Some(thread) }
    }

    fn found(mut self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

struct Stage {
    lab: Lab,
    registry: Registry,
    program: Program,
    home: PathBuf,
    config: String,
    /// What steps, tests and planted commands left behind on this machine.
    traps: PathBuf,
}

impl Stage {
    fn set(lab: Lab) -> Self {
        let registry = Registry::raise(&lab);
        let program = Program::new();
        program.file(".ssh/config", &fs::read_to_string(lab.dir().join("ssh/config")).unwrap());
        let config = format!(
            "[build]\nhost = \"app-01\"\n[hosts.app-01]\nurl = \"unix://{}\"\n[hosts.app-03]\nurl = \"ssh://app-03\"\n",
            lab.host("app-01")["unix"].as_str().unwrap(),
        );
        let config = program.file("config.toml", &config);
        let home = Path::new(&config).parent().unwrap().to_owned();
        program.file(".docker/config.json", r#"{"credsStore":"lab"}"#);
        let helper = format!(
            "#!/bin/sh\nread -r server\necho \"$* for $server\" >>\"$HOME/helper.log\"\n[ \"$server\" = {} ] || {{ echo credentials not found in native keychain; exit 1; }}\nprintf '{{\"ServerURL\":\"%s\",\"Username\":\"ops\",\"Secret\":\"%s\"}}' \"$server\" \"$(cat \"$HOME/password\")\"\n",
            registry.address
        );
        let helper = program.file("bin/docker-credential-lab", &helper);
        fs::set_permissions(helper, fs::Permissions::from_mode(0o755)).unwrap();
        program.file("password", SECRET);
        let traps = home.join("traps");
        fs::create_dir(&traps).unwrap();
        let stage = Self { lab, registry, program, home, config, traps };
        stage.plant();
        stage
    }

    fn shop(&self) -> PathBuf {
        self.home.join("shop")
    }

    fn file(&self, name: &str, text: &str) {
        self.program.file(&format!("shop/{name}"), text);
    }

    fn template(&self, test: &str) {
        let registry = &self.registry.address;
        let text = format!(
            r#"[app]
name = "shop"
registry = "{registry}"
version = {{ file = "package.json", key = "version" }}

[images.web]
context = "web"
paths = ["web/**"]
args = {{ REGISTRY = "{registry}", MODE = "release" }}
test-target = "test"
test = ["/bin/sh", "-c", "{test}"]

[images.docs]
context = "docs"
args = {{ REGISTRY = "{registry}" }}
prepare = {{ image = "{registry}/base:latest", run = ["/bin/sh", "-c", "mkdir out && tr a-z A-Z <page.txt >out/page.txt"], out = "out" }}

[services.web]
image = "web"
ports = ["80"]

[environments.testing]
hosts = ["app-01"]
"#
        );
        self.file("quarterdeck.toml", &text);
    }

    /// The repository: two images, and whatever could make git run something on this machine.
    fn plant(&self) {
        self.file("package.json", r#"{"version":"1.0.1"}"#);
        self.template("grep -q HELLO /srv/index.html");
        self.file(
            "web/Dockerfile",
            "ARG REGISTRY\nFROM ${REGISTRY}/base:latest AS made\nARG MODE=debug\nCOPY . /src\nRUN tr a-z A-Z </src/index.html >/out.html && echo made for $MODE\nFROM made AS test\nRUN test ! -e /src/private && grep -q HELLO /out.html\nFROM ${REGISTRY}/base:latest\nCOPY --from=made /out.html /srv/index.html\nCMD [\"/bin/sh\"]\n",
        );
        self.file("web/.dockerignore", "private\nDockerfile\n");
        self.file("web/private", "not for the engine");
        self.file("web/index.html", "hello one\n");
        self.file(
            "docs/Dockerfile",
            "ARG REGISTRY\nFROM ${REGISTRY}/base:latest\nCOPY out/page.txt /srv/page.txt\nRUN grep -q PAGE /srv/page.txt\n",
        );
        self.file("docs/page.txt", "a page\n");
        self.file("README.md", "no part of any image\n");
        self.file(".gitattributes", "*.html filter=evil diff=evil\n");
        self.git(&["init", "--quiet", "--initial-branch=main"]);
        self.commit("The first");
        for (key, name) in [
            ("core.fsmonitor", "fsmonitor"),
            ("filter.evil.smudge", "smudge"),
            ("filter.evil.clean", "clean"),
            ("diff.evil.textconv", "textconv"),
            ("core.sshCommand", "ssh"),
        ] {
            let script = self.program.file(&format!("trap-{name}"), &format!("#!/bin/sh\ntouch {}/{name}\ncat\n", self.traps.display()));
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
            self.git(&["config", key, &script]);
        }
    }

    fn git(&self, words: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "core.fsmonitor=false"])
            .args(["-c", "filter.evil.clean=cat", "-c", "filter.evil.smudge=cat"])
            .args(words)
            .current_dir(self.shop())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, subject: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "-m", subject]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn command(&self, args: &[&str]) -> Command {
        let log = self.home.join("log").display().to_string();
        let mut command = self.program.command(&[&["-c", &self.config, "-vv", "--log-file", &log, "build"], args].concat());
        command.env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.home.join("bin").display()));
        command
    }

    fn build(&self, args: &[&str]) -> Ended {
        let file = self.shop().join("quarterdeck.toml").display().to_string();
        Ended::of(&self.command(&[&[file.as_str()], args].concat()).output().unwrap())
    }

    /// A build that must succeed: its version and its images.
    fn built(&self, args: &[&str]) -> (String, Vec<Value>) {
        let ended = self.build(&[args, &["--format", "json"]].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        let json = ended.json();
        (json["version"].as_str().unwrap().to_owned(), json["images"].as_array().unwrap().clone())
    }

    /// Nothing of ours is left on an engine.
    fn assert_tidy(&self, host: &str) {
        let left = self.lab.docker(host, &["ps", "-aq", "--filter", "label=quarterdeck.errand"]);
        assert_eq!(left, "", "{host}");
    }
}

#[test]
fn from_a_commit_to_a_digest() {
    let _turn = crate::lab::turn();
    let lab = match Lab::raise("build", &["up"]) {
        Ok(lab) => lab,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let mut stage = Stage::set(lab);
    the_same_context_as_docker(&stage);
    let lookout = Lookout::post();
    first_build(&stage);
    nothing_twice(&stage);
    changes(&stage);
    failing_stages(&stage);
    over_ssh(&stage);
    the_classic_builder(&stage);
    central_dockerfiles(&stage);
    a_new_base(&stage);
    interrupted(&stage);
    assert_eq!(lookout.found(), Vec::<String>::new(), "the password stood on a command line or in an environment");
    nowhere_written(&stage);
    refusals(&mut stage);
}

/// Docker's own client as the oracle of what `.dockerignore` means.
fn the_same_context_as_docker(stage: &Stage) {
    let dir = tempfile::tempdir().unwrap();
    let files = "README.md docs/a.md docs/b/c.md logs/keep.log logs/other.log logs/deep/x.log src/main.c src/secret/key src/a/deep/f src/a/f sub/x.txt
        sub/y/z.txt #x .env sub/.env .env.local abc bcd web/node_modules/m/index.js node_modules/n a.log";
    for name in files.split_whitespace() {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    fs::write(dir.path().join("Dockerfile"), "FROM base:latest\nCOPY . /ctx\n").unwrap();
    for patterns in [
        "*.md\n!README.md\n",
        "**/*.log\n!logs/keep.log\n",
        "logs\n!logs/keep.log\n!logs/deep\n",
        "*\n!src/**\nsrc/secret\n",
        "\u{feff}/sub/./y/../*.txt\n# comment\n\\#x\n",
        "**/.env\n.env*\n!sub/.env\n",
        "a?c\n[b-d]*\n",
        "src/**/deep\n**/node_modules\n!node_modules\n",
        "docs/**\n!docs/b/c.md\nsub/\n",
        "**\n!abc\n",
    ] {
        fs::write(dir.path().join(".dockerignore"), patterns).unwrap();
        let socket = format!("unix://{}", stage.lab.host("app-01")["unix"].as_str().unwrap());
        let built = Command::new("docker")
            .env("DOCKER_HOST", socket)
            .env("DOCKER_BUILDKIT", "0")
            .args(["build", "-q", "-t", "oracle", "."])
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(built.status.success(), "{patterns:?}: {}", String::from_utf8_lossy(&built.stderr));
        let listed = stage.lab.docker("app-01", &["run", "--rm", "oracle", "find", "/ctx", "-type", "f"]);
        let own = |name: &&str| !matches!(*name, "Dockerfile" | ".dockerignore");
        let mut expected: Vec<&str> = listed.lines().filter_map(|line| line.strip_prefix("/ctx/")).filter(own).collect();
        expected.sort_unstable();
        let always = vec!["Dockerfile".to_owned(), ".dockerignore".to_owned()];
        let ignore = Ignore::parse(patterns).unwrap();
        let context = Context { root: dir.path().to_owned(), ignore, extra: Vec::new(), always, time: 0 };
        let mut bytes = Vec::new();
        context.write(&mut bytes).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let sent = archive.entries().unwrap().map(|entry| entry.unwrap());
        let sent = sent.filter(|entry| entry.header().entry_type().is_file()).map(|entry| entry.path().unwrap().display().to_string());
        let mut sent: Vec<String> = sent.filter(|name| own(&name.as_str())).collect();
        sent.sort_unstable();
        assert_eq!(sent, expected, "{patterns:?}");
    }
    stage.lab.docker("app-01", &["rmi", "oracle"]);
}

fn first_build(stage: &Stage) {
    let sha = stage.git(&["rev-parse", "HEAD"]);
    let (version, images) = stage.built(&[]);
    assert_eq!(version, format!("1.0.1-1-{}", &sha[..7]));
    for (image, name) in images.iter().zip(["web", "docs"]) {
        let digest = stage.registry.digest(&format!("shop/{name}"), &version);
        assert_eq!((&image["name"], image["digest"].as_str()), (&name.into(), digest.as_deref()), "{image}");
        assert_eq!(image["reference"], format!("{}/shop/{name}:{version}", stage.registry.address));
        assert!(image["built"] == true && image["size"].as_u64() > Some(100_000), "{image}");
    }
    let reference = images[0]["reference"].as_str().unwrap();
    let labels: Value =
        serde_json::from_str(&stage.lab.docker("app-01", &["inspect", reference, "--format", "{{json .Config.Labels}}"])).unwrap();
    let label = |name: &str| labels[format!("org.opencontainers.image.{name}")].as_str().unwrap().to_owned();
    assert_eq!((label("version"), label("revision"), label("source")), (version, sha, stage.shop().display().to_string()));
    assert!(label("created").starts_with("20"), "{labels}");
    let page = stage.lab.docker("app-01", &["run", "--rm", reference, "cat", "/srv/index.html"]);
    assert_eq!(page, "HELLO ONE\n");
    let helped = fs::read_to_string(stage.home.join("helper.log")).unwrap();
    assert!(helped.lines().all(|line| line.starts_with("get for ")), "{helped}");
    assert_eq!(fs::read_dir(&stage.traps).unwrap().count(), 0, "a planted command ran");
    stage.assert_tidy("app-01");
}

fn nothing_twice(stage: &Stage) {
    let (version, images) = stage.built(&[]);
    let (again, same) = stage.built(&[]);
    assert_eq!((&again, &same), (&version, &images));
    assert!(images.iter().all(|image| image["built"] == false), "{images:?}");
    stage.file("README.md", "changed, and still no part of any image\n");
    let sha = stage.commit("The second");
    let (version, still) = stage.built(&[]);
    assert_eq!(version, format!("1.0.1-2-{}", &sha[..7]));
    assert_eq!(still, images, "the images are those of the first commit");
}

fn changes(stage: &Stage) {
    stage.file("web/index.html", "hello dirty\n");
    let (version, images) = stage.built(&["--no-push"]);
    let (_, digits) = version.split_once("-dirty.").unwrap();
    assert_eq!(digits.len(), 8);
    assert_eq!((&images[0]["built"], &images[0]["digest"], &images[1]["built"]), (&true.into(), &Value::Null, &false.into()), "{images:?}");
    let reference = images[0]["reference"].as_str().unwrap();
    assert_eq!(stage.lab.docker("app-01", &["run", "--rm", reference, "cat", "/srv/index.html"]), "HELLO DIRTY\n");
    assert_eq!(stage.registry.digest("shop/web", &version), None, "nothing is pushed");
    // A revision is built as it was committed, whatever lies in the work tree.
    let (version, images) = stage.built(&["--rev", "HEAD"]);
    assert!(!version.contains("dirty") && images[0]["built"] == false, "{version} {images:?}");
    assert_eq!(fs::read_dir(&stage.traps).unwrap().count(), 0, "a planted command ran");
}

fn failing_stages(stage: &Stage) {
    stage.file("web/index.html", "goodbye\n");
    let sha = stage.commit("Breaks its test stage");
    let ended = stage.build(&[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("image web: the stage test") && ended.err.contains("grep -q HELLO"), "{}", ended.err);
    let version = format!("1.0.1-3-{}", &sha[..7]);
    assert_eq!(stage.registry.digest("shop/web", &version), None);

    stage.file("web/index.html", "hello again\n");
    stage.template("echo says the test; exit 9");
    let sha = stage.commit("Breaks its test");
    let ended = stage.build(&[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("image web: its test ended with 9") && ended.err.contains("says the test"), "{}", ended.err);
    let version = format!("1.0.1-4-{}", &sha[..7]);
    assert_eq!(stage.registry.digest("shop/web", &version), None);
    let left = stage.lab.docker("app-01", &["images", "-q", &format!("{}/shop/web:{version}", stage.registry.address)]);
    assert_eq!(left, "", "an image that failed its test keeps no name");

    stage.template("true");
    stage.file("web/Dockerfile", "FROM scratch\nRUNN x\n");
    stage.commit("Breaks its Dockerfile");
    let ended = stage.build(&[]);
    assert!(ended.code == Some(1) && ended.err.contains("web/Dockerfile has no stage \"test\""), "{ended:?}");
    stage.git(&["revert", "--no-edit", "HEAD"]);
    stage.assert_tidy("app-01");
}

fn over_ssh(stage: &Stage) {
    let config = fs::read_to_string(&stage.config).unwrap();
    fs::write(&stage.config, config.replace("host = \"app-01\"", "host = \"app-03\"")).unwrap();
    stage.template("grep -q HELLO /srv/index.html");
    stage.file("web/index.html", "hello over ssh\n");
    stage.commit("Built elsewhere");
    // The base comes from the registry, with the password.
    stage.lab.docker("app-03", &["rmi", &format!("{}/base:latest", stage.registry.address)]);
    let (version, images) = stage.built(&[]);
    assert!(images[0]["built"] == true, "{images:?}");
    assert_eq!(images[0]["digest"].as_str(), stage.registry.digest("shop/web", &version).as_deref());
    let reference = images[0]["reference"].as_str().unwrap();
    assert_eq!(stage.lab.docker("app-03", &["run", "--rm", reference, "cat", "/srv/index.html"]), "HELLO OVER SSH\n");
    stage.assert_tidy("app-03");
    // The other engine is asked to build the same: it is known.
    fs::write(&stage.config, config).unwrap();
    let (_, known) = stage.built(&[]);
    assert!(known[0]["built"] == false && known[0]["digest"] == images[0]["digest"], "{known:?}");
}

/// An engine without BuildKit builds the same, step by step; and says where it failed.
fn the_classic_builder(stage: &Stage) {
    let (steps, built) = classic(stage, "hello classic\n");
    let built = built.unwrap();
    assert!(
        steps.iter().any(|step| step.starts_with("RUN tr a-z A-Z")) && steps.iter().any(|step| step == "output: made for release"),
        "{steps:?}"
    );
    assert!(built.images.iter().all(|image| image.built && image.digest.is_some()), "{built:?}");
    assert_eq!(built.images[0].digest, stage.registry.digest("shop/web", &built.version));
    let page = stage.lab.docker("app-01", &["run", "--rm", &built.images[0].reference, "cat", "/srv/index.html"]);
    assert_eq!(page, "HELLO CLASSIC\n");
    let (_, failed) = classic(stage, "goodbye classic\n");
    let fault = failed.unwrap_err();
    assert!(fault.to_string().contains("image web: the stage test: RUN test ! -e") && fault.to_string().contains("code: 1"), "{fault}");
    stage.assert_tidy("app-01");
}

/// What steps said, and what came of them.
fn classic(stage: &Stage, page: &str) -> (Vec<String>, Result<Built, BuildFault>) {
    stage.file("web/index.html", page);
    stage.commit("Step by step");
    let mut steps = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let built = runtime.block_on(async {
        let state = stage.home.join("classic");
        let repository = Repository::new(Place::around(&stage.shop()).unwrap(), &state);
        repository.fetch().await.unwrap();
        let snapshot = repository.snapshot(repository.resolve(None).await.unwrap()).await.unwrap();
        let files = repository.files(&snapshot.tree).await.unwrap();
        let text = repository.read(&files, "quarterdeck.toml").await.unwrap().unwrap();
        let template = Template::parse(Path::new("quarterdeck.toml"), &String::from_utf8(text).unwrap()).unwrap();
        let endpoint = Endpoint::Unix { path: stage.lab.host("app-01")["unix"].as_str().unwrap().into() };
        let link = Transports::from_environment(&Rights::Act).for_endpoint(&endpoint).connect(&endpoint).await.unwrap();
        let client = Client::new(link, Arc::new(Meter::new()), Rights::Act);
        client.handshake().await.unwrap();
        let docker = stage.home.join(".docker-classic");
        fs::create_dir_all(&docker).unwrap();
        let login = BASE64_STANDARD.encode(format!("ops:{SECRET}"));
        fs::write(docker.join("config.json"), format!(r#"{{"auths":{{"{}":{{"auth":"{login}"}}}}}}"#, stage.registry.address)).unwrap();
        let (logins, stop) = (Logins::of(Some(docker.clone())), CancellationToken::new());
        let builds = Ledger::lazy(StateDir::at(&state), Access::Record).builds();
        let bench = Bench {
            client: &client,
            host: "app-01",
            builder: Builder::Classic,
            platform: &client.platform().await.unwrap(),
            logins: &logins,
            central: None,
            builds: &builds,
            stop: &stop,
        };
        let material =
            Material { repository: &repository, snapshot: &snapshot, files: &files, home: "", spec: &template.spec, version: "1.0.1" };
        let mut say = |progress| match progress {
            Progress::Step { text, .. } => steps.push(text.to_string()),
            Progress::Output(line) => steps.push(format!("output: {line}")),
            _ => {}
        };
        let built = quarterdeck::build::build(&material, &bench, true, &mut say).await;
        fs::remove_dir_all(docker).unwrap();
        built
    });
    (steps, built)
}

fn central_dockerfiles(stage: &Stage) {
    let config = fs::read_to_string(&stage.config).unwrap();
    let own = fs::read_to_string(stage.shop().join("docs/Dockerfile")).unwrap();
    stage.git(&["rm", "--quiet", "docs/Dockerfile"]);
    stage.file("web/index.html", "hello centre\n");
    stage.commit("Its Dockerfile is elsewhere");
    let ended = stage.build(&[]);
    let words = "image docs: there is no Dockerfile: looked for docs/Dockerfile, docker/Dockerfile";
    assert!(ended.code == Some(1) && ended.err.contains(words), "{ended:?}");
    stage.program.file("central/shop/docs/Dockerfile", &own.replace("RUN", "RUN test ! -e /Dockerfile &&"));
    fs::write(&stage.config, format!("dockerfiles = \"{}\"\n{config}", stage.home.join("central").display())).unwrap();
    let (_, images) = stage.built(&[]);
    assert!(images[1]["name"] == "docs" && images[1]["built"] == true, "{images:?}");
    fs::write(&stage.config, config).unwrap();
    stage.git(&["revert", "--no-edit", "HEAD"]);
}

fn a_new_base(stage: &Stage) {
    stage.file("web/index.html", "hello once more\n");
    stage.commit("On an old base");
    stage.built(&[]);

    let base = format!("{}/base:latest", stage.registry.address);
    let docker = stage.home.join("docker-login");
    let config =
        format!(r#"{{"auths":{{"{}":{{"auth":"{}"}}}}}}"#, stage.registry.address, BASE64_STANDARD.encode(format!("ops:{SECRET}")));
    fs::create_dir(&docker).unwrap();
    fs::write(docker.join("config.json"), config).unwrap();
    stage.lab.docker("app-01", &["run", "--name", "patched", &base, "touch", "/patched"]);
    stage.lab.docker("app-01", &["commit", "patched", &base]);
    stage.lab.docker("app-01", &["rm", "patched"]);
    stage.lab.docker("app-01", &["--config", docker.to_str().unwrap(), "push", "-q", &base]);
    fs::remove_dir_all(docker).unwrap();
    let (version, images) = stage.built(&[]);
    assert!(version.ends_with("-b2") && images.iter().all(|image| image["built"] == true), "{version} {images:?}");
    assert_eq!(images[0]["digest"].as_str(), stage.registry.digest("shop/web", &version).as_deref());
    let reference = images[0]["reference"].as_str().unwrap();
    stage.lab.docker("app-01", &["run", "--rm", reference, "test", "-e", "/patched"]);
}

fn interrupted(stage: &Stage) {
    stage.template("echo waits; exec sleep 1000");
    stage.file("web/index.html", "hello and wait\n");
    stage.commit("Never ends");
    let file = stage.shop().join("quarterdeck.toml").display().to_string();
    let mut child = stage.command(&[&file]).spawn().unwrap();
    let running = || stage.lab.docker("app-01", &["ps", "-q", "--filter", "label=quarterdeck.errand"]);
    until("the test", || !running().is_empty());
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(1));
    stage.assert_tidy("app-01");

    // In the middle of a step, too.
    let dockerfile = fs::read_to_string(stage.shop().join("docs/Dockerfile")).unwrap();
    stage.template("true");
    stage.file("docs/Dockerfile", &format!("{dockerfile}RUN sleep 1000\n"));
    stage.commit("A step that never ends");
    let mut child = stage.command(&[&file]).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("RUN sleep 1000")), "the step did not begin");
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("stopped: nothing more was built or pushed"), "{ended:?}");
    until("the step's end", || stage.lab.docker("app-01", &["ps", "-q"]).is_empty());
    stage.git(&["revert", "--no-edit", "HEAD"]);
}

fn nowhere_written(stage: &Stage) {
    let mut found = Vec::new();
    let encoded = [SECRET.to_owned(), BASE64_STANDARD.encode(SECRET), BASE64_STANDARD.encode(format!("ops:{SECRET}"))];
    let mut dirs = vec![stage.home.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                dirs.push(path);
            } else if path.file_name().unwrap() != "password" {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                found.extend(encoded.iter().filter(|form| text.contains(*form)).map(|_| path.clone()));
            }
        }
    }
    assert!(found.is_empty(), "{found:?}");
    let audit = stage.program.run(&["-c", &stage.config, "audit", "--format", "json"]).rows();
    let builds: Vec<&Value> = audit.iter().filter(|row| row["action"] == "app.build").collect();
    assert!(builds.len() > 8 && builds.iter().all(|row| !row["outcome"].is_null()), "{audit:?}");
    assert_eq!((&builds[0]["outcome"], &builds[0]["target"]), (&"done".into(), &"shop".into()));
}

fn refusals(stage: &mut Stage) {
    let ended = stage.build(&["--read-only"]);
    assert!(ended.code == Some(5) && ended.err.contains("build is refused: read-only"), "{ended:?}");
    let ended = stage.build(&["--rev", "nowhere"]);
    assert!(ended.code == Some(2) && ended.err.contains("no revision \"nowhere\""), "{ended:?}");
    let ended = Ended::of(&stage.command(&["shpo"]).output().unwrap());
    assert!(ended.code == Some(2) && ended.err.contains("there is no [apps.shpo]"), "{ended:?}");
    // A wrong password: the registry's word, and what mends it.
    stage.program.file("password", "wrong");
    stage.template("true");
    stage.file("web/index.html", "hello to nobody\n");
    stage.commit("Cannot be pushed");
    let ended = stage.build(&[]);
    let remedy = format!("docker login {}", stage.registry.address);
    assert!(ended.code == Some(1) && ended.err.contains("cannot be pushed from app-01") && ended.err.contains(&remedy), "{ended:?}");
    // No registry at all: what is on the engine is built, and not pushed.
    stage.registry.child.kill().unwrap();
    stage.registry.child.wait().unwrap();
    let ended = stage.build(&[]);
    let remedy = format!("is {} up, and reached from there?", stage.registry.address);
    assert!(ended.code == Some(1) && ended.out.contains("the copy on app-01 is used") && ended.err.contains(&remedy), "{ended:?}");
    let (_, images) = stage.built(&["--no-push"]);
    assert!(images[0]["built"] == true && images[0]["digest"].is_null(), "{images:?}");
}

#[test]
fn what_is_wrong_before_any_engine_is_asked() {
    let program = Program::new();
    let config = program.file("config.toml", "[hosts.gone]\nurl = \"unix:///nowhere/docker.sock\"\n[apps.bare]\n");
    let template = program.file("shop/quarterdeck.toml", "[app]\nname = \"shop\"\n");
    let build = |subject: &str| program.run(&["-c", &config, "build", subject]);
    let git = |words: &[&str]| {
        let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
        let dir = Path::new(&template).parent().unwrap();
        let output =
            Command::new("git").args(identity).args(words).current_dir(dir).env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let commit = || {
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "-m", "x"]);
    };
    let says = |ended: Ended, code: i32, words: &str| assert!(ended.code == Some(code) && ended.err.contains(words), "{words}: {ended:?}");
    says(build(&template), 2, "is in no git repository");
    says(build("/nowhere/quarterdeck.toml"), 2, "No such file");
    says(build("bare"), 2, "apps.bare: template is missing");
    says(build("bear"), 2, "did you mean \"bare\"?");
    git(&["init", "--quiet"]);
    says(build(&template), 1, "has no commit yet");
    commit();
    says(build(&template), 2, "quarterdeck.toml:1");
    program.file(
        "shop/quarterdeck.toml",
        "[app]\nname = \"shop\"\nregistry = \"r:5000\"\nversion = { file = \"package.json\", key = \"version\" }\n[images.web]\ncontext = \"web\"\n[services.web]\nimage = \"web\"\nports = [\"80\"]\n[environments.testing]\nhosts = [\"gone\"]\n",
    );
    says(build(&template), 2, "package.json: there is no such file in the commit");
    program.file("shop/package.json", "{\"version\":\"1.0+meta\"}");
    says(build(&template), 2, "does not fit into an image tag");
    program.file("shop/package.json", "{\"version\":\"1.0\"}");
    says(build(&template), 3, "host \"gone\"");
    says(program.run(&["--sim", "build", &template]), 2, "simulated hosts build nothing");
}
