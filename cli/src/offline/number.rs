//! Numbers, objects and named entries as JSON writes them, before anybody asks whether they make sense.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;

use super::fault::Problem;
use super::limits::LARGEST_COUNT;
use super::place::shortened;

/// The magnitudes of a sum other than 0. Products of four means are taken on the way, and have to be doubles as well.
const SUMS: std::ops::RangeInclusive<f64> = 1e-60..=1e60;

/// A whole number of 0 or more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Count(Number);

impl Count {
    pub(super) fn new(count: u32) -> Self {
        Self(count.into())
    }

    /// The number, which a double holds exactly.
    pub(super) fn get(&self) -> Result<u64, Problem> {
        let number = self.0.as_f64().unwrap_or(f64::NAN);
        match self.0.as_u64() {
            Some(count) if count <= LARGEST_COUNT => Ok(count),
            _ if number < 0.0 => Err(Problem::Negative(self.0.to_string())),
            None if number.fract() != 0.0 => Err(Problem::NotWhole(self.0.to_string())),
            // 4000.0 is as whole as 4000: some languages write all numbers so.
            None if number <= LARGEST_COUNT as f64 => Ok(number as u64),
            _ => Err(Problem::TooMany),
        }
    }
}

impl JsonSchema for Count {
    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": LARGEST_COUNT })
    }
}

/// A number of 0 or more: a decimal in quotes, which no reader rounds on the way, or a JSON number.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Sum {
    /// As `"41.5"`.
    Text(String),
    /// As `41.5`.
    Number(Number),
}

impl Sum {
    /// Digits, with decimals and an exponent if need be. A number below 0 is read too, so that it can be refused as one.
    const PATTERN: &str = r"^[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?$";

    /// The nearest double.
    pub(super) fn get(&self) -> Result<f64, Problem> {
        match self.signed()? {
            negative if negative < 0.0 => Err(Problem::Negative(shortened(&self.text()))),
            number => Ok(number),
        }
    }

    /// The nearest double, which may lie below 0.
    fn signed(&self) -> Result<f64, Problem> {
        let text = self.text();
        let number = if is_decimal(&text) { text.parse().ok() } else { None };
        match number.ok_or_else(|| Problem::NotANumber(shortened(&text)))? {
            // Also where "-0" was written.
            0.0 => Ok(0.0),
            number if SUMS.contains(&f64::abs(number)) => Ok(number),
            _ => Err(Problem::OutOfRange(shortened(&text))),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

/// As a [`Sum`], which may lie below 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Moment(Sum);

impl Moment {
    /// The nearest double.
    pub(super) fn get(&self) -> Result<f64, Problem> {
        self.0.signed()
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pattern = format!("^-?{}", Sum::PATTERN.trim_start_matches('^'));
        json_schema!({ "type": ["string", "number"], "pattern": pattern })
    }
}

/// Whether `text` follows [`Sum::PATTERN`], but for a sign; `NaN` and `inf`, which Rust would read, do not.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let mantissa = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    is_digits(whole) && is_digits(decimals) && is_digits(exponent) && exponent.len() <= 3
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SumVisitor)
    }
}

struct SumVisitor;

impl Visitor<'_> for SumVisitor {
    type Value = Sum;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number, in quotes or without")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Sum, E> {
        Ok(Sum::Text(text.to_owned()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Sum, E> {
        Ok(Sum::Number(number.into()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Sum, E> {
        Ok(Sum::Number(number.into()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Sum, E> {
        let number = Number::from_f64(number);
        Ok(Sum::Number(number.expect("JSON has no infinity, and a number that overflows is refused before")))
    }
}

impl JsonSchema for Sum {
    fn schema_name() -> Cow<'static, str> {
        "Sum".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"], "pattern": Self::PATTERN, "minimum": 0 })
    }
}

/// An object with the fields of `T`. Without it a list of values in the order of the fields would do as well, and nobody
/// could add a field later.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Fields<T>(pub(super) T);

impl<T> Deref for Fields<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Fields<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor(PhantomData))
    }
}

struct FieldsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FieldsVisitor<T> {
    type Value = Fields<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Fields)
    }
}

impl<T: JsonSchema> JsonSchema for Fields<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Entries by the names that people gave them, in the order of the names, each once: of two totals for one variant none
/// may be lost.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Named<T>(BTreeMap<String, T>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> FromIterator<(String, T)> for Named<T> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl<T> Deref for Named<T> {
    type Target = BTreeMap<String, T>;

    fn deref(&self) -> &BTreeMap<String, T> {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamedVisitor(PhantomData))
    }
}

struct NamedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NamedVisitor<T> {
    type Value = Named<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((name, entry)) = map.next_entry::<String, T>()? {
            if entries.contains_key(&name) {
                // In the words of serde, whose own take no name that is only known now.
                return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
            }
            entries.insert(name, entry);
        }
        Ok(Named(entries))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": generator.subschema_for::<T>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_decimals_or_numbers_and_the_pattern_says_which() {
        let pattern = regex::Regex::new(Sum::PATTERN).expect("a pattern");
        let check = |text: &str, expected: Result<f64, Problem>| {
            assert_eq!(Sum::Text(text.to_owned()).get(), expected, "{text}");
            let is_refused = matches!(expected, Err(Problem::NotANumber(_) | Problem::Negative(_)));
            assert_eq!(pattern.is_match(text), !is_refused, "{text}");
        };
        check("41", Ok(41.0));
        check("41.50", Ok(41.5));
        check("4.15e1", Ok(41.5));
        check("0", Ok(0.0));
        check("-1", Err(Problem::Negative("-1".into())));
        for text in [
            "", "NaN", "inf", "-inf", "infinity", "1.", ".5", "+1", "1,5", "1_000", "0x10", "١", "1e",
            "1e9999",
        ] {
            check(text, Err(Problem::NotANumber(text.into())));
        }
        for text in ["1e61", "1e999", "1e-61", "1e-999"] {
            let expected = if text == "1e-999" { Ok(0.0) } else { Err(Problem::OutOfRange(text.into())) };
            check(text, expected);
        }
        assert_eq!(Sum::Number(41.into()).get(), Ok(41.0));
        assert_eq!(Sum::Text("-0".to_owned()).get().map(f64::to_bits), Ok(0));
    }

    #[test]
    fn counts_are_whole_and_exact() {
        let check = |json: &str, expected: Result<u64, Problem>| {
            let count: Count = serde_json::from_str(json).expect("a number");
            assert_eq!(count.get(), expected, "{json}");
        };
        check("4000", Ok(4000));
        check("4000.0", Ok(4000));
        check("9007199254740992", Ok(LARGEST_COUNT));
        check("9007199254740993", Err(Problem::TooMany));
        check("9007199254740994.0", Err(Problem::TooMany));
        check("1e300", Err(Problem::TooMany));
        check("-1", Err(Problem::Negative("-1".into())));
        check("-1e300", Err(Problem::Negative("-1e+300".into())));
        check("0.5", Err(Problem::NotWhole("0.5".into())));
    }
}
