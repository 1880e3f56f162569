//! Edits: other texts in place of a variant's, by reviewers.
//!
//! ```text
//!   an honored edit ──┬─ its texts can't be served ──▶ told so, and nothing changes
//!                     └─ a variant of its own: approved by who wrote it, and the edited one is rejected
//! ```

use std::collections::BTreeMap;

use api::{AdReview, Decision, ReviewState, ReviewedVariant, Slots, TablePlacement, VariantEdit};
use kube::ResourceExt;

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

impl Edit {
    /// What it approves.
    pub(super) fn meant(&self) -> ReviewedVariant {
        ReviewedVariant { name: self.copy.name.clone(), digest: api::name::copy_digest(&self.copy.slots) }
    }
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

/// Those that stand in a table already, where nothing more is known of the campaign.
pub(super) fn in_table(campaign: &str, rows: &[TablePlacement], honored: &[&AdReview]) -> Edits {
    let made = |(review, texts): (&AdReview, &Slots)| {
        let of = &review.spec.variants.first()?.name;
        let row = rows.iter().find(|row| row.variants.iter().any(|variant| variant.name == *of))?;
        let copy = Copy { name: api::name::variant(campaign, &row.name, texts), slots: texts.clone() };
        let stands = row.variants.iter().any(|variant| variant.name == copy.name);
        let edit = VariantEdit { of: of.clone(), by: review.spec.reviewer.clone() };
        stands.then(|| Edit { review: review.name_any(), placement: row.name.clone(), edit, copy })
    };
    let with_texts = honored.iter().filter_map(|review| Some((*review, texts(review)?)));
    Edits { made: with_texts.filter_map(made).collect(), refused: BTreeMap::new() }
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
        let copy = Copy { name, slots: self.texts.clone() };
        if !self.exists(&copy) {
            self.check(placement, &copy)?;
        }
        let edit = VariantEdit { of: meant.name.clone(), by: self.review.spec.reviewer.clone() };
        Ok(Edit { review: self.review.name_any(), placement: placement.name.clone(), edit, copy })
    }

    /// The variant that is edited, and where it belongs.
    fn meant(&self) -> Result<(&ReviewedVariant, &Placement), String> {
        if self.review.status.as_ref().and_then(|status| status.state) == Some(ReviewState::NotHonored) {
            let said = self.review.status.as_ref().and_then(|status| status.message.clone());
            // It stays as it was told: nobody expects texts to appear later.
            return Err(said.unwrap_or_default());
        }
        let meant = self.review.spec.variants.first().ok_or("it names no variant")?;
        let placements = &self.campaign.placements;
        if placements.iter().any(|placement| placement.control.name == meant.name) {
            return Err(format!("{} is a control, which is always served", meant.name));
        }
        let known = |placement: &&Placement| {
            let is_it =
                |copy: &Copy| copy.name == meant.name && api::name::copy_digest(&copy.slots) == meant.digest;
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

    /// Whether it was found good before: rules of a brand may have changed since, and what was begun goes on.
    fn exists(&self, copy: &Copy) -> bool {
        self.seen.variants.iter().any(|it| it.name_any() == copy.name && it.spec.edit.is_some())
    }

    fn check(&self, placement: &Placement, copy: &Copy) -> Result<(), String> {
        let people = std::iter::once(&placement.control);
        let others = people.chain(self.accepted.to_be_approved(placement));
        let others = others.chain(self.made.iter().map(|edit| &edit.copy));
        if let Some(same) = others.into_iter().find(|other| other.name == copy.name) {
            return Err(format!("these texts are those of {}: approve that, and reject this one", same.name));
        }
        let violations = rules::check(&placement.format, &self.campaign.brand, &copy.slots);
        if let Some(violation) = violations.into_iter().find(rules::Violation::is_hard) {
            return Err(format!("{violation}; the variant stays as it was"));
        }
        if self.row(placement).is_some_and(|row| row.variants.len() >= MOST_VARIANTS) {
            return Err(format!("{} has room for no more variants: reject this one", placement.name));
        }
        Ok(())
    }
}
