//! What the chart renders is what an API server takes, to the last field; and each version that the chart is for understands the
//! rules of our definitions and policies, and the operator's pass.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use api::{AdCampaign, AdPolicy, AdTable, AdVariant, Scope};
use cluster::{ControlPlaneConfig, Controllers};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::api::{DeleteParams, DynamicObject, ListParams, PatchParams, PostParams};
use kube::{Api, Client};
use operator::controller::{check, reconcile};
use serde_json::{Value, json};
use stage::programs;

use crate::quiet::{HandClock, campaign, context};
use crate::server::{Server, until};
use crate::{away, chart};

/// Kinds whose definitions are others' and not there, so that nobody checks them here.
const UNCHECKED: [&str; 3] = ["HTTPRoute", "PodMonitor", "PrometheusRule"];

/// Sets of values, by the names of their files; the first is the chart's own.
const VALUES: [&str; 3] = ["", "everything.yaml", "two-namespaces.yaml"];

/// The versions for which the chart is, by its `kubeVersion` and by the API server that we run.
const VERSIONS: [&str; 4] = ["1.34", "1.35", "1.36", "1.37"];

fn strict() -> PatchParams {
    PatchParams::apply("schemas").force().dry_run().validation_strict()
}

async fn rendered(values: &str) -> anyhow::Result<Vec<DynamicObject>> {
    if values.is_empty() {
        return chart::rendered(&[]).await;
    }
    let file = programs::repository().join("tests/manifests/values").join(values);
    chart::rendered(&["--values", file.to_str().context("a path")?]).await
}

fn kind(object: &DynamicObject) -> String {
    object.types.as_ref().map_or_else(String::new, |types| types.kind.clone())
}

/// A client of a server with what the values name.
async fn prepared(server: &Server) -> anyhow::Result<Client> {
    let client = server.client().await?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for name in ["shop", "blog"] {
        let namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
        namespaces.create(&PostParams::default(), &namespace).await?;
    }
    let classes: Api<PriorityClass> = Api::all(client.clone());
    let class = serde_json::from_value(json!({"metadata": {"name": "serving"}, "value": 1000}))?;
    classes.create(&PostParams::default(), &class).await?;
    Ok(client)
}

/// Has the server look at all that the chart renders, and returns the kinds that it looked at, and those that it did not.
async fn looked_at(client: &Client) -> anyhow::Result<(BTreeSet<String>, BTreeSet<String>)> {
    let (mut checked, mut unchecked) = (BTreeSet::new(), BTreeSet::new());
    for values in VALUES {
        for object in rendered(values).await? {
            let kind = kind(&object);
            if UNCHECKED.contains(&kind.as_str()) {
                unchecked.insert(kind);
                continue;
            }
            chart::apply(client, &object, &strict()).await.with_context(|| format!("values {values:?}"))?;
            checked.insert(kind);
        }
    }
    Ok((checked, unchecked))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_of_the_chart_is_taken_to_the_last_field() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let client = prepared(&server).await?;
    let (checked, unchecked) = looked_at(&client).await?;
    ensure!(unchecked == UNCHECKED.map(str::to_owned).into(), "values leave out {unchecked:?}");
    for kind in ["ConfigMap", "Ingress", "NetworkPolicy", "Pod", "PodDisruptionBudget", "Role", "StatefulSet"]
    {
        ensure!(checked.contains(kind), "values leave out {kind}");
    }
    // A slip of the pen is not taken, wherever it is.
    for (kind, place) in [
        ("Deployment", "/spec/template/spec"),
        ("ValidatingAdmissionPolicy", "/spec"),
        ("CustomResourceDefinition", "/spec"),
    ] {
        let all = rendered("").await?;
        let mut object = all.into_iter().find(|object| self::kind(object) == kind).context("the kind")?;
        let at = object.data.pointer_mut(place).and_then(Value::as_object_mut).context("the place")?;
        at.insert("aSlip".to_owned(), json!(true));
        let refused = chart::apply(&client, &object, &strict()).await.err().context(kind)?;
        ensure!(format!("{refused:?}").contains("aSlip"), "{kind}: {refused:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_version_that_the_chart_is_for_takes_it_and_carries_out_a_campaign() -> anyhow::Result<()> {
    for version in VERSIONS {
        on(version).await.with_context(|| format!("Kubernetes {version}"))?;
    }
    Ok(())
}

async fn on(version: &str) -> anyhow::Result<()> {
    let server = Server::start_as(ControlPlaneConfig {
        controllers: Controllers::Off,
        api_server: vec![("emulated-version".to_owned(), version.to_owned())],
        ..ControlPlaneConfig::default()
    })
    .await?;
    let client = prepared(&server).await?;
    ensure!(serves(&client).await? == version);
    looked_at(&client).await?;
    for object in rendered("").await?.iter().filter(|object| is_of_admission(object)) {
        chart::apply(&client, object, &PatchParams::apply("test")).await?;
    }
    tables_are_held(&client).await?;
    campaigns_are_held(&client).await?;
    carried_out(&server, &client).await
}

/// The version as which it serves.
async fn serves(client: &Client) -> anyhow::Result<String> {
    let version: Value = client.request(http::Request::get("/version").body(Vec::new())?).await?;
    let part = |name: &str| version[name].as_str().map(str::to_owned).context("a part of the version");
    Ok(format!("{}.{}", part("emulationMajor")?, part("emulationMinor")?))
}

fn is_of_admission(object: &DynamicObject) -> bool {
    matches!(kind(object).as_str(), "ValidatingAdmissionPolicy" | "ValidatingAdmissionPolicyBinding")
}

/// Waits until nobody but the operator writes tables.
async fn tables_are_held(client: &Client) -> anyhow::Result<()> {
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let tables: Api<AdTable> = Api::namespaced(client.clone(), "default");
    let refused = async || {
        let refused = tables.create(&dry_run, &away::table()?).await.err();
        Ok(refused.is_some_and(|why| why.to_string().contains("only the operator writes tables")))
    };
    until("the policy of tables", refused).await
}

/// Waits until campaigns are held against policies, without any at the end. Before it has read all of them the API server refuses
/// every campaign.
async fn campaigns_are_held(client: &Client) -> anyhow::Result<()> {
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let (policies, campaigns) =
        (Api::<AdPolicy>::all(client.clone()), Api::namespaced(client.clone(), "default"));
    let manual: AdPolicy = serde_json::from_value(json!({
        "apiVersion": "broadside.dev/v1alpha1", "kind": "AdPolicy", "metadata": {"name": "platform"},
        "spec": {"minimumApproval": "Manual"},
    }))?;
    policies.create(&PostParams::default(), &manual).await?;
    let offered =
        async || anyhow::Ok(campaigns.create(&dry_run, &campaign()?).await.map_err(|why| why.to_string()));
    let refused = async || Ok(offered().await?.is_err_and(|why| why.contains("asks for Manual")));
    until("the policy of campaigns", refused).await?;
    policies.delete("platform", &DeleteParams::default()).await?;
    until("campaigns without a policy", async || Ok(offered().await?.is_ok())).await
}

/// One pass of the operator, as the account of its pod.
async fn carried_out(server: &Server, client: &Client) -> anyhow::Result<()> {
    let campaigns: Api<AdCampaign> = Api::namespaced(client.clone(), "default");
    campaigns.create(&PostParams::default(), &campaign()?).await?;
    for object in chart::rendered_of(&["operator/rbac.yaml"], &[]).await? {
        chart::apply(client, &object, &PatchParams::apply("test")).await?;
    }
    let mut config = server.config().await?;
    config.auth_info.impersonate = Some("system:serviceaccount:default:broadside-operator".to_owned());
    let pod = ("authentication.kubernetes.io/pod-name".to_owned(), vec!["broadside-operator-0".to_owned()]);
    config.auth_info.impersonate_user_extra = Some(HashMap::from([pod]));
    // No ledger is asked before there is a table.
    let operator = Client::try_from(config)?;
    until("its rights", async || Ok(check(&operator, &Scope::All).await.is_ok())).await?;
    let context = context(operator, "http://127.0.0.1:9", Arc::new(HandClock::new()))?;
    reconcile(Arc::new(campaigns.get("quiet").await?), context).await?;
    let all = ListParams::default();
    let variants: Api<AdVariant> = Api::namespaced(client.clone(), "default");
    let tables: Api<AdTable> = Api::namespaced(client.clone(), "default");
    let made = (variants.list(&all).await?.items.len(), tables.list(&all).await?.items.len());
    let status = campaigns.get("quiet").await?.status.context("a status")?;
    ensure!(made == (2, 1) && status.phase.is_some(), "{made:?} variants and tables: {status:?}");
    Ok(())
}
