//! A verdict in one sentence for a marketer: what is so, how sure that is, and what to do next.
//!
//! Status and `broadside estimate` say the same of the same numbers, since both say it with [`Sentences`].

use api::figure::{loss, percent, probability, signed};
use experiment::{Direction, Estimate, Evidence, Kind, Missing};

/// The most variants that a sentence names: status holds a thousand characters of it.
const MOST_NAMES: usize = 3;

/// What can be said of an estimate.
#[derive(Clone, Copy, Debug)]
pub struct Sentences<'a> {
    /// What the variants are called in a sentence, the control first.
    pub names: &'a [String],
    /// The placement, where a campaign may have several.
    pub placement: Option<&'a str>,
    /// What people call the metric.
    pub metric: &'a str,
    /// What is known.
    pub estimate: &'a Estimate,
}

/// Why an experiment goes on no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has run as long as it may.
    Time,
    /// As many exposures as were planned are counted.
    Exposures,
}

impl Sentences<'_> {
    /// That `arm` is better.
    #[must_use]
    pub fn winner(&self, arm: usize, evidence: &Evidence) -> String {
        format!(
            "{} has {} than {}: about {}, and between {} and {} {}; shown {} times, against {} for {}",
            self.name(arm),
            self.compared(self.better()),
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

    /// That every variant is worse.
    #[must_use]
    pub fn control_wins(&self) -> String {
        format!(
            "{} every variant{} is shown to have {} than {}, {}; keep {}, or test other copy under a new name",
            self.after(),
            self.of_placement(),
            self.compared(self.worse()),
            self.control(),
            self.surely(),
            self.control(),
        )
    }

    /// That no variant is worth having.
    #[must_use]
    pub fn nothing_worthwhile(&self, worthwhile_lift: f64) -> String {
        format!(
            "{} no variant{} has {} than {} by as much as {}, {}; test bolder copy under a new name",
            self.after(),
            self.of_placement(),
            self.compared(self.better()),
            self.control(),
            percent(worthwhile_lift),
            self.surely(),
        )
    }

    /// That time or exposures are up.
    #[must_use]
    pub fn inconclusive(&self, ended: Ended, leader: usize, missing: &[Missing]) -> String {
        let end = match ended {
            Ended::Exposures => format!("{}, as many as were planned,", self.after()),
            Ended::Time => format!("{} and the longest time that was allowed,", self.after()),
        };
        let anew = if self.placement.is_some() { "under a new name" } else { "in a new experiment" };
        match (self.lead(leader, missing), self.proven(leader)) {
            (Lead::Proven { relative_loss, .. }, _) => format!(
                "{end} {}, {}; allow more time {anew}",
                self.is_better(leader),
                self.may_be_beaten(relative_loss),
            ),
            (_, Some(proven)) => format!(
                "{end} {}, but {} leads, which may still be luck; choose {}, or allow more time {anew}",
                self.are_better(&proven),
                self.name(leader),
                if let [arm] = proven[..] { self.name(arm) } else { "one of them" },
            ),
            (_, None) => format!(
                "{end} {} shown to be better than {}; test bolder copy, or allow more time {anew}",
                self.nobody(),
                self.control(),
            ),
        }
    }

    /// That it goes on.
    #[must_use]
    pub fn collecting(&self, leader: usize, missing: &[Missing]) -> String {
        let p_best = probability(self.estimate.arms[leader].p_best);
        let leads =
            format!("{} {} leads, with a chance of {p_best} to be the best", self.after(), self.name(leader));
        let ahead = format!("what it has ahead of {} may still be luck", self.control());
        match (self.lead(leader, missing), self.proven(leader)) {
            (Lead::Proven { relative_loss, maximum_loss }, _) => format!(
                "{} {}, {}, where {} is accepted; go on",
                self.after(),
                self.is_better(leader),
                self.may_be_beaten(relative_loss),
                percent(maximum_loss),
            ),
            (Lead::Unproven, Some(proven)) => {
                format!("{leads}, but {ahead}; {}; go on", self.are_better(&proven))
            }
            (Lead::Unproven, None) => format!("{leads}, but {ahead}; go on"),
            (Lead::Control, Some(proven)) => format!("{leads}, although {}; go on", self.are_better(&proven)),
            (Lead::Control, None) => format!("{leads}, and {} shown to be better; go on", self.nobody()),
        }
    }

    fn lead(&self, leader: usize, missing: &[Missing]) -> Lead {
        let is_proof = |missing: &Missing| matches!(missing, Missing::BetterThanControl { .. });
        let loss = missing.iter().find_map(|missing| match *missing {
            Missing::SmallLoss { relative_loss, maximum_loss } => Some((relative_loss, maximum_loss)),
            Missing::ControlLeads { .. } | Missing::BetterThanControl { .. } => None,
        });
        match loss {
            _ if leader == 0 => Lead::Control,
            Some((relative_loss, maximum_loss)) if !missing.iter().any(is_proof) => {
                Lead::Proven { relative_loss, maximum_loss }
            }
            _ => Lead::Unproven,
        }
    }

    /// Who else may be served and is shown to be better than the control, if anybody is.
    fn proven(&self, leader: usize) -> Option<Vec<usize>> {
        let is_meant = |&arm: &usize| arm != leader && self.may_be_served(arm) && self.is_shown_better(arm);
        let proven: Vec<usize> = (1..self.names.len()).filter(is_meant).collect();
        (!proven.is_empty()).then_some(proven)
    }

    fn may_be_served(&self, arm: usize) -> bool {
        self.estimate.design.is_candidate(arm)
    }

    fn is_shown_better(&self, arm: usize) -> bool {
        self.estimate.arms[arm].against_control.is_some_and(|against| against.better)
    }

    /// Whom it is said of that nobody is better: one that is served no more may have been.
    fn nobody(&self) -> String {
        let still = if (1..self.names.len()).any(|arm| self.is_shown_better(arm)) {
            " that is still served"
        } else {
            ""
        };
        format!("no variant{}{still} is", self.of_placement())
    }

    fn is_better(&self, arm: usize) -> String {
        self.are_better(&[arm])
    }

    /// `a is shown to be better than control`
    fn are_better(&self, arms: &[usize]) -> String {
        let are = if arms.len() == 1 { "is" } else { "are" };
        format!("{} {are} shown to be better than {}", self.listed(arms), self.control())
    }

    /// `a`, `a and b`, or `a, b, c and 4 more`
    fn listed(&self, arms: &[usize]) -> String {
        let mut names: Vec<String> =
            arms.iter().take(MOST_NAMES).map(|&arm| self.name(arm).to_owned()).collect();
        let more = arms.len() - names.len();
        names.extend((more > 0).then(|| format!("{more} more")));
        match names.split_last() {
            Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
            _ => names.concat(),
        }
    }

    fn may_be_beaten(&self, relative_loss: f64) -> String {
        format!(
            "but another variant may be better still: the best one's {} is expected to be {} {}",
            self.quantity(),
            loss(relative_loss),
            self.better(),
        )
    }

    /// `after 1000 exposures`
    fn after(&self) -> String {
        let exposures: u64 = self.estimate.arms.iter().map(|arm| arm.exposures).sum();
        format!("after {exposures} exposures")
    }

    fn surely(&self) -> String {
        let confidence = percent(self.estimate.design.stopping().confidence());
        format!("with {confidence} confidence, however often one looked")
    }

    fn of_placement(&self) -> String {
        self.placement.map_or_else(String::new, |placement| format!(" of {placement}"))
    }

    fn name(&self, arm: usize) -> &str {
        &self.names[arm]
    }

    fn control(&self) -> &str {
        self.name(0)
    }

    /// `a higher click rate`, or `higher revenue per person`
    fn compared(&self, how: &str) -> String {
        let article = if self.is_binary() { "a " } else { "" };
        format!("{article}{how} {}", self.quantity())
    }

    fn better(&self) -> &'static str {
        match self.estimate.design.metric().direction {
            Direction::Maximize => "higher",
            Direction::Minimize => "lower",
        }
    }

    fn worse(&self) -> &'static str {
        match self.estimate.design.metric().direction {
            Direction::Maximize => "lower",
            Direction::Minimize => "higher",
        }
    }

    /// `click rate`, or `revenue per person`: what is higher or lower, whatever it counts.
    fn quantity(&self) -> String {
        let per = if self.is_binary() { "rate" } else { "per person" };
        format!("{} {per}", self.metric)
    }

    fn is_binary(&self) -> bool {
        self.estimate.design.metric().kind == Kind::Binary
    }
}

/// Who leads.
enum Lead {
    Control,
    /// Shown to be better than the control.
    Proven {
        relative_loss: f64,
        maximum_loss: f64,
    },
    Unproven,
}

#[cfg(test)]
mod tests {
    use experiment::{Allocation, Cell, Design, Metric, Remaining, Standing, Stopping, Totals, Verdict};

    use super::*;

    /// What is said of so many exposures and rewards, the control's first, under shares that fit them.
    fn said(metric: Metric, counts: &[(u64, u64)], remaining: Remaining) -> String {
        let arms = counts.len();
        let all: u64 = counts.iter().map(|(exposures, _)| exposures).sum();
        let parts = |exposures: u64| u32::try_from(exposures * 1_000_000 / all).expect("a part");
        let mut shares: Vec<u32> = counts.iter().map(|&(exposures, _)| parts(exposures)).collect();
        shares[0] += 1_000_000 - shares.iter().sum::<u32>();
        let shares: Vec<_> = shares.into_iter().filter_map(experiment::PartsPerMillion::new).collect();
        let totals = counts.iter().map(|&(exposures, rewards)| Totals::binary(exposures, rewards)).collect();
        let cell = Cell::new(Allocation::try_from(shares).expect("shares"), totals).expect("counts");
        let stopping = Stopping::new(0.95, 0.01).expect("sensible");
        let design = Design::new(metric, stopping, vec![Standing::FIRST; arms]).expect("arms");
        let estimate = experiment::estimate(&[cell], &design).expect("an estimate");
        let names: Vec<String> =
            (0..arms).map(|arm| if arm == 0 { "the control".to_owned() } else { long(arm) }).collect();
        let sentences =
            Sentences { names: &names, placement: Some("hero"), metric: "click", estimate: &estimate };
        match experiment::judge(&estimate, remaining) {
            Verdict::Collecting { leader, missing } => sentences.collecting(leader, &missing),
            Verdict::Inconclusive { leader, missing } => {
                sentences.inconclusive(Ended::Time, leader, &missing)
            }
            other => panic!("{other:?}"),
        }
    }

    /// The longest name that an object may have.
    fn long(arm: usize) -> String {
        format!("{:a>63}", arm)
    }

    #[test]
    fn everybody_who_is_better_is_named_and_no_sentence_is_too_long_for_status() {
        let mut counts = vec![(40_000, 800), (40_000, 1300)];
        counts.extend([(40_000, 1290); 6]);
        counts.push((600, 26));
        for remaining in [Remaining::Some, Remaining::Nothing] {
            let said = said(Metric::CLICKS, &counts, remaining);
            let named = format!(
                "{}, {}, {} and 4 more are shown to be better than the control",
                long(1),
                long(2),
                long(3)
            );
            assert!(said.contains(&named), "{said}");
            assert!(said.chars().count() <= 1024, "{said}");
        }
    }

    #[test]
    fn a_sentence_is_true_of_who_leads_and_who_is_better() {
        let less = Metric { direction: Direction::Minimize, ..Metric::CLICKS };
        let check = |metric, counts: &[(u64, u64)], remaining, expected: &str| {
            let said = said(metric, counts, remaining).replace(&long(1), "a").replace(&long(2), "b");
            assert!(said.contains(expected), "{said}");
        };
        let newcomer = [(40_000, 800), (40_000, 1000), (1200, 40)];
        check(Metric::CLICKS, &newcomer, Remaining::Some, "b leads, with a chance of ");
        check(
            Metric::CLICKS,
            &newcomer,
            Remaining::Some,
            "; a is shown to be better than the control; go on",
        );
        check(
            Metric::CLICKS,
            &newcomer,
            Remaining::Nothing,
            "a is shown to be better than the control, but b leads, which may still be luck; choose a, or allow more time under a new name",
        );
        let rivals = [(20_000, 400), (40_000, 1290), (40_000, 1280)];
        check(
            Metric::CLICKS,
            &rivals,
            Remaining::Nothing,
            "a is shown to be better than the control, but another variant may be better still: the best one's click rate is expected to be 1.19% higher; allow more time",
        );
        let fewer = [(20_000, 1200), (40_000, 1290), (40_000, 1300)];
        check(
            less,
            &fewer,
            Remaining::Some,
            "the best one's click rate is expected to be 1.19% lower, where 1% is accepted; go on",
        );
        let nobody = [(1000, 20), (1000, 19), (1000, 18)];
        check(Metric::CLICKS, &nobody, Remaining::Some, "the control leads, with a chance of ");
        check(
            Metric::CLICKS,
            &nobody,
            Remaining::Some,
            "and no variant of hero is shown to be better; go on",
        );
        check(
            Metric::CLICKS,
            &nobody,
            Remaining::Nothing,
            "no variant of hero is shown to be better than the control; test bolder copy",
        );
    }
}
