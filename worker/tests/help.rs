//! `docs/worker.md` is what the worker says of itself.
//!
//! After a change: `UPDATE=1 cargo test -p broadside-worker --test help`, or `make generate`.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Command, CommandFactory};
use worker::args::Arguments;

const REFRESH: &str = "UPDATE=1 cargo test -p broadside-worker --test help";

#[test]
fn the_page_is_what_the_worker_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/worker.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &page).expect("docs/ is writable");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == page, "docs/worker.md is not what the worker says. Refresh with: {REFRESH}");
}

fn page() -> String {
    let mut command = Arguments::command().term_width(100);
    command.build();
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let mut page = format!(
        "# The command `worker`\n\n<!-- Generated from worker/. Refresh with: {REFRESH} -->\n\n```text\n{about}\n```\n"
    );
    let subcommands = command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help");
    subcommands.for_each(|subcommand| section(subcommand, &mut page));
    page
}

fn section(command: &Command, page: &mut String) {
    let help = command.clone().render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let help = lines.join("\n");
    write!(page, "\n## `worker {}`\n\n```text\n{}\n```\n", command.get_name(), help.trim_end())
        .expect("text");
}
