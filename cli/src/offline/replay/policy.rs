//! The policy that is scored.

use std::collections::BTreeMap;

use api::Percent;
use serde_json::Value;

use super::super::fault::{Fault, Problem, ReplayProblem};
use super::super::place::{Place, shortened};
use super::line::Line;
use super::names::listed;

/// Who would be shown what.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// The same shares for everybody.
    Everybody(Shares),
    /// Shares by segment.
    BySegment(BTreeMap<String, Part>),
    /// What stands in the field `evaluation` of each line.
    OfEachLine,
}

/// The shares of one segment.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// The same for the whole segment.
    Whole(Shares),
    /// By context.
    ByContext(BTreeMap<String, Shares>),
}

/// Variants with shares that sum to one million parts per million.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shares(Vec<(String, u32)>);

impl Shares {
    /// The chance of each variant.
    pub fn chances(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(variant, parts)| (variant.as_str(), f64::from(*parts) / 1e6))
    }

    fn new(shares: Vec<(String, u32)>) -> Result<Self, ReplayProblem> {
        let sum = shares.iter().map(|(_, parts)| u64::from(*parts)).sum::<u64>();
        if sum == 1_000_000 { Ok(Self(shares)) } else { Err(ReplayProblem::Shares(percent(sum))) }
    }
}

/// Parts per million as people write them.
fn percent(parts: u64) -> String {
    u32::try_from(parts)
        .map_or_else(|_| "too much".to_owned(), |parts| Percent::from_parts_per_million(parts).0)
}

impl Policy {
    /// One variant for everybody.
    pub fn always(variant: &str) -> Self {
        Self::Everybody(Shares(vec![(variant.to_owned(), 1_000_000)]))
    }

    /// Shares such as `control=20%,warm=80%` for everybody.
    ///
    /// # Errors
    /// When the text is no such list, or the shares do not sum to 100%.
    pub fn shares(text: &str) -> Result<Self, Fault> {
        let mut shares: Vec<(String, u32)> = Vec::new();
        for part in text.split(',').map(str::trim) {
            let problem = || ReplayProblem::NotAShare(shortened(part));
            let (variant, share) = part.rsplit_once('=').ok_or_else(|| whole(problem()))?;
            if shares.iter().any(|(other, _)| other == variant.trim()) {
                return Err(whole(ReplayProblem::Twice(shortened(variant.trim()))));
            }
            let parts = Percent(share.trim().to_owned()).parts_per_million();
            shares.push((variant.trim().to_owned(), parts.map_err(whole)?));
        }
        Ok(Self::Everybody(Shares::new(shares).map_err(whole)?))
    }

    /// Shares by segment, in YAML or JSON: `{new: {control: 20%, warm: 80%}}`, or `{new: {CONTEXT: {control: 100%}}}`.
    ///
    /// # Errors
    /// When the bytes have another form, or shares that do not sum to 100%.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let document: Value = serde_saphyr::from_slice(bytes).map_err(|error| {
            let said = error.to_string();
            whole(ReplayProblem::NotYaml(said.lines().next().unwrap_or_default().to_owned()))
        })?;
        let segments = object(&document, &Place::default())?;
        let part = |(name, value): (&String, &Value)| {
            Ok((name.clone(), part(value, &Place::default().entry(name))?))
        };
        Ok(Self::BySegment(segments.iter().map(part).collect::<Result<_, _>>()?))
    }

    /// The shares for `line`; `None` where they stand in the line.
    pub(super) fn of(&self, line: &Line) -> Result<Option<&Shares>, Fault> {
        let parts = match self {
            Self::Everybody(shares) => return Ok(Some(shares)),
            Self::OfEachLine => return Ok(None),
            Self::BySegment(parts) => parts,
        };
        let contexts = match entry(parts, line.segment.as_deref().unwrap_or(super::scoring::ALL), "segment")?
        {
            Part::Whole(shares) => return Ok(Some(shares)),
            Part::ByContext(contexts) => contexts,
        };
        entry(contexts, line.context.as_ref().map_or(super::scoring::ALL, |label| &label.0), "context")
            .map(Some)
    }
}

/// What the policy has for the name that stands in the field `field` of a line.
fn entry<'a, T>(entries: &'a BTreeMap<String, T>, name: &str, field: &'static str) -> Result<&'a T, Fault> {
    entries.get(name).ok_or_else(|| {
        let known = listed(&entries.keys().map(String::as_str).collect::<Vec<_>>());
        let problem = ReplayProblem::NotInPolicy { found: shortened(name), known };
        Fault::at(&Place::default().field(field), problem.into())
    })
}

fn part(value: &Value, place: &Place) -> Result<Part, Fault> {
    let entries = object(value, place)?;
    if !entries.values().all(Value::is_object) {
        return Ok(Part::Whole(shares(value, place)?));
    }
    let context = |(name, value): (&String, &Value)| Ok((name.clone(), shares(value, &place.entry(name))?));
    Ok(Part::ByContext(entries.iter().map(context).collect::<Result<_, _>>()?))
}

fn shares(value: &Value, place: &Place) -> Result<Shares, Fault> {
    let share = |(variant, share): (&String, &Value)| {
        let place = place.entry(variant);
        let Value::String(text) = share else {
            let found = shortened(&share.to_string());
            return Err(Fault::at(&place, ReplayProblem::NotAPercentage(found).into()));
        };
        let parts = Percent(text.clone()).parts_per_million();
        Ok((variant.clone(), parts.map_err(|error| Fault::at(&place, error.into()))?))
    };
    let shares = object(value, place)?.iter().map(share).collect::<Result<_, _>>()?;
    Shares::new(shares).map_err(|problem| Fault::at(place, problem.into()))
}

fn object<'a>(value: &'a Value, place: &Place) -> Result<&'a serde_json::Map<String, Value>, Fault> {
    match value {
        Value::Object(entries) if !entries.is_empty() => Ok(entries),
        Value::Object(_) | Value::Null => Err(Fault::at(place, ReplayProblem::NoPolicy.into())),
        other => Err(Fault::at(place, ReplayProblem::NotShares(shortened(&other.to_string())).into())),
    }
}

fn whole(problem: impl Into<Problem>) -> Fault {
    Fault::at(&Place::default(), problem.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: Result<Policy, Fault>, expected: &str) {
        assert_eq!(found.expect_err(expected).to_string(), expected);
    }

    #[test]
    fn shares_are_read_as_they_are_typed() {
        let Ok(Policy::Everybody(shares)) = Policy::shares("control=12.5%, a=b=87.5%") else {
            panic!("shares")
        };
        assert_eq!(shares.chances().collect::<Vec<_>>(), [("control", 0.125), ("a=b", 0.875)]);
        check(Policy::shares("control"), r#""control" is no share: write it like control=20%,warm=80%"#);
        check(Policy::shares("a=20%,b=70%"), "sums to 90%, and must sum to 100%: mend the shares");
        check(Policy::shares("a=50%,a=50%"), r#""a" stands there twice: remove one"#);
        check(
            Policy::shares("a=0.5,b=0.5"),
            r#""0.5" is no percentage: write it like 10% or 0.25%, with at most four decimals"#,
        );
    }

    #[test]
    fn files_have_shares_by_segment_and_context() {
        let policy = Policy::parse(b"new: {warm: 100%}\nreturning:\n  '1': {control: 50%, warm: 50%}\n")
            .expect("a policy");
        let line = |json: &str| Line::parse(json.as_bytes()).expect("a line");
        let new = line(r#"{"segment": "new", "variant": "a", "probability": 1, "reward": 0}"#);
        assert_eq!(policy.of(&new).expect("shares"), Some(&Shares(vec![("warm".to_owned(), 1_000_000)])));
        let returning =
            line(r#"{"segment": "returning", "context": 1, "variant": "a", "probability": 1, "reward": 0}"#);
        assert_eq!(policy.of(&returning).expect("shares").map(|shares| shares.0.len()), Some(2));
        let other = line(r#"{"segment": "gone", "variant": "a", "probability": 1, "reward": 0}"#);
        let fault = policy.of(&other).expect_err("unknown").to_string();
        assert_eq!(
            fault,
            r#"segment: "gone" is not in the policy, which knows new, returning: add it there"#
        );
    }

    #[test]
    fn what_is_wrong_in_a_file_has_its_place() {
        check(
            Policy::parse(b"new: {a: 20%, b: 70%}"),
            "new: sums to 90%, and must sum to 100%: mend the shares",
        );
        check(Policy::parse(b"new: {a: 0.2}"), "new.a: is 0.2, and must be a share such as 20%");
        check(
            Policy::parse(b"new: 20%"),
            r#"new: is "20%", and must be shares such as {control: 20%, warm: 80%}"#,
        );
        check(
            Policy::parse(b"{}"),
            "is empty: write the share of each variant for each segment, as docs/replay.md shows",
        );
    }
}
