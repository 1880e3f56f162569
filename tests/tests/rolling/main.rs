//! A release all pods of which are replaced while people come, on a real cluster. Needs root.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::Client;
use serde_json::{Value, json};
use stage::installation::Release;
use stage::programs::repository;
use stage::{Installation, Options};

/// A machine that compiles at the same time takes its time.
const MINUTES: Duration = Duration::from_secs(60);

/// The release's pods, those that end included.
const PODS: &str = "-n broadside-system get pods -o jsonpath={.items[*].metadata.uid}";

#[tokio::test]
async fn who_comes_while_all_pods_are_replaced_gets_what_they_got_and_is_counted() -> anyhow::Result<()> {
    let stage = Installation::start(Options::of_test(Release::default())).await?;
    stage.kubectl.run("create namespace shop").await?;
    stage.kubectl.feed("apply -f -", include_str!("campaign.yaml")).await?;
    stage.kubectl.run("-n shop wait --for=condition=Ready adcampaign/trail --timeout=60s").await?;
    let before = stage.kubectl.run(PODS).await?;
    let ends = Arc::new(AtomicBool::new(false));
    let people = tokio::spawn(come(
        Client::builder().pool_max_idle_per_host(0).build()?,
        (stage.gateway.clone(), stage.ledger.clone()),
        Arc::clone(&ends),
    ));

    let chart = repository().join("charts/broadside").display().to_string();
    let values = ["gateway", "ledger", "operator"].map(|part| format!("{part}.podAnnotations.replaced=yes"));
    let line = [
        "upgrade",
        "broadside",
        &chart,
        "--namespace",
        "broadside-system",
        "--reuse-values",
        "--wait",
        "--timeout",
        "4m",
    ];
    stage
        .helm
        .run_all(line.into_iter().chain(values.iter().flat_map(|value| ["--set-string", value])))
        .await?;
    let is_new = |pods: &str| !pods.is_empty() && !pods.split(' ').any(|pod| before.contains(pod));
    stage.kubectl.until(PODS, MINUTES, is_new).await?;

    ends.store(true, Relaxed);
    let seen = people.await??;
    let samples = "-n shop get adcampaign trail -o jsonpath={.status.placements[0].samples}";
    stage.kubectl.until(samples, 2 * MINUTES, |samples| samples == seen.to_string()).await?;
    let rounds = "-n shop get adcampaign trail -o jsonpath={.status.placements[0].round.number}";
    ensure!(stage.kubectl.run(rounds).await? == "1", "no upgrade begins a round");
    Ok(())
}

/// They come one by one until it ends, and with each one of before comes again: a gateway always answers, and the same person always
/// the same. Each sees what they got, and tells it until it is taken.
async fn come(
    client: Client,
    (gateway, ledger): (String, String),
    ends: Arc<AtomicBool>,
) -> anyhow::Result<usize> {
    let mut given: Vec<Value> = Vec::new();
    while !ends.load(Relaxed) {
        let person = given.len();
        let decision = decide(&client, &gateway, person).await?;
        given.push(decision["variant"].clone());
        tell(&client, &ledger, &decision["token"]).await?;
        let again = decide(&client, &gateway, person / 2).await?;
        ensure!(again["variant"] == given[person / 2], "person {} gets another: {again}", person / 2);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(given.len())
}

/// One that counts: a gateway that does not know the campaign yet says so.
async fn decide(client: &Client, gateway: &str, person: usize) -> anyhow::Result<Value> {
    let question =
        json!({"namespace": "shop", "campaign": "trail", "placement": "hero", "subject": person.to_string()});
    let decision = post(client, &format!("{gateway}/v1/decide"), &question).await;
    let decision = decision.with_context(|| format!("person {person} got no answer"))?;
    ensure!(decision["reason"] == json!("Assigned"), "person {person}: {decision}");
    Ok(decision)
}

/// Tells an exposure, again while the ledger is away, as senders are to.
async fn tell(client: &Client, ledger: &str, token: &Value) -> anyhow::Result<()> {
    let events = json!({"events": [{"id": "e", "token": token, "type": "exposure"}]});
    let mut last = String::new();
    for _ in 0..600 {
        match post(client, &format!("{ledger}/v1/events"), &events).await {
            Ok(answer)
                if ["accepted", "duplicate"].map(Value::from).contains(&answer["outcomes"][0]["outcome"]) =>
            {
                return Ok(());
            }
            Ok(answer) => last = answer.to_string(),
            Err(error) => last = format!("{error:#}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    anyhow::bail!("an event is not taken: {last}")
}

async fn post(client: &Client, url: &str, body: &Value) -> anyhow::Result<Value> {
    let answer = client.post(url).json(body).send().await?.error_for_status()?;
    Ok(answer.json().await?)
}
