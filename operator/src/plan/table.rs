//! The placements as one numbered table.

use api::{AdTable, AdTableSpec, CampaignIdentity, TablePlacement};
use kube::ResourceExt;
use kube::api::ObjectMeta;

use crate::campaign::{Campaign, Mode};
use crate::objects;

/// What is served for `rows`. Its number grows by one with each change, and goes on from the `known` one where somebody
/// deleted the table, or put back an older one.
pub(super) fn spec(
    campaign: &Campaign,
    served: Option<&AdTable>,
    known: Option<i64>,
    rows: Vec<TablePlacement>,
) -> AdTableSpec {
    let before = served.map(|table| table.spec.number);
    let same = AdTableSpec {
        number: before.unwrap_or_default(),
        campaign: CampaignIdentity { name: campaign.name.clone(), uid: campaign.uid.clone() },
        exclusion: campaign.exclusion.clone(),
        holdout: campaign.holdout.clone(),
        landing_page: campaign.landing_page.clone(),
        dry_run: campaign.mode == Mode::DryRun,
        placements: rows,
    };
    match served {
        Some(table) if table.spec == same => same,
        _ => AdTableSpec { number: before.max(known).map_or(1, |number| number + 1), ..same },
    }
}

/// The table that serves it, with the version of the one that it takes the place of; or nothing when that is what is served.
pub(super) fn next(campaign: &Campaign, served: Option<&AdTable>, spec: AdTableSpec) -> Option<AdTable> {
    if served.is_some_and(|table| table.spec.number == spec.number) {
        return None;
    }
    let resource_version = served.and_then(ResourceExt::resource_version);
    let metadata = objects::metadata(campaign, campaign.uid.clone());
    Some(AdTable { metadata: ObjectMeta { resource_version, ..metadata }, spec })
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::{AdCampaign, Group, LandingPage, TableHoldout};

    #[test]
    fn whatever_of_it_changes_has_another_number() {
        let yaml = "{apiVersion: broadside.dev/v1alpha1, kind: AdCampaign, metadata: {name: trail, uid: u}, spec: {brief: \
            {product: Aero}, placements: [{name: hero, format: WebBanner, delivery: {gateway: {}}, control: {headline: Aero, \
            button: Go}, challengers: [{headline: Trail, button: Go}], metric: {name: view, kind: Binary, window: 30m}}]}}";
        let object: AdCampaign = serde_saphyr::from_str(yaml).expect("a campaign");
        let campaign = Campaign::try_from(&object).expect("a good one");
        let first =
            next(&campaign, None, spec(&campaign, None, None, Vec::new())).expect("nothing is served");
        assert_eq!(first.spec.number, 1);
        let again = spec(&campaign, Some(&first), Some(1), Vec::new());
        assert!(next(&campaign, Some(&first), again).is_none());
        assert_eq!(spec(&campaign, None, Some(7), Vec::new()).number, 8, "somebody deleted it");
        let put_back = spec(&campaign, Some(&first), Some(7), Vec::new());
        assert_eq!(put_back.number, 1, "it is what is served");
        let holdout = TableHoldout { group: Group("winter".to_owned()), share: 50_000 };
        let changed = Campaign { holdout: Some(holdout.clone()), ..campaign };
        let second = next(&changed, Some(&first), spec(&changed, Some(&first), Some(1), Vec::new()));
        let second = second.expect("it changed");
        assert_eq!((second.spec.number, &second.spec.holdout), (2, &Some(holdout)));
        let number = spec(&changed, Some(&first), Some(7), Vec::new()).number;
        assert_eq!(number, 8, "there was a later one");
        let page = LandingPage("https://shop.example/trail".to_owned());
        let moved = Campaign { landing_page: Some(page.clone()), ..changed };
        let third = spec(&moved, Some(&second), Some(2), Vec::new());
        assert_eq!((third.number, third.landing_page), (3, Some(page)));
    }
}
