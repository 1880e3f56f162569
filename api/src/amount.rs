//! Amounts as people write them: `500`, `99.95`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// An amount above zero such as `500` or `99.95`, exact to one millionth, at most `1000000000`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(pub String);

/// Why a text is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// The text is not digits with at most six decimals.
    #[error("{0:?} is no amount: write it like 500 or 99.95, with at most six decimals")]
    Malformed(String),
    /// The amount is zero.
    #[error("{0:?} is nothing: write an amount above 0")]
    Zero(String),
    /// The amount is above a thousand million.
    #[error("{0:?} is above 1000000000: write a smaller one")]
    TooLarge(String),
}

impl Amount {
    /// The grammar that schema and parser share.
    pub const PATTERN: &str = r"^[0-9]{1,10}(\.[0-9]{1,6})?$";

    const LARGEST_MILLIONTHS: u64 = 1_000_000_000_000_000;

    /// The amount in millionths, exactly.
    ///
    /// ```
    /// assert_eq!(api::Amount("99.95".into()).millionths(), Ok(99_950_000));
    /// ```
    ///
    /// # Errors
    /// When the text does not follow [`Amount::PATTERN`], is zero, or is above `1000000000`.
    pub fn millionths(&self) -> Result<u64, AmountError> {
        let (whole, decimals) = self.0.split_once('.').unwrap_or((&self.0, "0"));
        if !are_digits(whole, 10) || !are_digits(decimals, 6) {
            return Err(AmountError::Malformed(self.0.clone()));
        }
        match number(whole) * 1_000_000 + number(&format!("{decimals:0<6}")) {
            0 => Err(AmountError::Zero(self.0.clone())),
            millionths if millionths > Self::LARGEST_MILLIONTHS => Err(AmountError::TooLarge(self.0.clone())),
            millionths => Ok(millionths),
        }
    }
}

fn are_digits(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The value of a few digits, which were checked before.
fn number(digits: &str) -> u64 {
    digits.bytes().fold(0, |value, byte| value * 10 + u64::from(byte - b'0'))
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": 17,
            "x-kubernetes-validations": [{
                "rule": format!("self.matches(r'{}')", Self::PATTERN),
                "message": "write an amount like 500 or 99.95, with at most six decimals",
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_exact_or_refused_with_a_remedy() {
        let read = |text: &str| Amount(text.to_owned()).millionths();
        for (text, millionths) in [
            ("1", 1_000_000),
            ("0.000001", 1),
            ("0012.50", 12_500_000),
            ("1000000000", 1_000_000_000_000_000),
            ("1000000000.000000", 1_000_000_000_000_000),
        ] {
            assert_eq!(read(text), Ok(millionths), "{text}");
        }
        for text in ["", ".", "1.", ".5", "-1", "1e3", "1,5", "0.0000001", "12345678901", "١"] {
            assert_eq!(read(text), Err(AmountError::Malformed(text.to_owned())), "{text}");
        }
        for text in ["0", "0.000000"] {
            assert_eq!(read(text), Err(AmountError::Zero(text.to_owned())));
        }
        for text in ["1000000000.000001", "9999999999"] {
            assert_eq!(read(text), Err(AmountError::TooLarge(text.to_owned())));
        }
    }
}
