//! Offline answers equal online ones: the same totals through a pass of the operator and through `broadside estimate` give
//! the same figures, the same verdict and the same next shares.

use std::time::Duration;

use api::figure::{loss, probability, signed};
use api::wire::totals::{CellTotals, LateTotals, PlacementTotals, TotalsResponse};
use api::{AdCampaign, PlacementStatus, TablePlacement, TableRound, VerdictReason, VerdictStatus};
use cli::offline::{EstimateAnswer, VariantAnswer, VerdictWord};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use operator::Campaign;
use operator::apply::Applied;
use operator::objects::job::{ModelImages, WorkerImage};
use operator::observe::{Seen, Totals};
use operator::plan::{Settings, plan};
use operator::status::{Pass, report};
use serde_json::{Map, Value, json};

use crate::question;

/// A placement of a control and two challengers, with people who act at a rate of their own for each, in order of the table.
struct Setting {
    rates: [f64; 3],
    metric: Value,
    policy: Value,
    stopping: Value,
    segments: &'static [&'static str],
}

impl Setting {
    fn of(rates: [f64; 3]) -> Self {
        let metric = json!({"name": "order", "kind": "Binary", "window": "30m"});
        Self { rates, metric, policy: json!({}), stopping: json!({}), segments: &[] }
    }

    fn campaign(&self) -> AdCampaign {
        let copy = |headline: &str| json!({"headline": headline, "button": "See it"});
        let mut campaign = json!({
            "apiVersion": "broadside.dev/v1alpha1", "kind": "AdCampaign",
            "metadata": {"name": "trail", "namespace": "shop", "uid": "00000000-0000-4000-8000-000000000001", "generation": 1},
            "spec": {"brief": {"product": "Aero Trail 3"}, "placements": [{
                "name": "hero", "format": "WebBanner", "delivery": {"gateway": {}}, "control": copy("Aero Trail 3"),
                "challengers": [copy("Run further in Aero Trail 3"), copy("Aero Trail 3 weighs 240 g")],
                "metric": self.metric, "policy": self.policy, "stopping": self.stopping}]},
        });
        if !self.segments.is_empty() {
            campaign["spec"]["segments"] = json!(self.segments);
        }
        serde_json::from_value(campaign).expect("a campaign")
    }
}

/// What a cluster and a ledger would remember.
struct Online {
    object: AdCampaign,
    seen: Seen,
    counted: PlacementTotals,
    now: Timestamp,
}

impl Online {
    fn new(setting: &Setting) -> Self {
        let now = "2026-03-01T12:00:00Z".parse().expect("a moment");
        let counted = PlacementTotals {
            name: "hero".to_owned(),
            seed: 1,
            pending_exposures: 0,
            cells: Vec::new(),
            guardrails: Vec::new(),
        };
        Self { object: setting.campaign(), seen: Seen::default(), counted, now }
    }

    fn row(&self) -> &TablePlacement {
        &self.seen.table.as_ref().expect("a table").spec.placements[0]
    }

    /// So many people in each segment come in the round in force, and act as they do; nobody is unlucky.
    fn count(&mut self, setting: &Setting, people: f64) {
        let row = self.row().clone();
        let round = row.rounds.last().expect("rounds");
        for (index, segment) in round.allocations.iter().flat_map(|entry| &entry.segments).enumerate() {
            for (arm, variant) in row.variants.iter().enumerate() {
                // Segments differ in size and mood.
                let factor = 1.0 + 0.5 * index as f64;
                let exposures = (factor * people * f64::from(round.allocations[0].shares[arm]) / 1e6).round();
                let rewards = (exposures * setting.rates[arm] * factor).round();
                self.add(CellTotals {
                    round: round.number,
                    segment: segment.clone(),
                    variant: variant.name.clone(),
                    decisions: None,
                    exposures: exposures as u64,
                    rewards,
                    squared_rewards: rewards,
                    covariate: None,
                    late: LateTotals::default(),
                    unconfirmed_clicks: 0,
                });
            }
        }
    }

    /// One entry per round, segment and variant, as the ledger answers.
    fn add(&mut self, cell: CellTotals) {
        let same = |known: &&mut CellTotals| {
            (known.round, &known.segment, &known.variant) == (cell.round, &cell.segment, &cell.variant)
        };
        match self.counted.cells.iter_mut().find(same) {
            Some(known) => {
                known.exposures += cell.exposures;
                known.rewards += cell.rewards;
                known.squared_rewards += cell.squared_rewards;
            }
            None => self.counted.cells.push(cell),
        }
    }

    /// One pass; what was decided on is remembered.
    fn pass(&mut self) -> PlacementStatus {
        let campaign = Campaign::try_from(&self.object).expect("a valid campaign");
        if self.seen.table.is_some() {
            let campaign = self.object.uid().unwrap_or_default();
            let placements = vec![self.counted.clone()];
            self.seen.totals = Totals::Known(TotalsResponse { campaign, as_of: self.now, placements });
        }
        let settings = Settings {
            worker: WorkerImage {
                reference: "broadside/worker:1".to_owned(),
                pull_policy: None,
                model_images: ModelImages::Copied,
            },
            figures_interval: Duration::from_secs(60),
        };
        let plan = plan(&self.object, &campaign, &self.seen, &settings, self.now);
        self.seen.variants.extend(plan.variants.clone());
        self.seen.table = plan.table.clone().or_else(|| self.seen.table.take());
        let pass = Pass { campaign: Some(campaign), plan: Some(plan), applied: Some(Applied::default()) };
        let status = report(&self.object, &pass, None, self.now);
        let placement = status.placements[0].clone();
        self.object.status = Some(status);
        placement
    }

    /// What one would write down for `broadside estimate`: the table, what was counted, and what the campaign says.
    fn document(&self, is_by_segment: bool) -> Value {
        let spec = serde_json::to_value(&self.object.spec.placements[0]).expect("plain data");
        let row = self.row();
        let rounds = row.rounds.iter().map(|round| {
            let mut document = self.round(round, is_by_segment);
            document["number"] = round.number.into();
            document
        });
        let begun = row.rounds[0].opened_at.0;
        let mut document = json!({
            "metric": spec["metric"], "policy": spec["policy"], "control": row.variants[0].name,
            "elapsed": format!("{}s", self.now.duration_since(begun).as_secs()),
            "rounds": rounds.collect::<Vec<_>>(),
        });
        for field in ["confidence", "maximumLoss", "worthwhileLift", "maximumDuration"] {
            match &spec["stopping"][field] {
                Value::Null => {}
                value => document[field] = value.clone(),
            }
        }
        document
    }

    fn round(&self, round: &TableRound, is_by_segment: bool) -> Value {
        let names = self.row().variants.iter().map(|variant| &variant.name);
        let allocation: Map<String, Value> = names
            .clone()
            .cloned()
            .zip(round.allocations[0].shares.iter().map(|&share| share.into()))
            .collect();
        let totals = |is_meant: &dyn Fn(&str) -> bool| -> Map<String, Value> {
            let of = |name: &String| {
                let cells = self.counted.cells.iter().filter(|cell| {
                    cell.round == round.number && cell.variant == *name && is_meant(&cell.segment)
                });
                let (n, sum) =
                    cells.fold((0, 0.0), |(n, sum), cell| (n + cell.exposures, sum + cell.rewards));
                (name.clone(), json!({"n": n, "sum": sum, "sumSquares": sum}))
            };
            names.clone().map(of).collect()
        };
        if !is_by_segment {
            return json!({"allocation": allocation, "totals": totals(&|_| true)});
        }
        let segment = |name: &String| {
            (name.clone(), json!({"allocation": allocation, "totals": totals(&|segment| segment == name)}))
        };
        json!({"segments": round.allocations[0].segments.iter().map(segment).collect::<Map<_, _>>()})
    }
}

/// Plays `setting` with so many people a day until there is a verdict, and holds each pass against a file's answer.
fn check(setting: &Setting, people: f64, expected: VerdictWord) {
    let mut online = Online::new(setting);
    online.pass();
    for day in 1..=28 {
        online.now += SignedDuration::from_hours(24);
        online.count(setting, people);
        let (by_segment, together) = (online.document(true), online.document(false));
        let rounds = online.row().rounds.len();
        let status = online.pass();
        let answer = question(&by_segment).estimate().expect("an estimate");
        same_figures(&status, &answer);
        same_verdict(&status, &answer);
        let opened = online.row().rounds.len() > rounds && status.verdict.is_none();
        if opened {
            same_shares(online.row(), &status, &together);
        }
        if let Some(verdict) = answer.verdict.filter(|verdict| *verdict != VerdictWord::Collecting) {
            assert_eq!(verdict, expected, "on day {day}: {}", answer.sentence);
            return;
        }
    }
    panic!("no verdict within 28 days");
}

fn same_figures(status: &PlacementStatus, answer: &EstimateAnswer) {
    let exposures: u64 = answer.variants.iter().map(|variant| variant.exposures).sum();
    assert_eq!((status.samples as u64, &status.leader), (exposures, &answer.leader));
    if status.verdict.is_none() {
        let more = answer.still_needed.filter(|&more| more > 0);
        assert_eq!(status.still_needed.map(|more| more as u64), more);
        let days = answer.days_left.filter(|_| more.is_some()).map(|days| days.0.ceil() as i64);
        assert_eq!(status.days_left, days);
    }
    assert_eq!(status.variants.len(), answer.variants.len());
    for online in &status.variants {
        let offline = variant(answer, &online.name);
        assert_eq!(
            (online.exposures as u64, online.rewards as f64, online.probability_best.clone()),
            (offline.exposures, offline.rewards.0, Some(probability(offline.p_best.0))),
            "{}",
            online.name
        );
        let lift =
            online.lift.as_ref().map(|lift| [&lift.shrunken, &lift.lower, &lift.upper].map(String::clone));
        assert_eq!(lift, lift_of(offline), "{}", online.name);
    }
}

fn same_verdict(status: &PlacementStatus, answer: &EstimateAnswer) {
    let Some(verdict) = &status.verdict else {
        return assert_eq!(answer.verdict, Some(VerdictWord::Collecting), "{}", answer.sentence);
    };
    let word = match verdict.reason {
        VerdictReason::Winner => VerdictWord::Winner,
        VerdictReason::ControlWins => VerdictWord::ControlWins,
        VerdictReason::NoWorthwhileDifference => VerdictWord::NoWorthwhileDifference,
        VerdictReason::Inconclusive => VerdictWord::Inconclusive,
    };
    assert_eq!((Some(word), &verdict.winner), (answer.verdict, &answer.winner));
    // A file has no placements, and calls the control by its name.
    let online = verdict.sentence.replace(" of hero", "");
    let offline = answer
        .sentence
        .replace(&status.control, "the control")
        .replace("in a new experiment", "under a new name");
    assert_eq!(online, offline);
    same_evidence(verdict, answer);
}

fn same_evidence(verdict: &VerdictStatus, answer: &EstimateAnswer) {
    let Some(winner) = &verdict.winner else { return };
    let offline = variant(answer, winner);
    let lift =
        verdict.lift.as_ref().map(|lift| [&lift.shrunken, &lift.lower, &lift.upper].map(String::clone));
    assert_eq!(lift, lift_of(offline));
    assert_eq!(verdict.expected_loss, Some(loss(offline.relative_loss.0)));
    let shown = offline.exposures + answer.variants[0].exposures;
    assert_eq!((verdict.samples as u64, verdict.served.as_str()), (shown, winner.as_str()));
}

fn same_shares(row: &TablePlacement, status: &PlacementStatus, document: &Value) {
    let round = row.rounds.last().expect("rounds");
    let next = serde_json::to_value(question(document).allocate().expect("shares")).expect("plain data");
    assert_eq!(next["reason"], status.round.shares);
    for (variant, share) in row.variants.iter().zip(&round.allocations[0].shares) {
        assert_eq!(next["allocation"][&variant.name], *share, "{}: {next}", variant.name);
    }
}

fn variant<'a>(answer: &'a EstimateAnswer, name: &str) -> &'a VariantAnswer {
    answer.variants.iter().find(|variant| variant.name == name).expect("a variant")
}

fn lift_of(variant: &VariantAnswer) -> Option<[String; 3]> {
    let limits = variant.lift_anytime.as_ref()?;
    Some([variant.lift_shrunken.expect("beside its limits").0, limits.low.0, limits.high.0].map(signed))
}

#[test]
fn a_winner() {
    check(&Setting::of([0.02, 0.026, 0.021]), 4000.0, VerdictWord::Winner);
    let less = json!({"name": "bounce", "kind": "Binary", "direction": "Minimize", "window": "30m"});
    let policy = json!({"type": "TopTwo", "floor": "2%", "controlShare": "30%"});
    check(&Setting { metric: less, policy, ..Setting::of([0.05, 0.05, 0.04]) }, 4000.0, VerdictWord::Winner);
}

#[test]
fn an_end_without_a_winner() {
    check(&Setting::of([0.05, 0.035, 0.04]), 4000.0, VerdictWord::ControlWins);
    let stopping = json!({"worthwhileLift": "20%", "confidence": "90%"});
    let policy = json!({"type": "Even"});
    let worthless = Setting { stopping, policy, ..Setting::of([0.05, 0.05, 0.049]) };
    check(&worthless, 10_000.0, VerdictWord::NoWorthwhileDifference);
}

#[test]
fn time_that_is_up() {
    let stopping = json!({"maximumDuration": "5d"});
    let policy = json!({"lookBack": 5000, "minimumPerVariant": 700});
    let slow = |rates| Setting { stopping: stopping.clone(), policy: policy.clone(), ..Setting::of(rates) };
    check(&slow([0.02, 0.022, 0.021]), 1000.0, VerdictWord::Inconclusive);
    // Both are shown to be better, and either may be the best.
    check(&slow([0.05, 0.07, 0.069]), 6000.0, VerdictWord::Inconclusive);
}

#[test]
fn segments_with_moods_of_their_own() {
    let segments = &["known", "new"];
    check(&Setting { segments, ..Setting::of([0.02, 0.027, 0.021]) }, 2000.0, VerdictWord::Winner);
}
