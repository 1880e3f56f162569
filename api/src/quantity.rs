//! Shares and durations as people write them: `10%`, `1h30m`.
//!
//! The schema holds the same grammar as the parser, so what the API server accepted can be parsed.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A percentage such as `10%` or `0.25%`, exact to one part per million, at most `1000%`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Percent(pub String);

/// Why a text is no percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PercentError {
    /// The text is not digits, at most four decimals, and a percent sign.
    #[error("{0:?} is no percentage: write it like 10% or 0.25%, with at most four decimals")]
    Malformed(String),
    /// The number is above one thousand percent.
    #[error("{0:?} is above 1000%: write a smaller one")]
    TooLarge(String),
}

impl Percent {
    /// The grammar that schema and parser share.
    pub const PATTERN: &str = r"^[0-9]{1,4}(\.[0-9]{1,4})?%$";

    /// Writes `parts_per_million` in the shortest exact form.
    ///
    /// ```
    /// assert_eq!(api::Percent::from_parts_per_million(2_500).0, "0.25%");
    /// assert_eq!(api::Percent::from_parts_per_million(1_000_000).0, "100%");
    /// ```
    pub fn from_parts_per_million(parts_per_million: u32) -> Self {
        let (whole, rest) = (parts_per_million / 10_000, parts_per_million % 10_000);
        let decimals = format!("{rest:04}");
        match decimals.trim_end_matches('0') {
            "" => Self(format!("{whole}%")),
            decimals => Self(format!("{whole}.{decimals}%")),
        }
    }

    /// The share in parts per million, exactly.
    ///
    /// # Errors
    /// When the text does not follow [`Percent::PATTERN`] or is above `1000%`.
    pub fn parts_per_million(&self) -> Result<u32, PercentError> {
        let malformed = || PercentError::Malformed(self.0.clone());
        let number = self.0.strip_suffix('%').ok_or_else(malformed)?;
        let (whole, decimals) = number.split_once('.').map_or((number, "0"), |(whole, rest)| (whole, rest));
        if !is_digits(whole) || !is_digits(decimals) || whole.len() > 4 {
            return Err(malformed());
        }
        let parts = digits(whole) * 10_000 + digits(&format!("{decimals:0<4}"));
        if parts > 10_000_000 { Err(PercentError::TooLarge(self.0.clone())) } else { Ok(parts) }
    }
}

fn is_digits(text: &str) -> bool {
    (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The value of up to four digits, which were checked before.
fn digits(text: &str) -> u32 {
    text.bytes().fold(0, |value, byte| value * 10 + u32::from(byte - b'0'))
}

impl JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": 10,
            "x-kubernetes-validations": [{
                "rule": format!("self.matches(r'{}')", Self::PATTERN),
                "message": "write a percentage like 10% or 0.25%, with at most four decimals",
            }],
        })
    }
}

/// A length of time such as `30m`, `1h30m` or `28d`: whole days, hours, minutes and seconds, at most 366 days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Duration(pub String);

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// The text is not numbers with the units d, h, m, s.
    #[error("{0:?} is no duration: write it like 45s, 30m, 1h30m or 28d")]
    Malformed(String),
    /// The length is zero.
    #[error("{0:?} is no time at all: write at least 1s")]
    Zero(String),
    /// The length is above 366 days.
    #[error("{0:?} is longer than 366 days: write a shorter one")]
    TooLong(String),
}

impl Duration {
    /// The grammar that schema and parser share.
    pub const PATTERN: &str = r"^([0-9]{1,8}d)?([0-9]{1,8}h)?([0-9]{1,8}m)?([0-9]{1,8}s)?$";

    const LONGEST_SECONDS: u64 = 366 * 86_400;

    /// The length in whole seconds.
    ///
    /// # Errors
    /// When the text does not follow [`Duration::PATTERN`], is zero, or is longer than 366 days.
    pub fn seconds(&self) -> Result<u64, DurationError> {
        let malformed = || DurationError::Malformed(self.0.clone());
        let (mut rest, mut seconds) = (self.0.as_str(), 0_u64);
        for (unit, length) in [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)] {
            let Some((number, tail)) = rest.split_once(unit) else { continue };
            if number.is_empty() || number.len() > 8 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(malformed());
            }
            seconds += number.bytes().fold(0, |value, byte| value * 10 + u64::from(byte - b'0')) * length;
            rest = tail;
        }
        match seconds {
            _ if !rest.is_empty() || self.0.is_empty() => Err(malformed()),
            0 => Err(DurationError::Zero(self.0.clone())),
            _ if seconds > Self::LONGEST_SECONDS => Err(DurationError::TooLong(self.0.clone())),
            _ => Ok(seconds),
        }
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": 36,
            "x-kubernetes-validations": [{
                "rule": format!("self.size() > 1 && self.matches(r'{}')", Self::PATTERN),
                "message": "write a duration like 45s, 30m, 1h30m or 28d",
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_exact_to_parts_per_million() {
        let cases = [
            ("10%", Ok(100_000)),
            ("0.25%", Ok(2_500)),
            ("0.0001%", Ok(1)),
            ("100%", Ok(1_000_000)),
            ("1000%", Ok(10_000_000)),
            ("1000.0001%", Err(PercentError::TooLarge("1000.0001%".into()))),
            ("10", Err(PercentError::Malformed("10".into()))),
            ("-1%", Err(PercentError::Malformed("-1%".into()))),
            ("1.%", Err(PercentError::Malformed("1.%".into()))),
            (".5%", Err(PercentError::Malformed(".5%".into()))),
            ("1.00001%", Err(PercentError::Malformed("1.00001%".into()))),
            ("١%", Err(PercentError::Malformed("١%".into()))),
        ];
        for (text, expected) in cases {
            assert_eq!(Percent(text.into()).parts_per_million(), expected, "{text}");
        }
    }

    #[test]
    fn a_written_percentage_reads_back() {
        for parts in [0, 1, 9_999, 10_000, 123_456, 333_333, 1_000_000] {
            assert_eq!(Percent::from_parts_per_million(parts).parts_per_million(), Ok(parts));
        }
    }

    #[test]
    fn durations_are_whole_seconds() {
        let cases = [
            ("45s", Ok(45)),
            ("30m", Ok(1_800)),
            ("1h30m", Ok(5_400)),
            ("28d", Ok(28 * 86_400)),
            ("1d1h1m1s", Ok(90_061)),
            ("0s", Err(DurationError::Zero("0s".into()))),
            ("367d", Err(DurationError::TooLong("367d".into()))),
            ("", Err(DurationError::Malformed(String::new()))),
            ("30", Err(DurationError::Malformed("30".into()))),
            ("m", Err(DurationError::Malformed("m".into()))),
            ("5m1h", Err(DurationError::Malformed("5m1h".into()))),
            ("1.5h", Err(DurationError::Malformed("1.5h".into()))),
        ];
        for (text, expected) in cases {
            assert_eq!(Duration(text.into()).seconds(), expected, "{text}");
        }
    }
}
