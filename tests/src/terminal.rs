//! What a test tells people while it runs.

use std::io::Write;

/// Writes a line to the terminal, whatever cargo does with what tests print.
pub fn say(line: &str) {
    // That nobody reads it is no failure of a test.
    let _unread = writeln!(std::io::stderr(), "{line}");
}
