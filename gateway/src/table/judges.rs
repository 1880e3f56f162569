//! What the copy of a placement is judged by: rules of formats that we know, and what its row adds to them.

use api::{TablePlacement, TableRules, TableVariant};
use rules::{BrandRules, Editorial, Exception, Exceptions, Format, Variable, Variables};

use super::{TableError, shape};

/// Forbidden and required words are not in a table: the operator held them.
pub(super) struct Judges {
    /// None where only a newer operator knows the format: its limits were held when the table was written.
    format: Option<Format>,
    brand: BrandRules,
}

impl Judges {
    pub(super) fn new(place: &str, placement: &TablePlacement) -> Result<Self, TableError> {
        let unusable = || shape(place, "its rules can't be used: let the operator write the table anew");
        let rules = placement.rules.clone().unwrap_or_default();
        let own = rules.format.as_deref().map(Format::parse).transpose().map_err(|_| unusable())?;
        let own = own.filter(|own| own.name() == placement.format);
        let exceptions = exceptions(&rules).ok_or_else(unusable)?;
        let variables = variables(&rules).ok_or_else(unusable)?;
        Ok(Self {
            format: rules::format(&placement.format).cloned().or(own),
            brand: BrandRules::default().with_exceptions(exceptions).with_variables(variables),
        })
    }

    pub(super) fn check(&self, place: &str, variant: &TableVariant) -> Result<(), TableError> {
        let place = format!("{place}, variant {}", variant.name);
        let expected = api::name::copy_digest(&variant.slots);
        if expected != variant.digest {
            return Err(TableError::Digest { place, expected });
        }
        let Some(format) = &self.format else { return Ok(()) };
        let violations = rules::check(format, &self.brand, &variant.slots);
        match violations.into_iter().find(rules::Violation::is_hard) {
            None => Ok(()),
            Some(violation) => {
                let slot = violation.slot.unwrap_or_else(|| "-".to_owned());
                Err(TableError::Rules { place, slot, format: format.name().to_owned() })
            }
        }
    }
}

fn variables(rules: &TableRules) -> Option<Variables> {
    let declared = rules.variables.iter().flatten();
    let declared = declared.map(|it| Variable::new(&it.name, it.maximum_length, &it.fallback));
    Variables::new(declared.collect::<Result<_, _>>().ok()?).ok()
}

/// A rule that only a newer operator knows is none that we look for.
fn exceptions(rules: &TableRules) -> Option<Exceptions> {
    let known = |names: &[String]| {
        let is_named = |rule: &Editorial| names.iter().any(|name| name == rule.name());
        Editorial::all().filter(is_named).collect()
    };
    let given = rules.exceptions.iter().flatten();
    let given = given.map(|it| Exception { text: it.text.clone(), rules: known(&it.rules) });
    Exceptions::new(given.filter(|it| !it.rules.is_empty()).collect()).ok()
}
