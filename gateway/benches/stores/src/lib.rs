//! What both benchmarks of stores need.

use std::path::Path;

/// What a folder holds.
pub fn megabytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| {
            let meta = entry.metadata().expect("it is there");
            if meta.is_dir() { megabytes(&entry.path()) << 20 } else { meta.len() }
        })
        .sum::<u64>()
        >> 20
}
