//! A brand's ConfigMap, as the operator's own pass finds it on a real API server.

use std::sync::Arc;

use anyhow::Context as _;
use api::{AdCampaign, AdTable};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use operator::controller::reconcile;
use stage::programs;

use crate::quiet::{HandClock, context};
use crate::server::Server;

const CAMPAIGN: &str = "
apiVersion: broadside.dev/v1alpha1
kind: AdCampaign
metadata: {name: tile, namespace: default}
spec:
  brief: {product: Aero Trail 3}
  rules: {brand: acme}
  variables: [{name: first_name, maximumLength: 12, fallback: runner}]
  placements:
    - name: tile
      format: ShopTile
      delivery: {gateway: {}}
      control: {title: Aero Trail 3 at Sale!}
      challengers: [{title: \"Your trail, {first_name}\"}]
      metric: {name: product-view, kind: Binary, window: 1m}
";

/// Nobody listens here: without a ledger the last shares stay, and this is not about shares.
const NO_LEDGER: &str = "http://127.0.0.1:9";

#[tokio::test]
async fn a_brand_that_is_missing_is_named_and_one_that_is_there_is_served() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let client = server.client().await?;
    let clock = Arc::new(HandClock::new());
    let context = context(client.clone(), NO_LEDGER, Arc::clone(&clock))?;
    let campaigns: Api<AdCampaign> = Api::namespaced(client.clone(), "default");
    campaigns.create(&PostParams::default(), &serde_saphyr::from_str(CAMPAIGN)?).await?;
    let pass = async || {
        clock.advance();
        let passed = reconcile(Arc::new(campaigns.get("tile").await?), Arc::clone(&context)).await;
        let conditions = campaigns.get("tile").await?.status.context("a status")?.conditions;
        let stalled = conditions.into_iter().find(|it| it.type_ == "Stalled").context("a condition")?;
        anyhow::Ok((passed.is_ok(), stalled.message))
    };
    let missing =
        "spec.rules.brand: there is no ConfigMap acme in namespace default: apply it, or name another one";
    assert_eq!(pass().await?, (false, missing.to_owned()));

    let example = std::fs::read_to_string(programs::repository().join("examples/brand.yaml"))?;
    let mut brand: ConfigMap = serde_saphyr::from_str(&example)?;
    brand.metadata.namespace = Some("default".to_owned());
    let configs: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    configs.create(&PostParams::default(), &brand).await?;
    assert_eq!(pass().await?, (true, "nothing needs a person".to_owned()));

    let tables: Api<AdTable> = Api::namespaced(client, "default");
    let uid = campaigns.get("tile").await?.uid().context("a UID")?;
    let rules = tables.get(&uid).await?.spec.placements[0].rules.clone().context("rules")?;
    assert_eq!(rules.format.as_deref(), Some(brand.data.context("files")?["shop-tile.yaml"].as_str()));
    assert_eq!((rules.variables.map(|it| it.len()), rules.exceptions.map(|it| it.len())), (Some(1), Some(1)));
    Ok(())
}
