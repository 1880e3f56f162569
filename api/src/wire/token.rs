//! The token: a decision that its bearer can't change.
//!
//! ```text
//! v1.<key id>.<claims as JSON, base64url>.<HMAC-SHA-256 over all before, base64url>
//! ```
//!
//! Who holds the key can read and make tokens; everybody else can only carry them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::name::hex;

/// What a token says: everything that makes its decision reproducible. Who signs may borrow the texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims<Text = String> {
    /// The campaign's UID.
    #[serde(rename = "c")]
    pub campaign: Text,
    /// The placement.
    #[serde(rename = "p")]
    pub placement: Text,
    /// The seed of the assignment.
    #[serde(rename = "s")]
    pub seed: i64,
    /// The segment.
    #[serde(rename = "g")]
    pub segment: Text,
    /// The round.
    #[serde(rename = "r")]
    pub round: u32,
    /// The variant.
    #[serde(rename = "v")]
    pub variant: Text,
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

/// The release's secret and the keys that sign in its stead.
///
/// The secret hides subjects for as long as the release lives: with another one everybody would be somebody else, and be
/// drawn and counted anew. It signs tokens too, until a dated key takes over; tokens of every key are taken.
#[derive(Clone)]
pub struct Keys {
    subjects: Hkdf<Sha256>,
    /// By the second from which each signs; the secret's own is the first.
    signing: Vec<(i64, SigningKey)>,
}

/// Signs tokens, and tells its own.
#[derive(Clone)]
struct SigningKey {
    id: String,
    mac: Hmac<Sha256>,
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

impl Keys {
    /// The keys of a release with this secret.
    ///
    /// # Errors
    /// When it has fewer than 32 bytes.
    pub fn new(secret: &[u8]) -> Result<Self, ShortKey> {
        let derived = derived(secret)?;
        Ok(Self { signing: vec![(i64::MIN, SigningKey::new(&derived))], subjects: derived })
    }

    /// The same with another key, which signs what is decided from then on.
    ///
    /// # Errors
    /// When it has fewer than 32 bytes.
    pub fn with(mut self, from: Timestamp, secret: &[u8]) -> Result<Self, ShortKey> {
        self.signing.push((from.as_second(), SigningKey::new(&derived(secret)?)));
        self.signing.sort_by_key(|(from, _)| *from);
        Ok(self)
    }

    /// The pseudonym of a subject within one campaign: the same person in two campaigns has two.
    ///
    /// It is HMAC-SHA-256 under a key that HKDF (RFC 5869, section 2.3) derives for the campaign, so whoever is given one
    /// campaign's key learns nothing of another's.
    pub fn subject(&self, campaign_uid: &str, subject: &str) -> SubjectHash {
        let key = expanded(&self.subjects, "subject", campaign_uid);
        SubjectHash(hex(&mac(&keyed(&key), subject.as_bytes())[..16]))
    }

    /// A person's number in a group of campaigns, below one million: the same in all of them, and independent of the
    /// person's numbers in other groups and of every draw.
    ///
    /// It is the upper 64 bits of an HMAC-SHA-256 under a key that HKDF derives for the group, scaled: for people at large
    /// each number is equally likely, to one in 2⁴⁴.
    pub fn number_in_group(&self, group: &str, subject: &str) -> u32 {
        let key = expanded(&self.subjects, "group", group);
        let mac = mac(&keyed(&key), subject.as_bytes());
        let (first, _) = mac.split_first_chunk().expect("32 bytes are more than eight");
        let scaled = (u128::from(u64::from_be_bytes(*first)) * 1_000_000) >> 64;
        u32::try_from(scaled).expect("it is below a million")
    }

    /// Signs `claims` with the key of the moment at which they were decided.
    pub fn sign<Text: Serialize>(&self, claims: &Claims<Text>) -> String {
        let json = serde_json::to_vec(claims).expect("claims are strings and integers");
        let in_force = |(from, _): &&(i64, SigningKey)| *from <= claims.decided_at;
        let (_, key) = self.signing.iter().rfind(in_force).expect("the first signs from ever");
        // Every decision is signed: one text that has room from the start, and no other beside it.
        let mut token = String::with_capacity(64 + key.id.len() + json.len().div_ceil(3) * 4);
        token.extend(["v1.", &key.id, "."]);
        URL_SAFE_NO_PAD.encode_string(json, &mut token);
        let signature = mac(&key.mac, token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }

    /// Reads a token, after its signature was found right in constant time.
    ///
    /// # Errors
    /// When it is malformed, of a key that is not among these, or not as we signed it.
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let mut parts = signed.splitn(3, '.');
        let (Some("v1"), Some(id), Some(claims)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(TokenError::Malformed);
        };
        let key = self.signing.iter().map(|(_, key)| key).find(|key| key.id == id);
        let key = key.ok_or(TokenError::UnknownKey)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
        let check = key.mac.clone().chain_update(signed.as_bytes());
        check.verify_slice(&signature).map_err(|_| TokenError::BadSignature)?;
        let json = URL_SAFE_NO_PAD.decode(claims).map_err(|_| TokenError::Malformed)?;
        serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<&str> = self.signing.iter().map(|(_, key)| key.id.as_str()).collect();
        formatter.debug_struct("Keys").field("ids", &ids).finish_non_exhaustive()
    }
}

impl SigningKey {
    fn new(derived: &Hkdf<Sha256>) -> Self {
        let id = hex(&expanded(derived, "key id", "")[..4]);
        Self { id, mac: keyed(&expanded(derived, "token", "")) }
    }
}

/// What all keys are derived from, so that none tells about another.
fn derived(secret: &[u8]) -> Result<Hkdf<Sha256>, ShortKey> {
    if secret.len() < 32 {
        return Err(ShortKey(secret.len()));
    }
    Ok(Hkdf::new(Some(b"broadside"), secret))
}

/// The key for a purpose, which is a word of ours and holds no zero, of something.
fn expanded(derived: &Hkdf<Sha256>, purpose: &str, of: &str) -> [u8; 32] {
    let mut key = [0; 32];
    let info = [purpose.as_bytes(), b"\0", of.as_bytes()];
    derived.expand_multi_info(&info, &mut key).expect("32 bytes are one block");
    key
}

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes keys of every length")
}

fn mac(keyed: &Hmac<Sha256>, message: &[u8]) -> [u8; 32] {
    keyed.clone().chain_update(message).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Keys {
        Keys::new(&[byte; 32]).expect("32 bytes")
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
    fn a_dated_key_signs_from_its_day_and_tokens_of_those_before_are_taken() {
        let day = |days: i64| Timestamp::from_second(claims().decided_at + 86_400 * days).expect("a day");
        let keys = key(7).with(day(2), &[9; 32]).and_then(|it| it.with(day(1), &[8; 32])).expect("keys");
        let at = |days| Claims { decided_at: day(days).as_second(), ..claims() };
        for (days, signer) in [(0, 7), (1, 8), (2, 9), (9, 9)] {
            let token = keys.sign(&at(days));
            assert_eq!(token, key(signer).sign(&at(days)), "after {days} days");
            assert_eq!(keys.verify(&token), Ok(at(days)));
        }
        assert_eq!(keys.subject("one", "alice"), key(7).subject("one", "alice"), "people stay who they are");
        assert_eq!(key(7).with(day(1), &[1; 31]).err(), Some(ShortKey(31)));
    }

    /// Computed with Python: HKDF as RFC 5869 writes it, and HMAC, from its hmac module alone.
    #[test]
    fn a_pseudonym_is_that_of_another_implementation() {
        assert_eq!(key(7).subject("8c4e", "alice").0, "b4d51606104c5bc1cb7127beb2e272bb");
    }

    #[test]
    fn a_short_key_is_refused_and_a_key_shows_no_secret() {
        assert_eq!(Keys::new(&[1; 31]).err(), Some(ShortKey(31)));
        assert!(!format!("{:?}", key(7)).contains("7, 7"));
    }
}
