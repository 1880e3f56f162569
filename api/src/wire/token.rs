//! The token: a decision that its bearer can't change.
//!
//! ```text
//! v1.<key id>.<claims as JSON, base64url>.<HMAC-SHA-256 over all before, base64url>
//! ```
//!
//! Who holds the key can read and make tokens; everybody else can only carry them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::name::hex;

/// What a token says: everything that makes its decision reproducible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The campaign's UID.
    #[serde(rename = "c")]
    pub campaign: String,
    /// The placement.
    #[serde(rename = "p")]
    pub placement: String,
    /// The seed of the assignment.
    #[serde(rename = "s")]
    pub seed: i64,
    /// The segment.
    #[serde(rename = "g")]
    pub segment: String,
    /// The round.
    #[serde(rename = "r")]
    pub round: u32,
    /// The variant.
    #[serde(rename = "v")]
    pub variant: String,
    /// The probability with which it was drawn, in parts per million.
    #[serde(rename = "e")]
    pub probability: u32,
    /// When, in seconds since 1970.
    #[serde(rename = "t")]
    pub decided_at: i64,
    /// The subject's keyed hash.
    #[serde(rename = "u")]
    pub subject: SubjectHash,
}

impl Claims {
    /// The moment of the decision; the earliest there is where the number is out of range.
    pub fn decided_at(&self) -> Timestamp {
        Timestamp::from_second(self.decided_at).unwrap_or(Timestamp::MIN)
    }
}

/// A subject's keyed hash: a pseudonym, in 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubjectHash(pub String);

/// The release's secret: signs tokens and hides subjects.
#[derive(Clone)]
pub struct Key {
    id: String,
    signing: Hmac<Sha256>,
    subjects: Hmac<Sha256>,
}

/// Why a key can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key has {0} bytes: it needs at least 32")]
pub struct ShortKey(usize);

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is not four parts with dots, or a part can't be read.
    #[error("the token is malformed: send it as the decision gave it")]
    Malformed,
    /// It was signed with a key that is not in use.
    #[error("the token's key is not in use: ask for a new decision")]
    UnknownKey,
    /// It was not signed by us, or changed since.
    #[error("the token's signature is wrong: send it as the decision gave it")]
    BadSignature,
}

impl Key {
    /// A key from secret bytes. Signing and hashing use two keys derived from them, so neither tells about the other.
    ///
    /// # Errors
    /// When there are fewer than 32 bytes.
    pub fn new(secret: &[u8]) -> Result<Self, ShortKey> {
        if secret.len() < 32 {
            return Err(ShortKey(secret.len()));
        }
        let derive = |purpose: &[u8]| mac(&keyed(secret), &[purpose]);
        let id = hex(&derive(b"broadside key id")[..4]);
        Ok(Self {
            id,
            signing: keyed(&derive(b"broadside token")),
            subjects: keyed(&derive(b"broadside subject")),
        })
    }

    /// The pseudonym of a subject within one campaign: the same person in two campaigns has two.
    pub fn subject(&self, campaign_uid: &str, subject: &str) -> SubjectHash {
        let length = (campaign_uid.len() as u64).to_be_bytes();
        let hash = mac(&self.subjects, &[&length, campaign_uid.as_bytes(), subject.as_bytes()]);
        SubjectHash(hex(&hash[..16]))
    }

    /// Signs `claims`.
    pub fn sign(&self, claims: &Claims) -> String {
        let json = serde_json::to_vec(claims).expect("claims are strings and integers");
        let signed = format!("v1.{}.{}", self.id, URL_SAFE_NO_PAD.encode(json));
        let signature = URL_SAFE_NO_PAD.encode(mac(&self.signing, &[signed.as_bytes()]));
        format!("{signed}.{signature}")
    }

    /// Reads a token, after its signature was found right in constant time.
    ///
    /// # Errors
    /// When it is malformed, of another key, or not as we signed it.
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let mut parts = signed.splitn(3, '.');
        let (Some("v1"), Some(id), Some(claims)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(TokenError::Malformed);
        };
        if id != self.id {
            return Err(TokenError::UnknownKey);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
        let check = self.signing.clone().chain_update(signed.as_bytes());
        check.verify_slice(&signature).map_err(|_| TokenError::BadSignature)?;
        let json = URL_SAFE_NO_PAD.decode(claims).map_err(|_| TokenError::Malformed)?;
        serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes keys of every length")
}

fn mac(keyed: &Hmac<Sha256>, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = keyed.clone();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::new(&[byte; 32]).expect("32 bytes")
    }

    fn claims() -> Claims {
        Claims {
            campaign: "8c4e".into(),
            placement: "hero".into(),
            seed: 1,
            segment: "all".into(),
            round: 3,
            variant: "shop-hero-5f2c91aa".into(),
            probability: 250_000,
            decided_at: 1_790_000_000,
            subject: key(7).subject("8c4e", "alice"),
        }
    }

    #[test]
    fn a_signed_token_reads_back() {
        assert_eq!(key(7).verify(&key(7).sign(&claims())), Ok(claims()));
    }

    #[test]
    fn a_token_that_was_touched_is_refused() {
        let token = key(7).sign(&claims());
        let parts: Vec<&str> = token.split('.').collect();
        let mut other = claims();
        other.probability = 1_000_000;
        let forged = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&other).expect("claims"));
        let swap = |index: usize, with: &str| {
            let mut parts = parts.clone();
            parts[index] = with;
            parts.join(".")
        };
        let cases = [
            (swap(2, &forged), TokenError::BadSignature),
            (swap(3, ""), TokenError::BadSignature),
            (swap(3, "*"), TokenError::Malformed),
            (swap(1, "00000000"), TokenError::UnknownKey),
            (swap(0, "v2"), TokenError::Malformed),
            (String::new(), TokenError::Malformed),
            ("v1.a.b".to_owned(), TokenError::Malformed),
            (key(8).sign(&claims()), TokenError::UnknownKey),
        ];
        for (token, expected) in cases {
            assert_eq!(key(7).verify(&token), Err(expected), "{token}");
        }
    }

    #[test]
    fn a_subject_has_another_pseudonym_in_another_campaign_or_under_another_key() {
        let pseudonym = key(7).subject("one", "alice");
        assert_eq!(pseudonym, key(7).subject("one", "alice"));
        assert_ne!(pseudonym, key(7).subject("two", "alice"));
        assert_ne!(pseudonym, key(8).subject("one", "alice"));
        assert_ne!(key(7).subject("ab", "c"), key(7).subject("a", "bc"));
    }

    #[test]
    fn a_short_key_is_refused_and_a_key_shows_no_secret() {
        assert_eq!(Key::new(&[1; 31]).err(), Some(ShortKey(31)));
        assert!(!format!("{:?}", key(7)).contains("7, 7"));
    }
}
