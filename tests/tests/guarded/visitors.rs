//! Those who come: over TLS, with a key, and some of them see what they are given.

use std::time::Duration;

use anyhow::{Context, ensure};
use api::wire::totals::TotalsResponse;
use reqwest::{Certificate, Client, StatusCode, Url};
use serde_json::{Value, json};
use stage::Installation;

pub(crate) const GATEWAY: &str = "broadside-gateway.broadside-system.svc";
pub(crate) const LEDGER: &str = "broadside-ledger.broadside-system.svc";

/// How many come to each campaign, and how many of them see what they are given.
pub(crate) const PEOPLE: u64 = 40;
pub(crate) const SEEN: u64 = 30;

/// What asks for them.
pub(crate) struct Visitors {
    client: Client,
    key: &'static str,
}

impl Visitors {
    /// They trust that authority, and find the release by its names.
    pub(crate) fn new(stage: &Installation, authority: &str, key: &'static str) -> anyhow::Result<Self> {
        // Whoever installed one before was a test of ours.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Each request has a connection of its own, which may lead to another pod.
        let trusted = Certificate::from_pem(authority.as_bytes())?;
        let mut client = Client::builder().tls_certs_only([trusted]).pool_max_idle_per_host(0);
        for (name, url) in [(GATEWAY, &stage.gateway), (LEDGER, &stage.ledger)] {
            let url: Url = url.parse()?;
            ensure!(url.scheme() == "https", "{url} says that it is not encrypted");
            let address = url.socket_addrs(|| None)?.into_iter().next().context("an address")?;
            client = client.resolve(name, address);
        }
        Ok(Self { client: client.build()?, key })
    }

    /// They come to a campaign, and their events are taken by gateways and ledgers in turn.
    pub(crate) async fn come(&self, campaign: &str) -> anyhow::Result<()> {
        for person in 0..PEOPLE {
            let question = json!({"namespace": "shop", "campaign": campaign, "placement": "hero", "subject": person.to_string()});
            let decision = self.assigned(&question).await?;
            if person < SEEN {
                let events = json!({"events": [{"id": "e", "token": decision["token"], "type": "exposure"}]});
                let takes =
                    if person % 2 == 0 { format!("{GATEWAY}:8080") } else { format!("{LEDGER}:8081") };
                let answer = self.post(&format!("https://{takes}/v1/events"), &events).await?;
                ensure!(answer["outcomes"][0]["outcome"] == json!("accepted"), "{answer}");
            }
        }
        Ok(())
    }

    /// A decision that counts, once the gateway that is asked has the table.
    async fn assigned(&self, question: &Value) -> anyhow::Result<Value> {
        let mut last = Value::Null;
        for _ in 0..100 {
            last = self.post(&format!("https://{GATEWAY}:8080/v1/decide"), question).await?;
            if last["reason"] == json!("Assigned") {
                return Ok(last);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("nobody is assigned: {last}")
    }

    /// The decisions that are told of a campaign; none where nobody tells any. The service leads to any of the ledgers, so
    /// that it is asked until the right one answers.
    pub(crate) async fn decisions(&self, uid: &str, token: &str) -> anyhow::Result<Option<u64>> {
        let url = format!("https://{LEDGER}:8081/v1/totals?campaign={uid}");
        for _ in 0..100 {
            let response = self.client.get(&url).bearer_auth(token).send().await?;
            if response.status() == StatusCode::MISDIRECTED_REQUEST {
                continue;
            }
            let totals: TotalsResponse = response.error_for_status()?.json().await?;
            let cells = totals.placements.iter().flat_map(|placement| &placement.cells);
            return Ok(cells.map(|cell| cell.decisions).sum());
        }
        anyhow::bail!("no ledger has {uid}")
    }

    pub(crate) async fn are_turned_away_without_a_key(&self) -> anyhow::Result<()> {
        let request = self.client.post(format!("https://{GATEWAY}:8080/v1/decide")).body("{}");
        ensure!(request.send().await?.status() == StatusCode::UNAUTHORIZED);
        let plain = self.client.get(format!("http://{GATEWAY}:8080/healthz")).send().await;
        ensure!(!plain.is_ok_and(|answer| answer.status().is_success()), "it is answered in plain text");
        Ok(())
    }

    async fn post(&self, url: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.client.post(url).bearer_auth(self.key).json(body);
        Ok(request.send().await?.json().await?)
    }
}
