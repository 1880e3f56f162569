//! How much traffic is still needed.

use std::collections::BTreeMap;

use crate::anytime::Ratio;
use crate::design::Design;
use crate::estimate::Estimate;
use crate::interval::Spread;
use crate::numeric::normal;
use crate::totals::{Cell, Totals, as_f64, sum};

/// More than any campaign will see: whoever needs that many should be told that it takes for ever.
const FOR_EVER: f64 = 1e12;

/// How many more exposures, of all arms together, it takes until the leader is shown to be better than the control, if its
/// shrunken lift is the truth and the last shares of each segment stay; 0 when that is shown, `None` when it would take for
/// ever or the control leads.
///
/// Traffic is expected to fall on segments as it did so far, and the control to be rewarded in each as it was there. It is
/// what is expected, so half of all experiments take longer. What the expected loss still needs is not counted.
#[must_use]
pub fn still_needed(cells: &[Cell], estimate: &Estimate) -> Option<u64> {
    let against = estimate.arms[estimate.leader].against_control?;
    if against.better {
        return Some(0);
    }
    let improvement = estimate.design.metric().direction.sign() * against.lift_shrunken;
    if improvement <= 0.0 {
        return None;
    }
    let threshold = against.log_threshold;
    let outlook =
        Outlook { cells, design: &estimate.design, arm: estimate.leader, lift: against.lift_shrunken };
    outlook.needed(|ratio| ratio.is_above() && ratio.log_e_value() >= threshold)
}

/// The sample size of each of two arms with which a test planned for that size shows a true `lift` over `rate`, as 0.1 over
/// 0.02, with probability `power`, at a two-sided level `alpha` (Fleiss, Levin & Paik 2003, eq. 4.14 without correction).
///
/// NaN where one of the two rates is not between 0 and 1, or the lift is 0.
#[must_use]
pub fn planned_size(rate: f64, lift: f64, alpha: f64, power: f64) -> f64 {
    let other = rate * (1.0 + lift);
    let (middle, difference) = (0.5 * (rate + other), other - rate);
    let spread = |p: f64| p * (1.0 - p);
    let null = -normal::quantile(0.5 * alpha) * (2.0 * spread(middle)).sqrt();
    let alternative = normal::quantile(power) * (spread(rate) + spread(other)).sqrt();
    if difference == 0.0 || !(0.0..=1.0).contains(&other) {
        f64::NAN
    } else {
        ((null + alternative) / difference).powi(2).ceil()
    }
}

/// The probability with which one planned look at `size` exposures of each of two arms shows a true `lift` over `rate`, at
/// a two-sided level `alpha`: what [`planned_size`] is the inverse of, with the chance of being rejected on the wrong side
/// added.
///
/// It is about a look that was planned for that size; looking whenever one likes takes more (`docs/statistics.md`). NaN where
/// one of the two rates is not between 0 and 1, or nothing can vary, or `size` is negative.
#[must_use]
pub fn planned_power(rate: f64, lift: f64, size: f64, alpha: f64) -> f64 {
    let other = rate * (1.0 + lift);
    let (middle, difference) = (0.5 * (rate + other), (other - rate).abs());
    let spread = |p: f64| p * (1.0 - p);
    let null = -normal::quantile(0.5 * alpha) * (2.0 * spread(middle)).sqrt();
    let alternative = (spread(rate) + spread(other)).sqrt();
    let shown = |difference: f64| normal::cdf((difference * size.sqrt() - null) / alternative);
    if (0.0..=1.0).contains(&other) { shown(difference) + shown(-difference) } else { f64::NAN }
}

/// An experiment that goes on as one believes.
pub(crate) struct Outlook<'a> {
    pub(crate) cells: &'a [Cell],
    pub(crate) design: &'a Design,
    pub(crate) arm: usize,
    /// The lift that is taken for the truth.
    pub(crate) lift: f64,
}

impl Outlook<'_> {
    /// The exposures, to about one in a hundred, after which the expected counts make `is_reached` true.
    pub(crate) fn needed(&self, is_reached: impl Fn(&Ratio) -> bool) -> Option<u64> {
        let reached = |exposures: f64| self.after(exposures).is_some_and(|ratio| is_reached(&ratio));
        let mut enough = 100.0;
        while !reached(enough) {
            enough *= 2.0;
            if enough > FOR_EVER {
                return None;
            }
        }
        let mut too_few = if enough > 100.0 { 0.5 * enough } else { 0.0 };
        while enough - too_few > 0.01 * enough {
            let middle = 0.5 * (too_few + enough);
            if reached(middle) { enough = middle } else { too_few = middle }
        }
        Some(enough as u64)
    }

    /// The evidence with so many expected exposures more; `None` where nothing can be expected.
    fn after(&self, exposures: f64) -> Option<Ratio> {
        let mut cells = self.cells.to_vec();
        cells.extend(self.expected(exposures)?);
        Some(Ratio::new(&cells, self.arm, self.design.metric()))
    }

    /// One more cell of each segment.
    fn expected(&self, exposures: f64) -> Option<Vec<Cell>> {
        let totals: Vec<Totals> = (0..self.design.arms().len()).map(|arm| sum(self.cells, arm)).collect();
        let spread = Spread::new(self.design.metric().kind, &totals);
        let counted: u64 = totals.iter().map(|totals| totals.exposures).sum();
        let overall = mean(&totals[0])?;
        let cells = segments(self.cells).into_values().map(|segment| {
            let exposures = exposures * as_f64(segment.exposures) / as_f64(counted);
            let mean = mean(&segment.control).unwrap_or(overall);
            self.cell(segment.last, exposures, mean, &spread)
        });
        cells.collect()
    }

    /// So many `exposures` under the shares of `last`, of which the control earns `mean` each.
    fn cell(&self, last: &Cell, exposures: f64, mean: f64, spread: &Spread) -> Option<Cell> {
        let counted = |(arm, share): (usize, f64)| {
            let mean = if arm == self.arm { mean * (1.0 + self.lift) } else { mean };
            let count = (exposures * share) as u64;
            let rewards = as_f64(count) * mean.min(spread.phi(arm));
            Totals { exposures: count, rewards, squared_rewards: rewards * spread.phi(arm) }
        };
        let allocation = last.allocation().clone();
        let shares = allocation.shares().iter().map(|share| share.fraction()).enumerate();
        let totals = shares.map(counted).collect();
        Some(Cell::new(allocation, totals).ok()?.in_segment(last.segment()))
    }
}

/// What a segment was so far.
struct Segment<'a> {
    /// Its latest round.
    last: &'a Cell,
    /// Of all arms, over all rounds: the latest may have just begun, and how rounds were merged must not matter.
    exposures: u64,
    control: Totals,
}

/// By index; `cells` are oldest first.
fn segments(cells: &[Cell]) -> BTreeMap<usize, Segment<'_>> {
    let mut segments = BTreeMap::new();
    for cell in cells {
        let nothing = Segment { last: cell, exposures: 0, control: Totals::default() };
        let segment = segments.entry(cell.segment()).or_insert(nothing);
        segment.last = cell;
        segment.exposures += cell.totals().iter().map(|totals| totals.exposures).sum::<u64>();
        segment.control = segment.control + cell.totals()[0];
    }
    segments
}

/// The mean reward of an exposure, if there was any.
fn mean(totals: &Totals) -> Option<f64> {
    let mean = totals.rewards / as_f64(totals.exposures);
    (mean > 0.0 && mean.is_finite()).then_some(mean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Allocation, Metric, Remaining, Standing, Stopping, Verdict, estimate, judge};

    /// Against published tables and an independent computation: 2 % with lifts of 5, 10 and 20 %, and 1 % with 10 %.
    #[test]
    fn planned_sizes_are_those_of_textbooks() {
        let check = |rate, lift, expected: f64| {
            let found = planned_size(rate, lift, 0.05, 0.8);
            assert!((found - expected).abs() <= 1.0, "{rate} {lift}: {found}");
        };
        check(0.02, 0.05, 315_206.0);
        check(0.02, 0.1, 80_681.0);
        check(0.02, 0.2, 21_108.0);
        check(0.01, 0.1, 163_095.0);
        assert!(planned_size(0.02, 0.0, 0.05, 0.8).is_nan());
    }

    fn cells(control: u64, arm: u64, exposures: u64) -> Vec<Cell> {
        let totals = vec![Totals::binary(exposures, control), Totals::binary(exposures, arm)];
        vec![Cell::new(Allocation::even(2).unwrap(), totals).unwrap()]
    }

    #[test]
    fn so_much_more_of_the_same_is_enough() {
        let design =
            Design::new(Metric::CLICKS, Stopping::new(0.95, 0.5).unwrap(), vec![Standing::FIRST; 2]).unwrap();
        let needed = |control, arm, exposures| {
            let cells = cells(control, arm, exposures);
            still_needed(&cells, &estimate(&cells, &design).unwrap())
        };
        assert_eq!(needed(400, 600, 20_000), Some(0), "it is shown already");
        assert_eq!(needed(400, 390, 20_000), None, "the control leads");
        assert_eq!(needed(0, 0, 0), None, "nothing is known");
        let more = needed(400, 460, 20_000).unwrap();
        assert!((10_000..400_000).contains(&more), "{more}");
        // With so much more at the lift that was believed, it is shown.
        let lift = estimate(&cells(400, 460, 20_000), &design).unwrap().arms[1]
            .against_control
            .unwrap()
            .lift_shrunken;
        let (half, rate) = (more / 2, 0.02);
        let expected = |mean: f64| (half as f64 * mean).round() as u64;
        let mut later = cells(400, 460, 20_000);
        later.extend(cells(expected(rate), expected(rate * (1.0 + lift)) + 1, half));
        assert!(matches!(
            judge(&estimate(&later, &design).unwrap(), Remaining::Some),
            Verdict::Winner { arm: 1, .. }
        ));
    }
}
