//! The campaign of most tests here: one banner, and people's copy alone.

use serde_json::{Value, json};

/// A campaign with one placement, `hero`, with challengers of these headlines, whose metric counts for so long.
pub(crate) fn campaign(name: &str, challengers: &[&str], window: &str) -> Value {
    let copy = |headline: &&str| json!({"headline": headline, "button": "Shop now"});
    json!({
        "apiVersion": "broadside.dev/v1alpha1", "kind": "AdCampaign",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "brief": {"product": "Aero Trail 3"},
            "placements": [{
                "name": "hero", "format": "WebBanner", "delivery": {"gateway": {}},
                "control": copy(&"Meet the Aero Trail 3"),
                "challengers": challengers.iter().map(copy).collect::<Vec<_>>(),
                "metric": {"name": "product-view", "kind": "Binary", "window": window},
            }],
        },
    })
}

/// The same with a field of its placement.
pub(crate) fn with(mut campaign: Value, field: &str, value: Value) -> Value {
    campaign["spec"]["placements"][0][field] = value;
    campaign
}
