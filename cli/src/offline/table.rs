//! An answer as a screen. Pure, and nothing is computed.

use super::answer::{EstimateAnswer, VariantAnswer};
use super::document::{Basis, Kind};
use super::figures::{amount, grouped, rate};
use super::picture::{Axis, Range};
use super::read::Question;
use super::safety::{GuardrailAnswer, SafetyWord};
use crate::text::{bar, cut, left, plural, right, wrap};
use api::figure::{loss, percent, probability, signed};

/// The answer to `question` in lines of at most `width` columns; below 80 columns they may be longer.
///
/// A row for each variant, the control first: people, rewards, their mean, the chance that it is the best as a bar, and
/// what choosing it would give away. Then a row for each variant but the control: its lift as a number and as a
/// picture, with the limits that hold at every look. Then the same for each segment, and the verdict.
pub fn table(question: &Question, answer: &EstimateAnswer, width: usize) -> String {
    let section = |variants, marked| Section { question, variants, marked, width };
    let mut lines = vec![title(question, answer, width), String::new()];
    lines.extend(section(&answer.variants, marked(answer)).lines());
    for (name, segment) in answer.segments.iter().flatten() {
        lines.extend([String::new(), format!("segment {name}"), String::new()]);
        lines.extend(section(&segment.variants, None).lines());
    }
    lines.extend(answer.guardrails.iter().flat_map(|guardrail| harm(guardrail, width)));
    lines.push(String::new());
    let said = match answer.verdict {
        Some(verdict) => format!("{verdict:?}: {}", answer.sentence),
        None => answer.sentence.clone(),
    };
    lines.push(wrap(&said, width, "  "));
    lines.push(String::new());
    lines.join("\n")
}

/// `click within 30m: 3 rounds, 10 000 people counted, confidence 95%`
fn title(question: &Question, answer: &EstimateAnswer, width: usize) -> String {
    let Question { metric, basis, rounds, .. } = question;
    let window = metric.window.as_ref().map_or_else(String::new, |window| format!(" within {window}"));
    let people: u64 = answer.variants.iter().map(|variant| variant.exposures).sum();
    let confidence = match basis {
        Basis::NotRandomized => String::new(),
        Basis::Randomized | Basis::AsDelivered => {
            format!(", confidence {}", percent(question.design.stopping().confidence()))
        }
    };
    let title = format!(
        "{}{window}: {}, {} people counted{confidence}",
        metric.name,
        plural(*rounds, if *basis == Basis::AsDelivered { "day" } else { "round" }),
        grouped(people),
    );
    wrap(&title, width, "")
}

/// `GUARDRAIL bounce, at most +50%`, and a line for each variant.
fn harm(guardrail: &GuardrailAnswer, width: usize) -> Vec<String> {
    let most = percent(guardrail.maximum_increase.0);
    let mut lines = vec![
        String::new(),
        wrap(&format!("  GUARDRAIL {}, AT MOST +{most}, AT EVERY LOOK", guardrail.metric), width, "  "),
    ];
    lines.extend(guardrail.variants.iter().map(|variant| {
        let said = match (variant.safety, variant.still_needed) {
            (SafetyWord::Harmful, _) => "harmful: served no more, and can't win".to_owned(),
            (SafetyWord::Safe, _) => "safe".to_owned(),
            (SafetyWord::NotYetShownSafe, None) => "not yet shown safe".to_owned(),
            (SafetyWord::NotYetShownSafe, Some(people)) => {
                format!("not yet shown safe; {} more people would show it, if it is", grouped(people))
            }
        };
        wrap(&format!("  {}: {said}", variant.name), width, "    ")
    }));
    lines
}

/// The winner, else the leader, with its mark.
fn marked(answer: &EstimateAnswer) -> Option<(&'static str, &str)> {
    match (&answer.winner, &answer.leader) {
        (Some(winner), _) => Some(("★", winner)),
        (None, Some(leader)) => Some(("▸", leader)),
        (None, None) => None,
    }
}

/// All people, or those of one segment.
struct Section<'a> {
    question: &'a Question,
    variants: &'a [VariantAnswer],
    marked: Option<(&'static str, &'a str)>,
    width: usize,
}

/// Columns of a row of figures but for name and bar, with the gaps between them.
const FIGURES: usize = 53;
/// Columns of a lift with its limits: `+115.1% (+70.1%..+188.4%)`.
const LIFT: usize = 27;
/// Columns of a row of lifts but for name and picture.
const LIFTS: usize = 6 + LIFT;

impl Section<'_> {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.figures_title()];
        lines.extend(self.variants.iter().enumerate().map(|(arm, variant)| self.figures(arm, variant)));
        if self.question.basis != Basis::NotRandomized {
            lines.push(String::new());
            lines.extend(self.lifts());
        }
        lines
    }

    fn figures_title(&self) -> String {
        let (sum, mean) = match self.question.metric.kind {
            Kind::Binary => ("ACTED", "RATE"),
            Kind::Value => ("SUM", "MEAN"),
        };
        let [best, loss] = if self.is_randomized() { ["P(BEST)", "LOSS"] } else { [""; 2] };
        self.figures_row(" ", ["VARIANT", "PEOPLE", sum, mean, best, loss].map(str::to_owned))
    }

    fn figures(&self, arm: usize, variant: &VariantAnswer) -> String {
        let is_candidate = self.question.design.is_candidate(arm);
        let best = match (is_candidate, self.question.is_harmful(arm)) {
            (true, _) if !self.is_randomized() => String::new(),
            (true, _) => self.best(variant.p_best.0),
            (false, true) => "harmful".to_owned(),
            (false, false) => "retired".to_owned(),
        };
        let (sum, mean) = match self.question.metric.kind {
            // Rewards of a 0/1 metric are whole numbers below 2^53.
            Kind::Binary => (grouped(variant.rewards.0 as u64), rate(variant.mean.estimate.0)),
            Kind::Value => (amount(variant.rewards.0), amount(variant.mean.estimate.0)),
        };
        let cells = [
            variant.name.clone(),
            grouped(variant.exposures),
            sum,
            mean,
            best,
            if self.is_randomized() { loss(variant.relative_loss.0) } else { String::new() },
        ];
        self.figures_row(self.mark(&variant.name), cells)
    }

    /// Chances and losses rest on shares that were drawn.
    fn is_randomized(&self) -> bool {
        self.question.basis == Basis::Randomized
    }

    fn best(&self, p_best: f64) -> String {
        // A chance, so at most a million parts.
        let parts = (p_best * 1e6).round() as u32;
        format!("{} {}", bar(parts, self.bar_width()), right(&probability(p_best), 6))
    }

    fn figures_row(&self, mark: &str, [name, people, sum, mean, best, loss]: [String; 6]) -> String {
        let row = format!(
            "{mark} {}  {}  {}  {}  {}  {}",
            self.name(&name),
            right(&people, 9),
            right(&sum, 9),
            right(&mean, 8),
            left(&best, self.bar_width() + 7),
            right(&loss, 6),
        );
        row.trim_end().to_owned()
    }

    fn lifts(&self) -> Vec<String> {
        let width = self.width.saturating_sub(LIFTS + self.name_width()).clamp(11, 61);
        let ranges: Vec<Range> = self.variants.iter().filter_map(range).collect();
        let axis = Axis::of(&ranges, width);
        let when = match self.question.basis {
            Basis::Randomized => "AT EVERY LOOK",
            Basis::AsDelivered | Basis::NotRandomized => "AS DELIVERED",
        };
        let title = format!("LIFT OVER {}, {when}", self.question.names[0]);
        let title = left(&cut(&title, LIFTS + self.name_width() - 4), LIFTS + self.name_width() - 2);
        let mut lines = vec![format!("  {title}{}", axis.scale())];
        let others = self.variants.iter().filter_map(|variant| Some((variant, range(variant)?)));
        lines.extend(others.map(|(variant, range)| self.lift(variant, range, &axis)));
        lines
    }

    fn lift(&self, variant: &VariantAnswer, range: Range, axis: &Axis) -> String {
        let figures = format!("{} ({}..{})", signed(range.middle), signed(range.low), signed(range.high));
        let mark = self.mark(&variant.name);
        let row =
            format!("{mark} {}  {}  {}", self.name(&variant.name), left(&figures, LIFT), axis.draw(range));
        row.trim_end().to_owned()
    }

    fn mark(&self, name: &str) -> &'static str {
        self.marked.filter(|(_, marked)| *marked == name).map_or(" ", |(mark, _)| mark)
    }

    fn name(&self, name: &str) -> String {
        left(&cut(name, self.name_width()), self.name_width())
    }

    /// The longest name, within a quarter of the line.
    fn name_width(&self) -> usize {
        let longest =
            self.question.names.iter().map(|name| unicode_width::UnicodeWidthStr::width(name.as_str()));
        longest.max().unwrap_or(0).clamp(7, (self.width / 4).saturating_sub(3).max(12))
    }

    fn bar_width(&self) -> usize {
        self.width.saturating_sub(FIGURES + self.name_width()).clamp(6, 20)
    }
}

fn range(variant: &VariantAnswer) -> Option<Range> {
    match (&variant.lift_anytime, variant.lift_shrunken, &variant.lift) {
        (Some(limits), Some(middle), _) => {
            Some(Range { low: limits.low.0, middle: middle.0, high: limits.high.0 })
        }
        (_, _, Some(lift)) => Some(Range { low: lift.low.0, middle: lift.estimate.0, high: lift.high.0 }),
        _ => None,
    }
}
