//! `spec.placements[]` → `Placement`: every fault with its field and a remedy.

use std::collections::BTreeSet;

use api::Slots;
use experiment::{
    Control, Direction, GuardrailError, PartsPerMillion, Policy, PolicyError, Rule, Stopping, StoppingError,
};
use jiff::SignedDuration;
use rules::{Delivery, Format};

use super::{Copy, Faults, Guardrail, Judges, Placement, Round, kind};

/// Reads one placement.
pub(super) struct Reader<'a> {
    /// Where it stands, such as `spec.placements[0]`.
    pub(super) path: String,
    /// The campaign's name.
    pub(super) campaign: &'a str,
    pub(super) placement: &'a api::Placement,
}

impl Reader<'_> {
    /// The placement, unless something in it is missing; what is wrong is added to `faults`.
    pub(super) fn read(&self, faults: &mut Faults, judges: &Judges) -> Option<Placement> {
        let format = self.format(faults, judges);
        let metric = self.metric(faults);
        let policy = self.policy(faults);
        let round = self.round(faults);
        let stopping = self.stopping(faults);
        let maximum_duration = self.maximum_duration(faults);
        let guardrails = self.guardrails(faults);
        self.something_to_test(faults);
        let format = format?;
        let (control, challengers) = self.people(faults, &format, judges);
        Some(Placement {
            name: self.placement.name.clone(),
            format,
            control,
            challengers,
            asked: self.placement.variants,
            metric: metric?,
            direction: match self.placement.metric.direction {
                api::Direction::Maximize => Direction::Maximize,
                api::Direction::Minimize => Direction::Minimize,
            },
            policy: policy?,
            round: round?,
            stopping: stopping?,
            maximum_duration: maximum_duration?,
            maximum_exposures: self.placement.stopping.maximum_exposures,
            on_undecided: self.placement.stopping.on_undecided,
            guardrails,
        })
    }

    fn at(&self, field: &str) -> String {
        format!("{}.{field}", self.path)
    }

    fn format(&self, faults: &mut Faults, judges: &Judges) -> Option<Format> {
        let name = &self.placement.format;
        let Some(format) = judges.formats.get(name) else {
            let known: Vec<&str> = judges.formats.iter().map(Format::name).collect();
            if !faults.blames_brand() {
                faults
                    .add(self.at("format"), format!("{name} is not known: use one of {}", known.join(", ")));
            }
            return None;
        };
        if !format.allows(Delivery::Gateway) {
            faults.add(
                self.at("delivery"),
                format!("{name} can't be delivered by the gateway: use another format"),
            );
        }
        Some(format.clone())
    }

    fn metric(&self, faults: &mut Faults) -> Option<api::TableMetric> {
        let api::Metric { name, kind, cap, direction: _, window } = self.placement.metric.clone();
        counted(faults, &self.at("metric"), api::WatchedMetric { name, kind, cap, window })
    }

    fn policy(&self, faults: &mut Faults) -> Option<Policy> {
        let policy = &self.placement.policy;
        let floor = self.share(faults, "policy.floor", &policy.floor)?;
        let control_share = self.share(faults, "policy.controlShare", &policy.control_share)?;
        let rule = match policy.kind {
            api::PolicyType::Thompson => Rule::Thompson,
            api::PolicyType::TopTwo => Rule::TopTwo,
            api::PolicyType::Even => Rule::Even,
        };
        let control = Control::Fixed(control_share);
        let kept = Policy::new(rule, self.arms(), floor, control, policy.minimum_per_variant.into());
        let kept = kept.and_then(|kept| match policy.look_back {
            Some(exposures) => kept.with_look_back(exposures.into()),
            None => Ok(kept),
        });
        match kept {
            Ok(policy) => Some(policy),
            Err(problem @ (PolicyError::NoControl | PolicyError::NoVariants { .. })) => {
                faults.add(self.at("policy.controlShare"), format!("{problem}; write 20%, for example"));
                None
            }
            Err(problem @ PolicyError::Floor { .. }) => {
                let remedy = "lower policy.floor or policy.controlShare, or test fewer variants";
                faults.add(self.at("policy"), format!("{problem}: {remedy}"));
                None
            }
            Err(problem @ PolicyError::LookBack(_)) => {
                faults.add(
                    self.at("policy.lookBack"),
                    format!("{problem}; write 100000, for example, or leave it out"),
                );
                None
            }
        }
    }

    /// The control, people's challengers, and as many generated variants as are asked for.
    fn arms(&self) -> usize {
        let challengers = self.placement.challengers.as_ref().map_or(0, Vec::len);
        1 + challengers + usize::try_from(self.placement.variants).unwrap_or(usize::MAX)
    }

    fn share(&self, faults: &mut Faults, field: &str, percent: &api::Percent) -> Option<PartsPerMillion> {
        let parts = faults.keep(self.at(field), percent.parts_per_million())?;
        let share = PartsPerMillion::new(parts);
        if share.is_none() {
            faults.add(self.at(field), format!("{} is above 100%: a share is at most 100%", percent.0));
        }
        share
    }

    fn round(&self, faults: &mut Faults) -> Option<Round> {
        let round = &self.placement.round;
        let minimum = self.duration(faults, "round.minimum", &round.minimum);
        let growth = faults.keep(self.at("round.growth"), round.growth.parts_per_million());
        if growth == Some(0) {
            faults.add(self.at("round.growth"), "is 0%: rounds would never grow apart; write at least 1%");
        }
        Some(Round { minimum: minimum?, growth: growth? })
    }

    fn stopping(&self, faults: &mut Faults) -> Option<Stopping> {
        let stopping = &self.placement.stopping;
        let confidence = self.share(faults, "stopping.confidence", &stopping.confidence)?;
        let maximum_loss = self.share(faults, "stopping.maximumLoss", &stopping.maximum_loss)?;
        let worthwhile = match &stopping.worthwhile_lift {
            Some(lift) => Some((lift, self.share(faults, "stopping.worthwhileLift", lift)?)),
            None => None,
        };
        let rule = Stopping::new(confidence.fraction(), maximum_loss.fraction());
        let rule = rule.and_then(|rule| match worthwhile {
            Some((_, lift)) => rule.with_worthwhile_lift(lift.fraction()),
            None => Ok(rule),
        });
        let (field, problem) = match rule {
            Ok(stopping) => return Some(stopping),
            Err(StoppingError::Confidence(_)) => (
                "confidence",
                format!("{} can't be promised: write at least 50% and less than 100%", stopping.confidence.0),
            ),
            Err(StoppingError::MaximumLoss(_)) => {
                ("maximumLoss", format!("{} is never reached: write more than 0%", stopping.maximum_loss.0))
            }
            Err(StoppingError::WorthwhileLift(_)) => (
                "worthwhileLift",
                format!(
                    "{} can't be refuted: write 0.1% to 70%, such as 5%",
                    worthwhile.map_or("", |(lift, _)| &lift.0)
                ),
            ),
        };
        faults.add(format!("{}.{field}", self.at("stopping")), problem);
        None
    }

    fn maximum_duration(&self, faults: &mut Faults) -> Option<SignedDuration> {
        let duration = &self.placement.stopping.maximum_duration;
        let maximum = self.duration(faults, "stopping.maximumDuration", duration)?;
        if let Ok(window) = self.placement.metric.window.seconds()
            && maximum.as_secs().unsigned_abs() <= window
        {
            let problem = format!(
                "{} ends before the first exposure's window of {} has passed: make it longer",
                duration.0, self.placement.metric.window.0
            );
            faults.add(self.at("stopping.maximumDuration"), problem);
        }
        Some(maximum)
    }

    fn guardrails(&self, faults: &mut Faults) -> Vec<Guardrail> {
        let mut names = BTreeSet::from([self.placement.metric.name.as_str()]);
        let mut guardrails = Vec::new();
        for (index, guardrail) in self.placement.guardrails.iter().flatten().enumerate() {
            let field = self.at(&format!("guardrails[{index}]"));
            if !names.insert(&guardrail.metric.name) {
                let problem = "is that of the placement's metric or of another guardrail: give each its own";
                faults.add(format!("{field}.metric.name"), problem);
            }
            guardrails.extend(self.guardrail(faults, &field, guardrail));
        }
        guardrails
    }

    /// Harm is shown with the confidence that a winner is.
    fn guardrail(&self, faults: &mut Faults, field: &str, guardrail: &api::Guardrail) -> Option<Guardrail> {
        let api::Guardrail { metric, maximum_increase } = guardrail;
        let metric = counted(faults, &format!("{field}.metric"), metric.clone());
        let field = format!("{field}.maximumIncrease");
        let increase = f64::from(faults.keep(&field, maximum_increase.parts_per_million())?) / 1e6;
        // What is wrong with it is told by its own field.
        let confidence = self.placement.stopping.confidence.parts_per_million().ok()?;
        let metric = metric?;
        let limit = experiment::Guardrail::new(kind(&metric), increase, f64::from(confidence) / 1e6);
        match limit {
            Ok(limit) => Some(Guardrail { metric, limit, maximum_increase: maximum_increase.clone() }),
            Err(GuardrailError::MaximumIncrease(_)) => {
                let problem =
                    format!("{} can't be watched for: write 1% to 200%, such as 50%", maximum_increase.0);
                faults.add(field, problem);
                None
            }
            Err(GuardrailError::Confidence(_)) => None,
        }
    }

    fn duration(&self, faults: &mut Faults, field: &str, duration: &api::Duration) -> Option<SignedDuration> {
        let seconds = faults.keep(self.at(field), duration.seconds())?;
        Some(SignedDuration::from_secs(i64::try_from(seconds).expect("a duration is at most 366 days")))
    }

    fn something_to_test(&self, faults: &mut Faults) {
        if self.arms() == 1 {
            faults.add(
                self.path.as_str(),
                "has only a control: add challengers, or ask for variants and name a model in spec.generation",
            );
        }
    }

    fn people(&self, faults: &mut Faults, format: &Format, judges: &Judges) -> (Copy, Vec<Copy>) {
        let control = self.copy(&self.placement.control);
        self.check(faults, "control", format, judges, &control);
        let mut challengers: Vec<Copy> = Vec::new();
        for (index, slots) in self.placement.challengers.iter().flatten().enumerate() {
            let field = format!("challengers[{index}]");
            let copy = self.copy(slots);
            self.check(faults, &field, format, judges, &copy);
            if copy == control || challengers.contains(&copy) {
                faults.add(self.at(&field), "is the same copy as another one: change its text or remove it");
            }
            challengers.push(copy);
        }
        (control, challengers)
    }

    fn copy(&self, slots: &Slots) -> Copy {
        let name = api::name::variant(self.campaign, &self.placement.name, slots);
        Copy::new(name, slots.clone())
    }

    fn check(&self, faults: &mut Faults, field: &str, format: &Format, judges: &Judges, copy: &Copy) {
        for violation in rules::check(format, &judges.brand, &copy.slots) {
            if violation.is_hard() {
                faults.add(self.at(field), violation);
            }
        }
    }
}

/// What the ledger counts of a metric that is written at `field`.
fn counted(faults: &mut Faults, field: &str, metric: api::WatchedMetric) -> Option<api::TableMetric> {
    let api::WatchedMetric { name, kind, cap, window } = metric;
    let seconds = faults.keep(format!("{field}.window"), window.seconds())?;
    let window_seconds = u32::try_from(seconds).expect("a duration is at most 366 days");
    let field = format!("{field}.cap");
    if cap.is_some() && kind == api::MetricKind::Binary {
        faults.add(&field, "is for values: leave it out, or write kind: Value");
    }
    let cap_millionths = match cap {
        Some(cap) => {
            let millionths = faults.keep(&field, cap.millionths())?;
            Some(i64::try_from(millionths).expect("an amount is at most 10^15 millionths"))
        }
        None => None,
    };
    Some(api::TableMetric { name, kind, cap_millionths, window_seconds })
}
