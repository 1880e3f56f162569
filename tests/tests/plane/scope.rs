//! Where operator and gateway are told of some namespaces, rights in these suffice, and the others are left alone.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use api::{AdCampaign, AdModel, AdTable, Namespace, Scope};
use cluster::ControlPlaneConfig;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Namespace as NamespaceObject;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{ListParams, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use operator::controller::{check, run};
use operator::error::chain;
use operator::leader::Leadership;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::gateway::GatewayProcess;
use crate::passes::reviewed;
use crate::quiet::HandClock;
use crate::server::{Server, until};
use crate::{away, chart};

const CAMPAIGN: &str = "
apiVersion: broadside.dev/v1alpha1
kind: AdCampaign
metadata: {name: trail}
spec:
  brief: {product: Aero Trail 3}
  generation: {model: handbill, seed: 7}
  placements:
    - name: hero
      format: WebBanner
      delivery: {gateway: {}}
      control: {headline: Meet the Aero Trail 3, button: Shop now}
      variants: 2
      metric: {name: product-view, kind: Binary, window: 1m}
";

const MODEL: &str = "
apiVersion: broadside.dev/v1alpha1
kind: AdModel
metadata: {name: handbill}
spec:
  source: {image: {reference: 'broadside.local/handbill:dev'}}
  resources: {limits: {nvidia.com/gpu: 1}}
";

const LISTED: [&str; 2] = ["shop", "blog"];
const OTHER: &str = "other";

/// The templates that say what operator and gateway may do.
const RIGHTS: [&str; 4] = ["operator/rbac.yaml", "gateway/rbac.yaml", "tables-role.yaml", "worker-role.yaml"];

/// A cluster whose release has two namespaces of three, each with a campaign.
struct Stage {
    server: Server,
    client: Client,
}

impl Stage {
    async fn set() -> anyhow::Result<Self> {
        let server = Server::start().await?;
        let client = server.client().await?;
        let namespaces: Api<NamespaceObject> = Api::all(client.clone());
        for name in [OTHER].iter().chain(&LISTED) {
            let object = serde_json::from_value(json!({"metadata": {"name": name}}))?;
            namespaces.create(&PostParams::default(), &object).await?;
            let models: Api<AdModel> = Api::namespaced(client.clone(), name);
            models.create(&PostParams::default(), &serde_saphyr::from_str(MODEL)?).await?;
            let campaigns: Api<AdCampaign> = Api::namespaced(client.clone(), name);
            campaigns.create(&PostParams::default(), &serde_saphyr::from_str(CAMPAIGN)?).await?;
        }
        let value = format!("scope.namespaces={{{}}}", LISTED.join(","));
        for object in chart::rendered_of(&RIGHTS, &["--set", &value]).await? {
            chart::apply(&client, &object, &PatchParams::apply("test")).await?;
        }
        Ok(Self { server, client })
    }

    /// The objects of a kind in a namespace.
    async fn of<K>(&self, namespace: &str) -> anyhow::Result<Vec<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let objects: Api<K> = Api::namespaced(self.client.clone(), namespace);
        Ok(objects.list(&ListParams::default()).await?.items)
    }

    /// Whether the campaign is served, a Job writes copy for it, and the Job's account may.
    async fn is_carried_out(&self, namespace: &str) -> anyhow::Result<bool> {
        let bindings = self.of::<RoleBinding>(namespace).await?;
        let worker = |binding: &RoleBinding| binding.role_ref.name == "broadside-worker";
        Ok(!self.of::<AdTable>(namespace).await?.is_empty()
            && !self.of::<Job>(namespace).await?.is_empty()
            && bindings.iter().any(worker))
    }
}

fn scope(names: &[&str]) -> anyhow::Result<Scope> {
    let names: Result<Vec<Namespace>, _> = names.iter().map(|name| name.parse()).collect();
    Ok(names?.into())
}

fn user(part: &str) -> String {
    format!("system:serviceaccount:default:broadside-{part}")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_of_two_namespaces_needs_rights_in_these_and_leaves_a_third_alone() -> anyhow::Result<()>
{
    let stage = Stage::set().await?;
    let operator = stage.server.client_of(&user("operator")).await?;
    let listed = scope(&LISTED)?;
    until("what the Roles allow", async || Ok(check(&operator, &listed).await.is_ok())).await?;
    for too_much in [Scope::All, scope(&["shop", OTHER])?] {
        let refused = check(&operator, &too_much).await.err().context("it may see more than its own")?;
        ensure!(chain(&refused).contains("forbidden"), "{}", chain(&refused));
    }

    let (end, ends) = oneshot::channel::<()>();
    // Nobody listens there: without a ledger the first shares stay, and this is not about shares.
    let clock = Arc::new(HandClock::new());
    let context = reviewed(operator, "http://127.0.0.1:9", clock, Leadership::alone(), None)?;
    let runs = tokio::spawn(async move { run(context, &listed, async { drop(ends.await) }).await });
    for namespace in LISTED {
        until(namespace, async || stage.is_carried_out(namespace).await).await?;
    }
    let left = stage.of::<AdCampaign>(OTHER).await?;
    let mut told = left.iter().filter_map(|campaign| campaign.status.as_ref());
    ensure!(told.all(|status| status.phase.is_none()), "{left:?}");
    ensure!(stage.of::<AdTable>(OTHER).await?.is_empty());
    // Both of its loops end when they are told to.
    drop(end);
    tokio::time::timeout(Duration::from_secs(30), runs).await.context("it goes on")??;
    Ok(())
}

/// What somebody may do who owns a namespace, and hands on more than they have.
fn owner(namespace: &str) -> Vec<Value> {
    let group = "rbac.authorization.k8s.io";
    let subject = json!([{"apiGroup": group, "kind": "User", "name": "team"}]);
    let binding = |name: &str, kind: &str, role: &str| {
        json!({
            "apiVersion": format!("{group}/v1"), "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": namespace},
            "roleRef": {"apiGroup": group, "kind": kind, "name": role}, "subjects": subject,
        })
    };
    let hands_on = json!({
        "apiVersion": format!("{group}/v1"), "kind": "Role",
        "metadata": {"name": "hands-on", "namespace": namespace},
        "rules": [{"apiGroups": [group], "resources": ["roles"], "verbs": ["escalate", "bind"]}],
    });
    vec![binding("team", "ClusterRole", "admin"), hands_on, binding("team-hands-on", "Role", "hands-on")]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_without_rights_in_the_whole_cluster_installs_its_own_half() -> anyhow::Result<()> {
    // The cluster's own role `admin` is put together by a controller.
    let server = Server::start_as(ControlPlaneConfig::default()).await?;
    let (admin, team) = (server.client().await?, server.client_of("team").await?);
    let params = PatchParams::apply("test");
    let namespaces: Api<NamespaceObject> = Api::all(admin.clone());
    for name in LISTED {
        namespaces
            .create(&PostParams::default(), &serde_json::from_value(json!({"metadata": {"name": name}}))?)
            .await?;
    }
    for rights in ["default", "shop", "blog"].into_iter().flat_map(owner) {
        chart::apply(&admin, &serde_json::from_value(rights)?, &params).await?;
    }
    let half = async |objects: &str| {
        let scope = format!("scope.namespaces={{shop,blog}},scope.objects={objects}");
        chart::rendered(&["--set", "crds.enabled=false", "--set", &scope]).await
    };
    for object in half("ClusterScoped").await? {
        let refused = chart::apply(&team, &object, &params).await.err();
        ensure!(refused.is_some(), "{:?} is for who may write it alone", object.metadata.name);
        chart::apply(&admin, &object, &params).await?;
    }
    let first = &half("Namespaced").await?[0];
    let allowed = async || Ok(chart::apply(&team, first, &params).await.is_ok());
    until("the right to write here", allowed).await?;
    for object in half("Namespaced").await? {
        chart::apply(&team, &object, &params).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_of_two_namespaces_serves_these_and_knows_no_other() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let namespaces = [OTHER].iter().chain(&LISTED);
    for (number, namespace) in namespaces.enumerate() {
        let mut table = away::table()?;
        let uid = format!("{number}{}", &away::UID[1..]);
        table.metadata.namespace = None;
        table.metadata.name = Some(uid.clone());
        table.spec.campaign.uid = uid;
        let tables: Api<AdTable> = Api::namespaced(stage.client.clone(), namespace);
        tables.create(&PostParams::default(), &table).await?;
    }
    let folder = tempfile::tempdir()?;
    let kubeconfig = stage.server.kubeconfig_of(&user("gateway"), folder.path())?;
    let gateway = GatewayProcess::start_in("all", &kubeconfig, &LISTED.join(",")).await?;
    let reason = async |namespace: &str| {
        let question =
            json!({"namespace": namespace, "campaign": "trail", "placement": "hero", "subject": "alice"});
        let answer: Value = away::post(&gateway, "/v1/decide", &question).await?;
        anyhow::Ok(answer["reason"].clone())
    };
    for namespace in LISTED {
        until(namespace, async || Ok(reason(namespace).await? == "Assigned")).await?;
    }
    let other = reason(OTHER).await?;
    ensure!(other == "UnknownCampaign", "{other}");
    Ok(())
}
