//! A replay as a screen. Pure, and nothing is computed.

use api::figure::percent;

use super::super::answer::IntervalAnswer;
use super::super::figures::grouped;
use super::answer::{EstimateAnswer, ReplayAnswer};
use super::words::{Unit, counted};
use crate::text::{left, right, wrap};

/// The answer in lines of at most `width` columns; below 80 columns they may be longer.
///
/// A row for what was logged, and one for each estimator, the one to report marked: the mean reward of a line with its
/// limits, and the difference from what was logged with its own. Then how much of the log the policy makes use of, reasons
/// not to trust it, and what it comes to.
pub fn table(answer: &ReplayAnswer, width: usize) -> String {
    let mut lines = vec![title(answer), String::new(), header(answer), logged(answer)];
    let estimates = &answer.estimates;
    let rows = [
        ("★ doubly robust", &estimates.doubly_robust),
        ("  self-normalized", &estimates.self_normalized),
        ("  inverse propensity", &estimates.inverse_propensity),
        ("  direct", &estimates.direct),
    ];
    lines.extend(rows.map(|(name, estimate)| estimated(name, estimate, answer.unit())));
    lines.extend([String::new(), wrap(&weights(answer), width, "  ")]);
    let warnings = answer.warnings.iter().flat_map(|warning| {
        [String::new(), wrap(&format!("{:?}: {}", warning.kind, warning.message), width, "  ")]
    });
    lines.extend(warnings);
    lines.extend([String::new(), wrap(&answer.sentence, width, "  "), String::new()]);
    lines.join("\n")
}

fn title(answer: &ReplayAnswer) -> String {
    format!("replay: {}, confidence {}", counted(answer.lines), percent(answer.confidence))
}

fn header(answer: &ReplayAnswer) -> String {
    let (mean, against) = match answer.unit() {
        Unit::Rate => ("RATE", "POINTS MORE"),
        Unit::Amount => ("MEAN", "MORE"),
    };
    row(["  ESTIMATE", mean, "LIMITS", against, "LIMITS"].map(str::to_owned))
}

fn logged(answer: &ReplayAnswer) -> String {
    let (estimate, limits) = means(&answer.logged, answer.unit());
    row(["  as logged".to_owned(), estimate, limits, String::new(), String::new()])
}

fn estimated(name: &str, estimate: &EstimateAnswer, unit: Unit) -> String {
    let (found, limits) = means(&estimate.mean, unit);
    let IntervalAnswer { estimate: more, low, high } = &estimate.difference;
    let apart = format!("{}..{}", unit.difference(low.0), unit.difference(high.0));
    row([name.to_owned(), found, limits, unit.difference(more.0), apart])
}

fn means(interval: &IntervalAnswer, unit: Unit) -> (String, String) {
    let IntervalAnswer { estimate, low, high } = interval;
    (unit.mean(estimate.0), format!("{}..{}", unit.mean(low.0), unit.mean(high.0)))
}

fn row([name, found, limits, more, apart]: [String; 5]) -> String {
    let row = format!(
        "{}  {}  {}  {}  {}",
        left(&name, 20),
        right(&found, 8),
        left(&limits, 16),
        right(&more, 11),
        left(&apart, 14)
    );
    row.trim_end().to_owned()
}

fn weights(answer: &ReplayAnswer) -> String {
    let weights = &answer.weights;
    format!(
        "Of {} it is as if {} were the policy's own; the largest weight is {:.1}, and their mean {:.2}.",
        counted(answer.lines),
        // At most as many.
        grouped(weights.effective_lines.0.round() as u64),
        weights.largest.0,
        weights.mean.estimate.0
    )
}
