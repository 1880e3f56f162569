//! What a campaign stands on is taken away: its namespace, its rules, its definition.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::ensure;
use api::{AdCampaign, AdModel, AdTable, Phase};
use cluster::Controllers;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use stage::programs;

use crate::fault::{Fate, Faults, is_write};
use crate::life::{NAME, begin, of_people, phase};
use crate::server::Server;
use crate::world::{World, none, until};

/// Beside the writes of a good day, an operator that does not give up writes on.
const MANY: usize = 60;

fn counting(writes: &Arc<AtomicUsize>) -> Faults {
    let writes = Arc::clone(writes);
    Arc::new(move |request| {
        writes.fetch_add(usize::from(is_write(request)), Ordering::SeqCst);
        Fate::Passes
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_deleted_while_a_worker_writes_ends_and_others_go_on() -> anyhow::Result<()> {
    let world = World::around(Server::with(Controllers::On).await?).await?;
    let writes = Arc::new(AtomicUsize::new(0));
    let _operator = world.operator(counting(&writes)).await?;
    let shop = json!({"metadata": {"name": "shop"}});
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    namespaces.create(&PostParams::default(), &serde_json::from_value(shop)?).await?;
    let campaigns: Api<AdCampaign> = Api::namespaced(world.client.clone(), "shop");
    let models: Api<AdModel> = Api::namespaced(world.client.clone(), "shop");
    let jobs: Api<Job> = Api::namespaced(world.client.clone(), "shop");
    let model = json!({
        "apiVersion": "broadside.dev/v1alpha1", "kind": "AdModel", "metadata": {"name": "handbill"},
        "spec": {"source": {"image": {"reference": "broadside.local/handbill:dev"}}},
    });
    models.create(&PostParams::default(), &serde_json::from_value(model)?).await?;
    campaigns.create(&PostParams::default(), &serde_json::from_value(crate::life::campaign(NAME))?).await?;
    until("the Job", async || Ok(!jobs.list(&ListParams::default()).await?.items.is_empty())).await?;

    let before = writes.load(Ordering::SeqCst);
    namespaces.delete("shop", &DeleteParams::default()).await?;
    until("its end", async || Ok(namespaces.get_opt("shop").await?.is_none())).await?;
    let meanwhile = writes.load(Ordering::SeqCst) - before;
    ensure!(meanwhile < MANY, "{meanwhile} writes into a namespace that ends");
    world.create::<AdCampaign>(&of_people(NAME)).await?;
    until("another campaign", async || Ok(phase(&world).await? == Some(Phase::Running))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_stays_while_the_rules_of_its_brand_are_gone() -> anyhow::Result<()> {
    let world = World::start().await?;
    let _operator = world.operator(none()).await?;
    let example = std::fs::read_to_string(programs::repository().join("examples/brand.yaml"))?;
    let mut brand: ConfigMap = serde_saphyr::from_str(&example)?;
    brand.metadata.namespace = None;
    let brands = world.objects::<ConfigMap>();
    brands.create(&PostParams::default(), &brand).await?;
    let mut campaign = of_people(NAME);
    campaign["spec"]["rules"] = json!({"brand": "acme"});
    world.create::<AdCampaign>(&campaign).await?;
    let is_in = async |wanted| Ok(phase(&world).await? == Some(wanted));
    until("the experiment", async || is_in(Phase::Running).await).await?;
    let before = world.list::<AdTable>().await?.remove(0).spec;

    brands.delete(&brand.name_any(), &DeleteParams::default()).await?;
    world.nudge(NAME).await?;
    until("that it says so", async || is_in(Phase::Stalled).await).await?;
    ensure!(world.list::<AdTable>().await?.remove(0).spec == before);
    brands.create(&PostParams::default(), &brand).await?;
    world.nudge(NAME).await?;
    until("that it goes on", async || is_in(Phase::Running).await).await?;
    ensure!(world.list::<AdTable>().await?.remove(0).spec == before, "the experiment is the same");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_are_applied_anew_under_an_operator_that_works() -> anyhow::Result<()> {
    let world = World::start().await?;
    let _operator = world.operator(none()).await?;
    begin(&world).await?;
    let definitions: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    for mut definition in api::definitions() {
        // As a later version may: another column, another optional field.
        let name = definition.name_any();
        let version = &mut definition.spec.versions[0];
        let column = json!({"name": "Later", "type": "string", "jsonPath": ".spec.later", "priority": 1});
        version.additional_printer_columns.get_or_insert_default().push(serde_json::from_value(column)?);
        let schema = version.schema.as_mut().and_then(|it| it.open_api_v3_schema.as_mut());
        let spec = schema.and_then(|it| it.properties.as_mut()?.get_mut("spec"));
        let fields = spec.and_then(|it| it.properties.as_mut());
        fields.map(|it| {
            it.insert(
                "later".to_owned(),
                serde_json::from_value(json!({"type": "string"})).expect("a schema"),
            )
        });
        definitions.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(&definition)).await?;
    }
    crate::life::write(&world).await?;
    let jobs = world.list::<Job>().await?;
    ensure!(jobs.len() == 1, "{} Jobs", jobs.len());
    world.create::<AdCampaign>(&of_people("later")).await?;
    until("a campaign of the new definition", async || {
        let status = world.objects::<AdCampaign>().get("later").await?.status.unwrap_or_default();
        Ok(status.phase == Some(Phase::Running))
    })
    .await
}
