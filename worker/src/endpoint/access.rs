//! The way in: a mounted Secret of type `broadside.dev/model-endpoint`, with `url`, and where they are needed `key` and
//! `ca.crt`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use api::model_secret::SecretEntry;
use api::model_secret::endpoint::{CA, KEY, URL};
use reqwest::Certificate;
use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::http::address::{self, Told};
use crate::http::authorities;

/// What is needed to reach an endpoint. No form of it shows the key.
#[derive(Debug)]
pub struct Access {
    /// Where the Secret is mounted.
    pub(super) folder: PathBuf,
    /// The address, up to and with `/v1`.
    pub(super) base: Url,
    pub(super) key: Option<Key>,
    /// The only authorities that are trusted, where some are named.
    pub(super) authorities: Vec<Certificate>,
}

/// Why the Secret can't be used.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A file is missing or unreadable.
    #[error("cannot read {} (`{key}` of the Secret)", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The key of the Secret.
        key: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A file holds something else than it should.
    #[error("{} (`{key}` of the Secret) {what}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The key of the Secret.
        key: &'static str,
        /// What is wrong, and what to do; never what the file holds.
        what: &'static str,
    },
}

impl Access {
    /// Reads the folder into which the Secret is mounted, once.
    ///
    /// # Errors
    /// When there is no `url`, or a file holds what it should not.
    pub fn open(folder: &Path) -> Result<Self, AccessError> {
        let url = read(folder, URL)?.ok_or_else(|| unread(folder, URL, io::ErrorKind::NotFound.into()))?;
        let base = parsed(folder, URL, base(&url))?;
        let key = key(folder)?;
        let bundle = read(folder, CA)?.map(|text| parsed(folder, CA, authorities::bundle(&text)));
        let authorities = bundle.transpose()?.unwrap_or_default();
        Ok(Self { folder: folder.to_owned(), base, key, authorities })
    }

    /// The host, for the log.
    #[must_use]
    pub fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }
}

/// A Secret has the key in any case, so one without content says that none is wanted.
pub(super) fn key(folder: &Path) -> Result<Option<Key>, AccessError> {
    let key = read(folder, KEY)?.filter(|text| !text.trim().is_empty());
    key.map(|text| parsed(folder, KEY, Key::new(&text))).transpose()
}

/// What is sent with every request, and shown nowhere.
#[derive(PartialEq, Eq)]
pub(super) struct Key(String);

impl Key {
    fn new(text: &str) -> Result<Self, &'static str> {
        let visible = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        visible.then(|| Self(text.to_owned())).ok_or(
            "must be one word of visible ASCII characters: write the key alone, or nothing where none is needed",
        )
    }

    /// The value of `Authorization`.
    pub(super) fn header(&self) -> HeaderValue {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.0))
            .expect("visible ASCII characters are a header's value");
        value.set_sensitive(true);
        value
    }

    /// A text of the server's, which may repeat what it was sent.
    pub(super) fn redact(&self, text: &str) -> String {
        text.replace(&self.0, "[key]")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key([redacted])")
    }
}

/// The text of a file without outer white space; nothing where there is no such file.
fn read(folder: &Path, entry: SecretEntry) -> Result<Option<String>, AccessError> {
    match std::fs::read_to_string(folder.join(entry.file)) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(unread(folder, entry, source)),
    }
}

fn unread(folder: &Path, SecretEntry { key, file }: SecretEntry, source: io::Error) -> AccessError {
    AccessError::Read { path: folder.join(file), key, source }
}

fn parsed<T>(folder: &Path, entry: SecretEntry, parsed: Result<T, &'static str>) -> Result<T, AccessError> {
    let SecretEntry { key, file } = entry;
    parsed.map_err(|what| AccessError::Invalid { path: folder.join(file), key, what })
}

/// The address that every request is made from: with `/v1` at its end, whether or not it was written.
fn base(text: &str) -> Result<Url, &'static str> {
    // Even where no key is wanted, the brief is nobody else's.
    let mut url = address::parse(text, Told::Secrets)?;
    let path = url.path().trim_end_matches('/');
    let path = if path.ends_with("/v1") { path.to_owned() } else { format!("{path}/v1") };
    url.set_path(&path);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(files: &[(&str, &str)]) -> Result<Access, AccessError> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        Access::open(folder.path())
    }

    #[test]
    fn an_address_is_taken_with_and_without_its_version() {
        for (url, expected) in [
            ("https://llm.example.com", "https://llm.example.com/v1"),
            ("https://llm.example.com/v1/\n", "https://llm.example.com/v1"),
            ("https://llm.example.com/serve/qwen", "https://llm.example.com/serve/qwen/v1"),
            ("http://vllm:8000", "http://vllm:8000/v1"),
            ("http://vllm.models.svc:8000/v1", "http://vllm.models.svc:8000/v1"),
        ] {
            assert_eq!(open(&[("url", url)]).expect(url).base.as_str(), expected);
        }
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_remedy() {
        let check = |files: &[(&str, &str)], said: &str| {
            let error = open(files).expect_err("refused").to_string();
            assert!(error.contains(said), "{error}");
        };
        let with = |name, text| [("url", "https://llm.example.com"), (name, text)];
        check(&[], "/url");
        check(&[("url", "llm.example.com")], "is no address");
        check(&[("url", "ftp://llm.example.com")], "is neither https nor http");
        check(&[("url", "http://llm.example.com")], "is plain http to another network");
        check(&[("url", "")], "/url (`broadside-endpoint-url` of the Secret) is no address");
        check(&[("url", "https://me:s3cret@llm.example.com")], "holds a user or a password");
        check(&[("url", "https://llm.example.com/v1?key=s3cret")], "holds `?` or `#`");
        check(&with("key", "two words"), "/key (`broadside-endpoint-key` of the Secret) must be one word");
        check(&with("key", "ключ"), "must be one word");
        check(
            &with("ca.crt", "no certificate"),
            "/ca.crt (`broadside-endpoint-ca.crt` of the Secret) holds no certificate",
        );
    }

    #[test]
    fn an_empty_key_is_none() {
        for key in ["", " \n"] {
            let access = open(&[("url", "https://llm.example.com"), ("key", key)]).expect("valid");
            assert!(access.key.is_none(), "{key:?}");
        }
    }

    #[test]
    fn no_form_of_the_access_shows_the_key() {
        let access = open(&[("url", "https://llm.example.com"), ("key", " s3cret\n")]).expect("valid");
        let key = access.key.as_ref().expect("a key");
        assert_eq!(key.header(), "Bearer s3cret");
        assert_eq!(key.redact("wrong key s3cret"), "wrong key [key]");
        for shown in [format!("{access:?}"), format!("{:?}", key.header())] {
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }
}
