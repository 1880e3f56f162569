//! The namespaces that a process looks at.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// The name of a namespace: a label of RFC 1123.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Namespace(String);

/// Which namespaces a process looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All: needs rights in the whole cluster.
    All,
    /// Each of these, by a watch of its own: rights in them suffice.
    Listed(BTreeSet<Namespace>),
}

/// A text that names no namespace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names no namespace: write lower-case letters, digits and hyphens, at most {LONGEST}, a letter or digit at both \
     ends, such as shop"
)]
pub struct NoNamespace(String);

/// The longest label. Source: RFC 1123, section 2.1, and RFC 1035, section 2.3.4.
const LONGEST: usize = 63;

impl Namespace {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scope {
    /// What is to be watched: each namespace by its name, or, by none, all at once.
    pub fn watches(&self) -> Vec<Option<&Namespace>> {
        match self {
            Self::All => vec![None],
            Self::Listed(names) => names.iter().map(Some).collect(),
        }
    }
}

/// Of no names: everything. A name that is there twice is one.
impl From<Vec<Namespace>> for Scope {
    fn from(names: Vec<Namespace>) -> Self {
        if names.is_empty() { Self::All } else { Self::Listed(names.into_iter().collect()) }
    }
}

impl FromStr for Namespace {
    type Err = NoNamespace;

    fn from_str(text: &str) -> Result<Self, NoNamespace> {
        let is_known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let has_ends = !text.starts_with('-') && !text.ends_with('-');
        let fits = (1..=LONGEST).contains(&text.len());
        if fits && has_ends && text.bytes().all(is_known) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoNamespace(text.to_owned()))
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_label() {
        for name in ["shop", "a", "7", "shop-2", &"n".repeat(63)] {
            assert_eq!(name.parse::<Namespace>().map(|it| it.to_string()).as_deref(), Ok(name));
        }
        for name in ["", "Shop", "-shop", "shop-", "shop.web", "shop,blog", " shop", "läden", &"n".repeat(64)]
        {
            let refused = name.parse::<Namespace>().expect_err(name).to_string();
            assert!(refused.starts_with(&format!("{name:?} names no namespace: write")), "{refused}");
        }
    }

    #[test]
    fn each_namespace_is_watched_once_and_all_of_them_by_one_watch() {
        let check = |names: &[&str], expected: &[Option<&str>]| {
            let names = names.iter().map(|name| name.parse().expect("a name")).collect::<Vec<Namespace>>();
            let scope = Scope::from(names);
            let watches: Vec<_> =
                scope.watches().into_iter().map(|name| name.map(Namespace::as_str)).collect();
            assert_eq!(watches, expected);
        };
        check(&[], &[None]);
        check(&["shop"], &[Some("shop")]);
        check(&["shop", "blog", "shop"], &[Some("blog"), Some("shop")]);
    }
}
