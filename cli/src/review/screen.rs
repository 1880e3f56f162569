//! Variants as a reviewer reads them. Pure.

use api::{AdCampaign, AdVariant, Approval, VariantState};
use kube::ResourceExt;

use crate::campaign::{digits, origin};
use crate::text::{left, plural, wrap};

/// Each placement's copy, the control first, with all texts, and how to say a word, in lines of at most `width` columns.
pub fn screen(campaign: &AdCampaign, variants: &[AdVariant], width: usize) -> String {
    let (namespace, name) =
        (campaign.namespace().unwrap_or_else(|| "default".to_owned()), campaign.name_any());
    let waiting: Vec<&AdVariant> = variants.iter().filter(|variant| waits(variant)).collect();
    let who = match campaign.spec.approval {
        Approval::Automatic => "what passes the rules is served",
        Approval::Manual => "one person approves",
        Approval::FourEyes => "two people approve",
    };
    let mut lines = vec![format!(
        "{namespace}/{name}: {} of {} wait for a word ({who})",
        waiting.len(),
        plural(variants.len(), "variant")
    )];
    for placement in &campaign.spec.placements {
        lines.extend([String::new(), placement.name.clone()]);
        let mut of_placement: Vec<&AdVariant> =
            variants.iter().filter(|variant| variant.spec.placement == placement.name).collect();
        of_placement.sort_by_key(|variant| (variant.spec.origin, variant.name_any()));
        let order = rules::format(&placement.format)
            .map(|format| format.slots().iter().map(|slot| slot.name.clone()).collect::<Vec<_>>());
        let order = order.unwrap_or_default();
        lines.extend(of_placement.iter().flat_map(|variant| copy(variant, &order, width)));
    }
    lines.push(String::new());
    lines.extend(remedy(&namespace, &name, &waiting).map(|line| wrap(&line, width, "")));
    lines.push(String::new());
    lines.join("\n")
}

pub(super) fn waits(variant: &AdVariant) -> bool {
    variant.status.as_ref().and_then(|status| status.state) == Some(VariantState::InReview)
}

/// The variant's name without campaign and placement, who wrote it, how it stands; then its texts.
fn copy(variant: &AdVariant, order: &[String], width: usize) -> Vec<String> {
    let status = variant.status.clone().unwrap_or_default();
    let state = status
        .state
        .map_or_else(|| "not seen by the operator yet".to_owned(), |state| state_of(state).to_owned());
    let why = status.reason.map_or_else(String::new, |reason| format!(": {reason}"));
    let mut lines = vec![format!(
        "  {}  {}  {state}{why}",
        left(&digits(variant), 8),
        left(origin(variant.spec.origin), 10)
    )];
    let slots = &variant.spec.slots;
    let listed = order.iter().filter_map(|name| slots.get_key_value(name));
    let others = slots.iter().filter(|(name, _)| !order.contains(name));
    let longest = slots.keys().map(String::len).max().unwrap_or(0);
    lines.extend(listed.chain(others).map(|(name, text)| {
        let indent = " ".repeat(6 + longest);
        let text = wrap(text, width, &indent);
        format!("    {}{}", left(name, longest + 2), text.trim_start())
    }));
    let claims = variant.spec.appraisal.as_ref().map_or(&[][..], |appraisal| &appraisal.claims);
    if !claims.is_empty() {
        lines.push(wrap(
            &format!("claims that the brief does not hold: {}", claims.join(", ")),
            width,
            "    ",
        ));
    }
    lines
}

fn state_of(state: VariantState) -> &'static str {
    match state {
        VariantState::Waiting => "approved, and waits for the experiment",
        VariantState::Served => "served",
        VariantState::InReview => "waits for a word",
        VariantState::Rejected => "rejected",
        VariantState::Harmful => "out, since it does harm",
        VariantState::Refused => "refused by a rule",
        VariantState::Surplus => "beyond what was asked",
    }
}

fn remedy(namespace: &str, name: &str, waiting: &[&AdVariant]) -> impl Iterator<Item = String> {
    let first = waiting.first().map(|variant| digits(variant));
    first.into_iter().flat_map(move |first| {
        [
            format!("approve: kubectl broadside approve -n {namespace} {name} {first} …, or --all"),
            format!("reject:  kubectl broadside reject -n {namespace} {name} {first} --reason '…'"),
        ]
    })
}
