//! A line of a log.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::fault::{Fault, Problem};
use super::super::number::Named;
use super::super::parse::parse;

/// A decision, its chance, and what it brought. Other fields, such as `decidedAt`, are not read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The campaign's UID. Default: one campaign without a name.
    #[serde(default)]
    pub campaign: Option<String>,
    /// The placement. Default: one placement without a name.
    #[serde(default)]
    pub placement: Option<String>,
    /// The segment. Default: one for all.
    #[serde(default)]
    pub segment: Option<String>,
    /// What else was known before the decision that rewards depend on, such as a position. Default: nothing.
    #[serde(default)]
    pub context: Option<Label>,
    /// The round, within which chances did not change. Default: one for all.
    #[serde(default)]
    pub round: Option<u64>,
    /// The variant that was shown.
    pub variant: String,
    /// The chance with which it was drawn.
    pub probability: f64,
    /// Whom it was shown to. Default: each line is somebody else.
    #[serde(default)]
    pub subject: Option<String>,
    /// What it brought, 0 or more.
    pub reward: f64,
    /// The chance of each variant under the policy to score; what is left out has none.
    #[serde(default)]
    pub(super) evaluation: Option<Named<f64>>,
}

impl Line {
    /// # Errors
    /// When `bytes` are no object with the fields that are needed.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        parse(bytes.trim_ascii_end())
            .map_err(|Fault { path, problem }| Fault { path, problem: on_one_line(problem) })
    }
}

/// The number of the line is the log's, and not the one of a document of one line.
fn on_one_line(problem: Problem) -> Problem {
    match problem {
        Problem::NotJson(text) => Problem::NotJson(text.replace(" at line 1 column ", " at column ")),
        other => other,
    }
}

/// A name, which may be written as a whole number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label(pub String);

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LabelVisitor)
    }
}

struct LabelVisitor;

impl Visitor<'_> for LabelVisitor {
    type Value = Label;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text in quotes or a whole number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Label, E> {
        Ok(Label(text.to_owned()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Label, E> {
        Ok(Label(number.to_string()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Label, E> {
        Ok(Label(number.to_string()))
    }
}
