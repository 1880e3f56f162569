//! Checksums as repositories list them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use api::name::hex;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// What a file's bytes must come to, in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Checksum {
    /// SHA-256 of the bytes: of large files.
    Sha256(String),
    /// The name of the bytes as a blob of Git, SHA-1 over their length and them: of small ones, which are kept in Git
    /// itself.
    GitBlob(String),
}

impl fmt::Display for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(sum) => write!(formatter, "sha256:{sum}"),
            Self::GitBlob(sum) => write!(formatter, "git:{sum}"),
        }
    }
}

impl Checksum {
    /// The same kind of checksum of a file of `size` bytes.
    pub(super) fn of(&self, path: &Path, size: u64) -> io::Result<Self> {
        Ok(match self {
            Self::Sha256(_) => Self::Sha256(sum(Sha256::new(), path)?),
            Self::GitBlob(_) => Self::GitBlob(sum(Sha1::new_with_prefix(format!("blob {size}\0")), path)?),
        })
    }
}

fn sum<D: Digest>(mut digest: D, path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&digest.finalize())),
            count => digest.update(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `sha256sum` and `git hash-object`.
    #[test]
    fn sums_are_those_of_the_tools() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("hello");
        std::fs::write(&path, "hello\n").expect("written");
        let check = |kind: Checksum, expected: &str| {
            assert_eq!(kind.of(&path, 6).expect("read").to_string(), expected);
        };
        check(
            Checksum::Sha256(String::new()),
            "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
        );
        check(Checksum::GitBlob(String::new()), "git:ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
