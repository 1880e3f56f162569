//! Who takes part: every variant that an allocation or `variants` names, in an order that no file can change.

use std::collections::{BTreeMap, BTreeSet};

use super::super::document::{Basis, Document};
use super::super::fault::{Fault, Problem};
use super::super::limits::{MOST_VARIANTS, NAME_LIMIT};
use super::super::place::{Place, shortened};

/// The names by arm, the control first.
#[derive(Debug)]
pub(super) struct Arms {
    names: Vec<String>,
    indices: BTreeMap<String, usize>,
}

impl Arms {
    pub(super) fn of(document: &Document) -> Result<Self, Fault> {
        let root = Place::default();
        check_name(&root.field("control"), &document.control)?;
        let allocated = allocated(document)?;
        if !allocated.contains(document.control.as_str()) {
            let (control, remedy) = (document.control.clone(), remedy(&allocated));
            return Err(Fault::at(&root.field("control"), Problem::UnknownControl { control, remedy }));
        }
        let flagged = document.variants.keys();
        for name in flagged.clone() {
            check_name(&root.field("variants").entry(name), name)?;
        }
        let mut others: BTreeSet<&str> = allocated.into_iter().chain(flagged.map(String::as_str)).collect();
        others.remove(document.control.as_str());
        match others.len() {
            0 => Err(Fault::at(&root.field("rounds"), Problem::Alone)),
            // The control is one too.
            many if many >= MOST_VARIANTS => Err(Fault::at(&root.field("rounds"), Problem::TooManyVariants)),
            _ => Ok(Self::new(&document.control, others)),
        }
    }

    fn new(control: &str, others: BTreeSet<&str>) -> Self {
        let names: Vec<String> = std::iter::once(control).chain(others).map(str::to_owned).collect();
        let indices = names.iter().cloned().enumerate().map(|(arm, name)| (name, arm)).collect();
        Self { names, indices }
    }

    /// By arm.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn into_names(self) -> Vec<String> {
        self.names
    }

    /// The index of a variant that an allocation or `variants` names.
    pub(super) fn index(&self, name: &str) -> usize {
        *self.indices.get(name).expect("every name of every allocation is an arm")
    }
}

/// The names of all allocations, and of all totals where there need be none.
fn allocated(document: &Document) -> Result<BTreeSet<&str>, Fault> {
    let rounds = Place::default().field("rounds");
    let mut names = BTreeSet::new();
    for (index, round) in document.rounds.iter().enumerate() {
        let totals = round.totals.iter().filter(|_| document.basis == Basis::NotRandomized);
        for name in totals.flat_map(|totals| totals.keys()) {
            if names.insert(name.as_str()) {
                check_name(&rounds.index(index).field("totals").entry(name), name)?;
            }
        }
        let of_segments = round.segments.iter().flat_map(|segments| segments.values());
        let allocations = of_segments.map(|segment| &segment.allocation).chain(&round.allocation);
        for name in allocations.flat_map(|allocation| allocation.keys()) {
            if names.insert(name.as_str()) {
                check_name(&rounds.index(index).field("allocation").entry(name), name)?;
            }
        }
    }
    Ok(names)
}

/// Names are printed to terminals, so they must not hold what a terminal obeys.
pub(in crate::offline) fn check_name(place: &Place, name: &str) -> Result<(), Fault> {
    let is_shown = !name.trim().is_empty() && !name.chars().any(char::is_control);
    let is_short = name.chars().nth(NAME_LIMIT).is_none();
    if is_shown && is_short { Ok(()) } else { Err(Fault::at(place, Problem::Name)) }
}

/// The first few of `names` to choose from.
fn remedy(names: &BTreeSet<&str>) -> String {
    /// As many as one reads.
    const MOST: usize = 10;
    let listed: Vec<String> = names.iter().take(MOST).map(|name| shortened(name)).collect();
    match names.len() {
        0 => "add its share to the rounds".to_owned(),
        1..=MOST => format!("use one of {}", listed.join(", ")),
        _ => format!("use one of {}, …", listed.join(", ")),
    }
}
