//! Answers and screens for the documents of `cases/`, whose names are the sentences that they show, and for the example.
//!
//! After a change: `UPDATE=1 cargo test -p broadside --test offline`, or `make generate`.

use std::path::{Path, PathBuf};

use cli::offline::{Question, table};
use serde::Serialize;
use serde_json::Value;

use crate::{assert_alike, repository};

const REFRESH: &str = "UPDATE=1 cargo test -p broadside --test offline";

/// The narrowest terminal that is promised, and a pipe.
const WIDTHS: [usize; 2] = [80, 120];

/// The document of a case; that of the example lies where people find it.
fn document(folder: &Path) -> PathBuf {
    let own = folder.join("document.json");
    if own.exists() { own } else { repository().join("examples/estimate.json") }
}

#[test]
fn every_document_is_answered_as_written() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/offline/cases");
    for entry in std::fs::read_dir(cases).expect("cases") {
        let folder = entry.expect("an entry").path();
        let bytes = std::fs::read(document(&folder)).expect("a document");
        let question =
            Question::parse(&bytes).unwrap_or_else(|fault| panic!("{}: {fault}", folder.display()));
        let answer = question.estimate().expect("an estimate");
        check_json(&folder.join("estimate.json"), &answer);
        let said = question.allocate().map_or_else(
            |fault| Value::from(fault.to_string()),
            |answer| serde_json::to_value(answer).expect("plain data"),
        );
        check_json(&folder.join("allocate.json"), &said);
        let screens = WIDTHS.map(|width| table(&question, &answer, width));
        for (screen, width) in screens.iter().zip(WIDTHS) {
            let widest = screen.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(widest <= width, "{}: {widest} columns of {width}", folder.display());
        }
        check_text(&folder.join("table.txt"), &screens.join("----\n"));
    }
}

pub(crate) fn check_text(file: &Path, text: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, text).expect("cases are writable");
    }
    let committed = std::fs::read_to_string(file).unwrap_or_default();
    assert!(committed == text, "{} is not what is said:\n{text}\nRefresh with: {REFRESH}", file.display());
}

pub(crate) fn check_json(file: &Path, answer: &impl Serialize) {
    let mut answer = serde_json::to_value(answer).expect("plain data");
    answer.sort_all_objects();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, format!("{answer:#}\n")).expect("cases are writable");
    }
    let committed = std::fs::read(file).unwrap_or_default();
    let committed: Value = serde_json::from_slice(&committed).unwrap_or_default();
    assert_alike(&answer, &committed, 1e-9, &format!("Refresh with: {REFRESH}\n{}", file.display()));
}
