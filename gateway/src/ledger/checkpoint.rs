//! The state on disk, so that the log need not be read from its beginning: a file for each of the last two moments.
//!
//! ```text
//! "bsstate\0" | version u32 | CRC-32 of the body u32 | length of the body u64 | body
//! ```
//!
//! Its name tells the last group of the log that is in it. A file is written beside and then renamed, so it is there
//! whole or not at all; one that is damaged nevertheless is passed over for the one before.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::state::{Layout, Snapshot, SnapshotError, State};

const MAGIC: &[u8; 8] = b"bsstate\0";
/// Each is the first version that reads what it has, so that an older gateway goes on with what has nothing new.
const PLAIN: u32 = 3;
const WITH_GUARDRAILS: u32 = 4;
const HEAD: usize = 24;

/// How many are kept.
pub(super) const KEPT: usize = 2;

/// Why a file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It can't be read.
    #[error("it can't be read")]
    Io(#[from] std::io::Error),
    /// It was cut or changed.
    #[error("it is not as it was written")]
    Damaged,
    /// It was written by another version.
    #[error("it is of version {0}: use the version of the gateway that wrote it")]
    Version(u32),
    /// It holds something else.
    #[error(transparent)]
    State(#[from] SnapshotError),
}

/// Writes a state that holds all groups up to `last`. It is on disk when this returns.
///
/// # Errors
/// When it can't be written.
pub(super) fn write(folder: &Path, last: u64, Snapshot { layout, body }: &Snapshot) -> std::io::Result<()> {
    let beside = folder.join("next.state");
    let mut file = File::create(&beside)?;
    file.write_all(&head(version(*layout), body))?;
    file.write_all(body)?;
    file.sync_all()?;
    std::fs::rename(&beside, folder.join(format!("{last:020}.state")))?;
    File::open(folder)?.sync_all()
}

/// The newest state that can be read, and the last group that is in it; of an empty folder, an empty one.
///
/// # Errors
/// When the folder can't be read, or another version wrote the newest.
pub(super) fn newest(folder: &Path) -> Result<(u64, State), CheckpointError> {
    for (last, path) in list(folder)?.into_iter().rev() {
        match read(&path) {
            Ok(state) => return Ok((last, state)),
            Err(error @ CheckpointError::Version(_)) => return Err(error),
            Err(error) => {
                let path = path.display();
                tracing::warn!(%path, %error, "a state of the ledger is passed over for the one before");
            }
        }
    }
    Ok((0, State::default()))
}

/// Removes all but the last ones. As [`needed`].
///
/// # Errors
/// When they can't be listed or removed.
pub(crate) fn prune(folder: &Path) -> std::io::Result<u64> {
    let all = list(folder)?;
    for (_, path) in &all[..all.len().saturating_sub(KEPT)] {
        std::fs::remove_file(path)?;
    }
    needed(folder)
}

/// The last group that all that are kept hold: the log is needed after it.
///
/// # Errors
/// When they can't be listed.
pub(crate) fn needed(folder: &Path) -> std::io::Result<u64> {
    let all = list(folder)?;
    // With one alone the log is needed as a whole: it is what there is beside it.
    Ok(all.len().checked_sub(KEPT).map_or(0, |first| all[first].0))
}

/// Those that are there with the last group of each, the oldest first.
///
/// # Errors
/// When the folder can't be read.
pub(super) fn list(folder: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let last = name.and_then(|name| name.strip_suffix(".state")?.parse().ok());
        found.extend(last.map(|last| (last, path)));
    }
    found.sort_unstable();
    Ok(found)
}

fn version(layout: Layout) -> u32 {
    match layout {
        Layout::Plain => PLAIN,
        Layout::WithGuardrails => WITH_GUARDRAILS,
    }
}

fn layout(version: u32) -> Option<Layout> {
    [Layout::Plain, Layout::WithGuardrails].into_iter().find(|layout| self::version(*layout) == version)
}

fn head(version: u32, body: &[u8]) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&version.to_le_bytes());
    head[12..16].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    head[16..].copy_from_slice(&(body.len() as u64).to_le_bytes());
    head
}

fn read(path: &Path) -> Result<State, CheckpointError> {
    let bytes = std::fs::read(path)?;
    let (found, body) = bytes.split_at_checked(HEAD).ok_or(CheckpointError::Damaged)?;
    let version = u32::from_le_bytes(*found[8..].first_chunk().ok_or(CheckpointError::Damaged)?);
    if !found.starts_with(MAGIC) {
        return Err(CheckpointError::Damaged);
    }
    let layout = layout(version).ok_or(CheckpointError::Version(version))?;
    if *found != head(version, body) {
        return Err(CheckpointError::Damaged);
    }
    Ok(State::from_snapshot(layout, body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_state_is_passed_over_for_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let newest = || newest(folder.path()).map(|(last, _)| last);
        assert!(matches!(newest(), Ok(0)));
        let state = State::default().snapshot();
        for last in [3, 7, 9] {
            write(folder.path(), last, &state).unwrap();
        }
        assert_eq!(prune(folder.path()).unwrap(), 7);
        let path = folder.path().join("00000000000000000009.state");
        let whole = std::fs::read(&path).unwrap();
        assert!(matches!(newest(), Ok(9)));
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(matches!(newest(), Ok(7)), "cut at {cut}");
        }
        let mut later = whole;
        later[8] = 5;
        std::fs::write(&path, later).unwrap();
        assert!(matches!(newest(), Err(CheckpointError::Version(5))));
    }
}
