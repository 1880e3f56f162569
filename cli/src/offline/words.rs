//! A verdict as one sentence for a marketer: what is so, how sure that is, and what to do next.

use api::figure::{percent, signed};
use experiment::delivered::LEAST_DAYS;
use experiment::{
    Counts, Delivered, DeliveredVerdict, Estimate, Guarded, Interval, Problem, Safety, SampleRatio, Verdict,
};
use operator::sentence::{Ended, Sentences};

use super::read::{Question, Watched};

/// The sentence that says `verdict`.
pub(super) fn sentence(question: &Question, estimate: &Estimate, verdict: &Verdict) -> String {
    let words = Words { question, estimate };
    let harm = words.harm();
    if let (true, Verdict::Collecting { .. } | Verdict::Inconclusive { .. }) = (words.is_alone(), verdict) {
        return words.nobody_left(harm);
    }
    let said = words.verdict(verdict);
    harm.map_or(said.clone(), |harm| format!("{said}; {harm}"))
}

struct Words<'a> {
    question: &'a Question,
    estimate: &'a Estimate,
}

impl Words<'_> {
    fn verdict(&self, verdict: &Verdict) -> String {
        let sentences = Sentences {
            names: &self.question.names,
            placement: None,
            metric: &self.question.metric.name,
            estimate: self.estimate,
        };
        match verdict {
            Verdict::Winner { arm, evidence } => sentences.winner(*arm, evidence),
            Verdict::ControlWins => sentences.control_wins(),
            Verdict::NoWorthwhileDifference { worthwhile_lift, .. } => {
                sentences.nothing_worthwhile(*worthwhile_lift)
            }
            Verdict::Inconclusive { leader, missing } => {
                sentences.inconclusive(self.question.plan.over.unwrap_or(Ended::Time), *leader, missing)
            }
            Verdict::Unhealthy(Problem::NoData) => no_data(),
            Verdict::Unhealthy(Problem::SampleRatio(ratio)) => sample_ratio(ratio),
            Verdict::Collecting { leader, missing } => sentences.collecting(*leader, missing),
        }
    }

    /// Whether the control is all that may be served.
    fn is_alone(&self) -> bool {
        (1..self.question.names.len()).all(|arm| !self.question.design.is_candidate(arm))
    }

    fn nobody_left(&self, harm: Option<String>) -> String {
        format!(
            "no variant is left to be served: {}; keep {}, or test other copy under a new name",
            harm.unwrap_or_else(|| "every one is retired".to_owned()),
            self.question.names[0],
        )
    }

    /// Who is shown to harm, if anybody is.
    fn harm(&self) -> Option<String> {
        let of = |watched: &Watched| {
            let is_harmful =
                |known: &Option<Guarded>| known.is_some_and(|known| known.safety == Safety::Harmful);
            let arms = watched.arms.iter().enumerate().filter(|(_, known)| is_harmful(known));
            let names: Vec<&str> = arms.map(|(arm, _)| self.question.names[arm].as_str()).collect();
            let limit = percent(watched.maximum_increase);
            (!names.is_empty()).then(|| {
                format!(
                    "{} served no more: shown to raise {} by more than {limit}",
                    are(&names),
                    watched.name
                )
            })
        };
        let harms: Vec<String> = self.question.guardrails.iter().filter_map(of).collect();
        (!harms.is_empty()).then(|| harms.join("; "))
    }
}

/// `a is`, or `a, b are`.
fn are(names: &[&str]) -> String {
    format!("{} {}", names.join(", "), if names.len() == 1 { "is" } else { "are" })
}

/// The sentence that says what a network's days allow one to say.
pub(super) fn delivered(question: &Question, delivered: &Delivered, verdict: DeliveredVerdict) -> String {
    let exposures: u64 = delivered.arms.iter().map(|arm| arm.exposures).sum();
    let control = &question.names[0];
    let days = delivered.arms.iter().skip(1).map(|arm| arm.days).max().unwrap_or(0);
    let said = match verdict {
        DeliveredVerdict::WinnerAsDelivered { arm } => delivered_winner(question, delivered, arm),
        DeliveredVerdict::Inconclusive if days < LEAST_DAYS => format!(
            "{days} days had exposures of {control} and of another variant, and a network's results need {LEAST_DAYS}, a week; plan for longer in a new experiment",
        ),
        DeliveredVerdict::Inconclusive => format!(
            "after {exposures} exposures over {days} days no variant is shown to have done better than {control} as this network delivered them; test bolder copy, or for longer, in a new experiment",
        ),
        DeliveredVerdict::Collecting => format!(
            "after {exposures} exposures over {days} days the planned end is not there, and looking earlier makes false winners; go on, or write `plannedExposures`, or `elapsed` and `maximumDuration`",
        ),
    };
    match question.plan.days_after {
        0 => said,
        1 => format!("{said}; one day came after the planned end and does not count"),
        days => format!("{said}; {days} days came after the planned end and do not count"),
    }
}

fn delivered_winner(question: &Question, delivered: &Delivered, arm: usize) -> String {
    let Interval { estimate, low, high } = delivered.arms[arm].lift.expect("a winner has a lift");
    format!(
        "as this network delivered both over {} days, {} did better than {}: {}, and between {} and {}; who saw which was its choice, so test at random before you count on it elsewhere",
        delivered.arms[arm].days,
        question.names[arm],
        question.names[0],
        signed(estimate),
        signed(low),
        signed(high),
    )
}

/// What is said of numbers that nobody randomized.
pub(super) fn not_randomized() -> String {
    "nobody was shown anything at random, so what differs may be the people and not the copy: these are numbers, and there is no verdict; to learn what copy is worth, test it at random".to_owned()
}

fn no_data() -> String {
    "nothing was counted in any round that showed two variants or more; see whether exposures are reported"
        .to_owned()
}

fn sample_ratio(ratio: &SampleRatio) -> String {
    let (what, remedy) = match ratio.worst {
        Counts::Exposures => {
            ("exposures do not fit", "look for exposures that are reported for some variants only, or twice")
        }
        Counts::Decisions => (
            "decisions do not fit",
            "look for decisions that were not drawn from the shares, or counted twice",
        ),
        Counts::Unexposed => (
            "decisions without an exposure do not fit",
            "look for variants that are chosen, and then shown or reported less often than others",
        ),
    };
    format!(
        "{what} the shares that were in force (an e-value of 10^{:.0} against them, 10^3 is an alarm); {remedy}",
        ratio.log_e_value / std::f64::consts::LN_10,
    )
}
