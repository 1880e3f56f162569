//! What `broadside results` draws, for campaigns as the operator leaves them.
//!
//! Each folder of `results/` is a sentence: a campaign with its status, and the screens that follow.
//! After a change: `UPDATE=1 cargo test -p broadside --test render`, or `make generate`.

use std::path::Path;

use api::{AdCampaign, AdVariant, AdVariantSpec, Origin};
use kube::ResourceExt;

const REFRESH: &str = "UPDATE=1 cargo test -p broadside --test render";

/// A terminal of the usual width, and a wide one, which has room for texts.
const WIDTHS: [usize; 2] = [100, 140];

#[test]
fn every_campaign_is_drawn_as_written() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/results");
    let mut faults = Vec::new();
    for entry in std::fs::read_dir(cases).expect("cases") {
        let folder = entry.expect("an entry").path();
        let text = std::fs::read_to_string(folder.join("campaign.yaml")).expect("campaign.yaml");
        let campaign: AdCampaign = serde_saphyr::from_str(&text).expect("a campaign");
        let screens = screens(&campaign);
        let file = folder.join("expected.txt");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, &screens).expect("cases are writable");
        }
        if std::fs::read_to_string(&file).unwrap_or_default() != screens {
            faults.push(format!("{} is drawn otherwise:\n{screens}", folder.display()));
        }
    }
    assert!(faults.is_empty(), "{}\nRefresh with: {REFRESH}", faults.join("\n"));
}

fn screens(campaign: &AdCampaign) -> String {
    let variants = variants(campaign);
    WIDTHS.map(|width| cli::render(campaign, &variants, width)).join("----\n")
}

/// People's copy as the objects that the operator makes of it.
fn variants(campaign: &AdCampaign) -> Vec<AdVariant> {
    let of = |placement: &api::Placement| {
        let challengers = placement.challengers.iter().flatten().map(|slots| (Origin::Challenger, slots));
        let people = std::iter::once((Origin::Control, &placement.control)).chain(challengers);
        let variant = |(origin, slots): (Origin, &api::Slots)| {
            let spec = AdVariantSpec {
                campaign: campaign.name_any(),
                placement: placement.name.clone(),
                origin,
                slots: slots.clone(),
                edit: None,
                provenance: None,
                appraisal: None,
            };
            AdVariant::new(&api::name::variant(&spec.campaign, &spec.placement, slots), spec)
        };
        people.map(variant).collect::<Vec<_>>()
    };
    campaign.spec.placements.iter().flat_map(of).collect()
}
