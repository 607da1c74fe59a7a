//! The verbs of the built program that only need the ledger.

use quarterdeck::{
    ledger::{Asked, audit::Who},
    run::journal::Word,
};

use super::{
    Home,
    delivery::{Pen, begun, plan, release},
    homes,
};
use crate::{postgres::cluster, program::Program};

#[tokio::test]
async fn verbs_that_only_need_the_ledger() {
    for home in homes!() {
        let program = Program::new();
        let config = home.configure(&program);
        let run = |args: &[&str]| program.run(&[&["-c", &config][..], args].concat());
        for args in [&["releases", "shop"][..], &["deployments"], &["deployments", "--at", "1h"]] {
            let ended = run(&[args, &["--read-only", "--format", "json"]].concat());
            assert_eq!((ended.code, ended.rows().len()), (Some(0), 0), "{args:?}: {ended:?}");
        }
        let ledger = home.open().await;
        let (old, new) = (release("1.0.0-20-aaaaaaa", 'a'), release("1.0.1-22-7e56158", 'b'));
        ledger.releases().record(old.clone(), "ana").await.unwrap();
        ledger.releases().record(new.clone(), "ana").await.unwrap();
        let ids = [ledger.deployments().next_id().await.unwrap(), ledger.deployments().next_id().await.unwrap()];
        for (id, release) in ids.iter().zip([&old, &new]) {
            let asked = Asked { plan: plan(id.clone(), "production", release, None), by: "ana".to_owned(), needed: 1 };
            ledger.deployments().open(asked).await.unwrap();
        }

        let text = |args: &[&str], code: i32| {
            let ended = run(args);
            assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
            if code == 0 { ended.out } else { ended.err }
        };
        let (first, second) = (ids[0].to_string(), ids[1].to_string());
        assert!(text(&["approve", &first, "--reason", "seen", "--read-only"], 5).contains("approve is refused"));
        assert!(text(&["approve", &first, "--reason", "seen"], 0).contains("it starts where its asker waits"));
        assert!(text(&["approve", &first, "--reason", "seen"], 5).contains("has said yes already"));
        assert!(text(&["reject", "2", "--reason", "late"], 0).contains("rejected; nothing was changed"));
        assert!(text(&["reject", &second, "--reason", "late"], 5).contains("waits for nobody's answer"));
        assert!(text(&["approve", "9", "--reason", "x"], 2).contains("there is no deployment \"9\""));
        assert!(text(&["freeze", "shop", "production", "--reason", "fair"], 0).contains("frozen"));
        assert!(text(&["freeze", "shop", "production", "--reason", "fair"], 1).contains("thaw it first"));
        assert!(text(&["thaw", "shop", "production", "--reason", "over"], 0).contains("froze it: fair"));
        assert!(text(&["thaw", "shop", "production", "--reason", "over"], 0).contains("was not frozen"));

        let mut pen = Pen { ledger: &ledger, home: &home, id: ids[0].clone(), next: 0 };
        pen.write(vec![begun(&plan(ids[0].clone(), "production", &old, None)), Word::Good]).await;
        let rows = run(&["deployments", "shop", "production", "--format", "json"]).rows();
        let of = |index: usize, key: &str| rows[index][key].to_string();
        assert_eq!((rows.len(), of(0, "state"), of(1, "state")), (2, "\"unwound\"".to_owned(), "\"good\"".to_owned()));
        assert_eq!((of(1, "id"), of(1, "from_release")), (format!("{first:?}"), "null".to_owned()));
        assert_eq!(rows[1]["hosts"], serde_json::json!(["app-02", "app-03"]));
        assert_eq!(rows[1]["approved_by"], serde_json::json!([Who::of_process().short()]));
        let page = run(&["deployment", "show", &first, "--format", "json", "--read-only"]).json();
        assert_eq!((page["state"].as_str(), page["journal"][1]["text"].as_str()), (Some("good"), Some("good")));
        assert_eq!(page["approvals"][0]["reason"], "seen");
        let rows = run(&["releases", "shop", "--format", "json"]).rows();
        let of_old = rows.iter().find(|row| row["version"] == "1.0.0-20-aaaaaaa").unwrap();
        assert_eq!((rows.len(), of_old["good"][0]["environment"].as_str()), (2, Some("production")));
        let standing = run(&["deployments", "shop", "--at", "0s", "--format", "json"]).rows();
        assert_eq!((standing.len(), standing[0]["release"].as_str()), (1, Some(old.id().to_string().as_str())));

        // All of it stands in the audit, done or not.
        let acts = run(&["audit", "--format", "json"]).rows();
        let acts: Vec<_> = acts.iter().map(|row| (row["action"].as_str().unwrap(), row["outcome"].as_str().unwrap())).collect();
        let expected = [
            ("deployment.approve", "done"),
            ("deployment.approve", "failed"),
            ("deployment.reject", "done"),
            ("deployment.reject", "failed"),
            ("environment.freeze", "done"),
            ("environment.freeze", "failed"),
            ("environment.thaw", "done"),
            ("environment.thaw", "done"),
        ];
        assert_eq!(acts, expected);
        assert_eq!(run(&["audit", "--verify", "--no-hosts"]).code, Some(0));
    }
}
