//! Which key opens which namespace, and how often.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The shortest key, in bytes: 32 hexadecimal digits are 128 bits, which nobody guesses.
pub const KEY_MINIMUM: usize = 32;

/// A key of a namespace. The key itself is forgotten: only its SHA-256 is kept, which opens nothing.
#[derive(Clone)]
pub struct ApiKey {
    name: String,
    namespace: Arc<str>,
    digest: [u8; 32],
    /// What is left of its second; nothing where it may ask as often as it likes.
    allowance: Option<Arc<DefaultDirectRateLimiter>>,
}

/// The key has asked as often as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent;

/// What is no key. Each says what is wrong with a file and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    /// The name tells no namespace.
    #[error("tells no namespace: name it NAMESPACE.NAME, such as shop.web")]
    Unnamed,
    /// It can be guessed.
    #[error("is shorter than {KEY_MINIMUM} bytes: fill it with `openssl rand -hex 32`")]
    Short,
    /// No header carries it.
    #[error("has more in it than letters, digits and -._~+/=: fill it with `openssl rand -hex 32`")]
    Unsendable,
    /// Another file holds it too.
    #[error("is the key of {0} too: give each file a key of its own")]
    Twice(String),
}

impl ApiKey {
    /// The key in a file of this name, `NAMESPACE.NAME`. A line break at its end does not count.
    ///
    /// # Errors
    /// When the name tells no namespace, or the content is too short or could not be sent as a bearer token.
    pub fn new(name: &str, content: &[u8]) -> Result<Self, ApiKeyError> {
        let (namespace, rest) = name.split_once('.').ok_or(ApiKeyError::Unnamed)?;
        if namespace.is_empty() || rest.is_empty() {
            return Err(ApiKeyError::Unnamed);
        }
        let key = content.trim_ascii_end();
        if key.len() < KEY_MINIMUM {
            return Err(ApiKeyError::Short);
        }
        if !key.iter().all(is_sendable) {
            return Err(ApiKeyError::Unsendable);
        }
        Ok(Self { name: name.to_owned(), namespace: namespace.into(), digest: digest(key), allowance: None })
    }

    /// The same key, which may be shown `rate` times a second, and as often at once. Where it was among those before, it
    /// goes on with what was left then.
    #[must_use]
    pub fn limited(self, rate: NonZeroU32, before: &ApiKeys) -> Self {
        let known = before.holding(&self.digest).and_then(|key| key.allowance.clone());
        let fresh = || Arc::new(RateLimiter::direct(Quota::per_second(rate)));
        Self { allowance: Some(known.unwrap_or_else(fresh)), ..self }
    }

    /// Asks once.
    ///
    /// # Errors
    /// When it has asked as often as it may; one more is free within a second.
    pub fn spend(&self) -> Result<(), Spent> {
        self.allowance.as_ref().map_or(Ok(()), |allowance| allowance.check().map_err(|_| Spent))
    }

    /// The name of its file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace that it opens.
    #[must_use]
    pub fn namespace(&self) -> &Arc<str> {
        &self.namespace
    }
}

impl PartialEq for ApiKey {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.digest) == (&other.name, &other.digest)
    }
}

impl Eq for ApiKey {}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ApiKey").field(&self.name).finish()
    }
}

/// The keys of all namespaces. None of them is there twice, so each opens one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiKeys(Vec<ApiKey>);

impl ApiKeys {
    /// Takes one more.
    ///
    /// # Errors
    /// When another file holds it too.
    pub fn add(&mut self, key: ApiKey) -> Result<(), ApiKeyError> {
        if let Some(known) = self.holding(&key.digest) {
            return Err(ApiKeyError::Twice(known.name.clone()));
        }
        self.0.push(key);
        Ok(())
    }

    /// The key that somebody shows.
    #[must_use]
    pub fn find(&self, shown: &[u8]) -> Option<&ApiKey> {
        self.holding(&digest(shown))
    }

    /// The key of the file of that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&ApiKey> {
        self.0.iter().find(|key| key.name == name)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none, and nobody is let in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All are compared, each to its last byte, so that the time it takes tells nothing about them.
    fn holding(&self, digest: &[u8; 32]) -> Option<&ApiKey> {
        let same = |key: &&ApiKey| bool::from(key.digest.ct_eq(digest));
        self.0.iter().fold(None, |found, key| if same(&key) { Some(key) } else { found })
    }
}

fn digest(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

/// What a bearer token is made of. Source: RFC 6750, section 2.1.
fn is_sendable(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_name_tells_the_namespace_and_a_content_the_key() {
        let check = |name: &str, content: &str, expected: Result<&str, ApiKeyError>| {
            let key = ApiKey::new(name, content.as_bytes());
            assert_eq!(
                key.as_ref().map(|key| &*key.namespace),
                expected.as_ref().map(|&name| name),
                "{name}"
            );
        };
        check("shop.web", KEY, Ok("shop"));
        check("shop.web.2026", &format!("{KEY}\r\n"), Ok("shop"));
        check("shop", KEY, Err(ApiKeyError::Unnamed));
        check("shop.", KEY, Err(ApiKeyError::Unnamed));
        check(".web", KEY, Err(ApiKeyError::Unnamed));
        check("shop.web", &KEY[1..], Err(ApiKeyError::Short));
        check("shop.web", &format!("{}  \n", &KEY[1..]), Err(ApiKeyError::Short));
        check("shop.web", &format!("{KEY} {KEY}"), Err(ApiKeyError::Unsendable));
        check("shop.web", &format!("{KEY}ü"), Err(ApiKeyError::Unsendable));
    }

    #[test]
    fn a_key_is_found_whole_and_is_there_once() {
        let key = |name: &str, content: &str| ApiKey::new(name, content.as_bytes()).unwrap();
        let other = KEY.replace('0', "z");
        let mut keys = ApiKeys::default();
        assert!(keys.find(KEY.as_bytes()).is_none());
        keys.add(key("shop.web", &format!("{KEY}\n"))).unwrap();
        keys.add(key("shop.app", &other)).unwrap();
        let found = |shown: &str| keys.find(shown.as_bytes()).map(ApiKey::name);
        assert_eq!((found(KEY), found(&other)), (Some("shop.web"), Some("shop.app")));
        for wrong in ["", &KEY[1..], &format!("{KEY}0"), &KEY.to_uppercase()] {
            assert_eq!(found(wrong), None, "{wrong}");
        }
        assert_eq!(keys.clone().add(key("blog.web", KEY)), Err(ApiKeyError::Twice("shop.web".into())));
        assert!(!format!("{keys:?}").contains("0123"), "a key is printed");
    }
    #[test]
    fn a_key_has_an_allowance_that_outlives_a_look_at_the_folder() {
        let rate = NonZeroU32::new(5).unwrap();
        let key = |before: &ApiKeys| ApiKey::new("shop.web", KEY.as_bytes()).unwrap().limited(rate, before);
        let asked = |key: &ApiKey| (0..5).filter(|_| key.spend().is_ok()).count();
        let mut before = ApiKeys::default();
        before.add(key(&ApiKeys::default())).unwrap();
        // A fifth of a second gives one back, and a busy machine may take that long.
        assert_eq!(asked(before.named("shop.web").unwrap()), 5);
        assert!(asked(&key(&before)) < 5, "who changes a file gets no second allowance");
        assert_eq!(asked(&key(&ApiKeys::default())), 5);
        let unlimited = ApiKey::new("shop.web", KEY.as_bytes()).unwrap();
        assert!((0..1000).all(|_| unlimited.spend().is_ok()));
    }
}
