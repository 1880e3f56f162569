//! People who come to a real gateway, see copy, and act.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::gateway::GatewayProcess;

/// People at the gateway, for the placement hero of the campaign trail.
pub(crate) struct Visitors<'a> {
    http: reqwest::Client,
    gateway: &'a GatewayProcess,
}

impl<'a> Visitors<'a> {
    pub(crate) fn at(gateway: &'a GatewayProcess) -> Self {
        Self { http: reqwest::Client::new(), gateway }
    }

    pub(crate) async fn decide(&self, subject: &str) -> anyhow::Result<Value> {
        let question =
            json!({"namespace": "default", "campaign": "trail", "placement": "hero", "subject": subject});
        self.post("/v1/decide", &question).await
    }

    /// Sees copy, and does what the metric counts, where people who see that variant do.
    pub(crate) async fn visit(
        &self,
        person: usize,
        metric: &str,
        acts: impl Fn(&str) -> bool,
    ) -> anyhow::Result<()> {
        let decision = self.decide(&format!("visitor-{person}")).await?;
        let token = &decision["token"];
        let mut events = vec![json!({"id": "seen", "token": token, "type": "exposure"})];
        if acts(decision["variant"].as_str().context("a variant")?) {
            events.push(json!({"id": "acted", "token": token, "type": "reward", "metric": metric}));
        }
        let answer = self.post("/v1/events", &json!({ "events": events })).await?;
        let outcomes = answer["outcomes"].as_array().context("outcomes")?;
        ensure!(outcomes.iter().all(|it| it["outcome"] == "accepted"), "{answer}");
        Ok(())
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.http.post(format!("{}{path}", self.gateway.url)).json(body);
        Ok(request.timeout(Duration::from_secs(10)).send().await?.json().await?)
    }
}
