//! A campaign as a screen. Pure: what the operator wrote goes in, text comes out, nothing is computed but a rate.

use api::{
    AdCampaign, AdCampaignStatus, AdVariant, CostStatus, GenerationStatus, GuardrailFigures, LiftStatus,
    PlacementStatus, Safety, VariantFigures, VerdictStatus, condition,
};
use kube::ResourceExt;

use crate::campaign::origin;
use crate::text::{bar, cut, left, plural, right, thousands, wrap};

/// The results of `campaign` in lines of at most `width` columns; below 80 columns they may be longer.
///
/// Per placement a row for each variant, the control first: its share as a bar, matured exposures, rewards, their
/// rate, the probability that it is the best, and its lift over the control with the interval that holds at every
/// look. Then the copy that leads or won, what is waited for, and the verdict in the operator's words.
pub fn render(campaign: &AdCampaign, variants: &[AdVariant], width: usize) -> String {
    let empty = AdCampaignStatus::default();
    let status = campaign.status.as_ref().unwrap_or(&empty);
    let mut lines = header(campaign, status, width);
    for placement in &status.placements {
        lines.push(String::new());
        lines.extend(Section { campaign, variants, placement, width }.lines());
    }
    lines.push(String::new());
    lines.join("\n")
}

fn header(campaign: &AdCampaign, status: &AdCampaignStatus, width: usize) -> Vec<String> {
    let namespace = campaign.namespace().unwrap_or_else(|| "default".to_owned());
    let phase =
        status.phase.map_or_else(|| "not seen by the operator yet".to_owned(), |phase| format!("{phase:?}"));
    let mut lines = vec![format!("{namespace}/{}: {phase}", campaign.name_any())];
    if campaign.spec.dry_run {
        let so = "dry run: everybody sees the control, whatever is drawn for them; what differs all the same is chance, or wiring";
        lines.push(wrap(so, width, "  "));
    }
    if let Some(generation) = &status.generation {
        let GenerationStatus { delivered, asked, outcome, cost, cost_per_variant, .. } = generation;
        let each = cost_per_variant.as_ref().map_or_else(String::new, |each| format!(", {each} for each"));
        let cost = cost.as_ref().map_or_else(String::new, |cost| format!("; {cost}{each}"));
        lines.push(format!("  {delivered} of {asked} variants written by the model ({outcome:?}){cost}"));
    }
    lines.extend(attention(status).map(|message| wrap(&message, width, "  ")));
    lines
}

/// Messages of the conditions that a person should read: broken, or blind.
fn attention(status: &AdCampaignStatus) -> impl Iterator<Item = String> {
    let (stalled, fresh) = (condition::Type::Stalled.to_string(), condition::Type::DataFresh.to_string());
    let calls = move |type_: &str, status: &str| {
        (type_ == stalled && status == "True") || (type_ == fresh && status == "False")
    };
    let loud = status.conditions.iter().filter(move |condition| calls(&condition.type_, &condition.status));
    loud.map(|condition| format!("{}: {}", condition.reason, condition.message))
}

/// One placement.
struct Section<'a> {
    campaign: &'a AdCampaign,
    variants: &'a [AdVariant],
    placement: &'a PlacementStatus,
    width: usize,
}

/// Columns of a lift with its interval: `+115.1% (+70.1%..+1188.4%)`.
const LIFT: usize = 27;
/// Columns that all but bar and text take, with the gaps between them.
const FIXED: usize = 60 + LIFT;
/// The least width at which a row shows its text.
const TEXT_AT_LEAST: usize = 12;

impl Section<'_> {
    fn lines(&self) -> Vec<String> {
        let Self { placement, width, .. } = self;
        let samples = thousands(placement.samples);
        let round = placement.round.number;
        let mut lines = vec![format!("{}: round {round}, {samples} people counted", placement.name)];
        lines.push(wrap(&format!("shares: {}", placement.round.shares), *width, "  "));
        lines.push(String::new());
        lines.push(self.row(TITLES.map(str::to_owned), " ", "SHARE", "TEXT"));
        lines.extend(placement.variants.iter().map(|figures| self.figures(figures)));
        lines.push(String::new());
        lines.extend(self.guardrails());
        lines.extend(self.cost());
        lines.extend(self.ending());
        lines
    }

    /// What guardrails say: who does harm, and of whom nothing can be said yet. Of the others there is nothing to read.
    fn guardrails(&self) -> Vec<String> {
        let known = self.placement.variants.iter().flat_map(|variant| {
            variant.guardrails.iter().map(|watched| (self.short(&variant.name), watched))
        });
        let said = known.filter_map(|(name, watched)| {
            let GuardrailFigures { metric, safety, increase, still_needed } = watched;
            let by = increase.as_ref().map_or_else(String::new, |LiftStatus { shrunken, lower, upper }| {
                format!(", about {shrunken} ({lower}..{upper})")
            });
            let more = still_needed
                .map_or_else(String::new, |more| format!(", for some {} more people", thousands(more)));
            match safety {
                Safety::Harmful => Some(format!("✗ {metric}: {name} does harm{by}")),
                Safety::NotYetShownSafe => {
                    Some(format!("… {metric}: {name} is not yet shown to be safe{more}"))
                }
                Safety::Safe => None,
            }
        });
        said.map(|line| wrap(&line, self.width, "  ")).collect()
    }

    fn cost(&self) -> Option<String> {
        let CostStatus { shrunken, lower, upper } = self.placement.cost_per_extra_reward.as_ref()?;
        let said = format!("cost: about {shrunken} for each reward beyond the control's ({lower}..{upper})");
        Some(wrap(&said, self.width, "  "))
    }

    fn figures(&self, figures: &VariantFigures) -> String {
        let share = figures.share.parts_per_million().unwrap_or(0);
        let bar = format!("{} {}", bar(share, self.bar_width()), right(&rounded(share), 5));
        let cells = [
            self.short(&figures.name),
            origin(figures.origin).to_owned(),
            thousands(figures.exposures),
            thousands(figures.rewards),
            rate(figures),
            figures.probability_best.clone().unwrap_or_else(dash),
            lift(figures),
        ];
        let text = self.text(&figures.name).map(headline).unwrap_or_default();
        self.row(cells, self.mark(&figures.name), &bar, text)
    }

    fn row(&self, cells: [String; 7], mark: &str, share: &str, text: &str) -> String {
        let [name, origin, exposures, rewards, rate, best, lift] = cells;
        let share = left(share, self.bar_width() + 6);
        let row = format!(
            "{mark} {}  {}  {share}  {}  {}  {}  {}  {}",
            left(&name, 8),
            left(&origin, 10),
            right(&exposures, 7),
            right(&rewards, 6),
            right(&rate, 6),
            right(&best, 7),
            left(&lift, LIFT),
        );
        match self.text_width() {
            Some(width) => format!("{row}  {}", cut(text, width)).trim_end().to_owned(),
            None => row.trim_end().to_owned(),
        }
    }

    /// A sixth of the line, between a bar that can still be read and one that says no more.
    fn bar_width(&self) -> usize {
        (self.width / 6).saturating_sub(6).clamp(6, 20)
    }

    fn text_width(&self) -> Option<usize> {
        let left = self.width.saturating_sub(FIXED + self.bar_width() + 6 + 2);
        (left >= TEXT_AT_LEAST).then_some(left)
    }

    /// The winner, else the leader.
    fn mark(&self, name: &str) -> &'static str {
        let winner = self.winner();
        match (winner, self.placement.leader.as_deref()) {
            (Some(winner), _) if winner == name => "★",
            (None, Some(leader)) if leader == name => "▸",
            _ => " ",
        }
    }

    /// None of a dry run, in which nobody saw it.
    fn winner(&self) -> Option<&str> {
        let verdict = self.placement.verdict.as_ref().filter(|_| !self.campaign.spec.dry_run)?;
        verdict.winner.as_deref()
    }

    /// What is left of a variant's name without campaign and placement, which stand above.
    fn short(&self, name: &str) -> String {
        let prefix = format!("{}-{}-", self.campaign.name_any(), self.placement.name);
        name.strip_prefix(&prefix).unwrap_or(name).to_owned()
    }

    fn text(&self, name: &str) -> Option<&AdVariant> {
        self.variants.iter().find(|variant| variant.name_any() == name)
    }

    fn ending(&self) -> Vec<String> {
        match &self.placement.verdict {
            Some(verdict) => self.verdict(verdict),
            None => self.waiting(),
        }
    }

    fn waiting(&self) -> Vec<String> {
        let leader = self.placement.leader.as_deref();
        let leads = leader
            .and_then(|name| self.copy(name))
            .map(|copy| wrap(&format!("leads: {copy}"), self.width, "  "));
        let more = self.placement.still_needed.map(|more| {
            let more = thousands(more);
            let days = self.placement.days_left.map_or_else(String::new, |days| {
                format!(
                    ", some {} at the traffic so far",
                    plural(usize::try_from(days).unwrap_or(usize::MAX), "day")
                )
            });
            let said = format!("expects: some {more} more people until it is shown to be better{days}");
            wrap(&said, self.width, "  ")
        });
        let waits = self.placement.round.waits_for.as_ref();
        let waits = waits.map(|what| wrap(&format!("waits for: {what}"), self.width, "  "));
        leads.into_iter().chain(more).chain(waits).collect()
    }

    fn verdict(&self, verdict: &VerdictStatus) -> Vec<String> {
        let head = format!("{:?}: {}", verdict.reason, verdict.sentence);
        let copy = self.winner().and_then(|name| self.copy(name));
        let copy = copy.map(|copy| wrap(&copy, self.width, "  "));
        std::iter::once(wrap(&head, self.width, "  ")).chain(copy).collect()
    }

    /// All texts of a variant, in the reading order of its format; a brand's own format is not known here.
    fn copy(&self, name: &str) -> Option<String> {
        let slots = &self.text(name)?.spec.slots;
        let placements = &self.campaign.spec.placements;
        let format = placements.iter().find(|placement| placement.name == self.placement.name)?;
        let order = rules::format(&format.format).map(|format| format.slots().iter().map(|slot| &slot.name));
        let texts: Vec<&str> = match order {
            Some(names) => names.filter_map(|name| slots.get(name)).map(String::as_str).collect(),
            None => slots.values().map(String::as_str).collect(),
        };
        Some(format!("{} “{}”", self.short(name), texts.join(" · ")))
    }
}

const TITLES: [&str; 7] = ["VARIANT", "ORIGIN", "PEOPLE", "ACTED", "RATE", "P(BEST)", "LIFT (AT EVERY LOOK)"];

fn dash() -> String {
    "–".to_owned()
}

/// A share to a tenth of a percent; what is above zero never reads as zero.
fn rounded(parts_per_million: u32) -> String {
    match parts_per_million {
        1..500 => "<0.1%".to_owned(),
        parts if parts % 10_000 == 0 => format!("{}%", parts / 10_000),
        parts => format!("{:.1}%", f64::from(parts) / 1e4),
    }
}

fn rate(figures: &VariantFigures) -> String {
    match figures.exposures {
        0 => dash(),
        exposures => format!("{:.2}%", figures.rewards as f64 / exposures as f64 * 100.0),
    }
}

fn lift(figures: &VariantFigures) -> String {
    match &figures.lift {
        Some(lift) => format!("{} ({}..{})", lift.shrunken, lift.lower, lift.upper),
        None => dash(),
    }
}

/// The text that people know a variant by: its headline, its subject, else its first slot.
fn headline(variant: &AdVariant) -> &str {
    let slots = &variant.spec.slots;
    let named = ["headline", "subject"].iter().find_map(|slot| slots.get(*slot));
    named.or_else(|| slots.values().next()).map(String::as_str).unwrap_or_default()
}
