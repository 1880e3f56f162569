//! `docs/cli.md` is what the command says of itself.
//!
//! After a change: `UPDATE=1 cargo test -p broadside --test help`, or `make generate`.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Command, CommandFactory};

const REFRESH: &str = "UPDATE=1 cargo test -p broadside --test help";

#[test]
fn the_page_is_what_the_command_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &page).expect("docs/ is writable");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == page, "docs/cli.md is not what the command says. Refresh with: {REFRESH}");
}

fn page() -> String {
    let mut command = cli::Cli::command().term_width(100);
    command.build();
    let mut page = format!(
        "# The command `broadside`\n\n<!-- Generated from cli/. Refresh with: {REFRESH} -->\n\n\
         Under the name `kubectl-broadside` in the search path it is `kubectl broadside`.\n\
         `estimate` and `allocate` need no cluster: [offline.md](offline.md) describes what they read and answer.\n\
         `simulate --world` needs none either: [simulate.md](simulate.md); nor does `replay`: [replay.md](replay.md).\n"
    );
    let subcommands = command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help");
    subcommands.for_each(|subcommand| section(subcommand, subcommand.get_name(), &mut page));
    page
}

/// The section of a command; of one that only holds others, theirs.
fn section(command: &Command, name: &str, page: &mut String) {
    let mut inner = command.get_subcommands().filter(|inner| inner.get_name() != "help").peekable();
    if inner.peek().is_some() {
        inner.for_each(|inner| section(inner, &format!("{name} {}", inner.get_name()), page));
        return;
    }
    let help = command.clone().render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let help = lines.join("\n");
    write!(page, "\n## `broadside {name}`\n\n```text\n{}\n```\n", help.trim_end()).expect("text");
}
