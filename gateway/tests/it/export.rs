//! What `gateway export` and `gateway repair` print, of a ledger that serves and of one that does not.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::process::{self, Process};
use crate::samples::{SAMPLE, Sample};
use crate::world::{exposure, reward};

pub(crate) fn gateway(arguments: &[&str], data: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gateway")).args(arguments).arg("--data").arg(data).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_serves_is_exported_once_windows_have_passed() {
    let folder = process::folder(Sample { window_seconds: 1, ..SAMPLE });
    let data = folder.path().join("data");
    let process = Process::start_with("all", folder.path(), &["--keep-log", "1d"]).await;
    for (subject, acts) in [("alice", true), ("bob", false), ("carol", true)] {
        let token = process.token(subject).await;
        let sent = [exposure("1", &token), reward("2", &token)];
        process.send(if acts { &sent } else { &sent[..1] }).await.unwrap();
    }
    let lines = loop {
        let output = gateway(&["export", "--campaign", SAMPLE.uid], &data);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let lines: Vec<Value> =
            text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        if lines.len() == 3 {
            break lines;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    };
    let rewards: Vec<&Value> = lines.iter().map(|line| &line["reward"]).collect();
    assert_eq!(rewards, [&json!(1.0), &json!(0.0), &json!(1.0)]);
    let line = &lines[0];
    let told =
        ["campaign", "placement", "seed", "segment", "round", "probability"].map(|field| line[field].clone());
    assert_eq!(told, [json!(SAMPLE.uid), json!("hero"), json!(1), json!("all"), json!(1), json!(0.5)]);
    assert!(["control", "warm"].contains(&line["variant"].as_str().unwrap()));
    assert_eq!(line["subject"].as_str().unwrap().len(), 32);
    let at = |field: &str| line[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(at("decidedAt") <= at("exposedAt"), "{line}");
    let others = gateway(&["export", "--campaign", "another"], &data);
    assert!(others.status.success() && others.stdout.is_empty());

    let busy = gateway(&["repair"], &data);
    assert!(text(&busy.stderr).contains("is in use by another process"), "{}", text(&busy.stderr));
    drop(process);
    assert_eq!(text(&gateway(&["repair"], &data).stdout), "the log is whole\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_ledger_does_not_start_and_does_once_it_was_repaired() {
    let folder = process::folder(SAMPLE);
    let data = folder.path().join("data");
    let process = Process::start("all", folder.path()).await;
    let token = process.token("alice").await;
    process.send(&[exposure("1", &token)]).await.unwrap();
    drop(process);
    let log = data.join("log/00000000000000000001.log");
    let file = std::fs::File::options().write(true).open(&log).unwrap();
    file.set_len(2000).unwrap();

    let mut serve = vec!["ledger", "--listen", "127.0.0.1:0", "--tables"];
    let (tables, key) = (folder.path().join("tables"), folder.path().join("key"));
    serve.extend([tables.to_str().unwrap(), "--key-file", key.to_str().unwrap()]);
    let refused = text(&gateway(&serve, &data).stderr);
    let remedy = format!("gateway repair --data {}", data.display());
    assert!(refused.contains("damaged at byte 2000") && refused.contains(&remedy), "{refused}");
    let looked = gateway(&["repair"], &data);
    assert!(!looked.status.success() && text(&looked.stdout).contains("damaged at byte 2000"));
    assert!(text(&looked.stderr).contains("--set-aside"), "{}", text(&looked.stderr));
    let mended = gateway(&["repair", "--set-aside"], &data);
    assert!(
        mended.status.success() && text(&mended.stdout).contains("set aside: "),
        "{}",
        text(&mended.stdout)
    );
    let process = Process::start("ledger", folder.path()).await;
    let outcome = process.send(&[exposure("1", &token)]).await.unwrap();
    assert_eq!(outcome, [api::wire::event::Outcome::Duplicate], "what came before the cut is there");
}

#[test]
fn a_folder_without_a_ledger_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["export", "repair"] {
        let said = text(&gateway(&[command], folder.path()).stderr);
        assert!(said.contains("holds no ledger"), "{said}");
    }
}
