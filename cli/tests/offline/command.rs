//! The commands as people start them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::{assert_alike, estimate, example, repository};

pub(crate) fn broadside(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_broadside"))
        .args(arguments)
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("broadside starts");
    // A command that has seen enough closes its end.
    let _closed = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child.wait_with_output().expect("broadside ends")
}

pub(crate) fn printed(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_file_and_standard_input_give_the_answer_of_the_library() {
    let file = repository().join("examples/estimate.json");
    let file = file.to_str().expect("a path in UTF-8");
    let expected = serde_json::to_value(estimate(&example())).expect("plain data");
    // Reading numbers back costs their last digit.
    let check = |output: &Output| assert_alike(&printed(output), &expected, 1e-12, "");
    check(&broadside(&["estimate", file, "--output", "json"], ""));
    check(&broadside(&["estimate", "-"], &example().to_string()));
    let table = broadside(&["estimate", file, "--output", "table"], "");
    let table = String::from_utf8(table.stdout).expect("UTF-8");
    assert!(table.contains("▸ a") && table.contains("Collecting: "), "{table}");
}

#[test]
fn shares_sum_to_a_million() {
    let shares = printed(&broadside(&["allocate", "-"], &example().to_string()));
    let sum: u64 = shares["allocation"].as_object().expect("shares").values().filter_map(Value::as_u64).sum();
    assert_eq!((sum, shares["reason"].as_str()), (1_000_000, Some("Thompson")));
    assert_eq!(shares["allocation"]["control"], 200_000);
}

#[test]
fn what_is_wrong_names_file_and_field() {
    let check = |arguments: &[&str], input: &str, expected: &str| {
        let output = broadside(arguments, input);
        let error = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!((output.status.code(), error.trim_end()), (Some(1), expected));
        assert!(output.stdout.is_empty());
    };
    let control = r#"Error: standard input: control: "c" is in no allocation: use one of a, b, control"#;
    let mut unknown = example();
    unknown["control"] = "c".into();
    check(&["estimate", "-"], &unknown.to_string(), control);
    check(&["allocate", "-"], &unknown.to_string(), control);
    let missing = Path::new("/nowhere/at-all.json");
    let expected =
        "Error: /nowhere/at-all.json can't be read\n\nCaused by:\n    No such file or directory (os error 2)";
    check(&["estimate", missing.to_str().expect("UTF-8")], "", expected);
    let large = " ".repeat((16 << 20) + 1);
    let expected = "Error: standard input: the document is larger than 16 MiB: merge rounds of equal shares";
    check(&["estimate", "-"], &large, expected);
}
