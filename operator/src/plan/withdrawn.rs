//! Arms whose approval was taken back, or that do harm: they keep their places and have no share.

use api::{AdCampaign, AdTable, SegmentAllocation, TablePlacement, TableRound};
use experiment::Allocation;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::api::ObjectMeta;

use super::approval::Approvals;
use super::{Reviewed, cells, edits, guardrails, rounds, variants};
use crate::campaign::Copy;
use crate::observe::Seen;

/// What people's words ask for where a campaign can't be carried out: what is served goes on, without what is not approved
/// any more.
#[derive(Clone, Debug)]
pub struct Recall {
    /// The table, when it changes.
    pub table: Option<AdTable>,
    /// Reviews of which something else is to be said.
    pub review_statuses: Vec<Reviewed>,
}

/// What to do about the reviews of a campaign whose spec is wrong, or whose brand is gone: nothing but to take out.
pub fn recall(object: &AdCampaign, seen: &Seen, now: Timestamp) -> Recall {
    let approvals = Approvals::read(object.into(), seen);
    let rows = seen.table.as_ref().map_or(&[][..], |table| &table.spec.placements);
    let edits = edits::known(&object.name_any(), rows, approvals.honored());
    let approvals = approvals.with_edits(edits);
    let rows = rows.iter();
    let (controls, others): (Vec<Vec<Copy>>, Vec<Vec<Copy>>) =
        rows.map(|row| row.variants.iter().map(variants::copy).collect::<Vec<_>>()).map(split).unzip();
    let (controls, others) = (controls.concat(), others.concat());
    let review_statuses =
        approvals.statuses(&others.iter().collect::<Vec<_>>(), &controls.iter().collect::<Vec<_>>());
    let is_over = object.spec.offer_ends_at().is_some_and(|end| end <= now);
    let offer = if is_over { Offer::Over } else { Offer::Holds };
    let table = seen.table.as_ref().and_then(|table| without_recalled(table, &approvals, offer, now));
    Recall { table, review_statuses }
}

fn split(mut copies: Vec<Copy>) -> (Vec<Copy>, Vec<Copy>) {
    let others = copies.split_off(copies.len().min(1));
    (copies, others)
}

/// Whether people may still be promised what copy promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offer {
    Holds,
    Over,
}

/// The table without what is served and may not be any more; nothing where that is what it is.
fn without_recalled(
    table: &AdTable,
    approvals: &Approvals<'_>,
    offer: Offer,
    now: Timestamp,
) -> Option<AdTable> {
    let mut spec = table.spec.clone();
    let placements = spec.placements.len();
    for row in &mut spec.placements {
        mark(row, approvals);
        if is_served(row) || (offer == Offer::Over && is_beside_control(row)) {
            let goes_on = offer == Offer::Holds && !rounds::is_full(row, placements);
            take_out(row, if goes_on { Left::Others } else { Left::Control }, now);
        }
    }
    if spec == table.spec {
        return None;
    }
    spec.number += 1;
    let ObjectMeta { name, namespace, labels, owner_references, resource_version, .. } =
        table.metadata.clone();
    Some(AdTable {
        metadata: ObjectMeta {
            name,
            namespace,
            labels,
            owner_references,
            resource_version,
            ..ObjectMeta::default()
        },
        spec,
    })
}

/// Who is served once something is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// The others, by the last shares.
    Others,
    /// The control alone: the table takes no other round, or the offer is over.
    Control,
}

/// Opens a round with the last shares, but for theirs, as far as others are left.
fn take_out(row: &mut TablePlacement, left: Left, now: Timestamp) {
    let arms = row.variants.len();
    let Some(current) = row.rounds.last().cloned() else { return };
    let shares = |allocation: &Allocation| allocation.shares().iter().map(|share| share.get()).collect();
    let alone = Allocation::only(0, arms).expect("there is a control");
    let allocations = cells::allocations(&current, arms).map(|(segment, allocation)| {
        let rest = allocation.ok().filter(|_| left == Left::Others).map(|it| without(&it, row));
        SegmentAllocation {
            segments: vec![segment.to_owned()],
            shares: shares(rest.as_ref().unwrap_or(&alone)),
        }
    });
    let allocations = allocations.collect();
    row.rounds.retain(|round| !rounds::is_alone(round));
    row.rounds.push(TableRound {
        number: current.number + 1,
        opened_at: Time(now),
        matured_exposures: current.matured_exposures,
        allocations,
    });
}

/// Marks the arms that may not be served any more. The control always is.
pub(super) fn mark(row: &mut TablePlacement, approvals: &Approvals<'_>) {
    for variant in row.variants.iter_mut().skip(1) {
        let is_allowed = approvals.lets(&variants::copy(variant));
        variant.withdrawn = !is_allowed || guardrails::standing(variant, approvals).is_some();
    }
}

/// Whether the round in force gives something to one of them, in any segment.
pub(super) fn is_served(row: &TablePlacement) -> bool {
    let gives = |arm| row.rounds.last().is_some_and(|round| round.gives(arm));
    row.variants.iter().enumerate().any(|(arm, variant)| variant.withdrawn && gives(arm))
}

/// Whether anything but the control has a share.
fn is_beside_control(row: &TablePlacement) -> bool {
    (1..row.variants.len()).any(|arm| row.rounds.last().is_some_and(|round| round.gives(arm)))
}

/// Whether nothing is left beside the control.
pub(super) fn is_all(row: &TablePlacement) -> bool {
    row.variants.iter().skip(1).all(|variant| variant.withdrawn)
}

/// The shares without theirs.
pub(super) fn without(shares: &Allocation, row: &TablePlacement) -> Allocation {
    shares.without(|arm| row.variants[arm].withdrawn)
}
