//! An API server with our definitions and a policy of reviews, a ledger, and operators.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::ensure;
use api::Scope;
use api::{AdCampaign, AdModel, AdReview, AdTable, AdVariant};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use operator::clock::Clock;
use operator::controller::{Context, run};
use operator::leader::Leadership;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::fault::{Fate, Faults, client};
use crate::gateway::GatewayProcess;
use crate::passes::reviewed;
use crate::server::Server;

/// All that a test has.
pub(crate) struct World {
    pub(crate) server: Server,
    /// That of whoever looks on: nothing goes wrong with it.
    pub(crate) client: Client,
    pub(crate) clock: Arc<StandingClock>,
    pub(crate) ledger: GatewayProcess,
    policy_since: Instant,
}

/// A clock that stands still until it is moved, so that two lives have the same times.
pub(crate) struct StandingClock(Mutex<Timestamp>);

/// An operator, which ends with this value.
pub(crate) struct Operator(JoinHandle<()>);

impl Drop for Operator {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("nobody panics while holding it")
    }
}

impl StandingClock {
    pub(crate) fn set(&self, moment: Timestamp) {
        *self.0.lock().expect("nobody panics while holding it") = moment;
    }

    pub(crate) fn jump(&self, by: SignedDuration) {
        *self.0.lock().expect("nobody panics while holding it") += by;
    }
}

const POLICY: &str = "reviews.example.com";

/// How long a policy has to be there before what it lets pass counts, and some more.
const POLICY_IN_FORCE: Duration = Duration::from_secs(12);

/// How long after the worst day all is well again.
const A_MINUTE: Duration = Duration::from_secs(60);

/// Faults of a good day.
pub(crate) fn none() -> Faults {
    Arc::new(|_| Fate::Passes)
}

impl World {
    /// A world without the controllers of Kubernetes: objects stay as they were written.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Self::around(Server::start().await?).await
    }

    /// The world of that server.
    pub(crate) async fn around(server: Server) -> anyhow::Result<Self> {
        let client = server.client().await?;
        let ledger = GatewayProcess::start("ledger", &server.kubeconfig()).await?;
        let clock = Arc::new(StandingClock(Mutex::new(Timestamp::now())));
        let world = Self { server, client, clock, ledger, policy_since: Instant::now() };
        world.hold_reviews_to_a_policy().await?;
        Ok(world)
    }

    /// The simplest one that the operator takes for one. What the chart's says is tested elsewhere.
    async fn hold_reviews_to_a_policy(&self) -> anyhow::Result<()> {
        let rule = json!({"apiGroups": ["broadside.dev"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["adreviews"]});
        let policy: ValidatingAdmissionPolicy = serde_json::from_value(json!({
            "metadata": {"name": POLICY},
            "spec": {
                "failurePolicy": "Fail", "matchConstraints": {"resourceRules": [rule]},
                "validations": [{"expression": "true"}],
            },
        }))?;
        let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(json!({
            "metadata": {"name": POLICY}, "spec": {"policyName": POLICY, "validationActions": ["Deny"]},
        }))?;
        Api::all(self.client.clone()).create(&PostParams::default(), &policy).await?;
        Api::all(self.client.clone()).create(&PostParams::default(), &binding).await?;
        Ok(())
    }

    /// Returns once what people say counts.
    pub(crate) async fn policy_in_force(&self) {
        tokio::time::sleep_until(self.policy_since + POLICY_IN_FORCE).await;
    }

    /// An operator that meets `faults`.
    pub(crate) async fn operator(&self, faults: Faults) -> anyhow::Result<Operator> {
        let context = self.context(faults).await?;
        Ok(Operator(tokio::spawn(runs(context))))
    }

    /// The same; once it is `killed`, another takes its place, and meets no faults.
    pub(crate) async fn operators(&self, faults: Faults, killed: Arc<Notify>) -> anyhow::Result<Operator> {
        let (first, second) = (self.context(faults).await?, self.context(none()).await?);
        Ok(Operator(tokio::spawn(async move {
            tokio::select! {
                () = killed.notified() => {}
                () = runs(first) => {}
            }
            runs(second).await;
        })))
    }

    async fn context(&self, faults: Faults) -> anyhow::Result<Context> {
        let (client, clock) = (client(self.server.config().await?, faults)?, Arc::clone(&self.clock));
        let policy = Some(POLICY.to_owned());
        reviewed(client, &self.ledger.url, clock, Leadership::alone(), policy)
    }

    /// The objects of a kind in the one namespace.
    pub(crate) fn objects<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), "default")
    }

    pub(crate) async fn list<K>(&self) -> anyhow::Result<Vec<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        Ok(self.objects::<K>().list(&ListParams::default()).await?.items)
    }

    pub(crate) async fn create<K>(&self, object: &Value) -> anyhow::Result<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Serialize
            + Debug,
    {
        let object: K = serde_json::from_value(object.clone())?;
        Ok(self.objects().create(&PostParams::default(), &object).await?)
    }

    /// Has the operator look at a campaign: it looks by itself when time has passed, and here none does.
    pub(crate) async fn nudge(&self, campaign: &str) -> anyhow::Result<()> {
        let now = Timestamp::now().to_string();
        let patch = json!({"metadata": {"annotations": {"example.com/looked-at": now}}});
        self.objects::<AdCampaign>().patch(campaign, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Takes away whatever a life has left.
    pub(crate) async fn clear(&self) -> anyhow::Result<()> {
        self.clear_of::<AdCampaign>().await?;
        self.clear_of::<AdModel>().await?;
        self.clear_of::<AdReview>().await?;
        self.clear_of::<AdTable>().await?;
        self.clear_of::<AdVariant>().await?;
        self.clear_of::<Job>().await?;
        self.clear_of::<ConfigMap>().await?;
        self.clear_of::<ServiceAccount>().await?;
        self.clear_of::<RoleBinding>().await
    }

    async fn clear_of<K>(&self) -> anyhow::Result<()>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let (now, all) = (DeleteParams::background().grace_period(0), ListParams::default());
        self.objects::<K>().delete_collection(&now, &all).await?;
        Ok(())
    }
}

/// Waits until it holds. Whoever looks may be refused meanwhile.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + A_MINUTE;
    loop {
        let found = holds().await;
        if matches!(found, Ok(true)) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{what}: not within a minute: {found:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// It ends with the task.
async fn runs(context: Context) {
    run(context, &Scope::All, std::future::pending()).await;
}
