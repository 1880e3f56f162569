//! How large the objects of a heavy campaign grow in a year.

use std::collections::BTreeMap;

use api::record::StoredRecord;
use api::wire::totals::CellTotals;
use api::{
    AdCampaign, AdReview, AdReviewSpec, AdVariant, CampaignIdentity, Decision, Origin, ReviewedVariant, Slots,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use operator::Campaign;
use operator::objects::brief::brief;
use operator::plan::Plan;
use operator::status::report;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Happens, World, started};

/// What whoever watches them reads whole, at each change.
const MOST_BYTES: usize = 100_000;

/// The same of what is handed on, which is written once and holds the record of each placement.
const MOST_BYTES_OF_A_WINNER: usize = 250_000;

/// A campaign of the largest kind.
#[derive(Clone, Copy, Debug)]
struct Heavy {
    format: &'static str,
    placements: usize,
    challengers: usize,
    variants: usize,
    segments: usize,
    guardrails: usize,
    metrics: &'static str,
}

/// The largest of each kind of object that was written.
#[derive(Debug, Default)]
struct Largest {
    of_kind: BTreeMap<&'static str, usize>,
    /// Of a record, as whoever reads it unpacks it.
    unpacked: usize,
}

impl Largest {
    fn see(&mut self, kind: &'static str, object: &impl Serialize) {
        let size = serde_json::to_vec(object).expect("objects are plain data").len();
        let largest = self.of_kind.entry(kind).or_default();
        *largest = size.max(*largest);
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the largest of each are worth seeing, with --nocapture")]
fn objects_stay_small_however_long_a_campaign_runs() {
    let mails = Heavy {
        format: "Email",
        placements: 4,
        challengers: 3,
        variants: 10,
        segments: 4,
        guardrails: 2,
        metrics: "Binary",
    };
    let one = Heavy { placements: 1, challengers: 8, variants: 15, segments: 8, guardrails: 4, ..mails };
    for heavy in [mails, one, Heavy { metrics: "Value", ..mails }, Heavy { metrics: "Value", ..one }] {
        let (largest, rounds) = year(heavy);
        println!("{heavy:?}, {rounds:?} rounds: {largest:?}");
        for (kind, size) in largest.of_kind {
            let most = if kind == "winner" { MOST_BYTES_OF_A_WINNER } else { MOST_BYTES };
            assert!(size < most, "{heavy:?}: a {kind} of {size} bytes");
        }
    }
}

#[test]
fn a_campaign_whose_objects_would_not_stay_small_is_refused() {
    let refused = |object: AdCampaign| {
        Campaign::try_from(&World::new(object).object).expect_err("it is too large").to_string()
    };
    let banners = Heavy {
        format: "WebBanner",
        placements: 4,
        challengers: 8,
        variants: 16,
        segments: 1,
        guardrails: 4,
        metrics: "Binary",
    };
    let said = refused(banners.object());
    assert!(said.contains("spec: takes ") && said.contains("ask for fewer variants"), "{said}");
    let mut long = Heavy { format: "ServiceMacro", variants: 1, guardrails: 0, ..banners }.object();
    for (number, copy) in (0..).zip(long.spec.placements[3].challengers.iter_mut().flatten()) {
        let answer = format!("{number} words ").chars().cycle().take(1999).collect::<String>();
        copy.insert("answer".to_owned(), answer.trim().to_owned());
    }
    let said = refused(long);
    assert!(
        said.contains("spec.placements[3].challengers: take ") && said.contains("shorter ones"),
        "{said}"
    );
    assert!(!said.contains("placements[2]"), "{said}");
}

impl Heavy {
    fn object(self) -> AdCampaign {
        let name = |kind: &str, index: usize| format!("{kind}-{}", ["one", "two", "three", "four"][index]);
        let guardrail = |index: usize| {
            let metric = self.metric(&name("a-guardrails-metric", index));
            json!({"metric": metric, "maximumIncrease": "50%"})
        };
        let placement = |index: usize| {
            json!({
                "name": name("place", index), "format": self.format, "delivery": {"gateway": {}},
                "control": self.copy(0), "challengers": (1..=self.challengers).map(|it| self.copy(it)).collect::<Vec<_>>(),
                "variants": self.variants,
                "metric": self.metric("product-view"),
                "round": {"growth": "10%"},
                "stopping": {"maximumDuration": "365d", "confidence": "99.99%"},
                "guardrails": (0..self.guardrails).map(guardrail).collect::<Vec<_>>(),
            })
        };
        serde_json::from_value(json!({
            "apiVersion": "broadside.dev/v1alpha1", "kind": "AdCampaign",
            "metadata": {"name": "a-campaign-whose-name-is-long"},
            "spec": {
                "brief": {"product": "Aero"}, "generation": {"model": "handbill"},
                "placements": (0..self.placements).map(placement).collect::<Vec<Value>>(),
                "segments": (0..self.segments).map(segment).collect::<Vec<_>>(),
            },
        }))
        .expect("a campaign")
    }

    fn metric(self, name: &str) -> Value {
        let mut metric = json!({"name": name, "kind": self.metrics, "window": "30m"});
        if self.metrics == "Value" {
            metric["cap"] = json!("500");
        }
        metric
    }

    /// Copy that fills every slot up to where channels advise to end it.
    fn copy(self, number: usize) -> Slots {
        let words =
            format!("{number} reasons for the trail shoe that is made of yarn which was a bottle once; ");
        let format = rules::format(self.format).expect("a format of ours");
        let text = |length: usize| words.chars().cycle().take(length).collect::<String>().trim().to_owned();
        let slots = format.slots().iter().enumerate();
        slots
            .map(|(at, slot)| (slot.name.clone(), text(slot.soft_limit.unwrap_or(slot.hard_limit) - at)))
            .collect()
    }
}

/// Looks at a campaign every twelve days of a year in which ever more people come, now this variant does better and now that one,
/// and a reviewer mends a word now and then.
fn year(heavy: Heavy) -> (Largest, Vec<usize>) {
    let (mut world, mut largest) = (World::new(heavy.object()), Largest::default());
    happen(&mut world, "{model: true}");
    pass(&mut world, &mut largest);
    write(&mut world, heavy);
    happen(&mut world, "{after: 10m, job: Complete}");
    for day in (0..366).step_by(12) {
        pass(&mut world, &mut largest);
        count(&mut world, heavy, day);
        if day % 36 == 0 && day > 0 {
            edit(&mut world, heavy, day);
            pass(&mut world, &mut largest);
        }
        happen(&mut world, "{after: 12d}");
    }
    // The verdict by time, then what follows once it is stored.
    for _ in 0..3 {
        pass(&mut world, &mut largest);
    }
    assert!(largest.of_kind.contains_key("winner") && largest.of_kind.contains_key("record"), "{largest:?}");
    let table = world.seen.table.expect("a table");
    for row in &table.spec.placements {
        let shown = |arm: usize| row.rounds.iter().any(|round| round.gives(arm));
        assert!((0..row.variants.len()).all(shown), "an edit that was taken was never shown: {row:?}");
    }
    assert!(table.spec.placements[0].variants.iter().any(|it| it.edit_of.is_some()), "nothing was edited");
    (largest, table.spec.placements.iter().map(|row| row.rounds.len()).collect())
}

fn happen(world: &mut World, yaml: &str) {
    world.happen(serde_saphyr::from_str::<Happens>(yaml).expect("a step"));
}

/// A pass, and how large what it wrote is.
fn pass(world: &mut World, largest: &mut Largest) {
    let (pass, error) = world.think();
    assert!(error.is_none(), "{error:?}");
    let (campaign, plan): (&Campaign, &Plan) =
        pass.campaign.as_ref().zip(pass.plan.as_ref()).expect("a plan");
    plan.table.iter().for_each(|it| largest.see("table", it));
    plan.variants.iter().for_each(|it| largest.see("variant", it));
    for record in &plan.evidence {
        largest.see("record", record);
        let kept = StoredRecord::all(record, "evidence.json").next().expect("a record");
        largest.unpacked = largest.unpacked.max(kept.text().expect("it is whole").len());
    }
    let everybody =
        (0..campaign.generation.as_ref().map_or(0, |it| it.pods)).map(|index| (index, 1_000_000_000));
    largest.see("brief", &brief(campaign, &world.object, &everybody.collect()));
    if let Some(job) = started(plan) {
        largest.see("Job", job);
    }
    plan.winner.iter().for_each(|it| largest.see("winner", it));
    world.remember(plan, pass.applied.as_ref().expect("the API server takes it"));
    world.object.status = Some(report(&world.object, &pass, None, world.now));
    largest.see("campaign", &world.object);
    if world.is_about_to_write(&pass) {
        self::pass(world, largest);
    }
}

/// The worker writes as many as were asked for.
fn write(world: &mut World, heavy: Heavy) {
    for placement in world.object.spec.placements.clone() {
        for index in 0..heavy.variants {
            let written = super::written(&world.object, heavy.copy(100 + index), index);
            let name = api::name::variant(&world.object.name_any(), &placement.name, &written.spec.slots);
            let mut variant = AdVariant::new(&name, written.spec);
            variant.spec.placement.clone_from(&placement.name);
            world.seen.variants.push(variant);
        }
    }
}

/// People of each placement, by its shares.
fn count(world: &mut World, heavy: Heavy, day: i32) {
    let people = 3_000.0 * 1.4_f64.powi(day / 12);
    for row in world.seen.table.clone().expect("a table").spec.placements {
        let shares = row.rounds.last().expect("a round").allocations[0].shares.clone();
        let of_arm = |arm: usize| {
            let exposures = people * f64::from(shares.get(arm).copied().unwrap_or(0)) / 1e6;
            let better = (arm as i32 * 7 + day / 12 * 3) % 5;
            let rewards = (exposures * (0.1 + 0.001 * f64::from(better))).floor();
            (exposures as u64, rewards, rewards)
        };
        let counted: Vec<_> = (0..row.variants.len()).map(of_arm).collect();
        let harm = |(exposures, ..): &(u64, f64, f64)| (*exposures, exposures / 5);
        let watched = row.guardrails.iter().map(|it| (it.name.clone(), counted.iter().map(harm).collect()));
        // One in fifty is chosen copy for and does not see it.
        let unseen: Vec<u64> = counted.iter().map(|(exposures, ..)| exposures / 50).collect();
        world.count(Some(&row.name), &counted, &unseen, &watched.take(heavy.guardrails).collect());
    }
    for placement in &mut world.totals.placements {
        in_all_segments(&mut placement.cells, heavy, "");
        for guardrail in &mut placement.guardrails {
            in_all_segments(&mut guardrail.cells, heavy, &guardrail.metric);
        }
    }
}

/// About as many people of each segment as of the first.
fn in_all_segments(cells: &mut Vec<CellTotals>, heavy: Heavy, metric: &str) {
    cells.retain(|cell| cell.segment == segment(0));
    let first = cells.clone();
    let others = (1..heavy.segments).map(segment);
    cells.extend(
        others.flat_map(|segment| first.iter().map(move |cell| of_segment(cell, &segment, heavy, metric))),
    );
}

/// A cell as chance might have it: compression must find no pattern that people would not show.
fn of_segment(cell: &CellTotals, segment: &str, heavy: Heavy, metric: &str) -> CellTotals {
    let place = format!("{segment} {} {}", cell.round, cell.variant);
    // More people never make it fewer.
    let around = |mean: f64, what: &str| (mean + chance(&format!("{place} {what}")) * mean.sqrt()).floor();
    let exposures = around(cell.exposures as f64, "");
    let rewarded = around(cell.rewards, metric).min(exposures);
    // Sums of cents, and of their squares.
    let (rewards, squared_rewards) = match heavy.metrics {
        "Value" => ((rewarded * 3_713.0).floor() / 100.0, (rewarded * 19_003_173.0).floor() / 10_000.0),
        _ => (rewarded, rewarded),
    };
    let unseen = |decisions| around((decisions - cell.exposures) as f64, "unseen");
    let decisions = cell.decisions.map(|decisions| (exposures + unseen(decisions)) as u64);
    CellTotals {
        segment: segment.to_owned(),
        decisions,
        exposures: exposures as u64,
        rewards,
        squared_rewards,
        ..cell.clone()
    }
}

/// Between -1 and 1, always the same of one text.
fn chance(of: &str) -> f64 {
    let digest = api::name::text_digest(of);
    let number = u32::from_str_radix(&digest[..8], 16).expect("digits");
    f64::from(number) / f64::from(u32::MAX) * 2.0 - 1.0
}

fn segment(index: usize) -> String {
    format!("a-segment-of-people-{index}")
}

/// Somebody mends a word of a variant that the worker wrote.
fn edit(world: &mut World, heavy: Heavy, day: i32) {
    let number = usize::try_from(day).expect("days go on");
    let written = world.seen.variants.iter().filter(|it| it.spec.origin == Origin::Generated);
    let edited = written.cycle().nth(number).expect("variants were written");
    let digest = api::name::copy_digest(&edited.spec.slots);
    let spec = AdReviewSpec {
        campaign: CampaignIdentity {
            name: world.object.name_any(),
            uid: world.object.uid().unwrap_or_default(),
        },
        variants: vec![ReviewedVariant { name: edited.name_any(), digest }],
        decision: Decision::Edit,
        texts: Some(heavy.copy(500 + number)),
        reviewer: "legal".to_owned(),
        on_behalf_of: None,
        reason: None,
    };
    let mut review = AdReview::new(&format!("edit-{day}"), spec);
    review.metadata.creation_timestamp = Some(Time(world.now));
    world.seen.reviews.push(review);
}
