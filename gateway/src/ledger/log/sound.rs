//! The files of the log, as a backup takes them.

use std::path::{Path, PathBuf};

use super::segment::{self, Contents};
use super::{LogError, missing};

/// The files that come before group `before`, the oldest first.
///
/// # Errors
/// When the folder can't be read.
pub(crate) fn kept(folder: &Path, before: Option<u64>) -> Result<Vec<PathBuf>, LogError> {
    let mut paths = segment::list(folder)?;
    paths.retain(|path| segment::first(path) < before);
    Ok(paths)
}

/// The file at `path` for a log in which the file that begins with group `follower` comes next, as `read` gives it. Where
/// none is to follow it ends after its last whole group, however far it is written meanwhile.
///
/// # Errors
/// When it can't be read or is damaged, or when a file is missing after it.
pub(crate) fn sound(
    path: &Path,
    follower: Option<u64>,
    read: impl FnMut() -> Result<Vec<u8>, LogError>,
) -> Result<Vec<u8>, LogError> {
    let Some(follower) = follower else { return newest(path, read) };
    let contents = Contents::of(path, { read }()?)?;
    let (at, next) = contents.extent();
    if next == follower { Ok(contents.into_bytes()) } else { Err(contents.damaged_before_others(at)) }
}

fn newest(path: &Path, mut read: impl FnMut() -> Result<Vec<u8>, LogError>) -> Result<Vec<u8>, LogError> {
    let mut before = None;
    loop {
        let contents = Contents::of(path, read()?)?;
        let (at, next) = contents.extent();
        if contents.is_sealed(at, next) && !goes_on(path, next)? {
            return Err(missing(path.parent().unwrap_or(path), next - 1));
        }
        if contents.is_sealed(at, next) || !contents.is_followed(at, next) {
            return Ok(contents.cut(at));
        }
        // A group that was being written while it was read is whole the next time.
        if before == Some(at) {
            return Err(contents.damaged_before_others(at));
        }
        before = Some(at);
    }
}

/// Whether a file of the log is there from group `next` on. Those before may have gone since.
fn goes_on(path: &Path, next: u64) -> Result<bool, LogError> {
    let last = segment::list(path.parent().unwrap_or(path))?.pop();
    Ok(last.and_then(|last| segment::first(&last)) >= Some(next))
}
