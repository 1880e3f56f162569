//! The READMEs of the charts list their values as `values.yaml` has them.
//!
//! After a change: `UPDATE=1 cargo test -p broadside-tests --test values`, or `make generate`.

use std::fmt::Write as _;

use stage::programs;

const REFRESH: &str = "UPDATE=1 cargo test -p broadside-tests --test values";

/// What follows is generated.
const TITLE: &str = "\n## Values\n";

#[test]
fn each_readme_lists_the_values_of_its_chart() {
    for chart in ["broadside", "broadside-crds"] {
        let folder = programs::repository().join("charts").join(chart);
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a chart has it");
        let values = values(&read("values.yaml"));
        for value in &values {
            assert!(!value.description.is_empty(), "{} of {chart} has no comment", value.path);
        }
        let committed = read("README.md");
        let (by_hand, _) = committed.split_once(TITLE).expect("a README has a section of values");
        let page = format!(
            "{by_hand}{TITLE}\n<!-- Generated from values.yaml. Refresh with: {REFRESH} -->\n\n{}",
            table(&values)
        );
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(folder.join("README.md"), &page).expect("the repository is writable");
        } else {
            assert!(
                committed == page,
                "{chart}/README.md is not what values.yaml says. Refresh with: {REFRESH}"
            );
        }
    }
}

/// A key of `values.yaml`.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    path: String,
    /// As it is written; empty for a key that only holds others.
    default: String,
    description: String,
}

/// The keys in their order, each with the comment right above it, or else with that of the same key in the nearest part
/// before its own: what parts have in common is said once. Every key is a line of its own, and so is its default. Keys that
/// only hold others, and about which nothing is said, are left out.
fn values(text: &str) -> Vec<Entry> {
    let (mut entries, mut comment, mut above) =
        (Vec::<Entry>::new(), Vec::new(), Vec::<(usize, &str)>::new());
    for line in text.lines() {
        let words = line.trim();
        if words.is_empty() {
            comment.clear();
        } else if let Some(words) = words.strip_prefix('#') {
            comment.push(words.trim());
        } else if let Some((key, default)) = words.split_once(':') {
            let indent = line.len() - line.trim_start().len();
            above.retain(|(of, _)| *of < indent);
            above.push((indent, key));
            let path = above.iter().map(|(_, key)| *key).collect::<Vec<_>>().join(".");
            let mut description = std::mem::take(&mut comment).join(" ");
            if description.is_empty() {
                description = same(&path, &entries).unwrap_or_default();
            }
            entries.push(Entry { path, default: default.trim().to_owned(), description });
        }
    }
    entries.retain(|entry| !entry.default.is_empty() || !entry.description.is_empty());
    entries
}

/// What was said of the same key in a part before.
fn same(path: &str, before: &[Entry]) -> Option<String> {
    let (_, key) = path.split_once('.')?;
    let of = |entry: &&Entry| entry.path.split_once('.').is_some_and(|(_, other)| other == key);
    before.iter().rev().filter(of).map(|entry| entry.description.clone()).find(|said| !said.is_empty())
}

fn table(entries: &[Entry]) -> String {
    let mut table = "| Value | Default | Meaning |\n| --- | --- | --- |\n".to_owned();
    for Entry { path, default, description } in entries {
        let default = if default.is_empty() { String::new() } else { format!(" `{default}`") };
        let description = description.replace('|', "\\|");
        writeln!(table, "| `{path}` |{default} | {description} |").expect("a String takes everything");
    }
    table
}

#[test]
fn a_key_has_the_comment_above_it_or_that_of_the_same_key_before() {
    let check = |text: &str, expected: &[(&str, &str, &str)]| {
        let found = values(text);
        let found: Vec<_> = found.iter().map(|it| (&*it.path, &*it.default, &*it.description)).collect();
        assert_eq!(found, expected, "{text}");
    };
    check("# About the file.\n\nkeep: true\n", &[("keep", "true", "")]);
    check("# Over\n# two lines.\nkeep: true\n", &[("keep", "true", "Over two lines.")]);
    check(
        "one:\n  # The image.\n  image:\n    # Its tag.\n    tag: \"\"\n  size: {cpu: 1}\n",
        &[
            ("one.image", "", "The image."),
            ("one.image.tag", "\"\"", "Its tag."),
            ("one.size", "{cpu: 1}", ""),
        ],
    );
    check(
        "one:\n  # How many.\n  replicas: 1\ntwo:\n  replicas: 2\nreplicas: 3\n",
        &[("one.replicas", "1", "How many."), ("two.replicas", "2", "How many."), ("replicas", "3", "")],
    );
}

#[test]
fn a_bar_does_not_end_a_cell() {
    let entries = values("# One | other.\nkind: one\n# Both.\nboth:\n  # It.\n  it: 1\n");
    let table = table(&entries);
    let rows: Vec<&str> = table.lines().skip(2).collect();
    assert_eq!(
        rows,
        ["| `kind` | `one` | One \\| other. |", "| `both` | | Both. |", "| `both.it` | `1` | It. |"]
    );
}
