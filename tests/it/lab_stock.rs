//! What lies beside the containers, on a real engine: what a prune would take is told first and is exactly what goes, what is in use
//! stays, and who may only look takes nothing.

use serde_json::Value;

use crate::{
    lab::Lab,
    program::{Ended, Program},
};

fn names(ended: &Ended) -> Vec<(String, String)> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let mut names: Vec<(String, String)> = ended.rows().iter().map(|row| (text(row, "kind"), text(row, "name"))).collect();
    names.sort();
    names
}

fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn what_is_listed_goes_and_what_is_used_stays() {
    let _turn = crate::lab::turn();
    let lab = match Lab::raise("stock", &["up"]) {
        Ok(lab) => lab,
        Err(skipped) => return skipped.say(module_path!(), line!()),
    };
    let program = Program::new();
    let host = "app-01";
    let url = format!("{host}=unix://{}", lab.host(host)["unix"].as_str().unwrap());
    let call = |args: &[&str]| program.run(&[args, &["-H", &url]].concat());
    let docker = |args: &[&str]| lab.docker(host, args).trim().to_owned();

    // Two layers of a name of their own each, so that each is some bytes; one of the images loses its name.
    for tag in ["web:1", "web:2", "used:1"] {
        docker(&["run", "--name", "maker", "base:latest", "sh", "-c", "dd if=/dev/urandom of=/blob bs=1M count=2"]);
        docker(&["commit", "maker", &format!("shop/{tag}")]);
        docker(&["rm", "maker"]);
    }
    let nameless = docker(&["image", "inspect", "-f", "{{.Id}}", "shop/web:1"]);
    docker(&["tag", "shop/web:2", "shop/web:1"]);
    docker(&["tag", "shop/web:2", "shop/web:latest"]);
    let unnamed = docker(&["volume", "create"]);
    docker(&["volume", "create", "shop-data"]);
    docker(&["network", "create", "old"]);
    docker(&["network", "create", "used"]);
    docker(&["run", "-d", "--name", "user", "--network", "used", "-v", "shop-data:/data", "-v", "/cache", "shop/used:1", "sleep", "3600"]);

    let told = call(&["prune", "--dry-run", "--format", "json"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let short = &nameless.trim_start_matches("sha256:")[..12];
    let expected = [("image", short), ("network", "old"), ("volume", &*unnamed)].map(|(kind, name)| (kind.to_owned(), name.to_owned()));
    assert_eq!(names(&told), expected, "{told:?}");
    let bytes = told.rows().iter().find(|row| row["kind"] == "image").and_then(|row| row["bytes"].as_u64());
    assert!(bytes.is_some_and(|bytes| (2 << 20..3 << 20).contains(&bytes)), "{bytes:?}");
    println!("a prune would give back {} bytes of an image, as its layer is", bytes.unwrap_or(0));

    for args in [&["prune", "--yes", "--read-only"][..], &["images", "--remove", "*", "--yes", "--read-only"]] {
        let refused = call(args);
        assert_eq!((refused.code, refused.out.as_str()), (Some(5), ""), "{args:?}: {refused:?}");
    }
    let asked = call(&["prune"]);
    assert_eq!(asked.code, Some(2), "without a terminal it wants --yes: {asked:?}");
    assert!(asked.out.contains("Remove 3 things on 1 host"), "{asked:?}");

    let gone = call(&["prune", "--yes", "--format", "json"]);
    assert_eq!(gone.code, Some(0), "{gone:?}");
    assert!(gone.rows().iter().all(|row| row["outcome"] == "done"), "{gone:?}");
    assert!(!docker(&["images", "-aq", "--no-trunc"]).contains(&nameless));
    assert_eq!(lines(&docker(&["network", "ls", "--format", "{{.Name}}"])), ["bridge", "host", "none", "used"]);
    let volumes = docker(&["volume", "ls", "-q"]);
    assert!(volumes.contains("shop-data") && !volumes.contains(&unnamed) && volumes.lines().count() == 2, "{volumes}");

    // What a container holds is not taken, and that is an error.
    let held = call(&["volumes", "--remove", "shop-*", "--yes", "--format", "json"]);
    assert_eq!(held.code, Some(1), "{held:?}");
    assert_eq!(held.rows()[0]["message"], "not done: user uses it");
    let base = call(&["images", "--remove", "shop/used:1", "--yes"]);
    assert_eq!(base.code, Some(1), "{base:?}");
    // One of several names goes; the image and its other names stay.
    let untagged = call(&["images", "--remove", "shop/web:latest", "--yes"]);
    assert_eq!(untagged.code, Some(0), "{untagged:?}");
    assert_eq!(lines(&docker(&["images", "shop/web", "--format", "{{.Tag}}"])), ["1", "2"]);
    let both = call(&["images", "--remove", "shop/web:*", "--yes"]);
    assert_eq!(both.code, Some(0), "{both:?}");
    assert_eq!(docker(&["images", "-q", "shop/web"]), "");
    let none = call(&["networks", "--remove", "no-such", "--yes"]);
    assert_eq!(none.code, Some(2), "{none:?}");

    docker(&["rm", "-f", "user"]);
    let free = call(&["volumes", "--remove", "shop-data", "--yes"]);
    assert_eq!(free.code, Some(0), "{free:?}");
    assert!(!docker(&["volume", "ls", "-q"]).contains("shop-data"));

    let audit = call(&["audit", "--format", "json"]);
    let removed = |target: &str| audit.rows().iter().any(|row| row["action"] == "stock.remove" && row["target"] == target);
    assert!(removed("old") && removed("shop-data") && removed("shop/web:latest"), "{audit:?}");
    assert_eq!(call(&["audit", "--verify"]).code, Some(0));
}
