//! What `estimate`, `allocate` and `simulate --world` share of the world: one file in, text out.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Fault;
use super::limits::MOST_BYTES;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can't be read.
    #[error("{} can't be read", name(.file))]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What it holds makes no sense.
    #[error("{}: {fault}", name(.file))]
    Faulty {
        /// The file.
        file: PathBuf,
        /// What is wrong in it.
        fault: Fault,
    },
    /// Standard output is closed or full.
    #[error("the answer can't be written")]
    Unwritable(#[from] io::Error),
}

/// What `of` makes of what stands in `file`; `-` is standard input.
pub(crate) fn answer<T>(file: &Path, of: impl FnOnce(&[u8]) -> Result<T, Fault>) -> Result<T, Error> {
    let bytes = read(file).map_err(|source| Error::Unreadable { file: file.to_owned(), source })?;
    of(&bytes).map_err(|fault| Error::Faulty { file: file.to_owned(), fault })
}

pub(crate) fn is_standard_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// What people call it.
pub(crate) fn name(file: &Path) -> String {
    if is_standard_input(file) { "standard input".to_owned() } else { file.display().to_string() }
}

/// As much as is needed to see that it is too much.
pub(crate) fn read(file: &Path) -> io::Result<Vec<u8>> {
    let most = MOST_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    if is_standard_input(file) {
        io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        File::open(file)?.take(most).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// An answer for programs, which people can read too.
pub(crate) fn json(answer: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(answer).expect("answers are plain data");
    format!("{text}\n")
}
