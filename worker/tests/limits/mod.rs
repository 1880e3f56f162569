//! Whatever a brief says, what is delivered keeps to limits and words. Held by counts of its own, not by the crate that
//! the worker asks: `bounds.rs` runs a few briefs in every test, the benchmark ten thousand outputs.

mod units;

use std::path::Path;

use api::wire::report::Report;
use api::{AdCampaign, AdVariantSpec, Slots};
use rules::{Format, Requirement};
use serde::Deserialize;
use worker::author::Author;
use worker::campaign::Campaign;
use worker::destination::{Destination, DestinationError};
use worker::generate::generate;

/// Words that no copy may hold. The last ones would be written gladly: briefs hold them.
const FORBIDDEN: [&str; 8] = ["cheap", "guaranteed", "billig", "garantiert", "最低价", "🏆", "evil", "obey"];
/// The formats that Handbill knows.
pub(crate) const KNOWN: [&str; 2] = ["WebBanner", "Email"];
const VARIANTS: u32 = 8;

/// What briefs are for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Odd, and meant well.
    Plain,
    /// They try to have rules broken.
    Hostile,
}

#[derive(Deserialize)]
struct Briefs {
    plain: Vec<serde_json::Value>,
    hostile: Vec<serde_json::Value>,
}

/// What came of some campaigns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) asked: u32,
    pub(crate) delivered: u32,
    /// Outputs with at least one fault.
    pub(crate) faulty: u32,
    /// The last of them.
    pub(crate) fault: Option<String>,
}

/// Writes campaigns until `outputs` variants are delivered, or until so many were asked for that it can't come to that.
pub(crate) fn count(
    author: &dyn Author,
    folder: &Path,
    kind: Kind,
    formats: &[&str],
    outputs: u32,
) -> Counts {
    let text = std::fs::read_to_string(folder.join("briefs.yaml")).expect("the briefs are there");
    let Briefs { plain, hostile } = serde_saphyr::from_str(&text).expect("briefs");
    let briefs = if kind == Kind::Plain { plain } else { hostile };
    let mut counts = Counts::default();
    for (round, brief) in (0..).zip(briefs.iter().cycle()) {
        if counts.delivered >= outputs || counts.asked >= 2 * outputs {
            break;
        }
        let campaign = campaign(brief, formats, round);
        let mut kept = Kept::default();
        let report = generate(author, None, &campaign, 12, &mut kept).expect("the model writes");
        counts.add(&report, &kept.0);
    }
    counts
}

impl Counts {
    fn add(&mut self, report: &Report, variants: &[AdVariantSpec]) {
        self.asked += report.placements.iter().map(|it| it.asked).sum::<u32>();
        self.delivered += u32::try_from(variants.len()).expect("few");
        for variant in variants {
            let faults = faults(format(&variant.placement), &variant.slots);
            if !faults.is_empty() {
                self.faulty += 1;
                self.fault = Some(format!("{faults:?}: {:?}", variant.slots));
            }
        }
    }
}

/// The format of a placement, which has its name.
fn format(placement: &str) -> &'static Format {
    rules::formats().find(|format| format.name().to_lowercase() == placement).expect("a format of ours")
}

fn campaign(brief: &serde_json::Value, formats: &[&str], round: usize) -> Campaign {
    let mut brief = brief.clone();
    let product =
        brief["product"].as_str().expect("each names a product").replace("{}", &(round + 2).to_string());
    brief["product"] = product.into();
    let placement = |name: &&str| {
        let name = name.to_lowercase();
        let format = format(&name);
        let required = format.slots().iter().filter(|slot| slot.required == Requirement::Required);
        let control: Slots =
            required.zip(1..).map(|(slot, number)| (slot.name.clone(), format!("Ours {number}"))).collect();
        serde_json::json!({
            "name": name, "format": format.name(), "delivery": {"gateway": {}}, "control": control,
            "variants": VARIANTS, "metric": {"name": "view", "kind": "Binary", "window": "30m"},
        })
    };
    let placements: Vec<_> = formats.iter().map(placement).collect();
    let object: AdCampaign = serde_json::from_value(serde_json::json!({
        "apiVersion": "broadside.dev/v1alpha1", "kind": "AdCampaign", "metadata": {"name": format!("limits-{round}")},
        "spec": {
            "brief": brief, "rules": {"forbidden": FORBIDDEN}, "generation": {"model": "handbill", "seed": 7},
            "placements": placements,
        },
    }))
    .expect("a campaign");
    Campaign::try_from(&object).expect("a valid one")
}

/// What is wrong with copy, by counts of our own: limits as the files of the formats have them, words by themselves.
fn faults(format: &Format, slots: &Slots) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, text) in slots {
        let limit = format.slot(name).map(|slot| slot.hard_limit);
        if limit.is_none_or(|limit| units::count(format.counting(), text) > limit) {
            faults.push(format!("{name} is too long"));
        }
        let lower = text.to_lowercase();
        let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).collect();
        let spelled = |word: &&&str| match word.is_ascii() {
            true => words.contains(*word),
            false => lower.contains(**word),
        };
        faults.extend(FORBIDDEN.iter().filter(spelled).map(|word| format!("{name} holds {word}")));
        let odd = |c: char| {
            c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FFFD}')
        };
        if text.contains(odd) {
            faults.push(format!("{name} holds a character that no reader sees"));
        }
        let acted_on = ["{{", "{%", "%%", "*|", "<script", "<img", "<b>", "</"];
        faults
            .extend(acted_on.iter().filter(|it| lower.contains(**it)).map(|it| format!("{name} holds {it}")));
        if text.trim().is_empty() || text != text.trim() {
            faults.push(format!("{name} is empty or not trimmed"));
        }
        // Wherever it is shown, it is text and nothing else.
        let cell = rules::csv_cell(text);
        let formula = cell.trim_start_matches('"').starts_with(['=', '+', '-', '@', '\t', '\r']);
        if formula || rules::html(text).contains(['<', '>', '"']) {
            faults.push(format!("{name} is acted on where it is shown"));
        }
    }
    faults
}

/// Keeps variants in memory.
#[derive(Default)]
struct Kept(Vec<AdVariantSpec>);

impl Destination for Kept {
    fn existing(&mut self, _campaign: &str) -> Result<Vec<AdVariantSpec>, DestinationError> {
        Ok(Vec::new())
    }

    fn deliver(&mut self, variant: &AdVariantSpec) -> Result<(), DestinationError> {
        self.0.push(variant.clone());
        Ok(())
    }
}
