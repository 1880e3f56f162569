//! The answer as a screen. Pure, and nothing is computed.

use api::figure::signed;
use unicode_width::UnicodeWidthStr;

use super::super::answer::VerdictWord;
use super::super::document::Kind;
use super::super::figures::{amount, grouped, rate};
use super::answer::{SimulateAnswer, TrueVariant};
use super::play::Story;
use crate::text::{bar, cut, left, plural, right, wrap};

/// What is true and what was done in lines of at most `width` columns, then the screen of `estimate`.
pub fn table(story: &Story, answer: &SimulateAnswer, width: usize) -> String {
    let people: u64 = answer.variants.iter().map(|variant| variant.exposures).sum();
    let truth = Truths { story, answer, people, width };
    let mut lines = vec![wrap(&truth.title(), width, ""), String::new()];
    lines.extend(truth.lines());
    lines.push(String::new());
    lines.push(wrap(&format!("  {}", truth.regret()), width, "  "));
    lines.push(wrap(&format!("  {}", truth.end()), width, "  "));
    lines.push(String::new());
    lines.push(super::super::table(&story.question, &answer.estimate, width));
    lines.join("\n")
}

struct Truths<'a> {
    story: &'a Story,
    answer: &'a SimulateAnswer,
    people: u64,
    width: usize,
}

/// Columns of a row but for name and bar, with the gaps between them.
const FIGURES: usize = 44;

impl Truths<'_> {
    fn title(&self) -> String {
        let variants = plural(self.answer.variants.len(), "variant");
        format!(
            "a world of {variants}, {} people shown, seed {}: the best is {}",
            grouped(self.people),
            self.answer.seed,
            self.answer.best,
        )
    }

    fn lines(&self) -> Vec<String> {
        let title = ["VARIANT", "TRULY", "LIFT", "SHOWN", "PART OF ALL"].map(str::to_owned);
        let rows = self.answer.variants.iter().map(|variant| self.row(self.cells(variant)));
        std::iter::once(self.row((" ", title))).chain(rows).collect()
    }

    fn cells(&self, variant: &TrueVariant) -> (&'static str, [String; 5]) {
        let mean = match self.story.question.metric.kind {
            Kind::Binary => rate(variant.mean.0),
            Kind::Value => amount(variant.mean.0),
        };
        // A part of all is at most a million parts.
        let parts = (variant.exposures as f64 / self.people.max(1) as f64 * 1e6).round() as u32;
        let share = format!("{} {:>5.1}%", bar(parts, self.bar_width()), f64::from(parts) / 1e4);
        let lift = variant.lift.map_or_else(String::new, |lift| signed(lift.0));
        let mark = if variant.name == self.answer.best { "★" } else { " " };
        (mark, [cut(&variant.name, self.name_width()), mean, lift, grouped(variant.exposures), share])
    }

    fn row(&self, (mark, [name, mean, lift, shown, share]): (&str, [String; 5])) -> String {
        let (name, mean, lift) = (left(&name, self.name_width()), right(&mean, 9), right(&lift, 8));
        format!("{mark} {name}  {mean}  {lift}  {}  {share}", right(&shown, 11)).trim_end().to_owned()
    }

    fn regret(&self) -> String {
        let metric = &self.story.question.metric.name;
        let of = |regret: f64| {
            if regret < 100.0 { format!("{regret:.1}") } else { grouped(regret.round() as u64) }
        };
        format!(
            "regret: {} {metric} lost against always showing the best; an even split loses {}",
            of(self.answer.regret.0),
            of(self.answer.even_regret.0),
        )
    }

    fn end(&self) -> String {
        let is_right = match self.answer.right {
            Some(true) => ", which is true of these rounds",
            Some(false) => ", which is NOT true of these rounds",
            None => "",
        };
        let verdict = self.answer.estimate.verdict.unwrap_or(VerdictWord::Collecting);
        match &self.answer.decided {
            Some(decided) => format!(
                "decided with round {} counted, and {} people: {verdict:?}{is_right}; this is what was known then:",
                decided.round,
                grouped(decided.exposures),
            ),
            None => format!("not decided within all rounds: {verdict:?}; this is what is known at the end:"),
        }
    }

    fn name_width(&self) -> usize {
        let longest = self.answer.variants.iter().map(|variant| variant.name.width());
        longest.max().unwrap_or(0).clamp(7, (self.width / 4).max(12))
    }

    fn bar_width(&self) -> usize {
        self.width.saturating_sub(FIGURES + self.name_width()).clamp(6, 20)
    }
}
