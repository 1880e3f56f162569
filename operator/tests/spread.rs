//! How many pods share a campaign's placements, and that it changes nothing else.

use api::AdCampaign;
use operator::Campaign;
use operator::campaign::Generation;

/// A campaign of placements that ask for so many variants each.
fn generation(parallelism: Option<u32>, variants: &[u32]) -> Generation {
    let placements = variants.iter().enumerate().map(|(index, variants)| {
        format!(
            "{{name: p{index}, format: WebBanner, delivery: {{gateway: {{}}}}, control: {{headline: Aero, button: Go}}, \
             challengers: [{{headline: Run, button: Go}}], variants: {variants}, \
             metric: {{name: view, kind: Binary, window: 30m}}, stopping: {{maximumDuration: 7d}}}}"
        )
    });
    let parallelism = parallelism.map_or_else(String::new, |count| format!(", parallelism: {count}"));
    let yaml = format!(
        "{{apiVersion: broadside.dev/v1alpha1, kind: AdCampaign, metadata: {{name: trail, uid: u}}, \
         spec: {{brief: {{product: Aero}}, generation: {{model: handbill{parallelism}}}, placements: [{}]}}}}",
        placements.collect::<Vec<_>>().join(", ")
    );
    let object: AdCampaign = serde_saphyr::from_str(&yaml).expect("a campaign");
    Campaign::try_from(&object).expect("a valid one").generation.expect("it asks for variants")
}

#[test]
fn there_are_no_more_pods_than_placements_that_ask_for_variants() {
    for (parallelism, variants, pods) in [
        (None, &[2, 2][..], 1),
        (Some(1), &[2, 2], 1),
        (Some(2), &[2, 2], 2),
        (Some(32), &[2, 2], 2),
        (Some(3), &[2, 0, 4, 1], 3),
        (Some(4), &[2, 0, 4, 0], 2),
        // The API server takes none of these; a stored object may be older than its rule.
        (Some(0), &[2, 2], 1),
    ] {
        assert_eq!(generation(parallelism, variants).pods, pods, "{parallelism:?} of {variants:?}");
    }
}

#[test]
fn the_job_is_the_same_however_many_pods_share_it() {
    let inputs = |parallelism| generation(parallelism, &[2, 2]).job;
    assert_eq!((inputs(None), inputs(Some(1))), (inputs(Some(2)), inputs(Some(32))));
    assert_ne!(inputs(None), generation(None, &[2, 3]).job);
}
