//! The keys of the Secrets that lead to models elsewhere, and the files that a pod finds them in.
//!
//! The keys have names that no Secret has which was made for something else; the files have short ones, for those who
//! run a worker by hand. A message names both, since its reader may have either before them.

use std::fmt;

/// The keys of a Secret of type `broadside.dev/model-endpoint`.
pub mod endpoint {
    use super::SecretEntry;

    /// The address.
    pub const URL: SecretEntry = SecretEntry { key: "broadside-endpoint-url", file: "url" };
    /// What is sent with every request; empty where none is wanted.
    pub const KEY: SecretEntry = SecretEntry { key: "broadside-endpoint-key", file: "key" };
    /// The authority of the endpoint's certificate.
    pub const CA: SecretEntry = SecretEntry { key: "broadside-endpoint-ca.crt", file: "ca.crt" };
}

/// The keys of a Secret of type `broadside.dev/model-hub`.
pub mod hub {
    use super::SecretEntry;

    /// What says who asks.
    pub const TOKEN: SecretEntry = SecretEntry { key: "broadside-hub-token", file: "token" };
    /// The address of a mirror.
    pub const URL: SecretEntry = SecretEntry { key: "broadside-hub-url", file: "url" };
    /// The authority of the mirror's certificate.
    pub const CA: SecretEntry = SecretEntry { key: "broadside-hub-ca.crt", file: "ca.crt" };
}

/// One thing that a Secret holds.
///
/// ```
/// use api::model_secret::hub::TOKEN;
/// assert_eq!(TOKEN.to_string(), "`token` (`broadside-hub-token` of the Secret)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretEntry {
    /// Its key in the Secret.
    pub key: &'static str,
    /// Its file in the folder into which the Secret is mounted.
    pub file: &'static str,
}

impl fmt::Display for SecretEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, file } = self;
        write!(formatter, "`{file}` (`{key}` of the Secret)")
    }
}
