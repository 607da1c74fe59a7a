//! The way back on real engines, in every condition: what `docker inspect` says afterwards is what it said before, to the letter.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::stand::{HOSTS, Shape, Stand, WELL, page, wait_for};

/// What a release decides of a container, in the engine's words.
fn words(document: &Value) -> Value {
    let host = &document["HostConfig"];
    let labels = &document["Config"]["Labels"];
    let mut env: Vec<&str> = document["Config"]["Env"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    env.sort_unstable();
    let mut mounts: Vec<Value> =
        document["Mounts"].as_array().unwrap().iter().map(|mount| json!([mount["Name"], mount["Destination"], mount["RW"]])).collect();
    mounts.sort_by_key(Value::to_string);
    json!({
        "image": document["Config"]["Image"],
        "bits": document["Image"],
        "command": document["Config"]["Cmd"],
        "env": env,
        "mounts": mounts,
        "memory": [host["Memory"], host["MemorySwap"], host["NanoCpus"]],
        "restart": host["RestartPolicy"]["Name"],
        "logs": host["LogConfig"],
        "stop": document["Config"]["StopTimeout"],
        "release": labels["quarterdeck.release"],
        "version": labels["quarterdeck.version"],
        "config": labels["quarterdeck.config"],
    })
}

fn all_words(stand: &Stand, hosts: &[&str]) -> BTreeMap<String, Value> {
    let web = hosts.iter().map(|host| (format!("web on {host}"), words(&stand.inspect(host, "web"))));
    web.chain([("store".to_owned(), words(&stand.inspect("app-01", "store")))]).collect()
}

/// A shop whose versions differ in more than their image.
fn shape(n: u32) -> Shape {
    let greeting = format!("greeting of {n}");
    Shape {
        web: format!(
            "vars = {{ SPEC = \"{n}\", GREETING = {greeting:?} }}\nmemory = \"{}m\"\ncpus = 0.{n}\nlogs = {{ max-size = \"{n}m\", max-file = {n} }}",
            16 + n
        ),
        more: format!(
            "[services.store]\nimage = \"base:latest\"\ncommand = [\"sh\", \"-c\", \"echo {n} >>/data/log; exec httpd -f -p 80 -h /data\"]\n\
             ports = [\"80\"]\nvolumes = [\"data:/data\"{}]\nhealth = {{ tcp = 80, interval = \"200ms\", timeout = \"20s\" }}\nstop = \"1s\"\n",
            if n > 1 { ", \"cache:/cache\"" } else { "" }
        ),
        production: format!(
            "[environments.production.services.store]\nhosts = [\"app-01\"]\n[environments.production.services.web]\nvars = {{ LEVEL = \"level {n}\" }}\n"
        ),
        ..Shape::default()
    }
}

#[test]
fn back_in_every_condition() {
    let _turn = crate::lab::turn();
    let stand = match Stand::raise("rollback", &[], "") {
        Ok(stand) => stand,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let versions = [1, 2, 3].map(|n| stand.push(n, WELL));
    let mut before = Vec::new();
    for (n, version) in (1..).zip(&versions) {
        stand.shape(&shape(n));
        stand.good(&["deploy", "shop", "production", "--release", version, "--yes"]);
        stand.is_on(version);
        before.push(all_words(&stand, &HOSTS));
    }
    assert!(before.windows(2).all(|pair| pair[0] != pair[1]));
    let release = |n: usize| before[n]["web on app-01"]["release"].as_str().unwrap().to_owned();
    let [one, two, three] = &versions;

    // From a template that has gone on: image, variables of both kinds, limits, volumes, logs; by the kept containers.
    let back = stand.good(&["rollback", "shop", "production", "--yes"]);
    assert!(back.out.contains("by the kept") && !back.out.contains(", no pull"), "{back:?}");
    assert_eq!(all_words(&stand, &HOSTS), before[1]);

    // To any release in the ledger, and the registry is away: the images are there.
    stand.lab.faults(&["registry-kill"]);
    let back = stand.good(&["rollback", "shop", "production", "--to", &release(0), "--yes"]);
    assert!(back.out.contains("no pull"), "{back:?}");
    assert_eq!(all_words(&stand, &HOSTS), before[0]);
    stand.is_on(one);

    // Containers and images are gone, and the registry with them: it is told which, where and why, and nothing changes.
    let gone = |host: &str| {
        let ids = stand.lab.docker(host, &["ps", "-aq", "--filter", "status=exited"]);
        for id in ids.split_whitespace() {
            stand.lab.docker(host, &["rm", id]);
        }
        stand.lab.docker(host, &["image", "prune", "-af"]);
    };
    HOSTS.iter().for_each(|host| gone(host));
    let ended = stand.verb(&["rollback", "shop", "production", "--to", three, "--yes"]);
    assert!(
        ended.code == Some(1) && ended.out.contains("taken back: host \"app-0") && ended.out.contains("connection refused"),
        "{ended:?}"
    );
    assert_eq!(all_words(&stand, &HOSTS), before[0]);
    stand.is_on(one);
    // With the registry: by digest.
    stand.lab.faults(&["registry-start"]);
    let back = stand.good(&["rollback", "shop", "production", "--to", three, "--yes"]);
    let web: Vec<&str> = back.out.lines().filter(|line| line.contains(" web: replace")).collect();
    assert!(web.len() == 3 && web.iter().all(|line| !line.contains("by the kept") && !line.contains("no pull")), "{back:?}");
    assert_eq!(all_words(&stand, &HOSTS), before[2]);
    stand.is_on(three);

    // A host that does not answer holds up nobody, and gets it when it is back.
    stand.lab.fault("off", "app-02");
    let refused = stand.deploy(two);
    assert!(refused.code == Some(3) && refused.err.contains("--without app-02"), "{refused:?}");
    let back = stand.verb(&["rollback", "shop", "production", "--to", two, "--yes"]);
    assert!(back.code == Some(3) && back.err.contains("host app-02 is owed it"), "{back:?}");
    let there = ["app-01", "app-03"];
    stand.is_on_these(&there, two);
    assert_eq!(stand.last()["owed"], json!(["app-02"]));
    stand.lab.fault("on", "app-02");
    wait_for("what ran there", || stand.containers("app-02", "web").iter().any(|row| row["State"] == "running"));
    assert_eq!(words(&stand.inspect("app-02", "web")), before[2]["web on app-02"], "nothing happens by itself");
    let rest = stand.verb(&["deploy", "shop", "production", "--only-owed", "--yes"]);
    assert_eq!(rest.code, Some(0), "{rest:?}");
    assert_eq!(all_words(&stand, &HOSTS), before[1]);
    stand.is_on(two);
    let nothing = stand.verb(&["deploy", "shop", "production", "--only-owed", "--yes"]);
    assert!(nothing.code == Some(1) && nothing.err.contains("no host is owed anything"), "{nothing:?}");

    // The data went along with none of it.
    let id = stand.inspect("app-01", "store")["Id"].as_str().unwrap().to_owned();
    let log = stand.lab.docker("app-01", &["exec", &id, "cat", "/data/log"]);
    assert_eq!(log.lines().take(3).collect::<Vec<_>>(), ["1", "2", "3"]);
    println!(
        "rollbacks: by kept containers, by kept images without a registry, by digest without containers, with a host away and owed: docker inspect's words agree on 3 hosts each time"
    );

    frozen_for_others(&stand, one, two);
}

/// A freeze stands on the hosts: an operator with a ledger of their own is held by it, and may go back all the same.
fn frozen_for_others(stand: &Stand, one: &str, two: &str) {
    let three = stand.push(4, WELL);
    stand.shape(&shape(4));
    stand.configure("state", "");
    assert_eq!(stand.verb(&["freeze", "shop", "production", "--reason", "the fair"]).code, Some(0));
    for host in HOSTS {
        let names = stand.lab.docker(host, &["ps", "-a", "--format", "{{.Names}} {{.State}}"]);
        assert!(names.contains("quarterdeck-freeze-shop-production created"), "{host}: {names}");
    }
    let back = stand.verb(&["rollback", "shop", "production", "--to", one, "--yes"]);
    assert!(back.code == Some(5) && back.err.contains("--reason WHY"), "{back:?}");
    let back = stand.verb(&["rollback", "shop", "production", "--to", one, "--reason", "it burns", "--yes"]);
    assert_eq!(back.code, Some(0), "{back:?}");
    stand.is_on(one);

    // Another operator: another home of records, the same hosts.
    stand.configure("other", "");
    let held = stand.deploy(&three);
    assert!(held.code == Some(5) && held.err.contains("the fair") && held.err.contains("is frozen by"), "{held:?}");
    let looked = stand.verb(&["plan", "shop", "production", "--release", &three]);
    assert!(looked.code == Some(5) && looked.err.contains("the fair"), "{looked:?}");
    // A host that was away when it was frozen gets it later; one that is away now is told of.
    stand.lab.docker("app-02", &["rm", "quarterdeck-freeze-shop-production"]);
    stand.configure("state", "");
    assert_eq!(stand.verb(&["freeze", "shop", "production", "--reason", "again"]).code, Some(0));
    assert!(stand.lab.docker("app-02", &["ps", "-a", "--format", "{{.Names}}"]).contains("quarterdeck-freeze-shop-production"));
    let twice = stand.verb(&["freeze", "shop", "production", "--reason", "again"]);
    assert!(twice.code == Some(1) && twice.err.contains("thaw it first"), "{twice:?}");
    stand.lab.fault("kill9", "app-02");
    let thawed = stand.verb(&["thaw", "shop", "production", "--reason", "over"]);
    assert!(thawed.code == Some(3) && thawed.out.contains("the fair") && thawed.err.contains("host \"app-02\""), "{thawed:?}");
    stand.lab.fault("restart", "app-02");
    stand.configure("other", "");
    let held = stand.deploy(&three);
    assert!(held.code == Some(5) && held.err.contains("the fair"), "one host is enough: {held:?}");
    let thawed = stand.verb(&["thaw", "shop", "production", "--reason", "over"]);
    assert!(thawed.code == Some(0) && thawed.out.contains("froze it: the fair"), "by whom, from the host alone: {thawed:?}");
    let ended = stand.deploy(&three);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    stand.is_on(&three);
    for host in HOSTS {
        let label = r#"{{.Label "quarterdeck.ports"}}"#;
        let ports = stand.lab.docker(host, &["ps", "--filter", "label=quarterdeck.service=web", "--format", label]);
        let port = ports.trim().strip_prefix("80/tcp=").unwrap();
        assert!(page(&format!("{}:{port}", stand.address(host)), "/").unwrap().ends_with("v4\n"), "{host}");
    }
    let _ = two;
}
