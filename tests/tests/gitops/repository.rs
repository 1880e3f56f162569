//! A repository of what the layouts apply, behind git's own server, for controllers on a cluster.

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use stage::installation::Prepared;
use stage::programs;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;

/// The example's campaign.
pub(crate) const CAMPAIGN: &str = "examples/gitops/campaigns/trail.yaml";

/// A campaign beside it.
pub(crate) const NEXT: &str = "examples/gitops/campaigns/next.yaml";

/// What the API server says to a campaign that is changed once it runs.
pub(crate) const NEW_NAME: &str = "Apply the new test under a new name";

/// What somebody changes by hand, and where it is seen.
pub(crate) const TO_ONE_REPLICA: &str =
    "-n broadside-system scale deployment broadside-operator --replicas=1";
pub(crate) const REPLICAS: &str =
    "-n broadside-system get deployment broadside-operator -o jsonpath={.spec.replicas}";

/// A work tree, and where everybody else finds its commits.
pub(crate) struct Repository {
    folder: tempfile::TempDir,
    pub(crate) url: String,
    server: JoinHandle<()>,
}

impl Drop for Repository {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Repository {
    /// Ours as far as the layouts need it, not committed yet, for the pods of a cluster and for this machine.
    pub(crate) async fn serve(stage: &Prepared) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let listener = TcpListener::bind((host(stage).await?, 0)).await?;
        let url = format!("http://{}/shop.git", listener.local_addr()?);
        let root = Arc::new(folder.path().to_owned());
        let answers = Router::new().fallback(answer).with_state(root);
        let serve =
            async move { axum::serve(listener, answers).await.expect("it serves until it is dropped") };
        let repository = Self { folder, url, server: tokio::spawn(serve) };
        git(repository.folder.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "shop.git"])
            .await?;
        git(repository.folder.path(), &["clone", "--quiet", "shop.git", "tree"]).await?;
        for part in ["charts/broadside", "examples/gitops"] {
            copy(&programs::repository().join(part), &repository.tree().join(part))?;
        }
        git(&repository.tree(), &["switch", "--quiet", "--create", "main"]).await?;
        Ok(repository)
    }

    fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    pub(crate) fn read(&self, file: &str) -> std::io::Result<String> {
        std::fs::read_to_string(self.tree().join(file))
    }

    /// A layout that leads to this repository, where it asks for yours.
    pub(crate) fn with_its_url(&self, file: &str) -> anyhow::Result<String> {
        let layout = self.read(file)?;
        let url = |line: &str| Some(line.split_once("https://github.com/")?.1.split(' ').next()?.to_owned());
        let theirs = layout.lines().find_map(url).context("a url")?;
        Ok(layout.replace(&format!("https://github.com/{theirs}"), &self.url))
    }

    /// Commits and pushes a file with that text, or without the file, and whatever else is new.
    pub(crate) async fn commit(&self, file: &str, text: Option<&str>) -> anyhow::Result<()> {
        let path = self.tree().join(file);
        text.map_or_else(|| std::fs::remove_file(&path), |text| std::fs::write(&path, text))?;
        git(&self.tree(), &["add", "."]).await?;
        git(&self.tree(), &["commit", "--quiet", "--message", file]).await?;
        self.push().await
    }

    async fn push(&self) -> anyhow::Result<()> {
        git(&self.tree(), &["push", "--quiet", "origin", "main"]).await
    }
}

/// Texts of the folder's campaigns, one after the other.
pub(crate) struct Campaigns {
    /// The example's, as it is served.
    pub(crate) running: String,
    /// The same with another text, which comes too late.
    pub(crate) changed: String,
    /// One beside it whose brand is not there.
    pub(crate) stalled: String,
    /// The same, mended.
    pub(crate) next: String,
}

impl Campaigns {
    pub(crate) fn of(repository: &Repository) -> std::io::Result<Self> {
        let running = repository.read(CAMPAIGN)?;
        let changed = running.replace("Your trail is waiting", "The trail calls");
        let next = running.replace("name: trail", "name: next");
        let stalled = next.replace("  placements:", "  rules: {brand: acme}\n  placements:");
        Ok(Self { running, changed, stalled, next })
    }
}

/// The address at which pods reach the machine that the cluster runs on: the one before the node's.
async fn host(stage: &Prepared) -> anyhow::Result<Ipv4Addr> {
    let node = stage.kubectl.run("get nodes -o jsonpath={.items[0].status.addresses[0].address}").await?;
    let node: Ipv4Addr = node.parse().context("the node's address")?;
    Ok(Ipv4Addr::from_bits(node.to_bits() - 1))
}

/// A layout with our images, where it asks for yours.
pub(crate) fn ours(layout: &str) -> String {
    layout.replace("registry.example/", "broadside.local/").replace("tag: 0.1.0", "tag: dev")
}

async fn git(folder: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "user.name=team", "-c", "user.email=team@shop.example"]);
    let output = command.args(arguments).output().await.context("git")?;
    ensure!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target).map(drop)?;
        }
    }
    Ok(())
}

async fn answer(State(root): State<Arc<PathBuf>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    let mut server = Command::new("git");
    server.arg("http-backend").env("GIT_PROJECT_ROOT", &*root).env("GIT_HTTP_EXPORT_ALL", "1");
    server.env("REQUEST_METHOD", parts.method.as_str()).env("PATH_INFO", parts.uri.path());
    server.env("QUERY_STRING", parts.uri.query().unwrap_or_default());
    for (header, variable) in [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ] {
        server.env(variable, header_text(&parts.headers, header));
    }
    server.env("CONTENT_LENGTH", body.len().to_string());
    match output(server, body).await {
        Ok(output) => of_program(&output),
        Err(error) => panic!("git's server: {error}"),
    }
}

fn header_text<'h>(headers: &'h HeaderMap, name: &str) -> &'h OsStr {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().as_ref()
}

async fn output(mut program: Command, input: Bytes) -> std::io::Result<Vec<u8>> {
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut pipe = child.stdin.take().expect("it was asked for");
    pipe.write_all(&input).await?;
    drop(pipe);
    Ok(child.wait_with_output().await?.stdout)
}

/// What a program says by the common gateway interface: headers, of which `Status` is one, an empty line, and the answer.
fn of_program(output: &[u8]) -> Response {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").expect("git ends its headers");
    let head = std::str::from_utf8(&output[..end]).expect("headers are text");
    let mut response = Response::new(Body::from(output[end + 4..].to_vec()));
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        match name {
            "Status" => {
                let status = value.split(' ').next().and_then(|code| code.parse::<StatusCode>().ok());
                *response.status_mut() = status.expect("a status");
            }
            _ => {
                let name: http::HeaderName = name.parse().expect("a header");
                response.headers_mut().insert(name, value.parse().expect("a header's text"));
            }
        }
    }
    response
}
