//! From people's events to a branch on a real git server, and a revert.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use api::condition::Type;
use api::{AdCampaign, Scope};
use kube::Api;
use kube::api::{DynamicObject, PatchParams, PostParams};
use operator::clock::SystemClock;
use operator::controller::run;
use operator::leader::Leadership;
use serde_json::json;
use stage::programs;
use tokio::process::{Child, Command};

use crate::banner;
use crate::chart;
use crate::gateway::GatewayProcess;
use crate::passes::reviewed;
use crate::server::{Server, until};
use crate::visitors::Visitors;

fn campaign() -> serde_json::Result<AdCampaign> {
    let campaign = banner::campaign("trail", &["Your trail is waiting"], "1s");
    let promotion = json!({"file": "site/home.yaml", "at": "banner.hero"});
    serde_json::from_value(banner::with(campaign, "promotion", promotion))
}

const PAGE: &str = "# The home page.\nbanner:\n  hero: # tested in campaigns\n    headline: Meet the Aero Trail 3\n    button: Shop now\n";

const PEOPLE: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn what_won_is_proposed_once_and_a_revert_stays() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let client = server.client().await?;
    let gateway = GatewayProcess::start("all", &server.kubeconfig()).await?;
    let repository = Repository::serve().await?;
    let context = reviewed(client.clone(), &gateway.url, Arc::new(SystemClock), Leadership::alone(), None)?;
    let operator = tokio::spawn(async move { run(context, &Scope::All, std::future::pending()).await });
    let campaigns: Api<AdCampaign> = Api::namespaced(client, "default");
    campaigns.create(&PostParams::default(), &campaign()?).await?;
    let visitors = Visitors::at(&gateway);
    until("the experiment", async || Ok(visitors.decide("nobody").await?["token"].is_string())).await?;
    ensure!(repository.propose(&server.kubeconfig()).await?.contains("is not decided"));

    let control =
        api::name::variant("trail", "hero", &campaigns.get("trail").await?.spec.placements[0].control);
    for person in 0..PEOPLE {
        // One in ten of those who see the control, and nine in ten of the others.
        visitors
            .visit(person, "product-view", |variant| person.is_multiple_of(10) == (variant == control))
            .await?;
    }
    let is_decided = async || {
        let status = campaigns.get("trail").await?.status.unwrap_or_default();
        Ok(status.conditions.iter().any(|it| it.type_ == Type::Decided.to_string() && it.reason == "Winner"))
    };
    until("the winner", is_decided).await?;

    let proposed = repository.propose(&server.kubeconfig()).await?;
    let branch = proposed.trim().strip_prefix("proposed in ").context(proposed.clone())?;
    ensure!(branch.starts_with("promote-trail-"), "{branch}");
    let page = PAGE.replace("headline: Meet the Aero Trail 3", "headline: \"Your trail is waiting\"");
    ensure!(repository.git(&["show", &format!("{branch}:site/home.yaml")]).await? == page);
    let message = repository.git(&["log", "-1", "--format=%B", branch]).await?;
    ensure!(message.starts_with("Promote hero of campaign default/trail\n"), "{message}");

    let again = repository.propose(&server.kubeconfig()).await?;
    ensure!(again.contains("was proposed before"), "{again}");
    repository.merge_and_revert(branch).await?;
    ensure!(repository.git(&["show", "main:site/home.yaml"]).await? == PAGE);
    let reverted = repository.propose(&server.kubeconfig()).await?;
    ensure!(reverted.contains("was proposed before"), "{reverted}");
    operator.abort();
    Ok(())
}

/// What the examples apply to a cluster is taken to the last field.
#[tokio::test]
async fn the_examples_are_taken_by_the_api_server() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let client = server.client().await?;
    let strictly = PatchParams::apply("test").dry_run().validation_strict();
    for file in ["cronjob.yaml", "campaigns/namespace.yaml", "campaigns/trail.yaml", "argo-cd/health.yaml"] {
        let text = std::fs::read_to_string(programs::repository().join("examples/gitops").join(file))?;
        for document in text.split("\n---\n") {
            let mut object: DynamicObject = serde_saphyr::from_str(document)?;
            object.metadata.namespace = Some("default".to_owned());
            chart::apply(&client, &object, &strictly).await.context(file)?;
        }
    }
    Ok(())
}

/// A repository with one page, behind git's own server.
struct Repository {
    folder: tempfile::TempDir,
    url: String,
    _server: Child,
}

impl Repository {
    async fn serve() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let bare = folder.path().join("shop.git");
        run_git(folder.path(), &["init", "--quiet", "--bare", "--initial-branch", "main", "shop.git"])
            .await?;
        run_git(folder.path(), &["clone", "--quiet", "shop.git", "first"]).await?;
        let first = folder.path().join("first");
        std::fs::create_dir(first.join("site"))?;
        std::fs::write(first.join("site/home.yaml"), PAGE)?;
        run_git(&first, &["switch", "--quiet", "--create", "main"]).await?;
        run_git(&first, &["add", "."]).await?;
        run_git(&first, &["commit", "--quiet", "--message", "Begin"]).await?;
        run_git(&first, &["push", "--quiet", "origin", "main"]).await?;
        // The server itself, and not `git`, which would outlive us with it.
        let programs = run_git(folder.path(), &["--exec-path"]).await?;
        let server = Command::new(Path::new(programs.trim()).join("git-daemon"))
            .args(["--export-all", "--enable=receive-pack", "--listen=127.0.0.1", "--reuseaddr"])
            .arg(format!("--port={port}"))
            .arg(format!("--base-path={}", folder.path().display()))
            .arg(&bare)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let url = format!("git://127.0.0.1:{port}/shop.git");
        until("the git server", async || Ok(run_git(folder.path(), &["ls-remote", &url]).await.is_ok()))
            .await?;
        Ok(Self { folder, url, _server: server })
    }

    /// What the script of the examples says.
    async fn propose(&self, kubeconfig: &Path) -> anyhow::Result<String> {
        let script = programs::repository().join("examples/gitops/promote.sh");
        let broadside = programs::ours("broadside")?;
        let folder = broadside.parent().context("a folder")?.display();
        let mut command = Command::new("sh");
        command.arg(script).env("KUBECONFIG", kubeconfig);
        command.env("PATH", format!("{folder}:{}", std::env::var("PATH")?));
        command.envs([("REPOSITORY", self.url.as_str()), ("NAMESPACE", "default"), ("CAMPAIGN", "trail")]);
        said(command.envs(IDENTITY)).await
    }

    async fn git(&self, arguments: &[&str]) -> anyhow::Result<String> {
        run_git(&self.folder.path().join("shop.git"), arguments).await
    }

    async fn merge_and_revert(&self, branch: &str) -> anyhow::Result<()> {
        let first = self.folder.path().join("first");
        run_git(&first, &["pull", "--quiet", "origin", branch]).await?;
        run_git(&first, &["revert", "--no-edit", "HEAD"]).await?;
        run_git(&first, &["push", "--quiet", "origin", "main"]).await.map(drop)
    }
}

const IDENTITY: [(&str, &str); 4] = [
    ("GIT_AUTHOR_NAME", "pipeline"),
    ("GIT_AUTHOR_EMAIL", "pipeline@shop.example"),
    ("GIT_COMMITTER_NAME", "pipeline"),
    ("GIT_COMMITTER_EMAIL", "pipeline@shop.example"),
];

async fn run_git(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new("git");
    said(command.arg("-C").arg(folder).args(arguments).envs(IDENTITY)).await
}

async fn said(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().await?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {error}");
    Ok(String::from_utf8(output.stdout)?)
}
