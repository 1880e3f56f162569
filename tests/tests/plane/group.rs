//! Campaigns that share the people of a group, as the operator's own passes find them on a real API server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::{AdCampaign, AdTable};
use kube::api::{DeleteParams, PostParams};
use kube::{Api, ResourceExt};
use operator::controller::{Context, reconcile};

use crate::quiet::{HandClock, context};
use crate::server::Server;

/// Nobody listens here: without a ledger the last shares stay, and this is not about shares.
const NO_LEDGER: &str = "http://127.0.0.1:9";

fn campaign(name: &str, exclusion: &str) -> anyhow::Result<AdCampaign> {
    let yaml = format!(
        "{{apiVersion: broadside.dev/v1alpha1, kind: AdCampaign, metadata: {{name: {name}, namespace: default}}, \
         spec: {{brief: {{product: Aero Trail 3}}, exclusion: {exclusion}, holdout: {{group: winter, share: 5%}}, \
         placements: [{{name: hero, format: WebBanner, delivery: {{gateway: {{}}}}, \
         control: {{headline: Aero Trail 3, button: Go}}, challengers: [{{headline: Run further, button: Go}}], \
         metric: {{name: product-view, kind: Binary, window: 1m}}}}]}}}}"
    );
    Ok(serde_saphyr::from_str(&yaml)?)
}

struct Shop {
    campaigns: Api<AdCampaign>,
    tables: Api<AdTable>,
    context: Arc<Context>,
    clock: Arc<HandClock>,
}

impl Shop {
    async fn apply(&self, name: &str, exclusion: &str) -> anyhow::Result<()> {
        self.campaigns.create(&PostParams::default(), &campaign(name, exclusion)?).await?;
        Ok(())
    }

    /// Why the campaign stalls after a pass, or that it does not.
    async fn pass(&self, name: &str) -> anyhow::Result<String> {
        self.clock.advance();
        // What a pass that fails has to say stands in the status.
        let _ = reconcile(Arc::new(self.campaigns.get(name).await?), Arc::clone(&self.context)).await;
        let conditions = self.campaigns.get(name).await?.status.context("a status")?.conditions;
        Ok(conditions.into_iter().find(|it| it.type_ == "Stalled").context("a condition")?.message)
    }

    async fn served(&self, name: &str) -> anyhow::Result<Option<AdTable>> {
        let uid = self.campaigns.get(name).await?.uid().context("a UID")?;
        Ok(self.tables.get_opt(&uid).await?)
    }
}

#[tokio::test]
async fn nobodys_people_are_taken_by_another_campaign_of_the_group() -> anyhow::Result<()> {
    const WELL: &str = "nothing needs a person";
    let server = Server::start().await?;
    let client = server.client().await?;
    let clock = Arc::new(HandClock::new());
    let context = context(client.clone(), NO_LEDGER, Arc::clone(&clock))?;
    let (campaigns, tables) =
        (Api::namespaced(client.clone(), "default"), Api::namespaced(client, "default"));
    let shop = Shop { campaigns, tables, context, clock };

    shop.apply("hero", "{group: checkout, share: 25%}").await?;
    assert_eq!(shop.pass("hero").await?, WELL);
    let table = shop.served("hero").await?.context("a table")?.spec;
    let (exclusion, holdout) = (table.exclusion.context("its part")?, table.holdout.context("a holdout")?);
    assert_eq!((exclusion.group.0.as_str(), exclusion.from, exclusion.share), ("checkout", 0, 250_000));
    assert_eq!((holdout.group.0.as_str(), holdout.share), ("winter", 50_000));

    shop.apply("sale", "{group: checkout, from: 10%, share: 50%}").await?;
    let taken = "spec.exclusion.from: 0% to 25% of the group checkout belong to hero: begin at 25%, or wait until it is decided";
    assert_eq!(shop.pass("sale").await?, taken);
    assert!(shop.served("sale").await?.is_none());
    assert_eq!(shop.pass("hero").await?, WELL, "who is served is not troubled");

    // Ages are whole seconds.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    shop.apply("mail", "{group: checkout, from: 25%, share: 40%}").await?;
    let older = "spec.exclusion.from: 10% to 60% of the group checkout belong to sale: begin at 60%, or wait until it is decided";
    assert_eq!(shop.pass("mail").await?, older, "of two that are not served the older one goes before");

    shop.campaigns.delete("hero", &DeleteParams::default()).await?;
    assert_eq!((shop.pass("sale").await?.as_str(), shop.pass("mail").await?.as_str()), (WELL, older));
    assert!(shop.served("sale").await?.is_some() && shop.served("mail").await?.is_none());
    Ok(())
}
