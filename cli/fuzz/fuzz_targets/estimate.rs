//! No bytes make `broadside estimate` or `broadside allocate` panic, and what could be read has an answer.

#![no_main]

use cli::offline::{Question, table};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(question) = Question::parse(bytes) else { return };
    let answer = question.estimate().expect("what could be read can be estimated");
    serde_json::to_string(&answer).expect("answers are plain data");
    table(&question, &answer, 80);
    // A policy may still be one that no shares can follow.
    let _shares = question.allocate();
});
