//! A damaged log, made one that can be opened.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::segment::{self, Contents, Segment};
use super::{FileLengths, LogError, missing, needed};

/// The last group, if all after group `after` can be read and something follows it or nothing is lacking.
///
/// # Errors
/// As [`Log::open`](super::Log::open).
pub(crate) fn verify(folder: &Path, after: u64) -> Result<u64, LogError> {
    let mut last = 0;
    for path in needed(folder, after)? {
        last = Contents::read(&path)?.replay(after, &mut |_| Ok::<_, LogError>(()))?.next - 1;
    }
    if last < after { Err(missing(folder, last)) } else { Ok(last) }
}

/// Whether the log, or what is left of it, begins no later than after group `after`.
///
/// # Errors
/// When the folder can't be read.
pub(crate) fn goes_on(folder: &Path, after: u64) -> Result<bool, LogError> {
    let first = segment::list(folder)?.first().and_then(|path| segment::first(path));
    Ok(after > 0 || first.is_none_or(|first| first == 1))
}

/// Moves away what follows the fault, and ends the log before it. The files that were moved or, where a part of one stays,
/// copied.
///
/// # Errors
/// When files can't be read or written.
pub(crate) fn set_aside(
    folder: &Path,
    fault: &LogError,
    after: u64,
    lengths: FileLengths,
) -> Result<Vec<PathBuf>, LogError> {
    let aside = folder.with_file_name("set-aside");
    std::fs::create_dir_all(&aside).map_err(LogError::io(&aside))?;
    let (kept, moved): (Vec<_>, Vec<_>) =
        segment::list(folder)?.into_iter().partition(|path| is_before(path, fault));
    let mut gone = Vec::new();
    for path in moved {
        gone.push(aside_of(&aside, &path, |to| std::fs::rename(&path, to))?);
    }
    if let (LogError::Damaged { path, at, .. }, true) = (fault, kept.iter().any(|kept| is_at(kept, fault))) {
        gone.push(aside_of(&aside, path, |to| std::fs::copy(path, to).map(drop))?);
        end_at(path, *at).map_err(LogError::io(path))?;
    } else if let Some(last) = kept.last() {
        end_at(last, Contents::read(last)?.whole()).map_err(LogError::io(last))?;
    }
    // The checkpoint knows more than what is left: the log goes on after it.
    if !matches!(verify(folder, after), Err(LogError::Damaged { .. }) | Ok(_)) {
        for path in segment::list(folder)? {
            gone.push(aside_of(&aside, &path, |to| std::fs::rename(&path, to))?);
        }
        Segment::create(folder, after + 1, lengths.shortest)?;
    }
    Ok(gone)
}

/// Whether something of a file stays.
fn is_before(path: &Path, fault: &LogError) -> bool {
    let first = segment::first(path).unwrap_or(u64::MAX);
    match fault {
        LogError::Damaged { path: damaged, at, .. } => {
            path < damaged.as_path() || (path == damaged && *at >= segment::HEAD as u64)
        }
        LogError::Missing { after, .. } => first <= *after,
        _ => true,
    }
}

fn is_at(path: &Path, fault: &LogError) -> bool {
    matches!(fault, LogError::Damaged { path: damaged, .. } if damaged == path)
}

/// Puts a file aside under a name that is free.
fn aside_of(
    aside: &Path,
    path: &Path,
    put: impl FnOnce(&Path) -> std::io::Result<()>,
) -> Result<PathBuf, LogError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("file");
    let free = (0..).map(|number: u32| aside.join(format!("{name}.{number}"))).find(|path| !path.exists());
    let free = free.expect("some number is free");
    put(&free).map_err(LogError::io(path))?;
    Ok(free)
}

/// Ends a file at a byte: zeros follow, up to the length that its head tells.
fn end_at(path: &Path, at: u64) -> std::io::Result<()> {
    let mut bytes = std::fs::read(path)?;
    let length = segment::told_length(&bytes).unwrap_or(bytes.len());
    bytes.truncate(usize::try_from(at).unwrap_or(usize::MAX));
    bytes.resize(length, 0);
    let mended = path.with_extension("mended");
    let mut file = std::fs::File::create(&mended)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    std::fs::rename(mended, path)?;
    std::fs::File::open(path.parent().unwrap_or(path))?.sync_all()
}
