//! The operator has the rights that it needs, and no other: its process as the account of the chart, against the audit log of
//! a real API server.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use api::{AdCampaign, AdModel, AdReview, AdTable, AdVariant, Scope};
use cluster::{ControlPlaneConfig, Controllers};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use operator::controller::check;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use stage::programs;
use stage::rights::{Asked, asked, granted};
use tokio::process::{Child, Command};

use crate::chart;
use crate::server::{Server, until};

const ACCOUNT: &str = "system:serviceaccount:default:broadside-operator";

/// Writes down each request, without what was sent and answered.
const AUDIT: &str = r#"{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [{"level": "Metadata"}]}"#;

const BRAND: &str = "{metadata: {name: brand}, data: {brand.yaml: 'forbidden: [cheap]'}}";

const MODEL: &str = "
metadata: {name: handbill}
spec:
  source: {image: {reference: 'broadside.local/handbill:dev'}}
  resources: {limits: {nvidia.com/gpu: 1}}
";

/// Of everything that the operator reads or makes something: a brand, a model, copy of people that others approve, and two
/// rounds, of which the second is told by the event of the first.
const CAMPAIGN: &str = "
metadata: {name: trail}
spec:
  brief: {product: Aero Trail 3}
  rules: {brand: brand}
  approval: Manual
  generation: {model: handbill, seed: 7}
  placements:
    - name: hero
      format: WebBanner
      delivery: {gateway: {}}
      control: {headline: Meet the Aero Trail 3, button: Shop now}
      challengers: [{headline: Your trail is waiting, button: Shop now}]
      variants: 2
      metric: {name: product-view, kind: Binary, window: 1m}
    - name: side
      format: WebBanner
      delivery: {gateway: {}}
      control: {headline: Meet the Aero Trail 3, button: Shop now}
      challengers: [{headline: Made for the weekend, button: See it}]
      metric: {name: product-view, kind: Binary, window: 1m}
";

/// An API server that writes down who asks for what, and the operator's process.
struct Stage {
    client: Client,
    log: PathBuf,
    /// How much of the log was there before the process.
    before: usize,
    _process: Child,
    _server: Server,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn set() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (policy, log) = (folder.path().join("audit.json"), folder.path().join("audit.log"));
        std::fs::write(&policy, AUDIT)?;
        let flag = |name: &str, path: &Path| (name.to_owned(), path.display().to_string());
        let server = Server::start_as(ControlPlaneConfig {
            controllers: Controllers::Off,
            api_server: vec![flag("audit-policy-file", &policy), flag("audit-log-path", &log)],
            ..ControlPlaneConfig::default()
        })
        .await?;
        let client = server.client().await?;
        for object in chart::rendered_of(&RIGHTS, &[]).await? {
            chart::apply(&client, &object, &PatchParams::apply("test")).await?;
        }
        let operator = server.client_of(ACCOUNT).await?;
        until("its rights", async || may(&operator).await).await?;
        let before = std::fs::read_to_string(&log)?.len();
        let process = start(&server, folder.path())?;
        Ok(Self { client, log, before, _process: process, _server: server, _folder: folder })
    }

    async fn create<K>(&self, yaml: &str) -> anyhow::Result<()>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Serialize
            + std::fmt::Debug,
    {
        let objects: Api<K> = Api::namespaced(self.client.clone(), "default");
        objects.create(&PostParams::default(), &serde_saphyr::from_str(yaml)?).await?;
        Ok(())
    }

    async fn suspend(&self, suspend: bool) -> anyhow::Result<()> {
        let campaigns: Api<AdCampaign> = Api::namespaced(self.client.clone(), "default");
        let patch = Patch::Merge(json!({"spec": {"suspend": suspend}}));
        campaigns.patch("trail", &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Approves a variant of people's, as the administrator.
    async fn review(&self) -> anyhow::Result<()> {
        let campaigns: Api<AdCampaign> = Api::namespaced(self.client.clone(), "default");
        let variants: Api<AdVariant> = Api::namespaced(self.client.clone(), "default");
        let variant = variants.list(&ListParams::default()).await?.items.pop().context("a variant")?;
        let review = json!({
            "metadata": {"name": "word"},
            "spec": {
                "campaign": {"name": "trail", "uid": campaigns.get("trail").await?.uid()},
                "variants": [{"name": variant.name_any(), "digest": api::name::copy_digest(&variant.spec.slots)}],
                "decision": "Approve", "reviewer": "broadside-admin",
            },
        });
        self.create::<AdReview>(&review.to_string()).await
    }

    /// What the process asked for so far.
    fn asked(&self) -> anyhow::Result<Asked> {
        asked(&std::fs::read_to_string(&self.log)?[self.before..], ACCOUNT)
    }
}

const RIGHTS: [&str; 3] = ["operator/rbac.yaml", "worker-role.yaml", "admission/reviews.yaml"];

/// Whether what was just allowed is known to the server.
async fn may(operator: &Client) -> anyhow::Result<bool> {
    let secrets: Api<Secret> = Api::namespaced(operator.clone(), "default");
    let may_read = secrets.get_opt("broadside-key").await.is_ok();
    Ok(may_read && check(operator, &Scope::All).await.is_ok())
}

fn start(server: &Server, folder: &Path) -> anyhow::Result<Child> {
    // Nobody listens there: without a ledger the first shares stay.
    let process = Command::new(programs::ours("operator")?)
        .args(["--listen=127.0.0.1:0", "--ledger-url=http://127.0.0.1:9", "--worker-image=worker:dev"])
        .args(["--key-namespace=default", "--lease=broadside-operator", "--identity=broadside-operator-0"])
        .args(["--review-policy=broadside-reviews.broadside.dev", "--figures-interval=1s", "--log=warn"])
        .env("KUBECONFIG", server.kubeconfig_of(ACCOUNT, folder)?)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    process.context("starting the operator")
}

/// What the chart gives to the operator's account.
async fn rules() -> anyhow::Result<Vec<PolicyRule>> {
    let mut rules = Vec::new();
    for object in chart::rendered_of(&["operator/rbac.yaml"], &[]).await? {
        if let Some(of_role) = object.data.get("rules") {
            rules.extend(serde_json::from_value::<Vec<PolicyRule>>(of_role.clone())?);
        }
    }
    ensure!(rules.len() > 10, "{rules:?}");
    Ok(rules)
}

/// Has a campaign need every right.
async fn live(stage: &Stage) -> anyhow::Result<()> {
    stage.create::<ConfigMap>(BRAND).await?;
    stage.create::<AdModel>(MODEL).await?;
    stage.create::<AdCampaign>(CAMPAIGN).await?;
    let jobs: Api<Job> = Api::namespaced(stage.client.clone(), "default");
    let job = async || anyhow::Ok(jobs.list(&ListParams::default()).await?.items.pop());
    until("a Job", async || Ok(job().await?.is_some())).await?;
    stage.suspend(true).await?;
    let is_suspended = async || {
        let job: Option<Job> = job().await?;
        Ok(job.and_then(|job| job.spec).and_then(|spec| spec.suspend) == Some(true))
    };
    until("a Job that waits", is_suspended).await?;
    stage.suspend(false).await?;
    stage.review().await?;
    // One that somebody took away is asked for, and made anew.
    let tables: Api<AdTable> = Api::namespaced(stage.client.clone(), "default");
    tables.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_has_the_rights_that_it_uses_and_no_other() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let lived = live(&stage).await;
    let refused = stage.asked()?.refused;
    ensure!(refused.is_empty(), "used, and not granted by the chart: {refused:?}");
    lived?;
    let granted = granted(&rules().await?);
    let unused = || {
        let used = stage.asked()?.used;
        anyhow::Ok(granted.difference(&used).map(ToString::to_string).collect::<Vec<_>>())
    };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !unused()?.is_empty() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    ensure!(unused()?.is_empty(), "granted by the chart, and never used: {:?}", unused()?);
    let refused = stage.asked()?.refused;
    ensure!(refused.is_empty(), "used, and not granted by the chart: {refused:?}");
    Ok(())
}
