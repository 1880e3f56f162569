//! The ConfigMap with what a verdict rests on.

use api::record::StoredRecord;
use api::{
    EValues, Evidence, EvidenceCampaign, EvidenceKind, EvidenceVariant, GuardrailEValues, MetricKind, Origin,
    Percent, Provenance, TablePlacement, TableVariant, VerdictStatus,
};
use experiment::{AgainstControl, Direction, Estimate, Guarded, Safety, Stopping, Totals};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Map, Value, json};

use super::metadata;
use crate::campaign::{Campaign, Guardrail, Mode, Placement};

/// What was counted in one round and segment.
#[derive(Clone, Debug)]
pub struct CountedCell<'a> {
    /// The round's number.
    pub round: u32,
    /// The segment.
    pub segment: &'a str,
    /// The shares, and the sums under them.
    pub cell: experiment::Cell,
}

/// What was counted of a guardrail's metric.
#[derive(Clone, Debug)]
pub struct GuardedCells<'a> {
    /// The guardrail.
    pub guardrail: &'a Guardrail,
    /// In the rounds and segments of the placement's own metric.
    pub counted: Vec<CountedCell<'a>>,
    /// What is known of each arm's harm.
    pub arms: &'a [Option<Guarded>],
}

/// What a verdict is reached on.
pub struct Grounds<'a> {
    /// The campaign.
    pub campaign: &'a Campaign,
    /// The placement.
    pub placement: &'a Placement,
    /// Its row of the table.
    pub row: &'a TablePlacement,
    /// What was counted, the oldest round first.
    pub counted: &'a [CountedCell<'a>],
    /// What is known of it.
    pub estimate: &'a Estimate,
    /// What was counted of guardrails, and what that says.
    pub guarded: &'a [GuardedCells<'a>],
    /// How long the experiment has run.
    pub elapsed: SignedDuration,
    /// How long it may run at most.
    pub longest: SignedDuration,
    /// Who wrote a variant, and what made it.
    pub written: &'a dyn Fn(&TableVariant) -> (Origin, Option<Provenance>),
}

/// The key of the record in a ConfigMap of evidence.
pub const KEY: &str = "evidence.json";

/// The record of a verdict.
pub fn evidence(grounds: &Grounds<'_>, verdict: &VerdictStatus) -> Evidence {
    let Grounds { campaign, placement, row, written, .. } = grounds;
    let variant = |(arm, variant): (usize, &TableVariant)| {
        let (origin, provenance) = written(variant);
        EvidenceVariant {
            name: variant.name.clone(),
            digest: variant.digest.clone(),
            slots: variant.slots.clone(),
            stands_for: variant.stands_for.clone(),
            origin,
            provenance,
            harms: variant.harms.clone(),
            e_values: grounds.estimate.arms[arm].against_control.as_ref().map(e_values),
            guardrails: grounds.guarded.iter().filter_map(|guarded| guarded.e_values(arm)).collect(),
        }
    };
    Evidence {
        kind: EvidenceKind::Evidence,
        campaign: EvidenceCampaign {
            namespace: campaign.namespace.clone(),
            name: campaign.name.clone(),
            uid: campaign.uid.clone(),
        },
        placement: placement.name.clone(),
        format: row.format.clone(),
        seed: row.seed,
        dry_run: campaign.mode == Mode::DryRun,
        verdict: VerdictStatus { evidence: None, ..verdict.clone() },
        variants: row.variants.iter().enumerate().map(variant).collect(),
        totals: totals(grounds),
    }
}

/// The evidence about a variant, as a record has it.
#[must_use]
pub fn e_values(against: &AgainstControl) -> EValues {
    EValues {
        log_e: log_e(against.log_e_value),
        log_threshold: log_e(against.log_threshold),
        log_e_not_worthwhile: against.log_e_not_worthwhile.map(log_e),
    }
}

/// The evidence about a variant's harm, as a record has it.
#[must_use]
pub fn guardrail_e_values(metric: &str, guarded: &Guarded) -> GuardrailEValues {
    GuardrailEValues {
        metric: metric.to_owned(),
        safety: match guarded.safety {
            Safety::Harmful => api::Safety::Harmful,
            Safety::Safe => api::Safety::Safe,
            Safety::NotYetShownSafe { .. } => api::Safety::NotYetShownSafe,
        },
        log_e_harm: log_e(guarded.log_e_harm),
        log_e_safe: log_e(guarded.log_e_safe),
    }
}

/// Three decimals tell any two looks apart, and no two machines.
fn log_e(log_e: f64) -> String {
    format!("{log_e:.3}")
}

impl GuardedCells<'_> {
    fn e_values(&self, arm: usize) -> Option<GuardrailEValues> {
        let guarded = self.arms.get(arm)?.as_ref()?;
        Some(guardrail_e_values(&self.guardrail.metric.name, guarded))
    }

    /// What was counted of an arm where the placement's own metric counted something, in which it had that many `exposures`.
    fn sums(&self, round: u32, segment: &str, arm: usize, exposures: u64) -> Option<Value> {
        let same = self.counted.iter().find(|it| it.round == round && it.segment == segment)?;
        let totals = same.cell.totals()[arm];
        let mut sum = sum_of(&totals, self.guardrail.metric.kind);
        if totals.exposures != exposures {
            sum["n"] = json!(totals.exposures);
        }
        Some(sum)
    }
}

/// The most bytes of a record, as it is kept, that has guardrails' sums too: an object of 100 kB holds it with its metadata. A
/// verdict does not rest on these sums, so it is they that make room.
pub(crate) const MOST_BYTES_GUARDED: usize = 98_000;

/// Whether a record takes no more than so many bytes where it is kept, and can be read.
pub(crate) fn fits(text: &str, most: usize) -> bool {
    text.len() <= api::record::MOST_BYTES && StoredRecord::new(text).bytes() <= most
}

/// What was counted may take so much of a record; the rest is for copy and how it was made. No round is opened beyond it, so that the
/// verdict finds room for its record.
pub(crate) const MOST_BYTES_OF_CELLS: usize = 800_000;

/// The most bytes of what was counted of one arm in one cell, beside its name, which stands there twice.
const BYTES_OF_COUNTS: usize = 200;

/// How many bytes of a record what was counted under a row's rounds takes at most.
pub(crate) fn bytes_of_cells(row: &TablePlacement) -> usize {
    let names: usize = row.variants.iter().map(|variant| variant.name.len()).sum();
    let of_cell = 2 * names + BYTES_OF_COUNTS * row.variants.len();
    let cells = row.rounds.iter().flat_map(|round| &round.allocations).map(|it| it.segments.len());
    of_cell * cells.sum::<usize>()
}

/// The ConfigMap that holds a record.
pub fn config(campaign: &Campaign, text: &str) -> ConfigMap {
    let digest = api::name::text_digest(text);
    let metadata = metadata(campaign, api::name::evidence_config(&campaign.name, &digest));
    let mut config = ConfigMap { metadata, ..ConfigMap::default() };
    StoredRecord::new(text).put(&mut config, KEY);
    config
}

/// As `broadside estimate` reads it.
fn totals(grounds: &Grounds<'_>) -> Value {
    let Grounds { placement, row, elapsed, longest, guarded, .. } = grounds;
    let mut totals = json!({
        "metric": metric(placement),
        "control": row.variants[0].name,
        "confidence": percent(placement.stopping.confidence()),
        "maximumLoss": percent(placement.stopping.maximum_loss()),
        // Beyond the longest time nothing depends on it, and the form knows no longer one.
        "elapsed": seconds(*elapsed.min(longest)),
        "maximumDuration": seconds(*longest),
        "rounds": rounds(grounds),
    });
    if !guarded.is_empty() {
        totals["guardrails"] = guarded.iter().map(|it| watched(it.guardrail)).collect();
    }
    if let Some(lift) = Stopping::worthwhile_lift(&placement.stopping) {
        totals["worthwhileLift"] = json!(percent(lift));
    }
    if let Some(exposures) = placement.maximum_exposures {
        totals["plannedExposures"] = json!(exposures);
    }
    let flags: Map<String, Value> = row.variants.iter().filter_map(flags).collect();
    if !flags.is_empty() {
        totals["variants"] = Value::Object(flags);
    }
    totals
}

/// What is special about a variant.
fn flags(variant: &TableVariant) -> Option<(String, Value)> {
    let flags = match (variant.generation, variant.withdrawn) {
        (1, false) => return None,
        (1, true) => json!({ "retired": true }),
        (generation, false) => json!({ "generation": generation }),
        (generation, true) => json!({ "generation": generation, "retired": true }),
    };
    Some((variant.name.clone(), flags))
}

fn metric(placement: &Placement) -> Value {
    let mut metric = counted(&placement.metric);
    metric["direction"] = json!(match placement.direction {
        Direction::Maximize => "Maximize",
        Direction::Minimize => "Minimize",
    });
    metric
}

fn watched(guardrail: &Guardrail) -> Value {
    json!({ "metric": counted(&guardrail.metric), "maximumIncrease": guardrail.maximum_increase })
}

/// What of a metric says how it is counted.
fn counted(metric: &api::TableMetric) -> Value {
    let api::TableMetric { name, kind, cap_millionths, window_seconds } = metric;
    let mut metric = json!({ "name": name, "kind": kind, "window": format!("{window_seconds}s") });
    if let Some(cap) = cap_millionths {
        metric["cap"] = json!(format!("{}.{:06}", cap / 1_000_000, cap % 1_000_000));
    }
    metric
}

fn percent(fraction: f64) -> Percent {
    // It was made from whole parts per million.
    Percent::from_parts_per_million((fraction * 1e6).round() as u32)
}

/// A duration of the form is at least a second.
fn seconds(duration: SignedDuration) -> String {
    format!("{}s", duration.as_secs().max(1))
}

/// Whether what was known before is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Covariates {
    Told,
    LeftOut,
}

/// By number. With the segment of everybody alone there is none to tell apart.
fn rounds(grounds: &Grounds<'_>) -> Vec<Value> {
    let Grounds { row, counted, .. } = grounds;
    let exposed = |cell: &experiment::Cell| cell.totals().iter().any(|totals| totals.exposures > 0);
    // One that was told in some rounds alone is used in none.
    let told = counted.iter().all(|it| it.cell.has_covariate() || !exposed(&it.cell));
    let covariates = if told { Covariates::Told } else { Covariates::LeftOut };
    let mut rounds: Vec<Value> = Vec::new();
    for counted in *counted {
        let CountedCell { round, segment, cell } = counted;
        let totals = sums(grounds, counted, covariates);
        let of_cell = json!({ "allocation": allocation(row, cell), "totals": totals });
        if *segment == api::name::EVERYBODY {
            let mut of_cell = of_cell;
            of_cell["number"] = json!(round);
            rounds.push(of_cell);
            continue;
        }
        match rounds.iter_mut().find(|known| known["number"] == json!(round)) {
            Some(known) => known["segments"][segment] = of_cell,
            None => rounds.push(json!({ "number": round, "segments": { *segment: of_cell } })),
        }
    }
    rounds
}

fn allocation(row: &TablePlacement, cell: &experiment::Cell) -> Map<String, Value> {
    let shares = row.variants.iter().zip(cell.allocation().shares()).filter(|(_, share)| share.get() > 0);
    shares.map(|(variant, share)| (variant.name.clone(), json!(share.get()))).collect()
}

fn sums(grounds: &Grounds<'_>, counted: &CountedCell<'_>, covariates: Covariates) -> Map<String, Value> {
    let Grounds { placement, row, guarded, .. } = grounds;
    let CountedCell { round, segment, cell } = counted;
    let served = cell.allocation().shares().iter().map(|share| share.get() > 0);
    let arms = row.variants.iter().enumerate().zip(served).filter(|(_, served)| *served);
    let sum = |arm: usize| {
        let totals = cell.totals()[arm];
        let mut sum = sum_of(&totals, placement.metric.kind);
        sum["n"] = json!(totals.exposures);
        let sums = |it: &GuardedCells<'_>| it.sums(*round, segment, arm, totals.exposures);
        let of_guardrails =
            guarded.iter().filter_map(|it| Some((it.guardrail.metric.name.clone(), sums(it)?)));
        let of_guardrails: Map<String, Value> = of_guardrails.collect();
        if !of_guardrails.is_empty() {
            sum["guardrails"] = Value::Object(of_guardrails);
        }
        if let Some(decisions) = cell.decisions() {
            sum["decisions"] = json!(decisions[arm]);
        }
        if let Some(covariates) = cell.covariates().filter(|_| covariates == Covariates::Told) {
            let experiment::Covariate { sum: total, squares, products } = covariates[arm];
            sum["covariate"] = json!({
                "sum": total.to_string(), "sumSquares": squares.to_string(), "sumProducts": products.to_string(),
            });
        }
        sum
    };
    arms.map(|((arm, variant), _)| (variant.name.clone(), sum(arm))).collect()
}

/// Where each reward is 1 the sum of their squares is theirs, and is left out.
fn sum_of(totals: &Totals, kind: MetricKind) -> Value {
    let Totals { exposures: _, rewards, squared_rewards } = totals;
    match kind {
        MetricKind::Binary => json!({ "sum": rewards.to_string() }),
        MetricKind::Value => {
            json!({ "sum": rewards.to_string(), "sumSquares": squared_rewards.to_string() })
        }
    }
}
