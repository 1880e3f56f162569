//! A verdict as one sentence for a marketer: what is so, how sure that is, and what to do next.

use api::figure::{loss, percent, probability, signed};
use experiment::delivered::LEAST_DAYS;
use experiment::{
    Counts, Delivered, DeliveredVerdict, Direction, Estimate, Evidence, Guarded, Interval, Missing, Problem,
    Safety, SampleRatio, Verdict,
};

use super::read::{Over, Question, Watched};

/// The sentence that says `verdict`.
pub(super) fn sentence(question: &Question, estimate: &Estimate, verdict: &Verdict) -> String {
    let words = Words { question, estimate };
    let said = words.verdict(verdict);
    match (words.harm(), verdict) {
        (None, _) => said,
        (Some(harm), Verdict::Collecting { .. } | Verdict::Inconclusive { .. }) if words.is_alone() => {
            format!(
                "no variant is left to be served: {harm}; keep {}, or test other copy under a new name",
                words.control(),
            )
        }
        (Some(harm), _) => format!("{said}; {harm}"),
    }
}

impl Words<'_> {
    fn verdict(&self, verdict: &Verdict) -> String {
        match verdict {
            Verdict::Winner { arm, evidence } => self.winner(*arm, evidence),
            Verdict::ControlWins => self.control_wins(),
            Verdict::NoWorthwhileDifference { worthwhile_lift, .. } => {
                self.nothing_worthwhile(*worthwhile_lift)
            }
            Verdict::Inconclusive { leader, missing } => self.inconclusive(*leader, missing),
            Verdict::Unhealthy(Problem::NoData) => self.no_data(),
            Verdict::Unhealthy(Problem::SampleRatio(ratio)) => sample_ratio(ratio),
            Verdict::Collecting { leader, missing } => self.collecting(*leader, missing),
        }
    }

    /// Whether the control is all that may be served.
    fn is_alone(&self) -> bool {
        (1..self.question.names.len()).all(|arm| !self.question.design.is_candidate(arm))
    }

    /// Who is shown to harm, if anybody is.
    fn harm(&self) -> Option<String> {
        let of = |watched: &Watched| {
            let is_harmful =
                |known: &Option<Guarded>| known.is_some_and(|known| known.safety == Safety::Harmful);
            let arms = watched.arms.iter().enumerate().filter(|(_, known)| is_harmful(known));
            let names: Vec<&str> = arms.map(|(arm, _)| self.name(arm)).collect();
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
    match verdict {
        DeliveredVerdict::WinnerAsDelivered { arm } => {
            let Interval { estimate, low, high } = delivered.arms[arm].lift.expect("a winner has a lift");
            format!(
                "as this network delivered both over {} days, {} did better than {control}: {}, and between {} and {}; who saw which was its choice, so test at random before you count on it elsewhere",
                delivered.arms[arm].days,
                question.names[arm],
                signed(estimate),
                signed(low),
                signed(high),
            )
        }
        DeliveredVerdict::Inconclusive if days < LEAST_DAYS => format!(
            "{days} days had exposures of {control} and of another variant, and a network's results need {LEAST_DAYS}, a week; run it for longer",
        ),
        DeliveredVerdict::Inconclusive => format!(
            "after {exposures} exposures over {days} days no variant is shown to have done better than {control} as this network delivered them; test bolder copy, or for longer",
        ),
        DeliveredVerdict::Collecting => format!(
            "after {exposures} exposures over {days} days the planned end is not there, and looking earlier makes false winners; go on, or write `plannedExposures`, or `elapsed` and `maximumDuration`",
        ),
    }
}

/// What is said of numbers that nobody randomized.
pub(super) fn not_randomized() -> String {
    "nobody was shown anything at random, so what differs may be the people and not the copy: these are numbers, and there is no verdict; to learn what copy is worth, test it at random".to_owned()
}

struct Words<'a> {
    question: &'a Question,
    estimate: &'a Estimate,
}

impl Words<'_> {
    fn winner(&self, arm: usize, evidence: &Evidence) -> String {
        format!(
            "{} earns {} {} than {}: about {}, and between {} and {} {}; shown {} times, against {} for {}",
            self.name(arm),
            self.better(),
            self.metric(),
            self.control(),
            signed(evidence.lift_shrunken),
            signed(evidence.lift_anytime.low),
            signed(evidence.lift_anytime.high),
            self.surely(),
            evidence.exposures,
            evidence.control_exposures,
            self.control(),
        )
    }

    fn control_wins(&self) -> String {
        format!(
            "{} every variant is shown to earn {} {} than {}, {}; keep {}, or test other copy under a new name",
            self.after(),
            self.worse(),
            self.metric(),
            self.control(),
            self.surely(),
            self.control(),
        )
    }

    fn nothing_worthwhile(&self, worthwhile_lift: f64) -> String {
        format!(
            "{} no variant earns {} {} {} than {}, {}; test bolder copy under a new name",
            self.after(),
            percent(worthwhile_lift),
            self.better(),
            self.metric(),
            self.control(),
            self.surely(),
        )
    }

    fn inconclusive(&self, leader: usize, missing: &[Missing]) -> String {
        let end = match self.question.plan.over {
            Some(Over::Exposures) => format!("{}, as many as were planned,", self.after()),
            Some(Over::Time) | None => format!("{} and the longest time that was allowed,", self.after()),
        };
        match missing {
            [Missing::SmallLoss { relative_loss, .. }] => format!(
                "{end} {} is shown to be better than {}, but another variant may be better still: choosing it gives away {} of its {} in expectation; allow more time in a new experiment",
                self.name(leader),
                self.control(),
                loss(*relative_loss),
                self.metric(),
            ),
            _ => format!(
                "{end} no variant is shown to be better than {}; test bolder copy, or allow more time in a new experiment",
                self.control(),
            ),
        }
    }

    fn no_data(&self) -> String {
        "nothing was counted in any round that showed two variants or more; see whether exposures are reported"
            .to_owned()
    }

    fn collecting(&self, leader: usize, missing: &[Missing]) -> String {
        let p_best = probability(self.estimate.arms[leader].p_best);
        match missing.first() {
            Some(Missing::ControlLeads { .. }) | None => format!(
                "{} {} leads, with a chance of {p_best} to be the best, and no variant is shown to be better; go on",
                self.after(),
                self.name(leader),
            ),
            Some(Missing::BetterThanControl { .. }) => format!(
                "{} {} leads, with a chance of {p_best} to be the best, but what it has ahead of {} may still be luck; go on",
                self.after(),
                self.name(leader),
                self.control(),
            ),
            Some(Missing::SmallLoss { relative_loss, maximum_loss }) => format!(
                "{} {} is shown to be better than {}, but another variant may be better still: choosing it now gives away {} of its {} in expectation, where {} is accepted; go on",
                self.after(),
                self.name(leader),
                self.control(),
                loss(*relative_loss),
                self.metric(),
                percent(*maximum_loss),
            ),
        }
    }

    fn after(&self) -> String {
        let exposures: u64 = self.estimate.arms.iter().map(|arm| arm.exposures).sum();
        format!("after {exposures} exposures")
    }

    fn surely(&self) -> String {
        format!(
            "with {} confidence, however often one looked",
            percent(self.question.design.stopping().confidence())
        )
    }

    fn name(&self, arm: usize) -> &str {
        &self.question.names[arm]
    }

    fn control(&self) -> &str {
        self.name(0)
    }

    fn metric(&self) -> &str {
        &self.question.metric.name
    }

    fn better(&self) -> &'static str {
        match self.question.design.metric().direction {
            Direction::Maximize => "more",
            Direction::Minimize => "less",
        }
    }

    fn worse(&self) -> &'static str {
        match self.question.design.metric().direction {
            Direction::Maximize => "less",
            Direction::Minimize => "more",
        }
    }
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
