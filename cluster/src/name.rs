//! Names of clusters.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Error;

/// The name of a cluster, of its node, and of its folder: a DNS label of at most twenty characters, so that what is
/// named after it stays within its own bounds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

/// A longer name would make longer paths of sockets than the system takes.
const LONGEST: usize = 20;

impl Name {
    /// Checks a name.
    pub fn new(text: &str) -> Result<Self, Error> {
        let is_label =
            text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let starts_well = text.starts_with(|first: char| first.is_ascii_lowercase());
        if is_label && starts_well && text.len() <= LONGEST && !text.ends_with('-') {
            return Ok(Self(text.into()));
        }
        Err(Error::Name(text.into()))
    }

    /// A name that no other cluster of this machine has: from the process id and a counter.
    pub fn unique() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self(format!("t{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_dns_labels() {
        for good in ["broadside", "a", "t123-4"] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "1a", "a/b", "..", "a.b", "abcdefghijklmnopqrstu"] {
            assert!(Name::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn unique_names_differ_and_are_names() {
        let (one, two) = (Name::unique(), Name::unique());
        assert_ne!(one, two);
        assert!(Name::new(one.as_str()).is_ok());
    }
}
