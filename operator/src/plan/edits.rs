//! Edits: other texts in place of a variant's, by reviewers.
//!
//! ```text
//!   an honored edit ──┬─ its texts can't be served ──▶ told so, and nothing changes
//!                     └─ a variant of its own: approved by who wrote it, and the edited one is rejected
//! ```

use std::collections::{BTreeMap, BTreeSet};

use api::{
    AdReview, AdVariant, Decision, Origin, ReviewState, ReviewedVariant, Slots, TablePlacement, TableVariant,
    VariantEdit,
};
use kube::ResourceExt;

use super::rounds;
use super::variants::{self, SortedOut};
use crate::campaign::{Campaign, Copy, Placement};
use crate::observe::Seen;

/// The most variants that a row of the table holds.
pub(super) const MOST_VARIANTS: usize = 25;

/// What becomes of the edits of a campaign.
#[derive(Clone, Debug, Default)]
pub(super) struct Edits {
    /// Those that are served, or wait for another person's word.
    pub(super) made: Vec<Edit>,
    /// Why others are not, by the review.
    pub(super) refused: BTreeMap<String, String>,
}

/// One edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    /// The review.
    pub(super) review: String,
    pub(super) placement: String,
    /// Of which variant it is, and by whom.
    pub(super) edit: VariantEdit,
    /// The new variant.
    pub(super) copy: Copy,
}

/// Reads the honored reviews, the oldest first: an edit may be edited again.
pub(super) fn read(campaign: &Campaign, seen: &Seen, accepted: &SortedOut, honored: &[&AdReview]) -> Edits {
    let mut edits = Edits::default();
    for (review, texts) in honored.iter().filter_map(|review| Some((review, texts(review)?))) {
        let reader = Reader { campaign, seen, accepted, made: &edits.made, review, texts };
        match reader.read() {
            Ok(edit) => edits.made.push(edit),
            Err(why) => drop(edits.refused.insert(review.name_any(), why)),
        }
    }
    edits
}

/// Those that were found good before, where nothing more is known of the campaign. What is new has to wait.
pub(super) fn known(campaign: &str, rows: &[TablePlacement], honored: &[&AdReview]) -> Edits {
    let mut edits = Edits::default();
    for (review, texts) in honored.iter().filter_map(|review| Some((*review, texts(review)?))) {
        let Some(of) = review.spec.variants.first().map(|variant| &variant.name) else { continue };
        let row = rows.iter().find(|row| row.variants.iter().any(|variant| variant.name == *of));
        match (review.status.as_ref().and_then(|status| status.state), row) {
            (Some(ReviewState::Honored), Some(row)) => {
                let copy = Copy::new(api::name::variant(campaign, &row.name, texts), texts.clone());
                let edit = VariantEdit { of: of.clone(), by: review.spec.person().to_owned() };
                edits.made.push(Edit { review: review.name_any(), placement: row.name.clone(), edit, copy });
            }
            _ => drop(edits.refused.insert(review.name_any(), said(review).unwrap_or(NOT_YET.to_owned()))),
        }
    }
    edits
}

/// Of an edit that comes while the campaign can't be carried out.
const NOT_YET: &str = "the campaign can't be carried out now, so nobody can say whether these texts are good: mend it, then edit anew";

/// What was said of a review before.
fn said(review: &AdReview) -> Option<String> {
    review.status.as_ref().and_then(|status| status.message.clone())
}

fn texts(review: &AdReview) -> Option<&Slots> {
    review.spec.texts.as_ref().filter(|_| review.spec.decision == Decision::Edit)
}

struct Reader<'a> {
    campaign: &'a Campaign,
    seen: &'a Seen,
    accepted: &'a SortedOut,
    made: &'a [Edit],
    review: &'a AdReview,
    texts: &'a Slots,
}

impl Reader<'_> {
    fn read(&self) -> Result<Edit, String> {
        let (meant, placement) = self.meant()?;
        let name = api::name::variant(&self.campaign.name, &placement.name, self.texts);
        let copy = Copy::new(name, self.texts.clone());
        self.differs(meant, &copy)?;
        if !self.exists(placement, &copy) {
            self.check(placement, &copy)?;
        }
        let edit = VariantEdit { of: meant.name.clone(), by: self.review.spec.person().to_owned() };
        Ok(Edit { review: self.review.name_any(), placement: placement.name.clone(), edit, copy })
    }

    /// The variant that is edited, and where it belongs.
    fn meant(&self) -> Result<(&ReviewedVariant, &Placement), String> {
        if self.review.status.as_ref().and_then(|status| status.state) == Some(ReviewState::NotHonored) {
            // It stays as it was told: nobody expects texts to appear later.
            return Err(said(self.review).unwrap_or_default());
        }
        let meant = self.review.spec.variants.first().ok_or("it names no variant")?;
        let placements = &self.campaign.placements;
        if placements.iter().any(|placement| placement.control.name == meant.name) {
            return Err(format!("{} is a control, which is always served", meant.name));
        }
        let known = |placement: &&Placement| {
            let is_it = |copy: &Copy| copy.name == meant.name && copy.digest == meant.digest;
            self.accepted.to_be_approved(placement).any(is_it)
                || self.made.iter().any(|edit| edit.placement == placement.name && is_it(&edit.copy))
                || self
                    .row(placement)
                    .is_some_and(|row| row.variants.iter().map(variants::copy).any(|it| is_it(&it)))
        };
        let placement = placements.iter().find(known);
        let placement = placement.ok_or_else(|| {
            format!("{} with these texts is none of the variants that may be served", meant.name)
        })?;
        Ok((meant, placement))
    }

    fn row(&self, placement: &Placement) -> Option<&TablePlacement> {
        self.seen.table.as_ref()?.spec.placements.iter().find(|row| row.name == placement.name)
    }

    /// Whether nobody has shown these texts, or edited this variant, before.
    fn differs(&self, meant: &ReviewedVariant, copy: &Copy) -> Result<(), String> {
        if let Some(earlier) = self.made.iter().find(|edit| edit.edit.of == meant.name) {
            return Err(format!("{} was edited before: edit {} instead", meant.name, earlier.copy.name));
        }
        let people = self.campaign.placements.iter().map(|placement| &placement.control);
        let written = self.campaign.placements.iter().flat_map(|it| self.accepted.to_be_approved(it));
        let others = people.chain(written).chain(self.made.iter().map(|edit| &edit.copy));
        match others.into_iter().find(|other| other.name == copy.name) {
            Some(same) => {
                Err(format!("these texts are those of {}: approve that, and reject this one", same.name))
            }
            None => Ok(()),
        }
    }

    /// Whether it was found good before: rules of a brand may have changed since, and what was begun goes on.
    fn exists(&self, placement: &Placement, copy: &Copy) -> bool {
        let is_it = |it: &AdVariant| it.spec.origin == Origin::Edited && it.spec.slots == copy.slots;
        let in_row = |it: &TableVariant| it.name == copy.name && it.edit_of.is_some();
        self.seen.variants.iter().any(|it| it.name_any() == copy.name && is_it(it))
            || self.row(placement).is_some_and(|row| row.variants.iter().any(in_row))
    }

    fn check(&self, placement: &Placement, copy: &Copy) -> Result<(), String> {
        let violations = rules::check(&placement.format, &self.campaign.brand, &copy.slots);
        if let Some(violation) = violations.into_iter().find(rules::Violation::is_hard) {
            return Err(format!("{violation}; the variant stays as it was"));
        }
        if self.arms(placement) >= MOST_VARIANTS {
            return Err(format!("{} has room for no more variants: reject this one", placement.name));
        }
        let edits = self.made.iter().filter(|edit| edit.placement == placement.name).map(|edit| &edit.copy);
        let known =
            std::iter::once(&placement.control).chain(self.accepted.to_be_approved(placement)).chain(edits);
        let placements = self.campaign.placements.len();
        let fits = self.row(placement).is_none_or(|row| rounds::has_room(row, placements, copy));
        if fits && variants::has_room(placements, known, copy) {
            return Ok(());
        }
        Err(format!(
            "the table has room for no more copy of {}: shorten it, or reject this one",
            placement.name
        ))
    }

    /// All that have a place in the row, or may come to have one.
    fn arms(&self, placement: &Placement) -> usize {
        let rows = self.row(placement).into_iter().flat_map(|row| &row.variants).map(|it| &it.name);
        let edits = self.made.iter().filter(|edit| edit.placement == placement.name);
        let names = std::iter::once(&placement.control.name)
            .chain(self.accepted.to_be_approved(placement).map(|copy| &copy.name))
            .chain(edits.map(|edit| &edit.copy.name))
            .chain(rows);
        names.collect::<BTreeSet<_>>().len()
    }
}
