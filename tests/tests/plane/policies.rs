//! What the platform team asks of campaigns is held by the API server itself: no operator runs here.

use anyhow::{Context as _, bail, ensure};
use api::{AdCampaign, AdPolicy};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::chart;
use crate::server::{Server, until};

struct Stage {
    _server: Server,
    campaigns: Api<AdCampaign>,
    policies: Api<AdPolicy>,
}

impl Stage {
    async fn set() -> anyhow::Result<Self> {
        let server = Server::start().await?;
        let client = server.client().await?;
        let shop = json!({"metadata": {"name": "shop", "labels": {"tier": "production", "team": "web"}}});
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces.create(&PostParams::default(), &serde_json::from_value(shop)?).await?;
        for object in chart::rendered_of(&["admission/campaigns.yaml"], &[]).await? {
            chart::apply(&client, &object, &PatchParams::apply("test")).await?;
        }
        let campaigns = Api::namespaced(client.clone(), "shop");
        let stage = Self { _server: server, policies: Api::all(client), campaigns };
        // Until the server knows the admission policy it takes everything, and then nothing before it has read all AdPolicies.
        stage
            .check(&json!({"minimumApproval": "Manual"}), &[refuses("ready", json!({}), "asks for Manual")])
            .await?;
        Ok(stage)
    }

    async fn policy(&self, name: &str, spec: &Value) -> anyhow::Result<()> {
        let policy = json!({
            "apiVersion": "broadside.dev/v1alpha1", "kind": "AdPolicy", "metadata": {"name": name}, "spec": spec,
        });
        self.policies.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&policy)).await?;
        Ok(())
    }

    /// What the API server says of a campaign that nobody keeps; nothing where it takes it.
    async fn refusal(&self, campaign: &Value) -> anyhow::Result<Option<String>> {
        let params = PostParams { dry_run: true, ..PostParams::default() };
        said(self.campaigns.create(&params, &serde_json::from_value(campaign.clone())?).await)
    }

    /// Policies reach admission by a watch, so the first case of each is waited for.
    async fn check(&self, policy: &Value, cases: &[Case]) -> anyhow::Result<()> {
        self.policy("platform", policy).await?;
        for Case { sentence, change, refused } in cases {
            let campaign = changed(change);
            let is_so = async || Ok(is_expected(self.refusal(&campaign).await?.as_deref(), *refused));
            let found = until(sentence, is_so).await;
            if found.is_err() {
                bail!("{sentence}: expected {refused:?}, with {policy} {:?}", self.refusal(&campaign).await?);
            }
        }
        self.policies.delete("platform", &DeleteParams::default()).await?;
        until("no policy", async || Ok(self.refusal(&campaign()).await?.is_none())).await
    }
}

fn said<K>(answer: kube::Result<K>) -> anyhow::Result<Option<String>> {
    match answer {
        Ok(_) => Ok(None),
        Err(kube::Error::Api(status)) => Ok(Some(status.message.clone())),
        Err(error) => Err(error.into()),
    }
}

fn is_expected(said: Option<&str>, expected: Option<&str>) -> bool {
    match (said, expected) {
        (None, None) => true,
        (Some(said), Some(part)) => said.contains(part),
        _ => false,
    }
}

/// One campaign under a policy.
struct Case {
    sentence: &'static str,
    /// What it says besides, merged into [`campaign`].
    change: Value,
    refused: Option<&'static str>,
}

fn takes(sentence: &'static str, change: Value) -> Case {
    Case { sentence, change, refused: None }
}

fn refuses(sentence: &'static str, change: Value, with: &'static str) -> Case {
    Case { sentence, change, refused: Some(with) }
}

/// A campaign as most people write it.
fn campaign() -> Value {
    json!({
        "apiVersion": "broadside.dev/v1alpha1", "kind": "AdCampaign", "metadata": {"name": "trail"},
        "spec": {"brief": {"product": "Aero Trail 3"}, "placements": [placement(&json!({}))]},
    })
}

fn placement(change: &Value) -> Value {
    let mut placement = json!({
        "name": "hero", "format": "WebBanner", "delivery": {"gateway": {}},
        "control": {"headline": "Meet it", "button": "Go"}, "challengers": [{"headline": "Run", "button": "Go"}],
        "metric": {"name": "product-view", "kind": "Binary", "window": "1m"},
    });
    merge(&mut placement, change);
    placement
}

fn placements(change: &Value) -> Value {
    json!({"placements": [placement(change)]})
}

fn changed(change: &Value) -> Value {
    let mut campaign = campaign();
    merge(&mut campaign["spec"], change);
    campaign
}

fn merge(into: &mut Value, change: &Value) {
    for (key, value) in change.as_object().into_iter().flatten() {
        into[key] = value.clone();
    }
}

fn generation(budget: &Value) -> Value {
    json!({"generation": {"model": "handbill", "budget": budget}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_that_asks_for_less_than_a_policy_is_refused_with_field_and_remedy() -> anyhow::Result<()>
{
    let stage = Stage::set().await?;
    stage
        .check(
            &json!({"minimumApproval": "Manual"}),
            &[
                refuses(
                    "nobody has to agree",
                    json!({}),
                    "spec.approval is Automatic, and AdPolicy platform asks for Manual or FourEyes: write that",
                ),
                takes("one has", json!({"approval": "Manual"})),
                takes("two have", json!({"approval": "FourEyes"})),
            ],
        )
        .await?;
    stage
        .check(
            &json!({"minimumApproval": "FourEyes"}),
            &[
                refuses("one agrees", json!({"approval": "Manual"}), "asks for FourEyes: write that"),
                takes("two do", json!({"approval": "FourEyes"})),
            ],
        )
        .await?;
    let embedder = json!({"generation": {"model": "handbill", "embedder": {"model": "minilm"}}});
    let other = json!({"generation": {"model": "opus"}});
    stage
        .check(
            &json!({"generation": {"models": ["handbill", "writer"]}}),
            &[
                refuses(
                    "another model",
                    other,
                    "spec.generation names the model opus, and AdPolicy platform allows handbill, writer: name one of these",
                ),
                refuses("another embedder", embedder, "names the model minilm"),
                takes("no model", json!({})),
                takes("one of the models", json!({"generation": {"model": "writer"}})),
            ],
        )
        .await?;
    budgets(&stage).await?;
    tokens(&stage).await?;
    each_placement(&stage).await
}

async fn budgets(stage: &Stage) -> anyhow::Result<()> {
    let policy = json!({"generation": {"maximumBudget": {"gpuSeconds": 3600, "duration": "1d12h"}}});
    let gpu =
        "spec.generation.budget.gpuSeconds is 3601, and AdPolicy platform asks for 3600 at most: write that";
    let time =
        "spec.generation.budget.duration is 2d, and AdPolicy platform asks for 1d12h at most: write that";
    let (no_gpu, no_time) = ("budget.gpuSeconds is not set, and", "budget.duration is not set, and");
    stage
        .check(
            &policy,
            &[
                refuses("no budget", json!({"generation": {"model": "handbill"}}), no_gpu),
                refuses("more GPU", generation(&json!({"gpuSeconds": 3601, "duration": "1h"})), gpu),
                refuses("no time", generation(&json!({"gpuSeconds": 3600})), no_time),
                refuses(
                    "a longer time",
                    generation(&json!({"gpuSeconds": 9, "duration": "36h1s"})),
                    "duration is 36h1s, and",
                ),
                refuses("many days", generation(&json!({"gpuSeconds": 9, "duration": "2d"})), time),
                takes("all of it", generation(&json!({"gpuSeconds": 3600, "duration": "36h"}))),
                takes("less", generation(&json!({"gpuSeconds": 9, "duration": "1d45s"}))),
                takes("no model, no budget", json!({})),
            ],
        )
        .await
}

async fn tokens(stage: &Stage) -> anyhow::Result<()> {
    let policy = json!({"generation": {"maximumBudget": {"tokens": 50_000}}});
    let most =
        "spec.generation.budget.tokens is 50001, and AdPolicy platform asks for 50000 at most: write that";
    stage
        .check(
            &policy,
            &[
                refuses("no bound", generation(&json!({"gpuSeconds": 9})), "budget.tokens is not set, and"),
                refuses("a higher one", generation(&json!({"tokens": 50_001})), most),
                takes("the bound", generation(&json!({"tokens": 50_000}))),
            ],
        )
        .await
}

async fn each_placement(stage: &Stage) -> anyhow::Result<()> {
    let shares = json!({"placements": {"minimumFloor": "1.5%", "minimumControlShare": "15%"}});
    let policy = |floor: &str, control: &str| json!({"policy": {"floor": floor, "controlShare": control}});
    stage
        .check(
            &shares,
            &[
                refuses(
                    "the floor that is there unless it is set",
                    json!({}),
                    "placement hero: policy.floor is 1%, and AdPolicy platform asks for 1.5% at least: raise it",
                ),
                refuses(
                    "a low control share",
                    placements(&policy("1.5%", "9%")),
                    "placement hero: policy.controlShare is 9%, and AdPolicy platform asks for 15% at least: raise it",
                ),
                takes("enough", placements(&policy("1.5000%", "15.0%"))),
                takes("equal shares", placements(&json!({"policy": {"type": "Even"}}))),
            ],
        )
        .await?;
    let exposures = json!({"placements": {"maximumExposures": 100_000}});
    let most = |most: u32| placements(&json!({"stopping": {"maximumExposures": most}}));
    let write = "placement hero: stopping.maximumExposures is 100001, and AdPolicy platform asks for 100000 at most: write that";
    stage
        .check(
            &exposures,
            &[
                refuses("no bound", json!({}), "maximumExposures is not set, and"),
                refuses("a higher one", most(100_001), write),
                takes("the bound", most(100_000)),
            ],
        )
        .await?;
    let required = |more: Value| {
        let mut guardrail = json!({"metric": "bounce", "maximumIncrease": "50%"});
        merge(&mut guardrail, &more);
        json!({"placements": {"guardrails": [guardrail]}})
    };
    let guarded = |metric: &str, increase: &str, window: &str| {
        let metric = json!({"name": metric, "kind": "Binary", "window": window});
        placements(&json!({"guardrails": [{"metric": metric, "maximumIncrease": increase}]}))
    };
    let add = "placement hero: AdPolicy platform asks for guardrails on bounce with a maximumIncrease of at most 50%: add what is missing";
    stage
        .check(
            &required(json!({})),
            &[
                refuses("no guardrail", json!({}), add),
                refuses("another", guarded("refund", "10%", "1m"), add),
                refuses("one that lets more pass", guarded("bounce", "100%", "1m"), add),
                takes("one that lets less pass", guarded("bounce", "9%", "1s")),
            ],
        )
        .await?;
    let value = json!({"metric": {"name": "bounce", "kind": "Value", "cap": "9", "window": "2d"}, "maximumIncrease": "9%"});
    let value = placements(&json!({"guardrails": [value]}));
    let binary = "guardrails on bounce of kind Binary with a maximumIncrease of at most 50%: add";
    stage
        .check(
            &required(json!({"kind": "Binary"})),
            &[refuses("another kind", value, binary), takes("its kind", guarded("bounce", "9%", "1s"))],
        )
        .await?;
    let long =
        "guardrails on bounce with a maximumIncrease of at most 50% and a window of at least 1d12h: add";
    stage
        .check(
            &required(json!({"minimumWindow": "1d12h"})),
            &[
                refuses("a shorter window", guarded("bounce", "9%", "35h59m59s"), long),
                takes("the same window, written otherwise", guarded("bounce", "9%", "36h")),
                takes("a longer one", guarded("bounce", "9%", "2d")),
            ],
        )
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_holds_where_its_labels_are() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let asks = |selector: Value| json!({"minimumApproval": "Manual", "namespaceSelector": selector});
    let expression = |key: &str, operator: &str, values: &[&str]| {
        let mut expression = json!({"key": key, "operator": operator});
        if !values.is_empty() {
            expression["values"] = json!(values);
        }
        asks(json!({"matchExpressions": [expression]}))
    };
    let holds = [
        asks(json!({"matchLabels": {"tier": "production", "team": "web"}})),
        asks(json!({"matchLabels": {"kubernetes.io/metadata.name": "shop"}})),
        expression("tier", "In", &["staging", "production"]),
        expression("tier", "NotIn", &["staging"]),
        expression("color", "NotIn", &["red"]),
        expression("tier", "Exists", &[]),
        expression("color", "DoesNotExist", &[]),
    ];
    for policy in holds {
        stage.check(&policy, &[refuses("it holds", json!({}), "asks for Manual")]).await?;
    }
    // What holds nobody is told from what has not come yet by one that holds beside it.
    stage.policy("everywhere", &json!({"minimumApproval": "FourEyes"})).await?;
    let spares = [
        asks(json!({"matchLabels": {"tier": "production", "team": "app"}})),
        asks(json!({"matchLabels": {"color": "red"}})),
        expression("tier", "In", &["staging"]),
        expression("color", "In", &["red"]),
        expression("tier", "NotIn", &["production"]),
        expression("color", "Exists", &[]),
        expression("tier", "DoesNotExist", &[]),
    ];
    for (number, policy) in spares.iter().enumerate() {
        stage.policy(&format!("elsewhere-{number}"), policy).await?;
    }
    stage.policy("last", &json!({"generation": {"models": ["handbill"]}})).await?;
    let both = async || {
        let automatic = stage.refusal(&campaign()).await?;
        let model = json!({"generation": {"model": "opus"}, "approval": "FourEyes"});
        let model = stage.refusal(&changed(&model)).await?;
        Ok(is_expected(automatic.as_deref(), Some("AdPolicy everywhere asks"))
            && is_expected(model.as_deref(), Some("AdPolicy last allows")))
    };
    until("both", both).await?;
    for number in 0..spares.len() {
        let said = stage.refusal(&campaign()).await?.context("a refusal")?;
        ensure!(!said.contains(&format!("elsewhere-{number}")), "{said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_began_before_a_policy_can_be_suspended_and_not_be_weakened() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let params = PatchParams::apply("test").force();
    let apply =
        async |campaign: &Value| said(stage.campaigns.patch("trail", &params, &Patch::Apply(campaign)).await);
    if let Some(said) = apply(&campaign()).await? {
        bail!("there is no policy: {said}");
    }
    stage.policy("platform", &json!({"placements": {"minimumFloor": "5%"}})).await?;
    let refused = Some("policy.floor is 1%");
    until("the policy", async || Ok(is_expected(stage.refusal(&campaign()).await?.as_deref(), refused)))
        .await?;
    let suspended = changed(&json!({"suspend": true}));
    ensure!(apply(&suspended).await?.is_none());
    let ends = changed(&json!({"suspend": true, "schedule": {"endsAt": "2030-01-01T00:00:00Z"}}));
    ensure!(apply(&ends).await?.is_none());
    let other = changed(&placements(&json!({"policy": {"floor": "0.5%"}})));
    let said = apply(&other).await?.context("a refusal")?;
    ensure!(said.contains("policy.floor is 0.5%"), "{said}");
    Ok(())
}
