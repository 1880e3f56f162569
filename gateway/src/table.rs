//! A table as it is served: checked once, and with everything precomputed that a decision needs.

mod judges;
mod metric;

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use api::{
    AdTable, AdTableSpec, Group, LandingPage, LandingPageError, TableExclusion, TableHoldout, TablePlacement,
    TableRound, TableVariant,
};
use experiment::{AssignmentKey, PartsPerMillion};
use jiff::Timestamp;
use serde_json::value::{RawValue, to_raw_value};

use judges::Judges;
pub use metric::{Metric, Worth};

/// What is served for one campaign. Valid by construction: see [`Table::try_from`].
#[derive(Clone, Debug)]
pub struct Table {
    /// The campaign's namespace.
    pub namespace: String,
    /// The campaign's name.
    pub campaign: String,
    /// The campaign's UID.
    pub uid: String,
    /// Grows with each change.
    pub number: i64,
    /// When the object was made; files have no such time.
    pub created: Option<Timestamp>,
    /// Whose the people are.
    pub exclusion: Option<Part>,
    /// Who is kept out.
    pub holdout: Option<Part>,
    /// Where the redirect leads.
    pub landing_page: Option<LandingPage>,
    /// Whether everybody is shown the control.
    pub dry_run: bool,
    /// At most four, so a search is a scan.
    placements: Vec<Placement>,
}

/// A part of a group's people, by the numbers that they have in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is for, the namespace and the group: neither the groups of two namespaces nor a holdout and an exclusion of
    /// one name have anything to do with each other.
    pub group: String,
    /// Their numbers.
    pub numbers: Range<u32>,
}

/// What is served in one placement.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Its name.
    pub name: String,
    /// The seed of its assignment.
    pub seed: i64,
    /// What the draw is keyed with.
    pub key: AssignmentKey,
    /// What the ledger counts, and what the placement is decided by.
    pub metric: Metric,
    /// What the ledger counts beside it, to be watched for harm.
    pub guardrails: Vec<Metric>,
    /// The round in force.
    pub round: u32,
    variants: Vec<Variant>,
    in_review: Vec<Variant>,
    cells: Vec<Cell>,
}

/// One piece of copy.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// Its texts by slot, as the JSON that is sent.
    pub slots: Box<RawValue>,
    /// The variables that its texts refer to, as the JSON that is sent.
    pub variables: Option<Box<RawValue>>,
    approval: Approval,
}

/// Whether anybody may see a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Approval {
    Standing,
    /// It was taken back.
    Withdrawn,
}

/// The shares of the segments that share them, in the round in force.
#[derive(Clone, Debug)]
pub struct Cell {
    segments: Vec<String>,
    arms: Vec<Arm>,
}

/// A variant with a share above zero.
#[derive(Clone, Copy, Debug)]
pub struct Arm {
    /// Its place among the variants.
    pub variant: usize,
    /// The probability with which it is drawn.
    pub share: PartsPerMillion,
}

/// Why a table is not served. No message repeats copy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Its name is not its campaign's UID.
    #[error("the object is named {name}, not by its campaign's UID {uid}: name it by the UID")]
    Identity {
        /// The object's name.
        name: String,
        /// The campaign's UID.
        uid: String,
    },
    /// It does not hang together.
    #[error("{place}: {what}")]
    Shape {
        /// Where.
        place: String,
        /// What is wrong and what to change.
        what: &'static str,
    },
    /// Shares do not sum to one million.
    #[error("{place}: shares sum to {sum} parts per million: make it 1000000")]
    Shares {
        /// Where.
        place: String,
        /// Their sum.
        sum: u64,
    },
    /// Its landing page is no place to lead people to.
    #[error("landingPage: {0}")]
    LandingPage(LandingPageError),
    /// A text is not the one that was approved under its digest.
    #[error(
        "{place}: the digest is not {expected}, that of the texts: let the operator write the table anew, or, in a file, write it yourself"
    )]
    Digest {
        /// Which variant.
        place: String,
        /// The digest of its texts.
        expected: String,
    },
    /// A text breaks a hard rule of its format.
    #[error("{place}: slot {slot} breaks a hard rule of {format}: check the copy with `broadside check`")]
    Rules {
        /// Which variant.
        place: String,
        /// The slot.
        slot: String,
        /// The format.
        format: String,
    },
}

impl TryFrom<&AdTable> for Table {
    type Error = TableError;

    /// Checks that the object is named by its campaign, its landing page is an address of the web, names are unique, those of
    /// a placement's metrics too, a dry run has no texts but the control's, every
    /// placement has variants and rounds in rising order, shares belong to variants and sum to one million, none of the round
    /// in force is for a variant that was withdrawn, each digest is that of its texts, and no text breaks a hard rule of a
    /// format that we know or that the table tells. Words of the brand are not in a table: the operator held them.
    fn try_from(object: &AdTable) -> Result<Self, TableError> {
        let spec = &object.spec;
        identity(object)?;
        distinct("the table", spec.placements.iter().map(|placement| placement.name.as_str()))?;
        let placement = |placement| Placement::new(&spec.campaign.uid, placement);
        Ok(Self {
            namespace: namespace(object).to_owned(),
            campaign: spec.campaign.name.clone(),
            uid: spec.campaign.uid.clone(),
            number: spec.number,
            created: object.metadata.creation_timestamp.as_ref().map(|time| time.0),
            exclusion: exclusion(object)?,
            holdout: holdout(object)?,
            landing_page: landing_page(object)?,
            dry_run: dry_run(spec)?,
            placements: spec.placements.iter().map(placement).collect::<Result<_, _>>()?,
        })
    }
}

impl Table {
    /// All placements.
    pub fn placements(&self) -> &[Placement] {
        &self.placements
    }

    /// The placement of that name.
    pub fn placement(&self, name: &str) -> Option<&Placement> {
        self.placements.iter().find(|placement| placement.name == name)
    }
}

impl Placement {
    fn new(uid: &str, placement: &TablePlacement) -> Result<Self, TableError> {
        let place = format!("placement {}", placement.name);
        let seed = u64::try_from(placement.seed)
            .map_err(|_| shape(&place, "the seed is negative: use one from 1"))?;
        check_variants(&place, placement)?;
        let current = check_rounds(&place, placement)?;
        let rules = placement.rules.as_ref();
        let declared = rules.and_then(|rules| rules.variables.as_deref()).unwrap_or_default();
        Ok(Self {
            name: placement.name.clone(),
            seed: placement.seed,
            key: AssignmentKey::new(uid, &placement.name, seed),
            metric: Metric::new(&format!("{place}, metric"), &placement.metric)?,
            guardrails: guardrails(&place, placement)?,
            round: current.number,
            variants: placement.variants.iter().map(|variant| Variant::new(variant, declared)).collect(),
            in_review: placement.in_review.iter().map(|variant| Variant::new(variant, declared)).collect(),
            cells: current.allocations.iter().map(Cell::new).collect(),
        })
    }

    /// All that the ledger counts, the placement's own metric first.
    pub fn metrics(&self) -> impl Iterator<Item = &Metric> {
        std::iter::once(&self.metric).chain(&self.guardrails)
    }

    /// The control: a table has its first variant only if it has any, and an empty one is refused.
    pub fn control(&self) -> &Variant {
        &self.variants[0]
    }

    /// The variant of that name that a reviewer may see: with or without a share, or before its review, and not once its
    /// approval was taken back.
    pub fn previewed(&self, name: &str) -> Option<&Variant> {
        let mut all = self.variants.iter().chain(&self.in_review);
        all.find(|variant| variant.name == name && variant.approval == Approval::Standing)
    }

    /// The variant at that place, which an [`Arm`] of the same placement names.
    pub fn variant(&self, arm: Arm) -> &Variant {
        &self.variants[arm.variant]
    }

    /// The segment under which a request counts, and its arms. Where the campaign names no segments, every request
    /// counts under [`api::name::EVERYBODY`], whatever segment it names.
    pub fn cell(&self, asked: Option<&str>) -> Option<(&str, &[Arm])> {
        let everybody = || self.cell_of(api::name::EVERYBODY);
        asked.and_then(|segment| self.cell_of(segment)).or_else(everybody)
    }

    fn cell_of(&self, segment: &str) -> Option<(&str, &[Arm])> {
        self.cells.iter().find_map(|cell| {
            let name = cell.segments.iter().find(|name| *name == segment)?;
            Some((name.as_str(), cell.arms.as_slice()))
        })
    }
}

impl Variant {
    fn new(variant: &TableVariant, declared: &[api::Variable]) -> Self {
        // Limits were counted on the composed form, so that is the one to hand over; the digest is of what was written.
        let slots: BTreeMap<&str, String> =
            variant.slots.iter().map(|(slot, text)| (slot.as_str(), rules::normalize(text))).collect();
        let slots = to_raw_value(&slots).expect("a map of strings is JSON");
        let refers = |variable: &&api::Variable| {
            variant.slots.values().any(|text| text.contains(&format!("{{{}}}", variable.name)))
        };
        let variables: Vec<&api::Variable> = declared.iter().filter(refers).collect();
        let variables = (!variables.is_empty())
            .then(|| to_raw_value(&variables).expect("a list of plain objects is JSON"));
        let approval = if variant.withdrawn { Approval::Withdrawn } else { Approval::Standing };
        Self { name: variant.name.clone(), slots, variables, approval }
    }
}

impl Cell {
    fn new(allocation: &api::SegmentAllocation) -> Self {
        let arm = |(variant, &share)| Some(Arm { variant, share: PartsPerMillion::new(share)? });
        let arms = allocation.shares.iter().enumerate().filter_map(arm);
        let arms = arms.filter(|arm| arm.share > PartsPerMillion::ZERO).collect();
        Self { segments: allocation.segments.clone(), arms }
    }
}

fn identity(object: &AdTable) -> Result<(), TableError> {
    let (name, uid) = (object.metadata.name.as_deref().unwrap_or_default(), &object.spec.campaign.uid);
    if name != uid {
        return Err(TableError::Identity { name: name.to_owned(), uid: uid.clone() });
    }
    Ok(())
}

fn exclusion(object: &AdTable) -> Result<Option<Part>, TableError> {
    let Some(TableExclusion { group, from, share }) = &object.spec.exclusion else { return Ok(None) };
    part(object, "exclusion", group, *from..from.saturating_add(*share)).map(Some)
}

fn holdout(object: &AdTable) -> Result<Option<Part>, TableError> {
    let Some(TableHoldout { group, share }) = &object.spec.holdout else { return Ok(None) };
    part(object, "holdout", group, 0..*share).map(Some)
}

fn landing_page(object: &AdTable) -> Result<Option<LandingPage>, TableError> {
    let page = object.spec.landing_page.as_ref();
    page.map(|page| page.check().map(|()| page.clone())).transpose().map_err(TableError::LandingPage)
}

/// A dry run can show nothing but the control, since its table has nothing else.
fn dry_run(spec: &AdTableSpec) -> Result<bool, TableError> {
    for placement in spec.placements.iter().filter(|_| spec.dry_run) {
        let mut texts = placement.variants.iter().chain(&placement.in_review).map(|variant| &variant.slots);
        let control = texts.next();
        if texts.any(|it| Some(it) != control) {
            let place = format!("placement {}", placement.name);
            return Err(shape(
                &place,
                "a dry run has other texts than the control's: let the operator write them",
            ));
        }
    }
    Ok(spec.dry_run)
}

fn part(object: &AdTable, place: &str, group: &Group, numbers: Range<u32>) -> Result<Part, TableError> {
    if numbers.is_empty() || numbers.end > PartsPerMillion::ONE.get() {
        return Err(shape(place, "it is nobody, or more than everybody: take a part of one million"));
    }
    Ok(Part { group: format!("{place}/{}/{}", namespace(object), group.0), numbers })
}

fn namespace(object: &AdTable) -> &str {
    object.metadata.namespace.as_deref().unwrap_or("default")
}

/// A reward says by a name for which of a placement's metrics it is.
fn guardrails(place: &str, placement: &TablePlacement) -> Result<Vec<Metric>, TableError> {
    let TablePlacement { metric, guardrails, .. } = placement;
    let names = std::iter::once(metric).chain(guardrails).map(|metric| metric.name.as_str());
    distinct(&format!("{place}, guardrails"), names)?;
    let guardrail =
        |metric: &api::TableMetric| Metric::new(&format!("{place}, guardrail {}", metric.name), metric);
    guardrails.iter().map(guardrail).collect()
}

fn check_variants(place: &str, placement: &TablePlacement) -> Result<(), TableError> {
    if placement.variants.is_empty() {
        return Err(shape(place, "there is no variant: the first is the control"));
    }
    let all = || placement.variants.iter().chain(&placement.in_review);
    distinct(place, all().map(|variant| variant.name.as_str()))?;
    let judges = Judges::new(place, placement)?;
    all().try_for_each(|variant| judges.check(place, variant))
}

/// Checks all rounds and returns the one in force. Past ones are nobody's business here, but a table that is wrong in
/// one of them was not written by an operator in good health.
fn check_rounds<'t>(place: &str, placement: &'t TablePlacement) -> Result<&'t TableRound, TableError> {
    if !placement.rounds.is_sorted_by(|one, next| one.number < next.number) {
        return Err(shape(place, "rounds are not in rising order: number them upwards"));
    }
    for round in &placement.rounds {
        check_round(&format!("{place}, round {}", round.number), round, placement.variants.len())?;
    }
    let current = placement
        .rounds
        .last()
        .ok_or_else(|| shape(place, "there is no round: the last is the one in force"))?;
    check_withdrawn(place, placement, current)?;
    Ok(current)
}

fn check_withdrawn(place: &str, placement: &TablePlacement, current: &TableRound) -> Result<(), TableError> {
    let mut variants = placement.variants.iter().enumerate();
    if variants.any(|(arm, variant)| variant.withdrawn && current.gives(arm)) {
        return Err(shape(place, "a variant that was withdrawn has a share: give it to another"));
    }
    Ok(())
}

fn check_round(place: &str, round: &TableRound, variants: usize) -> Result<(), TableError> {
    let segments = || round.allocations.iter().flat_map(|allocation| &allocation.segments);
    if segments().next().is_none() {
        return Err(shape(place, "no segment has shares: use `all` where the campaign names none"));
    }
    if segments().count() > 1 && segments().any(|segment| segment == api::name::EVERYBODY) {
        return Err(shape(place, "`all` stands beside other segments: name either"));
    }
    distinct(place, segments().map(String::as_str))?;
    round.allocations.iter().try_for_each(|allocation| check_shares(place, &allocation.shares, variants))
}

fn check_shares(place: &str, shares: &[u32], variants: usize) -> Result<(), TableError> {
    if shares.len() > variants {
        return Err(shape(place, "there are more shares than variants: leave the last out"));
    }
    let sum = shares.iter().map(|&share| u64::from(share)).sum();
    if sum != u64::from(PartsPerMillion::ONE.get()) {
        return Err(TableError::Shares { place: place.to_owned(), sum });
    }
    Ok(())
}

fn distinct<'n>(place: &str, mut names: impl Iterator<Item = &'n str>) -> Result<(), TableError> {
    let mut seen = HashSet::new();
    if names.all(|name| seen.insert(name)) {
        return Ok(());
    }
    Err(shape(place, "a name stands twice: give each its own"))
}

fn shape(place: &str, what: &'static str) -> TableError {
    TableError::Shape { place: place.to_owned(), what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{SAMPLE, Sample, variant};
    use api::{SegmentAllocation, TableRules};

    fn check(sentence: &str, change: impl Fn(&mut AdTable), expected: Option<&str>) {
        let mut object = SAMPLE.object();
        change(&mut object);
        let error = Table::try_from(&object).err().map(|error| error.to_string());
        match (&error, expected) {
            (None, None) => {}
            (Some(error), Some(part)) if error.contains(part) => {}
            _ => panic!("{sentence}: expected {expected:?}, found {error:?}"),
        }
    }

    fn shares(object: &mut AdTable, shares: &[u32]) {
        object.spec.placements[0].rounds[0].allocations[0].shares = shares.to_vec();
    }

    #[test]
    fn a_table_is_right_or_says_why_not() {
        check("the sample is right", |_| {}, None);
        check("no placement is none to serve", |t| t.spec.placements.clear(), None);
        check("another name", |t| t.metadata.name = Some("other".into()), Some("name it by the UID"));
        check("no variants", |t| t.spec.placements[0].variants.clear(), Some("no variant"));
        check("no rounds", |t| t.spec.placements[0].rounds.clear(), Some("no round"));
        check(
            "a variant twice",
            |t| t.spec.placements[0].variants[1].name = "control".into(),
            Some("stands twice"),
        );
        check("a placement twice", |t| t.spec.placements.extend_from_within(..), Some("stands twice"));
        check("a round twice", |t| t.spec.placements[0].rounds.extend_from_within(..), Some("rising order"));
        check("a negative seed", |t| t.spec.placements[0].seed = -1, Some("negative"));
        check("too little", |t| shares(t, &[1, 2]), Some("sum to 3 "));
        check("too much", |t| shares(t, &[1_000_000, 1]), Some("sum to 1000001"));
        check("more than all, which wraps", |t| shares(t, &[u32::MAX, 1_000_001]), Some("sum to 4295967296"));
        let part = |from, share| {
            move |t: &mut AdTable| {
                t.spec.exclusion = Some(TableExclusion { group: Group("checkout".into()), from, share });
            }
        };
        check("everybody", part(0, 1_000_000), None);
        check("nobody", part(5, 0), Some("exclusion: it is nobody"));
        check("more than all", part(500_000, 500_001), Some("exclusion: it is nobody, or more"));
        check("a part that wraps", part(5, u32::MAX), Some("exclusion: it is nobody, or more"));
        let watch = |names: &'static [&'static str], cap: Option<i64>| {
            move |t: &mut AdTable| {
                let placement = &mut t.spec.placements[0];
                let guardrail = |name: &&str| api::TableMetric {
                    name: (*name).to_owned(),
                    cap_millionths: cap,
                    ..placement.metric.clone()
                };
                placement.guardrails = names.iter().map(guardrail).collect();
            }
        };
        check("guardrails", watch(&["bounce", "refund"], None), None);
        check(
            "a guardrail twice",
            watch(&["bounce", "bounce"], None),
            Some("hero, guardrails: a name stands twice"),
        );
        check(
            "the metric again",
            watch(&["product-view"], None),
            Some("hero, guardrails: a name stands twice"),
        );
        check(
            "a capped event",
            watch(&["bounce"], Some(1)),
            Some("hero, guardrail bounce: a cap is for the kind Value"),
        );
        let page = |page: &'static str| {
            move |t: &mut AdTable| t.spec.landing_page = Some(LandingPage(page.to_owned()))
        };
        check("a landing page", page("https://shop.example/trail"), None);
        check("a script", page("javascript:alert(1)"), Some("landingPage: it is no address of the web"));
        check("a user", page("https://me@shop.example/"), Some("landingPage: it names a user: leave out"));
        let withdraw =
            |arm: usize| move |t: &mut AdTable| t.spec.placements[0].variants[arm].withdrawn = true;
        check("withdrawn without a share", withdraw(2), None);
        check("withdrawn with a share", withdraw(1), Some("withdrawn has a share"));
        check(
            "in review and served",
            |t| t.spec.placements[0].in_review.push(variant("warm")),
            Some("stands twice"),
        );
        check(
            "in review and none of ours",
            |t| {
                let long = [("headline".to_owned(), "long ".repeat(40))].into();
                let digest = api::name::copy_digest(&long);
                let one = TableVariant { digest, slots: long, ..variant("new") };
                t.spec.placements[0].in_review.push(one);
            },
            Some("breaks a hard rule"),
        );
        check(
            "a dry run that shows variants",
            |t| t.spec.dry_run = true,
            Some("other texts than the control's"),
        );
        let dry = || Sample { dry_run: true, ..SAMPLE }.object();
        check("a dry run", |t| *t = dry(), None);
        let written = |t: &mut AdTable| {
            *t = dry();
            t.spec.placements[0].in_review.push(variant("new"));
        };
        check("a dry run that previews others", written, Some("other texts than the control's"));
        check("too many", |t| shares(t, &[1_000_000, 0, 0, 0]), Some("more shares than variants"));
    }

    #[test]
    fn copy_that_is_not_the_approved_one_is_refused_and_not_repeated() {
        let text = |text: &'static str, digest: bool| {
            move |object: &mut AdTable| {
                let variant = &mut object.spec.placements[0].variants[1];
                variant.slots.insert("headline".into(), text.into());
                if digest {
                    variant.digest = api::name::copy_digest(&variant.slots);
                }
            }
        };
        check("other text", text("Something else", false), Some("the digest"));
        check("other text, digested", text("Something else", true), None);
        let long = "A headline that goes on and on until no banner holds it any more, at last";
        check("a long one", text(long, true), Some("slot headline breaks a hard rule of WebBanner"));
        check(
            "an unknown format is the operator's business",
            |object| {
                text(long, true)(object);
                object.spec.placements[0].format = "Billboard".into();
            },
            None,
        );
    }

    #[test]
    fn a_variable_is_known_from_the_table_alone() {
        let text = |declared: Option<(&'static str, u32)>| {
            move |object: &mut AdTable| {
                let placement = &mut object.spec.placements[0];
                let variable = |(name, maximum_length): (&str, u32)| api::Variable {
                    name: name.to_owned(),
                    maximum_length,
                    fallback: "you".to_owned(),
                };
                let variables = declared.map(|declared| vec![variable(declared)]);
                placement.rules = Some(TableRules { variables, ..TableRules::default() });
                let variant = &mut placement.variants[1];
                variant.slots.insert("headline".into(), "For {name}".into());
                variant.digest = api::name::copy_digest(&variant.slots);
            }
        };
        check("declared", text(Some(("name", 20))), None);
        check("another one", text(Some(("city", 20))), Some("slot headline breaks a hard rule"));
        check("none", text(None), Some("slot headline breaks a hard rule"));
        check("too long", text(Some(("name", 90))), Some("slot headline breaks a hard rule"));
        check("no name", text(Some(("Name", 20))), Some("its rules can't be used"));
        let mut object = SAMPLE.object();
        text(Some(("name", 20)))(&mut object);
        let table = Table::try_from(&object).unwrap();
        let sent = |index: usize| {
            let variant = &table.placements[0].variants[index];
            variant.variables.as_ref().map(|variables| variables.get().to_owned())
        };
        assert_eq!(sent(0), None, "the control refers to none");
        assert_eq!(sent(1).as_deref(), Some(r#"[{"name":"name","maximumLength":20,"fallback":"you"}]"#));
    }

    #[test]
    fn a_brands_own_format_and_names_are_known_from_the_table_alone() {
        let tile = "{name: ShopTile, version: 1, summary: A tile., counting: Graphemes, deliveries: [Gateway], \
            editorial: [ManyExclamations], source: Ours., checked: 2026-11-29, \
            slots: [{name: title, purpose: Name., required: true, hardLimit: 30, maximumLines: 1}]}";
        let table = |title: &'static str, file: Option<&'static str>, name: &'static str| {
            move |object: &mut AdTable| {
                let placement = &mut object.spec.placements[0];
                // A newer operator knows a rule that we do not.
                let rules = vec!["ManyExclamations".to_owned(), "Boredom".to_owned()];
                placement.rules = Some(TableRules {
                    format: file.map(ToOwned::to_owned),
                    exceptions: Some(vec![api::TableException { text: name.to_owned(), rules }]),
                    ..TableRules::default()
                });
                placement.format = "ShopTile".to_owned();
                for variant in &mut placement.variants {
                    variant.slots = [("title".to_owned(), title.to_owned())].into();
                    variant.digest = api::name::copy_digest(&variant.slots);
                }
            }
        };
        let (file, breaks) = (Some(tile), Some("slot title breaks a hard rule of ShopTile"));
        let long = "A title that is longer than thirty characters";
        check("a name with a mark", table("Yahoo! Sale!", file, "Yahoo!"), None);
        check("another name", table("Yahoo! Sale!", file, "Yum!"), breaks);
        check("too long", table(long, file, "Yahoo!"), breaks);
        check("no file", table(long, None, "Yahoo!"), None);
        check("a broken file", table("Sale", Some("{}"), "Yahoo!"), Some("its rules can't be used"));
    }

    #[test]
    fn segments_stand_once_and_all_stands_alone() {
        let check = |sentence, names: &[&str], expected| {
            let allocation =
                |name: &&str| SegmentAllocation { segments: vec![(*name).into()], shares: vec![1_000_000] };
            let allocations: Vec<_> = names.iter().map(allocation).collect();
            check(
                sentence,
                |t| t.spec.placements[0].rounds[0].allocations.clone_from(&allocations),
                expected,
            );
        };
        check("two", &["new", "returning"], None);
        check("none", &[], Some("no segment"));
        check("one twice", &["new", "new"], Some("stands twice"));
        check("all and one", &["all", "new"], Some("beside other segments"));
    }

    #[test]
    fn the_last_round_is_in_force() {
        let mut object = SAMPLE.object();
        let later = Sample { round: 7, allocations: &[(&["all"], &[0, 0, 1_000_000])], ..SAMPLE }.object();
        object.spec.placements[0].rounds.extend(later.spec.placements[0].rounds.clone());
        let table = Table::try_from(&object).unwrap();
        let placement = table.placement("hero").unwrap();
        let (_, arms) = placement.cell(None).unwrap();
        assert_eq!((placement.round, arms.len(), arms[0].variant), (7, 1, 2));
    }
}
