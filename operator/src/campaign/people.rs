//! `spec.exclusion`, `spec.holdout`: whom a campaign leaves out, and whether its people are another's.

use std::ops::Range;

use api::condition::Type;
use api::{AdCampaign, Approval, Exclusion, Holdout, Percent, TableExclusion, TableHoldout};
use kube::ResourceExt;

use super::{Campaign, Fault, Faults, InvalidSpec};

/// Everybody, in the numbers that people have in a group.
const EVERYBODY: u32 = 1_000_000;

impl Faults {
    pub(super) fn read_exclusion(&mut self, object: &AdCampaign) -> Option<TableExclusion> {
        let Exclusion { group, from, share } = object.spec.exclusion.as_ref()?;
        let from_parts = self.keep("spec.exclusion.from", from.parts_per_million());
        let parts = self.some_people("spec.exclusion.share", share);
        let (from_parts, parts) = (from_parts?, parts?);
        if from_parts + parts > EVERYBODY {
            let rest = Percent::from_parts_per_million(EVERYBODY.saturating_sub(from_parts));
            let problem = format!(
                "{} from {} on is more than the {} that are left there: take less, or begin earlier",
                share.0, from.0, rest.0
            );
            self.add("spec.exclusion.share", problem);
        }
        Some(TableExclusion { group: group.clone(), from: from_parts, share: parts })
    }

    pub(super) fn read_holdout(&mut self, object: &AdCampaign) -> Option<TableHoldout> {
        let Holdout { group, share } = object.spec.holdout.as_ref()?;
        let parts = self.some_people("spec.holdout.share", share)?;
        if parts >= EVERYBODY {
            self.add(
                "spec.holdout.share",
                format!("{} keeps everybody out: write less, such as 5%", share.0),
            );
        }
        Some(TableHoldout { group: group.clone(), share: parts })
    }

    fn some_people(&mut self, field: &str, share: &Percent) -> Option<u32> {
        let parts = self.keep(field, share.parts_per_million())?;
        if parts == 0 {
            self.add(field, format!("{} is nobody: write more, or leave the group out", share.0));
        }
        Some(parts)
    }
}

impl Campaign {
    /// Whether the people of this campaign are its own among `others`, the campaigns of its namespace.
    ///
    /// A campaign that has begun keeps its people until it is decided. Of others those that are served come before those
    /// that are not, and of two that are alike the older one.
    ///
    /// # Errors
    /// With the field, and where there is room, when they are another's.
    pub fn has_its_own_people(&self, object: &AdCampaign, others: &[AdCampaign]) -> Result<(), InvalidSpec> {
        let Some(own) = &self.exclusion else { return Ok(()) };
        let taken: Vec<(&AdCampaign, Range<u32>)> = others
            .iter()
            .filter(|other| goes_before(other, object))
            .filter_map(|other| Some((other, numbers(other, own)?)))
            .collect();
        let numbers = own.from..own.from + own.share;
        match taken.iter().find(|(_, theirs)| theirs.start < numbers.end && numbers.start < theirs.end) {
            Some((other, theirs)) => Err(InvalidSpec(vec![fault(own, other, theirs, &taken)])),
            None => Ok(()),
        }
    }
}

/// Whether `other` has its people before `object`, which has not begun.
fn goes_before(other: &AdCampaign, object: &AdCampaign) -> bool {
    let rank = |campaign: &AdCampaign| {
        let (created, uid) = (campaign.metadata.creation_timestamp.clone(), campaign.uid());
        (!has_begun(campaign), !is_served(campaign), created, uid)
    };
    let ends = other.metadata.deletion_timestamp.is_some() || is_decided(other);
    other.uid() != object.uid() && !ends && rank(other) < rank(object)
}

/// Whether writing, review or testing has begun, after which the definition lets nobody change the people.
pub(crate) fn has_begun(campaign: &AdCampaign) -> bool {
    let reviewed = campaign.spec.approval != Approval::Automatic;
    campaign.status.as_ref().is_some_and(|status| {
        let mut placements = status.placements.iter();
        status.generation.is_some() || placements.any(|placement| reviewed || placement.variants.len() > 1)
    })
}

fn is_served(campaign: &AdCampaign) -> bool {
    campaign.status.as_ref().is_some_and(|status| status.table_number.is_some())
}

fn is_decided(campaign: &AdCampaign) -> bool {
    let conditions = campaign.status.iter().flat_map(|status| &status.conditions);
    conditions.into_iter().any(|it| it.type_ == Type::Decided.to_string() && it.status == "True")
}

/// The numbers of the other campaign's people, where it is of the same group and can be read.
fn numbers(other: &AdCampaign, own: &TableExclusion) -> Option<Range<u32>> {
    let Exclusion { group, from, share } = other.spec.exclusion.as_ref()?;
    let (from, share) = (from.parts_per_million().ok()?, share.parts_per_million().ok()?);
    (*group == own.group).then_some(from..from + share)
}

fn fault(
    own: &TableExclusion,
    other: &AdCampaign,
    theirs: &Range<u32>,
    taken: &[(&AdCampaign, Range<u32>)],
) -> Fault {
    let percent = |parts| Percent::from_parts_per_million(parts).0;
    let remedy = match room(own.share, taken) {
        Some(from) => format!("begin at {}", percent(from)),
        None => format!("no {} in a row are left, so take less", percent(own.share)),
    };
    let problem = format!(
        "{} to {} of the group {} belong to {}: {remedy}, or wait until it is decided",
        percent(theirs.start),
        percent(theirs.end),
        own.group.0,
        other.name_any()
    );
    Fault { field: "spec.exclusion.from".to_owned(), problem }
}

/// The first place where so many numbers in a row are free.
fn room(share: u32, taken: &[(&AdCampaign, Range<u32>)]) -> Option<u32> {
    let mut ends: Vec<u32> = std::iter::once(0).chain(taken.iter().map(|(_, numbers)| numbers.end)).collect();
    ends.sort_unstable();
    let is_free = |from: u32| {
        let to = from.saturating_add(share);
        to <= EVERYBODY && taken.iter().all(|(_, numbers)| to <= numbers.start || numbers.end <= from)
    };
    ends.into_iter().find(|from| is_free(*from))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A campaign by its name, the second at which it was made, and its part of the group.
    fn object(name: &str, second: u32, exclusion: &str, status: &str) -> AdCampaign {
        let yaml = format!(
            "{{apiVersion: broadside.dev/v1alpha1, kind: AdCampaign, metadata: {{name: {name}, namespace: shop, uid: uid-{name}, \
             creationTimestamp: '2026-03-01T12:00:{second:02}Z'}}, spec: {{brief: {{product: Aero}}, exclusion: {exclusion}, \
             placements: [{{name: hero, format: WebBanner, delivery: {{gateway: {{}}}}, control: {{headline: Aero, button: Go}}, \
             challengers: [{{headline: Trail, button: Go}}], metric: {{name: view, kind: Binary, window: 30m}}}}]}}, \
             status: {status}}}"
        );
        serde_saphyr::from_str(&yaml).expect("a campaign")
    }

    const NEW: &str = "{conditions: [], placements: []}";
    const SERVED: &str = "{conditions: [], placements: [], tableNumber: 1}";
    const BEGUN: &str = "{conditions: [], tableNumber: 2, placements: [], generation: {job: j, outcome: Running, asked: 1, delivered: 0}}";
    const DECIDED: &str = "{tableNumber: 9, placements: [], conditions: [{type: Decided, status: 'True', reason: Winner, \
        message: '', lastTransitionTime: '2026-03-01T12:00:00Z'}]}";

    #[test]
    fn parts_are_parts_of_everybody() {
        let check = |exclusion: &str, expected: Option<&str>| {
            let faults =
                Campaign::try_from(&object("sale", 0, exclusion, NEW)).err().map(|error| error.to_string());
            assert_eq!(faults.as_deref(), expected, "{exclusion}");
        };
        check("{group: checkout, share: 100%}", None);
        check("{group: checkout, from: 75%, share: 25%}", None);
        let too_much = "spec.exclusion.share: 25.0001% from 75% on is more than the 25% that are left there: take less, or begin earlier";
        check("{group: checkout, from: 75%, share: 25.0001%}", Some(too_much));
        check(
            "{group: checkout, share: 0%}",
            Some("spec.exclusion.share: 0% is nobody: write more, or leave the group out"),
        );
        let malformed = "spec.exclusion.from: \"a third\" is no percentage: write it like 10% or 0.25%, with at most four decimals";
        check("{group: checkout, from: a third, share: 10%}", Some(malformed));
    }

    #[test]
    fn a_holdout_leaves_somebody_in() {
        let check = |share: &str, expected: Option<&str>| {
            let mut object = object("sale", 0, "null", NEW);
            let group = api::Group("winter".to_owned());
            object.spec.holdout = Some(Holdout { group, share: Percent(share.to_owned()) });
            let found = Campaign::try_from(&object).err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), expected, "{share}");
        };
        check("5%", None);
        check("0%", Some("spec.holdout.share: 0% is nobody: write more, or leave the group out"));
        check("100%", Some("spec.holdout.share: 100% keeps everybody out: write less, such as 5%"));
    }

    #[test]
    fn people_belong_to_who_is_served_or_came_first() {
        let check_as =
            |status: &str, own: &str, others: &[(&str, u32, &str, &str)], expected: Option<&str>| {
                let object_of = |(name, second, exclusion, status): &(&str, u32, &str, &str)| {
                    object(name, *second, &format!("{{group: {exclusion}}}"), status)
                };
                let own = object("sale", 30, &format!("{{group: {own}}}"), status);
                let mut others: Vec<AdCampaign> = others.iter().map(object_of).collect();
                others.push(own.clone());
                let campaign = Campaign::try_from(&own).expect("it can be read");
                let found = campaign.has_its_own_people(&own, &others).err().map(|error| error.to_string());
                assert_eq!(found.as_deref(), expected);
            };
        let check = |own: &str, others: &[_], expected| check_as(NEW, own, others, expected);
        let older = ("hero", 10, "checkout, share: 25%", NEW);
        let taken = "spec.exclusion.from: 0% to 25% of the group checkout belong to hero: begin at 25%, or wait until it is decided";
        check("checkout, share: 50%", &[], None);
        check("checkout, share: 50%", &[older], Some(taken));
        check("checkout, from: 25%, share: 50%", &[older], None);
        check("search, share: 50%", &[older], None);
        let younger = |status| ("hero", 40, "checkout, share: 25%", status);
        check("checkout, share: 50%", &[younger(NEW)], None);
        check("checkout, share: 50%", &[younger(SERVED)], Some(taken));
        check("checkout, share: 50%", &[younger(DECIDED)], None);
        check("checkout, share: 50%", &[("hero", 10, "checkout, share: 25%", DECIDED)], None);
        check_as(SERVED, "checkout, share: 50%", &[younger(SERVED)], None);
        check_as(SERVED, "checkout, share: 50%", &[older], None);
        check_as(
            SERVED,
            "checkout, share: 50%",
            &[("hero", 10, "checkout, share: 25%", SERVED)],
            Some(taken),
        );
        check_as(SERVED, "checkout, share: 50%", &[younger(BEGUN)], Some(taken));
        let between = ("cart", 11, "checkout, from: 60%, share: 20%", SERVED);
        let behind = "spec.exclusion.from: 0% to 25% of the group checkout belong to hero: begin at 80%, or wait until it is decided";
        check(
            "checkout, share: 20%",
            &[older, ("mail", 12, "checkout, from: 25%, share: 30%", SERVED), between],
            Some(behind),
        );
        let full = "spec.exclusion.from: 0% to 25% of the group checkout belong to hero: no 40% in a row are left, so take less, or wait until it is decided";
        check("checkout, share: 40%", &[older, between], Some(full));
        let unreadable = ("hero", 10, "checkout, share: a third", NEW);
        check("checkout, share: 50%", &[unreadable], None);
    }
}
