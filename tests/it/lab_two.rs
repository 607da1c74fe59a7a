//! Two people on one machine, each with a console and an account of his own, one state directory between them; and a console at the other end
//! of a slow line.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    lab::{Lab, Skipped},
    lab_promises::stage::line::{Line, Quality},
    program::Ended,
    terminal::pty::Console,
};

const HOSTS: [&str; 3] = ["app-01", "app-02", "app-03"];
const PATIENCE: Duration = Duration::from_secs(120);
/// So many bytes a minute a terminal may get while three hosts are changed one after the other.
const BUDGET: f64 = 40.0 * 1024.0;

/// An account that is gone again at the end.
struct Account {
    name: String,
    uid: u32,
    gid: u32,
    home: PathBuf,
}

/// One machine with people on it.
struct Office {
    lab: Lab,
    /// Where everybody may look.
    public: TempDir,
    group: String,
    ana: Account,
    bo: Account,
}

fn done(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Account {
    fn make(name: &str, group: &str, public: &Path) -> Self {
        let name = format!("{name}{}", std::process::id());
        let home = public.join(&name);
        done(Command::new("useradd").args(["-M", "-N", "-g", group, "-s", "/bin/sh", "-p", "*", "-d"]).arg(&home).arg(&name));
        let id = |flag: &str| -> u32 {
            let output = Command::new("id").args([flag, &name]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
        };
        let account = Self { uid: id("-u"), gid: id("-g"), home, name };
        std::fs::create_dir(&account.home).unwrap();
        chown(&account.home, Some(account.uid), Some(account.gid)).unwrap();
        account
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ = Command::new("userdel").arg(&self.name).stderr(Stdio::null()).status();
    }
}

impl Office {
    fn open() -> Result<Self, Skipped> {
        if !rustix::process::geteuid().is_root() {
            return Err(Skipped::because("accounts are made by root alone"));
        }
        let lab = Lab::raise("two", &["up"])?;
        let public = tempfile::tempdir().unwrap();
        std::fs::set_permissions(public.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let binary = public.path().join("quarterdeck");
        std::fs::hard_link(crate::built::program(), &binary)
            .or_else(|_| std::fs::copy(crate::built::program(), &binary).map(drop))
            .unwrap();
        let group = format!("qdtwo{}", std::process::id());
        done(Command::new("groupadd").arg(&group));
        let [ana, bo] = ["qdana", "qdbo"].map(|name| Account::make(name, &group, public.path()));
        let office = Self { lab, public, group, ana, bo };
        let state = office.public.path().join("state");
        std::fs::create_dir(&state).unwrap();
        chown(&state, Some(office.ana.uid), Some(office.ana.gid)).unwrap();
        let hosts: String = HOSTS
            .iter()
            .map(|host| {
                let address = office.lab.host(host)["address"].as_str().unwrap();
                let url = match *host {
                    "app-01" => format!("tcp://{address}:2375"),
                    _ => format!("unix://{}", office.for_all(office.lab.host(host)["unix"].as_str().unwrap())),
                };
                format!("[hosts.{host}]\nurl = {url:?}\naddress = {address:?}\nenvironment = \"production\"\n")
            })
            .collect();
        let template = office.public.path().join("quarterdeck.toml");
        office.write("config.toml", &format!("state = {state:?}\n{hosts}[apps.shop]\ntemplate = {template:?}\n"));
        office.template("none");
        let shared = office.verb(&office.ana, &["init", "--shared", &office.group]);
        assert_eq!(shared.code, Some(0), "{shared:?}");
        Ok(office)
    }

    /// A socket of the lab's, for everybody.
    fn for_all<'a>(&self, socket: &'a str) -> &'a str {
        std::fs::set_permissions(socket, PermissionsExt::from_mode(0o666)).unwrap();
        for dir in Path::new(socket).ancestors().skip(1).take_while(|dir| dir.starts_with(self.lab.dir())) {
            std::fs::set_permissions(dir, PermissionsExt::from_mode(0o755)).unwrap();
        }
        socket
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.public.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    }

    /// What the pages are to say; each container takes its time, and tells of it.
    fn template(&self, greeting: &str) {
        self.write(
            "quarterdeck.toml",
            &format!(
                r#"
[app]
name = "shop"
registry = "registry.invalid"
version = "1.0.1"

[services.web]
image = "base:latest"
command = ["sh", "-c", "for n in 1 2 3 4; do echo waiting for db, retry $n; sleep 1; done; mkdir -p /srv; echo $GREETING >/srv/index.html; exec httpd -f -p 80 -h /srv"]
ports = ["80"]
health = {{ http = "/", port = 80, interval = "500ms", rise = 2, timeout = "40s" }}
stop = "1s"

[environments.production]
hosts = ["app-01", "app-02", "app-03"]
approve = 1
strategy = {{ kind = "rolling", batch = 1, pause = "2s", bake = "5s", keep-warm = "0s" }}

[environments.production.services.web]
vars = {{ GREETING = "{greeting}" }}
"#
            ),
        );
    }

    /// The program in somebody's hands, as words.
    fn words(&self, who: &Account, args: &[&str]) -> Vec<String> {
        let (uid, gid) = (format!("--reuid={}", who.uid), format!("--regid={}", who.gid));
        let home = format!("HOME={}", who.home.display());
        let own = ["/usr/bin/setpriv", &uid, &gid, "--init-groups", "/usr/bin/env", "-i", &home];
        let rest = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TZ=UTC", "TERM=xterm-256color", "LANG=C.UTF-8"];
        own.iter().chain(&rest).map(|word| (*word).to_owned()).chain(self.program(args)).collect()
    }

    fn program(&self, args: &[&str]) -> Vec<String> {
        let (binary, config) = (self.public.path().join("quarterdeck"), self.public.path().join("config.toml"));
        let own = [binary.to_str().unwrap().to_owned(), "-c".to_owned(), config.to_str().unwrap().to_owned()];
        own.into_iter().chain(args.iter().map(|arg| (*arg).to_owned())).collect()
    }

    fn command(&self, who: &Account, args: &[&str]) -> Command {
        let words = self.words(who, args);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn verb(&self, who: &Account, args: &[&str]) -> Ended {
        Ended::of(&self.command(who, args).output().unwrap())
    }

    fn on_terminal(&self, who: &Account, args: &[&str], (columns, rows): (u16, u16)) -> Console {
        let words = self.words(who, args);
        Console::start(&words.iter().map(String::as_str).collect::<Vec<_>>(), columns, rows, "xterm-256color")
    }

    /// Asks for a deployment and goes on waiting for its approval: the process, and the deployment's id.
    fn asks(&self, who: &Account, greeting: &str) -> (Child, String) {
        self.template(greeting);
        let args = ["deploy", "shop", "production", "--release", "1.0.1-1-aaaaaa1", "--yes"];
        let mut child = self.command(who, &args).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let waits = lines.find(|line| line.contains("waits for 1 to approve it"));
        let id = waits.unwrap_or_else(|| panic!("it does not wait")).split_whitespace().nth(2).unwrap().to_owned();
        // What it says later is heard by nobody; a full pipe must not hold it up.
        std::thread::spawn(move || lines.for_each(drop));
        (child, id)
    }

    fn deployment(&self, who: &Account, id: &str) -> Value {
        self.verb(who, &["deployment", "show", id, "--format", "json"]).json()
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        // The group goes when nobody is in it any more: its members' accounts are named here, and dropped after this.
        for account in [&self.ana, &self.bo] {
            let _ = Command::new("userdel").arg(&account.name).stderr(Stdio::null()).status();
        }
        let _ = Command::new("groupdel").arg(&self.group).stderr(Stdio::null()).status();
    }
}

#[test]
fn two_people_see_one_run_and_a_slow_line_carries_it() {
    let _turn = crate::lab::turn();
    let office = match Office::open() {
        Ok(office) => office,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    both_see_one_run(&office);
    one_starts_and_the_other_approves_by_keys(&office);
    over_a_slow_line(&office);
}

/// One asks, the other approves; who asked loses both his terminals, and it goes on.
fn both_see_one_run(office: &Office) {
    let (ana, bo) = (&office.ana, &office.bo);
    let mut hers = office.on_terminal(ana, &[], (160, 50));
    let mut his = office.on_terminal(bo, &[], (80, 24));
    for console in [&mut hers, &mut his] {
        console.expect("3/3 live");
    }
    office.template("one");
    let mut asking = office.on_terminal(ana, &["deploy", "shop", "production", "--release", "1.0.1-1-aaaaaa1", "--yes"], (120, 40));
    asking.expect("waits for 1 to approve it");
    for console in [&mut hers, &mut his] {
        console.expect("◆ 1 deployment");
        console.expect("waits for 1 to approve it: shop");
        console.send(b"D");
        console.expect("1 must approve it; so far: nobody");
        console.expect("deploy shop in production");
    }
    let rows = office.verb(bo, &["deployments", "shop", "--format", "json"]).rows();
    let id = rows[0]["id"].as_str().unwrap().to_owned();
    says_yes(&mut his);
    // The same run on both screens: the gate of the first host, what it was answered, and the new one's own words.
    for console in [&mut hers, &mut his] {
        console.expect("◐ healthy");
        console.expect("web: GET :");
        console.expect("then all go back");
        console.expect("log of the new web on app-0");
        console.expect("waiting for db, retry");
    }
    hers.hang_up();
    asking.hang_up();
    assert!(hers.exit(PATIENCE).is_some() && asking.exit(PATIENCE).is_some());
    his.expect("3 new ones must stay well");
    his.expect("good in ");
    let found = office.deployment(bo, &id);
    assert_eq!((&found["state"], &found["approved_by"]), (&"good".into(), &serde_json::json!([bo.name])), "{found:#}");
    assert_eq!(found["by"], ana.name.as_str(), "{found:#}");
    his.send(b"q");
    his.expect_that("no deployment is under way any more", |screen| !screen.contents().contains("1 deployment"));
    his.send(b"q");
    assert_eq!(his.exit(PATIENCE), Some(0), "{}", his.text());
}

/// A yes with its reason, from the run that waits for it.
fn says_yes(console: &mut Console) {
    console.send(b"a");
    console.expect("Approve: shop in production");
    console.expect("must still say yes");
    console.send(b"looks good\r");
}

/// No verb is needed: who asks and begins stands at a lane, and her terminal goes away in the middle; who approves stands at the run.
fn one_starts_and_the_other_approves_by_keys(office: &Office) {
    let (ana, bo) = (&office.ana, &office.bo);
    office.template("by keys");
    let mut hers = office.on_terminal(ana, &[], (160, 50));
    let mut his = office.on_terminal(bo, &[], (80, 24));
    for console in [&mut hers, &mut his] {
        console.expect("3/3 live");
    }
    hers.send(b"6");
    hers.expect("PRODUCTION");
    for _ in 0..3 {
        hers.send(b"\x1b[C");
    }
    hers.expect("▸PRODUCTION");
    hers.send(b"C");
    hers.expect("GREETING");
    hers.expect("g plan again");
    hers.send(b"y");
    hers.expect("type production and enter:");
    hers.send(b"production\r");
    hers.expect("1 must approve it; so far: nobody");
    his.expect("◆ 1 deployment");
    his.send(b"D");
    his.expect("1 must approve it; so far: nobody");
    says_yes(&mut his);
    hers.expect("nobody has to say yes any more");
    hers.send(b"R");
    hers.expect("production");
    hers.send(b"production\r");
    for console in [&mut hers, &mut his] {
        console.expect("◐ healthy");
    }
    hers.hang_up();
    assert!(hers.exit(PATIENCE).is_some());
    his.expect("good in ");
    let rows = office.verb(bo, &["deployments", "shop", "--format", "json"]).rows();
    assert_eq!((&rows[0]["state"], &rows[0]["by"]), (&"good".into(), &ana.name.as_str().into()), "{rows:#?}");
    for host in HOSTS {
        let page = office.lab.docker(host, &["ps", "--filter", "label=quarterdeck.service=web", "--format", "{{.ID}}"]);
        let vars = office.lab.docker(host, &["inspect", "-f", "{{.Config.Env}}", page.trim()]);
        assert!(vars.contains("GREETING=by keys"), "{host}: {vars}");
    }
    his.send(b"qq");
    assert_eq!(his.exit(PATIENCE), Some(0), "{}", his.text());
}

/// A way in over SSH for one person, on this machine.
struct Door {
    dir: TempDir,
    port: u16,
    sshd: Child,
}

impl Door {
    fn open(office: &Office, who: &Account) -> Self {
        let dir = tempfile::tempdir_in(office.public.path()).unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        for key in ["key", "host"] {
            done(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &path(key)]));
        }
        // Where sshd leaves its children nothing to read.
        std::fs::create_dir_all("/run/sshd").unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\nAllowUsers {}\n",
            path("host"),
            path("key.pub"),
            who.name
        );
        std::fs::write(path("config"), config).unwrap();
        let log = std::fs::File::create(path("log")).unwrap();
        let sshd =
            Command::new("/usr/sbin/sshd").args(["-D", "-e", "-f", &path("config")]).stdin(Stdio::null()).stderr(log).spawn().unwrap();
        crate::stand::wait_for("the way in", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { dir, port, sshd }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

/// A console over SSH, 300 ms away, that loses a piece in a hundred.
fn over_a_slow_line(office: &Office) {
    let quality = Quality { delay: Duration::from_millis(150), one_lost_of: 100, again_after: Duration::from_millis(450) };
    let door = Door::open(office, &office.bo);
    let line = Line::to(&format!("127.0.0.1:{}", door.port), quality);
    let (port, key) = (line.port().to_string(), door.dir.path().join("key"));
    let options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "IdentitiesOnly=yes"];
    let login = format!("{}@127.0.0.1", office.bo.name);
    let remote = format!("TZ=UTC LANG=C.UTF-8 exec {}", office.program(&[]).join(" "));
    let mut words = vec!["ssh", "-tt", "-F", "/dev/null", "-p", &port, "-i", key.to_str().unwrap()];
    words.extend(options.iter().flat_map(|option| ["-o", option]));
    words.extend([login.as_str(), remote.as_str()]);
    let mut far = Console::start(&words, 160, 50, "xterm-256color");
    far.expect("3/3 live");
    let (mut asking, id) = office.asks(&office.ana, "two");
    far.expect("1 deployment");
    let pressed = Instant::now();
    far.send(b"D");
    far.expect("1 must approve it");
    println!("a key acts after {:.2} s on a line of 0.30 s there and back", pressed.elapsed().as_secs_f64());
    far.run(Duration::from_secs(1));
    let (before, begun) = (far.bytes, Instant::now());
    let yes = office.verb(&office.bo, &["approve", &id, "--reason", "looks good"]);
    assert_eq!(yes.code, Some(0), "{yes:?}");
    far.expect("then all go back");
    far.expect("good in ");
    let (bytes, spent) = (far.bytes - before, begun.elapsed());
    #[allow(clippy::cast_precision_loss, reason = "bytes of a minute")]
    let rate = bytes as f64 / spent.as_secs_f64() * 60.0;
    let (pieces, lost) = line.counts();
    println!(
        "three hosts, rolling: {bytes} bytes in {:.1} s, {:.1} KB a minute; {lost} of {pieces} pieces were lost at first",
        spent.as_secs_f64(),
        rate / 1024.0
    );
    assert!(rate <= BUDGET, "{bytes} bytes in {spent:?}");
    assert_eq!(asking.wait().unwrap().code(), Some(0));
    far.send(b"qq");
    assert!(far.exit(PATIENCE).is_some());
}
