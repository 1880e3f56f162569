//! Campaigns as the operator sees them, and `kubectl` after it.

use std::fmt::Debug;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, ensure};
use api::wire::totals::{CellTotals, LateTotals, PlacementTotals, TotalsResponse};
use api::{AdCampaign, AdModel, AdTable, TableVariant};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use operator::clock::Clock as _;
use operator::controller::{Context, reconcile};
use operator::leader::Leadership;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::chart;
use crate::passes::reviewed;
use crate::quiet::HandClock;
use crate::server::Server;

const BEGINS: &str = "2026-11-24T08:00:00Z";

/// A cluster with one campaign after the other, each of the same name in a namespace of its own, which is printed as `shop`.
pub(super) struct Stage {
    server: Server,
    client: Client,
    pub(super) clock: Arc<HandClock>,
    context: Arc<Context>,
    counted: Arc<Mutex<Option<TotalsResponse>>>,
    kubectl: PathBuf,
}

impl Stage {
    pub(super) async fn set() -> anyhow::Result<Self> {
        let server = Server::start().await?;
        let client = server.client().await?;
        let clock = Arc::new(HandClock::at(BEGINS.parse()?));
        let counted = Arc::default();
        let ledger = ledger(Arc::clone(&counted)).await?;
        for object in chart::rendered_of(&["admission/reviews.yaml"], &[]).await? {
            chart::apply(&client, &object, &PatchParams::apply("test")).await?;
        }
        let policy = Some("broadside-reviews.broadside.dev".to_owned());
        let context = reviewed(client.clone(), &ledger, clock.clone(), Leadership::alone(), policy)?;
        let kubectl = cluster::tools::kubectl().await?;
        Ok(Self { server, client, clock, context: Arc::new(context), counted, kubectl })
    }

    /// The campaign of a state, once the operator has seen it.
    pub(super) async fn begin(&self, state: &str, spec: &Value) -> anyhow::Result<Act<'_>> {
        let namespace = format!("of-{}", state.to_lowercase());
        let made = json!({"metadata": {"name": namespace}});
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.create(&PostParams::default(), &serde_json::from_value(made)?).await?;
        let campaigns: Api<AdCampaign> = Api::namespaced(self.client.clone(), &namespace);
        let campaign = json!({
            "apiVersion": "broadside.dev/v1alpha1", "kind": "AdCampaign",
            "metadata": {"name": "trail"}, "spec": spec,
        });
        let act = Act { stage: self, namespace, campaigns, began: self.clock.now(), shown: String::new() };
        act.create::<AdModel>(&model()).await?;
        act.create::<AdCampaign>(&campaign).await?;
        self.count(None);
        act.passes(3).await?;
        Ok(act)
    }

    /// What the ledger answers from now on; where that is nothing, it does not.
    pub(super) fn count(&self, totals: Option<TotalsResponse>) {
        *self.counted.lock().expect("nobody panics while holding it") = totals;
    }
}

/// One campaign, and what was shown of it.
pub(super) struct Act<'s> {
    stage: &'s Stage,
    namespace: String,
    campaigns: Api<AdCampaign>,
    began: Timestamp,
    pub(super) shown: String,
}

impl Act<'_> {
    async fn create<K>(&self, object: &Value) -> anyhow::Result<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned,
    {
        let objects: Api<K> = Api::namespaced(self.stage.client.clone(), &self.namespace);
        Ok(objects.create(&PostParams::default(), &serde_json::from_value(object.clone())?).await?)
    }

    /// Passes of the operator: a spec that is not right fails its own, and says so.
    pub(super) async fn passes(&self, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            let campaign = Arc::new(self.campaigns.get("trail").await?);
            let _told_in_status = reconcile(campaign, Arc::clone(&self.stage.context)).await;
        }
        Ok(())
    }

    /// People who saw the copy of the round in force, and those who did what the metric counts, by arm.
    pub(super) async fn count(&self, counted: &[(u64, u64)]) -> anyhow::Result<()> {
        let tables: Api<AdTable> = Api::namespaced(self.stage.client.clone(), &self.namespace);
        let table = tables.list(&ListParams::default()).await?.items.pop().context("a table")?;
        let row = &table.spec.placements[0];
        let round = row.rounds.last().context("a round")?;
        let cell = |(variant, &(exposures, rewards)): (&TableVariant, &(u64, u64))| CellTotals {
            round: round.number,
            segment: "all".to_owned(),
            variant: variant.name.clone(),
            decisions: Some(exposures),
            exposures,
            rewards: rewards as f64,
            squared_rewards: rewards as f64,
            covariate: None,
            late: LateTotals::default(),
            unconfirmed_clicks: 0,
        };
        let placement = PlacementTotals {
            name: row.name.clone(),
            seed: row.seed,
            pending_exposures: 0,
            cells: row.variants.iter().zip(counted).map(cell).collect(),
            guardrails: Vec::new(),
        };
        let totals = TotalsResponse {
            campaign: table.spec.campaign.uid.clone(),
            as_of: self.stage.clock.now(),
            placements: vec![placement],
        };
        self.stage.count(Some(totals));
        self.passes(3).await
    }

    /// Runs a line as it is printed, in a shell.
    pub(super) async fn show(&mut self, line: &str) -> anyhow::Result<()> {
        let run = line.replace("-n shop", &format!("-n {}", self.namespace));
        let folder = self.stage.kubectl.parent().context("a folder")?.display();
        let mut command = Command::new("sh");
        command.args(["-c", &run]).env("KUBECONFIG", self.stage.server.kubeconfig());
        command.env("PATH", format!("{folder}:{}", std::env::var("PATH")?));
        let output = command.stdin(Stdio::null()).output().await?;
        ensure!(output.status.success(), "{run}: {}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout)?.replace(&self.namespace, "shop");
        let printed: Vec<String> = printed.lines().map(|line| self.aged(line)).collect();
        self.shown += &format!("$ {line}\n{}\n", printed.join("\n"));
        Ok(())
    }

    /// Rows of tables end with their age, which is that of the machine's clock.
    fn aged(&self, line: &str) -> String {
        let line = line.trim_end();
        let (begin, last) = line.rsplit_once(' ').unwrap_or_default();
        let is_age = last.strip_suffix('s').is_some_and(|number| number.parse::<u32>().is_ok());
        let hours = self.stage.clock.now().duration_since(self.began).as_hours();
        match hours {
            _ if !is_age => line.to_owned(),
            0 => format!("{begin} 1m"),
            1..48 => format!("{begin} {hours}h"),
            _ => format!("{begin} {}d", hours / 24),
        }
    }

    /// A pod of the Job, of which a scheduler says that no node takes it. A Job's name has the campaign's UID in it, and so is
    /// another each time.
    pub(super) async fn unscheduled(&self) -> anyhow::Result<()> {
        let status = self.campaigns.get("trail").await?.status.context("a status")?;
        let job = status.generation.context("a Job")?.job;
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "adc-trail-97221dbd-x7x2p", "labels": {"batch.kubernetes.io/job-name": job}},
            "spec": {"containers": [{"name": "worker", "image": "worker"}]},
        });
        let name = self.create::<Pod>(&pod).await?.name_any();
        let condition = json!({
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
        });
        let patch = Patch::Merge(json!({"status": {"conditions": [condition]}}));
        let pods: Api<Pod> = Api::namespaced(self.stage.client.clone(), &self.namespace);
        pods.patch_status(&name, &PatchParams::default(), &patch).await?;
        self.passes(1).await
    }
}

/// What the worker of a page's campaign needs.
fn model() -> Value {
    json!({
        "apiVersion": "broadside.dev/v1alpha1", "kind": "AdModel", "metadata": {"name": "handbill"},
        "spec": {
            "source": {"image": {"reference": "registry.example/handbill:1"}},
            "resources": {"limits": {"nvidia.com/gpu": "1"}},
        },
    })
}

/// A ledger that answers with what was counted, and where nothing was with an error.
async fn ledger(counted: Arc<Mutex<Option<TotalsResponse>>>) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let totals = move || {
        let counted = counted.lock().expect("nobody panics while holding it").clone();
        std::future::ready(counted.map(Json).ok_or(StatusCode::SERVICE_UNAVAILABLE))
    };
    let router = Router::new().route("/v1/totals", get(totals));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}
