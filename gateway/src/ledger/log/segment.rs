//! One file of the log.
//!
//! ```text
//! head   "bsledger" | version u32 | length of the file u64 | first group u64 | CRC-32 of these u32
//! group  "bgrp" | length of the body u32 | number u64 | CRC-32 of both and the body u32 | body
//! seal   "bend" | 0 u32               | number u64 | CRC-32 u32      the next file goes on with this number
//! ```
//!
//! All numbers are little-endian. Behind the last group are zeros.

use std::fs::File;
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::LogError;
use super::entry::{Entry, Reader, Version, Writer};
use super::spare::{is_full, write_zeros};

const MAGIC: &[u8; 8] = b"bsledger";
/// The versions that files may have: the first that reads all that is in them. Files begin with the former, which has all but
/// guardrails.
const VERSIONS: RangeInclusive<u32> = Version::WithDecisions as u32..=Version::WithGuardrails as u32;
pub(super) const HEAD: usize = 32;
const GROUP: &[u8; 4] = b"bgrp";
const SEAL: &[u8; 4] = b"bend";
/// What precedes the body of a group.
const FRAME: usize = 20;

/// A file that is written.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    length: u64,
    first: u64,
    version: u32,
    /// Where the next group begins.
    end: u64,
    /// Its number.
    next: u64,
}

/// Where a file ends that was read.
#[derive(Debug)]
pub(super) struct End {
    path: PathBuf,
    length: u64,
    first: u64,
    version: u32,
    end: u64,
    /// The number of the group that comes next.
    pub(super) next: u64,
    reader: Reader,
    /// Something follows that is no group: it was never acknowledged.
    is_torn: bool,
}

impl Segment {
    /// A new file in `folder`, for a log that has none.
    pub(super) fn create(folder: &Path, first: u64, length: u64) -> Result<Self, LogError> {
        let path = folder.join("next");
        write_zeros(&path, length).map_err(|source| match is_full(&source) {
            true => LogError::Full,
            false => LogError::Io { path: path.clone(), source },
        })?;
        Self::begin(&path, folder, first)
    }

    /// Makes the file of zeros at `spare` the next of the log.
    pub(super) fn begin(spare: &Path, folder: &Path, first: u64) -> Result<Self, LogError> {
        let path = folder.join(name(first));
        let begun = || {
            let file = File::options().write(true).open(spare)?;
            let length = file.metadata()?.len();
            file.write_all_at(&head(*VERSIONS.start(), length, first), 0)?;
            file.sync_data()?;
            std::fs::rename(spare, &path)?;
            // Else the name itself may be lost in a crash.
            File::open(folder)?.sync_all()?;
            Ok((file, length))
        };
        let (file, length) = begun().map_err(LogError::io(&path))?;
        Ok(Self { path, file, length, first, version: *VERSIONS.start(), end: HEAD as u64, next: first })
    }

    /// Goes on where a file ends, with the names that stand in it, after what a crash left there is taken off.
    pub(super) fn reopen(end: End) -> Result<(Self, Writer), LogError> {
        let End { path, length, first, version, end, next, reader, is_torn } = end;
        let opened = || {
            let file = File::options().write(true).open(&path)?;
            if is_torn {
                file.write_all_at(&vec![0; usize::try_from(length - end).expect("a file fits memory")], end)?;
                file.sync_data()?;
            }
            Ok(file)
        };
        let file = opened().map_err(LogError::io(&path))?;
        Ok((Self { path, file, length, first, version, end, next }, reader.into()))
    }

    /// Whether a body of these bytes has room, and the seal behind it.
    pub(super) fn fits(&self, body: u64) -> bool {
        self.end + body + 2 * FRAME as u64 <= self.length
    }

    /// Writes a group, with which the file needs this version; how many bytes it has.
    ///
    /// An older gateway refuses a file of a newer version as such, and would take what it can't read for damage. The head is
    /// written over in place, as are those bytes of its sector in which the first groups are.
    pub(super) fn append(&mut self, body: &[u8], version: Version) -> Result<u64, LogError> {
        if version as u32 > self.version {
            self.version = version as u32;
            let head = head(self.version, self.length, self.first);
            self.file.write_all_at(&head, 0).map_err(LogError::io(&self.path))?;
        }
        let group = framed(GROUP, self.next, body);
        self.write(&group)?;
        self.end += group.len() as u64;
        self.next += 1;
        Ok(group.len() as u64)
    }

    /// Says that there is another file.
    pub(super) fn seal(&mut self) -> Result<(), LogError> {
        self.write(&framed(SEAL, self.next, &[]))
    }

    fn write(&self, bytes: &[u8]) -> Result<(), LogError> {
        let written = self.file.write_all_at(bytes, self.end).and_then(|()| self.file.sync_data());
        written.map_err(LogError::io(&self.path))
    }

    /// Whether no group is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.end == HEAD as u64
    }

    /// The number of the group that comes next.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }
}

/// The length of a file that has room for a group of these bytes.
pub(super) fn length_for(body: u64) -> u64 {
    (HEAD + 2 * FRAME) as u64 + body
}

/// The files of a log, the oldest first.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, LogError> {
    let entries = std::fs::read_dir(folder).map_err(LogError::io(folder))?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(LogError::io(folder))?;
    paths.retain(|path| first(path).is_some());
    paths.sort_unstable();
    Ok(paths)
}

fn name(first: u64) -> String {
    format!("{first:020}.log")
}

/// The first group of a file, as its name tells it.
pub(in crate::ledger) fn first(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_suffix(".log")?.parse().ok()
}

/// A file as it was read.
#[derive(Debug)]
pub(super) struct Contents {
    path: PathBuf,
    bytes: Vec<u8>,
    first: u64,
    version: u32,
}

impl Contents {
    /// Reads a file, and holds its head to its name and length.
    pub(super) fn read(path: &Path) -> Result<Self, LogError> {
        Self::of(path, std::fs::read(path).map_err(LogError::io(path))?)
    }

    /// The same of bytes that were read.
    pub(super) fn of(path: &Path, bytes: Vec<u8>) -> Result<Self, LogError> {
        let damaged = |at: usize, what| LogError::Damaged { path: path.to_owned(), at: at as u64, what };
        let head: &[u8; HEAD] = bytes.first_chunk().ok_or_else(|| damaged(bytes.len(), "it is cut off"))?;
        if head[..8] != *MAGIC || u32_at(head, 28) != crc32fast::hash(&head[..28]) {
            return Err(damaged(0, "its head is not that of a log"));
        }
        let version = u32_at(head, 8);
        if !VERSIONS.contains(&version) {
            return Err(LogError::Version { path: path.to_owned(), found: version });
        }
        let (length, first) = (u64_at(head, 12), u64_at(head, 20));
        if length != bytes.len() as u64 {
            return Err(damaged(bytes.len(), "it is not as long as it was made"));
        }
        if self::first(path) != Some(first) {
            return Err(damaged(0, "it has the name of another"));
        }
        Ok(Self { path: path.to_owned(), bytes, first, version })
    }

    /// Where what can be read ends.
    pub(super) fn whole(&self) -> u64 {
        self.extent().0 as u64
    }

    /// Where what can be read ends, and the number of the group that comes next.
    pub(super) fn extent(&self) -> (usize, u64) {
        let (mut at, mut next) = (HEAD, self.first);
        while let Some(body) = self.framed(GROUP, at, next) {
            at += FRAME + body.len();
            next += 1;
        }
        (at, next)
    }

    /// Whether it says there that another file follows.
    pub(super) fn is_sealed(&self, at: usize, next: u64) -> bool {
        self.framed(SEAL, at, next).is_some()
    }

    /// Whether something was written behind that place later than the group that can't be read there.
    pub(super) fn is_followed(&self, at: usize, next: u64) -> bool {
        let is_torn = self.bytes[at..].iter().any(|byte| *byte != 0);
        is_torn && (at + 1..self.bytes.len()).any(|later| self.is_later(later, next))
    }

    /// The file with nothing from that place on.
    pub(super) fn cut(self, at: usize) -> Vec<u8> {
        let mut bytes = self.bytes;
        bytes[at..].fill(0);
        bytes
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn damaged_before_others(&self, at: usize) -> LogError {
        let what = "a group can't be read, and others follow it";
        LogError::Damaged { path: self.path.clone(), at: at as u64, what }
    }

    /// Hands over the entries of groups after `after`, and says where the file ends.
    pub(super) fn replay<E: From<LogError>>(
        &self,
        after: u64,
        visit: &mut impl FnMut(Entry) -> Result<(), E>,
    ) -> Result<End, E> {
        let (at, next, reader) = self.visit(after, visit)?;
        Ok(self.end(at, next, reader)?)
    }

    /// Hands over the entries of groups after `after`; where they end, and the number that comes next.
    pub(super) fn visit<E: From<LogError>>(
        &self,
        after: u64,
        visit: &mut impl FnMut(Entry) -> Result<(), E>,
    ) -> Result<(usize, u64, Reader), E> {
        let mut reader = Reader::default();
        let (mut at, mut next) = (HEAD, self.first);
        while let Some(body) = self.framed(GROUP, at, next) {
            let damaged = |_| LogError::Damaged { path: self.path.clone(), at: at as u64, what: UNREADABLE };
            for entry in reader.read(body) {
                let entry = entry.map_err(damaged)?;
                if next > after {
                    visit(entry)?;
                }
            }
            at += FRAME + body.len();
            next += 1;
        }
        Ok((at, next, reader))
    }

    /// The file with only the entries that are to be kept; nothing where these are all.
    ///
    /// # Errors
    /// When what a group holds can't be read.
    pub(super) fn only(&self, is_kept: impl Fn(&Entry) -> bool) -> Result<Option<Vec<u8>>, LogError> {
        let (mut reader, mut writer) = (Reader::default(), Writer::default());
        let mut bytes = self.bytes[..HEAD].to_vec();
        let (mut at, mut next, mut is_less) = (HEAD, self.first, false);
        while let Some(body) = self.framed(GROUP, at, next) {
            for entry in reader.read(body) {
                let unreadable =
                    |_| LogError::Damaged { path: self.path.clone(), at: at as u64, what: UNREADABLE };
                match entry.map_err(unreadable)? {
                    entry if is_kept(&entry) => writer.add(&entry),
                    entry => {
                        writer.name(&entry);
                        is_less = true;
                    }
                }
            }
            // A group keeps its number, even with nothing in it.
            writer.take(|body| bytes.extend(framed(GROUP, next, body)));
            at += FRAME + body.len();
            next += 1;
        }
        if self.is_sealed(at, next) {
            bytes.extend(framed(SEAL, next, &[]));
        }
        // Each name is where it was and has the number that it had, so what is left is no longer than it was.
        debug_assert!(bytes.len() <= self.bytes.len());
        bytes.resize(self.bytes.len(), 0);
        Ok(is_less.then_some(bytes))
    }

    fn end(&self, at: usize, next: u64, reader: Reader) -> Result<End, LogError> {
        let Self { path, bytes, first, version } = self;
        let folder = path.parent().expect("it lies in a folder");
        let follows = next > *first && folder.join(name(next)).exists();
        let is_torn = !follows && bytes[at..].iter().any(|byte| *byte != 0);
        let is_sealed = self.is_sealed(at, next);
        if is_torn && !is_sealed && self.is_followed(at, next) {
            return Err(self.damaged_before_others(at));
        }
        let is_last = list(folder)?.last() == Some(path);
        if !follows && (is_sealed || !is_last) {
            return Err(LogError::Missing { folder: folder.to_owned(), after: next - 1 });
        }
        let (path, length) = (path.clone(), bytes.len() as u64);
        Ok(End { path, length, first: *first, version: *version, end: at as u64, next, reader, is_torn })
    }

    /// The body of the group or seal with this number at this place, if it is whole.
    fn framed(&self, kind: &[u8; 4], at: usize, number: u64) -> Option<&[u8]> {
        let (found, body) = frame(kind, self.bytes.get(at..)?)?;
        (found == number).then_some(body)
    }

    /// Whether something begins here that was written after the group with this number.
    fn is_later(&self, at: usize, number: u64) -> bool {
        let begins = |kind| frame(kind, &self.bytes[at..]).is_some_and(|(found, _)| found >= number);
        begins(GROUP) || begins(SEAL)
    }
}

const UNREADABLE: &str = "what a group holds can't be read";

/// The length that a file's head tells.
pub(super) fn told_length(bytes: &[u8]) -> Option<usize> {
    let head: &[u8; HEAD] = bytes.first_chunk()?;
    usize::try_from(u64_at(head, 12)).ok()
}

fn head(version: u32, length: u64, first: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&version.to_le_bytes());
    head[12..20].copy_from_slice(&length.to_le_bytes());
    head[20..28].copy_from_slice(&first.to_le_bytes());
    let checksum = crc32fast::hash(&head[..28]);
    head[28..].copy_from_slice(&checksum.to_le_bytes());
    head
}

fn framed(kind: &[u8; 4], number: u64, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a group is shorter than its file");
    let mut bytes = Vec::with_capacity(FRAME + body.len());
    bytes.extend_from_slice(kind);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&number.to_le_bytes());
    let checksum = checksum(&bytes, body);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// Number and body of what begins here, if it is whole.
fn frame<'b>(kind: &[u8; 4], bytes: &'b [u8]) -> Option<(u64, &'b [u8])> {
    let (frame, rest) = bytes.split_first_chunk::<FRAME>()?;
    if frame[..4] != *kind {
        return None;
    }
    let body = rest.get(..u32_at(frame, 4) as usize)?;
    (checksum(&frame[..16], body) == u32_at(frame, 16)).then_some((u64_at(frame, 8), body))
}

fn checksum(frame: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(frame);
    hasher.update(body);
    hasher.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("heads and frames have a fixed length"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("heads and frames have a fixed length"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::amount::Amount;
    use crate::ledger::check::{Arrival, Experiment, What};
    use crate::ledger::log::{FileLengths, Log};
    use crate::ledger::unit::Reward;

    fn acted(guardrail: Option<&str>) -> Entry {
        let guardrail = guardrail.map(str::to_owned);
        let experiment = Experiment { campaign: "8c4e".into(), placement: "hero".into(), seed: 1, guardrail };
        let reward = Reward { id: 1, at: 7, window: 60_000, value: Amount::ONE };
        Entry::Arrival(Arrival { experiment, subject: [7; 16], what: What::Reward(reward) })
    }

    #[test]
    fn a_file_is_of_the_first_version_that_reads_it_and_stays_so_until_the_next_file() {
        let folder = tempfile::tempdir().unwrap();
        let versions = || -> Vec<u32> {
            let files = list(folder.path()).unwrap();
            files.iter().map(|path| Contents::read(path).unwrap().version).collect()
        };
        let mut found = Vec::new();
        let mut open = || {
            let lengths = FileLengths { shortest: 4 << 10, longest: 4 << 10 };
            Log::open(folder.path(), lengths, 0, |entry| {
                found.push(entry);
                Ok::<_, LogError>(())
            })
            .unwrap()
        };
        let write = |log: &mut Log, guardrail| {
            log.begin(1_000).unwrap();
            log.add(&Entry::Clock(7));
            log.add(&acted(guardrail));
            log.commit().unwrap();
        };
        let mut log = open();
        write(&mut log, None);
        assert_eq!(versions(), [3]);
        write(&mut log, Some("bounce"));
        write(&mut log, None);
        assert_eq!(versions(), [4]);
        drop(log);
        let mut log = open();
        write(&mut log, None);
        log.part().unwrap();
        write(&mut log, None);
        assert_eq!(versions(), [4, 3]);
        assert!(found.contains(&acted(Some("bounce"))), "{found:?}");
    }
}
