//! What a thousand campaigns cost: time, memory, and questions to a real API server, beside the bounds that were set for them.
//!
//! `make bench-many`, or with other numbers `make bench-many CAMPAIGNS=200`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints")]

#[path = "../tests/plane/gateway.rs"]
mod gateway;
#[expect(dead_code, reason = "some of it is for tests")]
#[path = "../tests/plane/server.rs"]
mod server;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use api::AdCampaign;
use futures::{StreamExt, TryStreamExt};
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use stage::programs;
use tokio::process::{Child, Command};

use gateway::GatewayProcess;
use server::Server;

/// How long the idle system is watched.
const IDLE: Duration = Duration::from_secs(120);

/// It is idle once nothing is left to set up; the first figures are told a minute after the first.
const SETTLES: Duration = Duration::from_secs(90);

/// Nobody waits for longer.
const PATIENCE: Duration = Duration::from_secs(1200);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let number = std::env::var("CAMPAIGNS").ok().map_or(Ok(1000), |text| text.parse())?;
    let server = Server::start().await?;
    let ledger = GatewayProcess::start("ledger", &server.kubeconfig()).await?;
    let client = server.client().await?;
    let began = Instant::now();
    create(&client, number).await?;
    println!("{number} campaigns of 4 placements, made in {:.0} s", began.elapsed().as_secs_f64());

    let operator = Operator::start(&server.kubeconfig(), &ledger.url)?;
    let ready = operator.until_all_are_ready(&client, number).await?;
    row("all set up, from nothing", &format!("{:.0} s", ready.as_secs_f64()), "");
    drop(operator);

    let operator = Operator::start(&server.kubeconfig(), &ledger.url)?;
    let seen = operator.until_passes(number).await?;
    row("start-up to synced", &format!("{:.1} s", seen.as_secs_f64()), "60 s");
    tokio::time::sleep(SETTLES).await;
    let before = operator.metrics().await?;
    tokio::time::sleep(IDLE).await;
    let after = operator.metrics().await?;
    let per_second = |name: &str| (after.sum(name) - before.sum(name)) / IDLE.as_secs_f64();
    let of_idle = per_second("broadside_operator_api_requests_total");
    row("requests to the API server, idle", &format!("{of_idle:.2}/s"), "1/s");
    row("passes, idle", &format!("{:.1}/s", per_second("broadside_operator_passes_total")), "");
    let (median, tail) = (after.quantile(&before, 0.5), after.quantile(&before, 0.99));
    row("a pass, idle: half of them within", &format!("{:.0} ms", median * 1e3), "");
    row("a pass, idle: 99 of 100 within", &format!("{:.0} ms", tail * 1e3), "50 ms");
    row("memory, the most that it was", &format!("{} MB", operator.most_memory()? / 1000), "250 MB");
    Ok(())
}

fn row(what: &str, found: &str, bound: &str) {
    println!(
        "{what:<40} {found:>12} {}",
        if bound.is_empty() { String::new() } else { format!("   bound {bound}") }
    );
}

async fn create(client: &Client, number: usize) -> anyhow::Result<()> {
    let campaigns: Api<AdCampaign> = Api::namespaced(client.clone(), "default");
    let made = futures::stream::iter(0..number).map(|index| {
        let campaigns = campaigns.clone();
        async move {
            campaigns.create(&PostParams::default(), &campaign(index)?).await.map_err(anyhow::Error::from)
        }
    });
    made.buffer_unordered(16).try_for_each(async |_| Ok(())).await
}

fn campaign(index: usize) -> anyhow::Result<AdCampaign> {
    let placement = |name: &str| {
        json!({
            "name": name, "format": "WebBanner", "delivery": {"gateway": {}},
            "control": {"headline": format!("Meet the Aero Trail {index}"), "button": "Shop now"},
            "challengers": [{"headline": format!("Your trail {index} is waiting"), "button": "Shop now"}],
            "metric": {"name": "product-view", "kind": "Binary", "window": "30m"},
        })
    };
    let placements: Vec<Value> = ["hero", "cart", "footer", "mail"].map(placement).into();
    Ok(serde_json::from_value(json!({
        "apiVersion": "broadside.dev/v1alpha1", "kind": "AdCampaign",
        "metadata": {"name": format!("many-{index}"), "namespace": "default"},
        "spec": {"brief": {"product": format!("Aero Trail {index}")}, "placements": placements},
    }))?)
}

/// The operator, in a process of its own.
struct Operator {
    process: Child,
    url: String,
    began: Instant,
}

impl Operator {
    fn start(kubeconfig: &Path, ledger: &str) -> anyhow::Result<Self> {
        let program = std::env::var_os("OPERATOR")
            .map_or_else(|| programs::ours("operator"), |it| Ok(PathBuf::from(it)))?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let began = Instant::now();
        let process = Command::new(program)
            .args(["--worker-image=broadside/worker:1", "--key-namespace=default", "--log=warn"])
            .arg(format!("--listen=127.0.0.1:{port}"))
            .arg(format!("--ledger-url={ledger}"))
            .env("KUBECONFIG", kubeconfig)
            .kill_on_drop(true)
            .spawn()
            .context("starting the operator")?;
        Ok(Self { process, url: format!("http://127.0.0.1:{port}/metrics"), began })
    }

    async fn until_all_are_ready(&self, client: &Client, number: usize) -> anyhow::Result<Duration> {
        let campaigns: Api<AdCampaign> = Api::namespaced(client.clone(), "default");
        let is_ready = |it: &AdCampaign| {
            let conditions = it.status.iter().flat_map(|status| &status.conditions);
            conditions.into_iter().any(|it| it.type_ == "Ready" && it.status == "True")
        };
        loop {
            let ready =
                campaigns.list(&ListParams::default()).await?.items.iter().filter(|it| is_ready(it)).count();
            if ready == number {
                return Ok(self.began.elapsed());
            }
            ensure!(self.began.elapsed() < PATIENCE, "only {ready} of {number} campaigns are ready");
            eprint!("\r{ready} of {number} are ready ");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Until each campaign has had its pass.
    async fn until_passes(&self, number: usize) -> anyhow::Result<Duration> {
        loop {
            let passes = self.metrics().await.map_or(0.0, |it| it.sum("broadside_operator_passes_total"));
            if passes >= number as f64 {
                return Ok(self.began.elapsed());
            }
            ensure!(self.began.elapsed() < PATIENCE, "only {passes} passes");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn metrics(&self) -> anyhow::Result<Metrics> {
        Ok(Metrics(reqwest::get(&self.url).await?.error_for_status()?.text().await?))
    }

    /// In kB, since it was started.
    fn most_memory(&self) -> anyhow::Result<u64> {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id().context("it runs")?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

/// What Prometheus reads.
struct Metrics(String);

impl Metrics {
    /// The sum over all labels.
    fn sum(&self, name: &str) -> f64 {
        self.named(name).map(|(_, value)| value).sum()
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        let lines = self.0.lines().filter_map(move |line| line.strip_prefix(name));
        lines
            .filter_map(|rest| rest.rsplit_once(' '))
            .filter_map(|(labels, value)| Some((labels, value.parse().ok()?)))
    }

    /// The smallest bound that so many of the passes since `before` kept, in seconds.
    fn quantile(&self, before: &Self, share: f64) -> f64 {
        let bucket = "broadside_operator_pass_seconds_bucket";
        let bound = |labels: &str| {
            let text = labels.trim_start_matches("{le=\"").trim_end_matches("\"}");
            text.parse().unwrap_or(f64::INFINITY)
        };
        let counts: Vec<(f64, f64)> = self
            .named(bucket)
            .zip(before.named(bucket))
            .map(|((labels, after), (_, before))| (bound(labels), after - before))
            .collect();
        let all = counts.last().map_or(0.0, |(_, count)| *count);
        counts.iter().find(|(_, count)| *count >= share * all).map_or(f64::NAN, |(bound, _)| *bound)
    }
}
