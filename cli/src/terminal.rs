//! What is known of the terminal, and how text gets there. A closed pipe ends the program without a word, as `head`
//! expects.

use std::io::{self, IsTerminal, Write};

use crate::text::BLOCKS;

/// Columns where nothing else is known: a pipe, or a terminal that does not say.
const DEFAULT_WIDTH: usize = 120;

/// Where output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// A person looks: colors, and screens that replace each other.
    Screen,
    /// A file or another program: plain text.
    Pipe,
}

impl Output {
    /// Standard output. `NO_COLOR` (no-color.org) and a dumb terminal count as a pipe.
    pub(crate) fn detect() -> Self {
        let unwanted = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if io::stdout().is_terminal() && !unwanted("NO_COLOR") && !dumb { Self::Screen } else { Self::Pipe }
    }

    /// The columns of the terminal; of a pipe a usual number, so that a file looks the same wherever it was made.
    pub(crate) fn width(self) -> usize {
        let size = terminal_size::terminal_size().filter(|_| self == Self::Screen);
        size.map_or(DEFAULT_WIDTH, |(width, _)| usize::from(width.0))
    }

    /// Prints `text`.
    pub(crate) fn print(self, text: &str) -> io::Result<()> {
        write(&self.paint(text))
    }

    /// Prints `text` in place of what was printed before.
    pub(crate) fn redraw(self, text: &str) -> io::Result<()> {
        match self {
            Self::Screen => write(&format!("\x1b[H\x1b[J{}", self.paint(text))),
            Self::Pipe => write(&format!("{text}\n")),
        }
    }

    /// Bars in cyan, on a screen only.
    fn paint(self, text: &str) -> String {
        if self == Self::Pipe {
            return text.to_owned();
        }
        let mut painted = String::with_capacity(text.len());
        let mut inside = false;
        for character in text.chars() {
            if BLOCKS.contains(&character) != inside {
                inside = !inside;
                painted.push_str(if inside { "\x1b[36m" } else { "\x1b[0m" });
            }
            painted.push(character);
        }
        painted
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => other,
    }
}

/// Prints a line for people beside the output. That nobody reads it is no failure.
pub(crate) fn note(line: &str) {
    let _unread = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_screen_gets_colors() {
        assert_eq!(Output::Pipe.paint("a ██░ 5%\n"), "a ██░ 5%\n");
        assert_eq!(Output::Screen.paint("a ██░ 5%\n"), "a \x1b[36m██\x1b[0m░ 5%\n");
    }
}
