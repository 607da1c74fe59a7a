//! Files on this machine: written, checked, reloaded, and put back.

use indexmap::IndexMap;
use tempfile::TempDir;

use super::*;
use crate::{
    engine::transport::{ConnectError, Link},
    fleet::{HostId, LinkCause},
    rights::Rights,
    traffic::{Admission, Ground, admit, empty},
};

struct Nowhere;

impl Ground for Nowhere {
    fn link<'a>(&'a self, _: &'a HostId) -> BoxFuture<'a, Result<Arc<dyn Link>, ConnectError>> {
        std::future::ready(Err(ConnectError::new(LinkCause::Unreachable, "no host"))).boxed()
    }
}

struct Bench {
    dir: TempDir,
    files: Files,
}

/// `check` refuses a file with the word in `bad`; `reload` notes the file's servers, or fails while there is a file `stuck`.
fn bench(rights: Rights) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    std::fs::write(at("template"), "# {{state}}\n{{#targets}}server {{address}} {{share}}\n{{/targets}}").unwrap();
    let shell = |script: String| ["sh", "-c", &script].map(str::to_owned).to_vec();
    let config = FilesConfig {
        template: at("template").into(),
        files: IndexMap::from([("web".to_owned(), at("web.conf").into())]),
        check: shell(format!("if grep '^server .*:666 ' {}; then echo port 666 is bad >&2; exit 1; fi", at("web.conf"))),
        reload: shell(
            format!("test ! -e {} && grep -c ^server {} >>{}; true", at("stuck"), at("web.conf"), at("reloads"))
                + &format!("; test ! -e {}", at("stuck")),
        ),
        settle: Duration::ZERO,
    };
    let files = Files::new(Way::new(None, Arc::new(Nowhere), rights), config);
    Bench { dir, files }
}

impl Bench {
    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }

    async fn admit(&self, address: &str) -> Result<(), Trouble> {
        let backend = self.files.targets(Some("web")).await?.remove(0);
        let slot = super::super::free(&backend.slots, &std::collections::HashSet::new()).unwrap().name.clone();
        let address = address.parse().unwrap();
        let wish = Admission { backend: "web", slot: &slot, address, share: 100, within: Duration::from_secs(1) };
        self.files.add("web", &slot, address).await?;
        admit(&self.files, &Admission { slot: &address.to_string(), ..wish }, async { Ok(()) }).await
    }
}

#[tokio::test]
async fn servers_come_and_go_with_one_reload_each() {
    let bench = bench(Rights::Act);
    bench.admit("10.0.0.1:20001").await.unwrap();
    bench.admit("10.0.0.2:20001").await.unwrap();
    assert!(bench.text("web.conf").ends_with("server 10.0.0.1:20001 100\nserver 10.0.0.2:20001 100\n"), "{}", bench.text("web.conf"));
    assert_eq!(empty(&bench.files, "web", "10.0.0.1:20001", Duration::ZERO).await, Ok(0));
    assert_eq!(bench.text("web.conf").lines().skip(1).collect::<Vec<_>>(), ["server 10.0.0.2:20001 100"]);
    bench.files.remove("web", "10.0.0.1:20001").await.unwrap();
    bench.files.remove("web", "10.0.0.1:20001").await.unwrap();
    let slots = bench.files.targets(None).await.unwrap().remove(0).slots;
    assert_eq!(slots.iter().map(|slot| &*slot.name).collect::<Vec<_>>(), ["10.0.0.2:20001", NEW]);
    // The first file, two that came, one that drained; what only changed in the comment was no reload.
    assert_eq!(bench.text("reloads").lines().collect::<Vec<_>>(), ["0", "1", "2", "1"]);
}

#[tokio::test]
async fn what_does_not_pass_the_check_or_the_reload_is_put_back() {
    let bench = bench(Rights::Act);
    bench.admit("10.0.0.1:20001").await.unwrap();
    let good = bench.text("web.conf");
    let error = bench.admit("10.0.0.2:666").await.unwrap_err().to_string();
    assert!(error.contains("check command") && error.contains("port 666 is bad"), "{error}");
    let servers = |text: &str| text.lines().filter(|line| line.starts_with("server")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(servers(&bench.text("web.conf")), servers(&good));
    std::fs::write(bench.dir.path().join("stuck"), "").unwrap();
    let before = bench.text("web.conf");
    let error = bench.files.drain("web", "10.0.0.1:20001").await.unwrap_err().to_string();
    assert!(error.contains("reload command"), "{error}");
    assert_eq!(bench.text("web.conf"), before);
}

#[tokio::test]
async fn a_viewer_writes_and_runs_nothing() {
    let bench = bench(Rights::view("read-only is set by a test"));
    assert!(matches!(bench.files.add("web", NEW, "10.0.0.1:80".parse().unwrap()).await, Err(Trouble::Denied(_))));
    assert!(matches!(bench.files.targets(None).await, Err(Trouble::Denied(_))));
    assert_eq!(std::fs::read_dir(bench.dir.path()).unwrap().count(), 1, "only the template is there");
}
