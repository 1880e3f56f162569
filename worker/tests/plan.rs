//! `worker plan` as people and programs read it.
//!
//! Each file of `plan/` is what one command prints; its first line is the command. After a change:
//! `UPDATE=1 cargo test -p broadside-worker --test plan`, then read the difference.

use std::path::Path;

use clap::Parser;
use worker::args::{Arguments, Command};
use worker::plan::{plan, text};

const REFRESH: &str = "UPDATE=1 cargo test -p broadside-worker --test plan";

const CASES: [(&str, &str); 5] = [
    ("a-gpu-and-every-class", "--data 400 --gpu L4 --weights bf16"),
    ("languages-that-few-models-write", "--data 4000 --gpu none --memory 16 --languages en,de,sw"),
    (
        "a-model-that-does-not-fit",
        "--data 4000 --gpu none --memory 1 --model ../models/handbill --rows 1000 --tokens 250",
    ),
    (
        "the-training-of-handbill",
        "--task train --data 48000 --gpu none --tokens 179 --model ../models/handbill",
    ),
    ("an-answer-for-programs", "--data 400 --gpu L4 --model ../models/handbill --json"),
];

fn printed(typed: &str) -> String {
    let words = ["worker", "plan"].into_iter().chain(typed.split_whitespace());
    let Command::Plan(arguments) = Arguments::try_parse_from(words).expect("valid arguments").command else {
        panic!("{typed} is no plan")
    };
    let answer = plan(&arguments).expect("an answer");
    let said = match arguments.json {
        true => serde_json::to_string_pretty(&answer).expect("plain data") + "\n",
        false => text(&answer),
    };
    format!("$ worker plan {typed}\n{said}")
}

/// Cargo runs tests in the folder of their crate, from which the models' paths go out.
#[test]
fn every_case_is_printed_as_written() {
    for (name, typed) in CASES {
        let file = Path::new("tests/plan").join(format!("{name}.txt"));
        let printed = printed(typed);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, &printed).expect("the folder is writable");
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(written == printed, "{name} is printed otherwise:\n{printed}\nRefresh with: {REFRESH}");
    }
}
