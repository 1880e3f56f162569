//! `worker fetch` against a server of the test's own, which fails as servers and lines fail.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::name::hex;
use api::wire::report::Outcome;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use clap::Parser;
use futures::StreamExt;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use worker::args::Arguments;
use worker::backoff::Backoff;
use worker::fetch::{Access, FetchError, Patience, Wanted, fetch, link};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const TOKEN: &str = "hf_never-to-be-seen";

/// What a server does with a file, besides sending it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whim {
    /// Breaks off after so many bytes, for so many answers.
    Cut { after: usize, times: usize },
    /// Sends something else, for so many answers.
    Alter { times: usize },
    /// Answers with a status, for so many answers.
    Status { status: u16, times: usize },
    /// Sends all of it, whatever part was asked for.
    IgnoreRange,
    /// Sends on to the other server.
    Redirect,
}

/// What a server has and has heard.
#[derive(Default)]
struct Shelf {
    files: HashMap<String, Vec<u8>>,
    /// Further entries of the listing.
    listed: Vec<Value>,
    whims: HashMap<String, Vec<Whim>>,
    elsewhere: String,
    needs_token: bool,
    /// Each request: its path, its range, and whether it held the token.
    heard: Vec<(String, Option<String>, bool)>,
}

#[derive(Clone)]
struct Server {
    shelf: Arc<Mutex<Shelf>>,
    base: String,
}

impl Server {
    async fn start(files: &[(&str, &[u8])]) -> Self {
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        let shelf = Arc::new(Mutex::new(Shelf { files, ..Shelf::default() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&shelf));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { shelf, base }
    }

    fn whims(self, file: &str, whims: &[Whim]) -> Self {
        self.shelf.lock().expect("a lock").whims.insert(file.to_owned(), whims.to_vec());
        self
    }

    /// The ranges with which a file was asked for.
    fn ranges(&self, file: &str) -> Vec<Option<String>> {
        let shelf = self.shelf.lock().expect("a lock");
        let of_file = shelf.heard.iter().filter(|(path, ..)| path.ends_with(&format!("/{file}")));
        of_file.map(|(_, range, _)| range.clone()).collect()
    }

    fn heard(&self) -> Vec<(String, Option<String>, bool)> {
        self.shelf.lock().expect("a lock").heard.clone()
    }

    fn access(&self) -> Access {
        Access::Open { mirror: Some(self.base.clone()) }
    }
}

async fn answer(State(shelf): State<Arc<Mutex<Shelf>>>, uri: Uri, headers: HeaderMap) -> Response {
    let mut shelf = shelf.lock().expect("a lock");
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let has_token = text(header::AUTHORIZATION).is_some_and(|value| value.ends_with(TOKEN));
    let (path, range) = (uri.path().to_owned(), text(header::RANGE));
    shelf.heard.push((path.clone(), range.clone(), has_token));
    if shelf.needs_token && !has_token {
        return status(401);
    }
    if path.starts_with("/api/models/a/b/revision/") {
        return json_answer(&json!({"sha": COMMIT}));
    }
    if path == format!("/api/models/a/b/tree/{COMMIT}") {
        return json_answer(&listing(&shelf));
    }
    let Some(name) = path.strip_prefix(&format!("/a/b/resolve/{COMMIT}/")) else { return status(404) };
    let Some(bytes) = shelf.files.get(name).cloned() else { return status(404) };
    let whim = next_whim(shelf.whims.entry(name.to_owned()).or_default());
    match whim {
        Some(Whim::Redirect) => redirect(&format!("{}{path}", shelf.elsewhere)),
        Some(Whim::Status { status: code, .. }) => status(code),
        Some(Whim::Alter { .. }) => send(&vec![b'?'; bytes.len()], 0, None),
        Some(Whim::IgnoreRange) => send(&bytes, 0, None),
        Some(Whim::Cut { after, .. }) => send(&bytes, start(range.as_deref()), Some(after)),
        None => send(&bytes, start(range.as_deref()), None),
    }
}

fn next_whim(whims: &mut Vec<Whim>) -> Option<Whim> {
    let whim = *whims.first()?;
    if let Some(Whim::Cut { times, .. } | Whim::Alter { times } | Whim::Status { times, .. }) =
        whims.first_mut()
    {
        *times -= 1;
        if *times == 0 {
            whims.remove(0);
        }
    }
    Some(whim)
}

fn listing(shelf: &Shelf) -> Value {
    let entry = |(name, bytes): (&String, &Vec<u8>)| {
        let blob = Sha1::new_with_prefix(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize();
        let mut entry = json!({"type": "file", "path": name, "size": bytes.len(), "oid": hex(&blob)});
        if name.ends_with(".safetensors") || name.ends_with(".gguf") {
            entry["lfs"] = json!({"oid": hex(&Sha256::digest(bytes)), "size": bytes.len(), "pointerSize": 9});
        }
        entry
    };
    let folder = json!({"type": "directory", "path": "onnx", "size": 0, "oid": "0"});
    shelf.files.iter().map(entry).chain([folder]).chain(shelf.listed.clone()).collect()
}

fn json_answer(value: &Value) -> Response {
    Response::new(Body::from(value.to_string()))
}

fn status(code: u16) -> Response {
    let code = StatusCode::from_u16(code).expect("a status");
    Response::builder().status(code).header(header::RETRY_AFTER, "0").body(Body::empty()).expect("an answer")
}

fn redirect(to: &str) -> Response {
    let answer = Response::builder().status(StatusCode::FOUND).header(header::LOCATION, to);
    answer.body(Body::empty()).expect("an answer")
}

fn start(range: Option<&str>) -> usize {
    let start = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    start.unwrap_or(0)
}

/// Sends `bytes` from `start` on, and breaks the connection after so many of them.
fn send(bytes: &[u8], start: usize, cut: Option<usize>) -> Response {
    let rest = Bytes::copy_from_slice(&bytes[start..]);
    let code = if start > 0 { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let answer = Response::builder().status(code).header(header::CONTENT_LENGTH, rest.len());
    let answer =
        answer.header(header::CONTENT_RANGE, format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len()));
    let cut = cut.filter(|cut| *cut < rest.len());
    let broken = |cut: usize| {
        // What was sent before is on its way only once the server has had to wait.
        let end = async {
            tokio::task::yield_now().await;
            Err(io::Error::other("the line is cut"))
        };
        let sent = rest.slice(..cut);
        Body::from_stream(futures::stream::iter([Ok(sent)]).chain(futures::stream::once(end)))
    };
    answer.body(cut.map_or_else(|| Body::from(rest.clone()), broken)).expect("an answer")
}

/// Weights that no two places of hold the same bytes, so that bytes at a wrong place are seen.
fn weights() -> Vec<u8> {
    (0..50_000_u32).flat_map(u32::to_le_bytes).collect()
}

async fn server(weights: &[u8]) -> Server {
    Server::start(&[
        ("README.md", b"# A model"),
        ("config.json", b"{}"),
        ("generation_config.json", b""),
        ("tokenizer.json", b"{\"model\": {}}"),
        ("model.safetensors", weights),
        ("pytorch_model.bin", b"never"),
    ])
    .await
}

fn wanted(into: &Path) -> Wanted {
    Wanted { repo: "a/b".into(), revision: "main".into(), file: None, adapter: None, into: into.to_owned() }
}

/// As patient as the command, in a thousandth of the time.
fn quick() -> Patience {
    let backoff = Backoff { first: Duration::from_millis(1), longest: Duration::from_millis(5) };
    Patience { backoff, ..Patience::default() }
}

struct Cache(tempfile::TempDir);

impl Cache {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    async fn fetch(&self, server: &Server) -> Result<PathBuf, FetchError> {
        fetch(&wanted(self.0.path()), &server.access(), quick()).await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join("a--b").join(COMMIT).join(name)
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_is_read_is_fetched_and_a_complete_model_is_fetched_once() {
    let (server, cache) = (server(&weights()).await, Cache::new());
    let folder = cache.fetch(&server).await.expect("fetched");
    let model = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json"];
    assert_eq!(names(&folder), [&[".complete.json", ".lock"][..], &model].concat());
    assert_eq!(fs::read(folder.join("model.safetensors")).expect("read"), weights());

    let asked = server.heard().len();
    let of_commit = Wanted { revision: COMMIT.into(), ..wanted(cache.0.path()) };
    assert_eq!(fetch(&of_commit, &server.access(), quick()).await.expect("here"), folder);
    assert_eq!(server.heard().len(), asked, "a commit that is here asks nobody");
    cache.fetch(&server).await.expect("here");
    assert_eq!(server.heard().len(), asked + 1, "a branch asks for its commit alone");
}

#[tokio::test]
async fn an_embedders_pooling_lies_below_the_model_and_is_not_taken_for_its_configuration() {
    let server = Server::start(&[
        ("config.json", b"{}"),
        ("tokenizer.json", b"{\"model\": {}}"),
        ("model.safetensors", b"weights"),
        ("modules.json", b"[]"),
        ("1_Pooling/config.json", b"{\"pooling_mode\": \"cls\"}"),
        ("openvino/config.json", b"never"),
    ])
    .await;
    let cache = Cache::new();
    let folder = cache.fetch(&server).await.expect("fetched");
    assert_eq!(
        names(&folder)[2..],
        ["1_Pooling", "config.json", "model.safetensors", "modules.json", "tokenizer.json"]
    );
    assert_eq!(fs::read(folder.join("config.json")).expect("read"), b"{}");
    assert_eq!(fs::read(folder.join("1_Pooling/config.json")).expect("read"), b"{\"pooling_mode\": \"cls\"}");
}

#[tokio::test]
async fn an_adapter_is_fetched_into_the_folder_of_its_model() {
    let (config, tensors) = ("acme/adapter_config.json", "acme/adapter_model.safetensors");
    let files: [(&str, &[u8]); 6] = [
        ("config.json", b"{}"),
        ("tokenizer.json", b"{}"),
        ("model.safetensors", &weights()),
        (config, b"{\"r\": 4}"),
        (tensors, b"tensors"),
        ("acme/optimizer.pt", b"never"),
    ];
    let (server, cache) = (Server::start(&files).await, Cache::new());
    let folder = cache.fetch(&server).await.expect("the model alone");
    assert!(!folder.join("acme").exists());

    let with = |adapter: &str| Wanted {
        revision: COMMIT.into(),
        adapter: Some(adapter.into()),
        ..wanted(cache.0.path())
    };
    assert_eq!(fetch(&with("acme"), &server.access(), quick()).await.expect("fetched"), folder);
    assert_eq!(names(&folder.join("acme")), ["adapter_config.json", "adapter_model.safetensors"]);
    assert_eq!(fs::read(folder.join(tensors)).expect("read"), b"tensors");
    assert_eq!(server.ranges("model.safetensors").len(), 1, "the model was here");
    let asked = server.heard().len();
    fetch(&with("acme"), &server.access(), quick()).await.expect("here");
    cache.fetch(&server).await.expect("here");
    assert_eq!(server.heard().len(), asked + 1, "a branch asks for its commit alone");

    let error = fetch(&with("other"), &server.access(), quick()).await.expect_err("none");
    assert!(error.to_string().contains("a/b has no other/adapter_config.json"), "{error}");
    assert_eq!(error.outcome(), Outcome::Misconfigured);
}

#[tokio::test]
async fn a_cut_line_is_gone_on_with_where_it_was_cut() {
    let server = server(&weights()).await;
    let server = server.whims("model.safetensors", &[Whim::Cut { after: 15_000, times: 13 }]);
    let cache = Cache::new();
    cache.fetch(&server).await.expect("more cuts than tries, and each brought something");
    assert_eq!(fs::read(cache.path("model.safetensors")).expect("read"), weights());
    let ranges = server.ranges("model.safetensors");
    assert_eq!((ranges.len(), &ranges[0], &ranges[1]), (14, &None, &Some("bytes=15000-".to_owned())));
}

#[tokio::test]
async fn what_a_killed_run_has_left_is_gone_on_with() {
    let server = server(&weights()).await;
    let cache = Cache::new();
    fs::create_dir_all(cache.path("")).expect("made");
    fs::write(cache.path("model.safetensors.part"), &weights()[..70_000]).expect("written");
    fs::write(cache.path("config.json"), "{}").expect("written");
    fs::write(cache.path("tokenizer.json"), "{\"mod").expect("written");
    cache.fetch(&server).await.expect("fetched");
    assert_eq!(fs::read(cache.path("model.safetensors")).expect("read"), weights());
    assert_eq!(server.ranges("model.safetensors"), [Some("bytes=70000-".to_owned())]);
    assert_eq!(server.ranges("config.json"), [], "what is whole is not fetched again");
    assert_eq!(fs::read(cache.path("tokenizer.json")).expect("read"), b"{\"model\": {}}");
}

#[tokio::test]
async fn a_server_that_knows_no_ranges_sends_all_of_it_again() {
    let cuts = [Whim::Cut { after: 15_000, times: 1 }, Whim::IgnoreRange];
    let server = server(&weights()).await.whims("model.safetensors", &cuts);
    let cache = Cache::new();
    cache.fetch(&server).await.expect("fetched");
    assert_eq!(fs::read(cache.path("model.safetensors")).expect("read"), weights());
}

#[tokio::test]
async fn an_altered_file_is_fetched_anew_once_and_then_refused_and_not_kept() {
    for file in ["model.safetensors", "tokenizer.json"] {
        let once = server(&weights()).await.whims(file, &[Whim::Alter { times: 1 }]);
        Cache::new().fetch(&once).await.expect("the second time it is right");

        let always = server(&weights()).await.whims(file, &[Whim::Alter { times: usize::MAX }]);
        let cache = Cache::new();
        let error = cache.fetch(&always).await.expect_err("altered");
        assert!(error.to_string().contains("do not use it"), "{error}");
        assert_eq!(error.outcome(), Outcome::Misconfigured);
        assert!(
            !names(&cache.path("")).iter().any(|name| name.starts_with(file) || name == ".complete.json")
        );
        assert_eq!(always.ranges(file).len(), 2);
    }
}

#[tokio::test]
async fn what_may_go_well_is_tried_again_and_what_can_not_is_said_at_once() {
    let check = async |status: u16, times: usize, says: Option<(&str, Outcome)>, asked: usize| {
        let server = server(&weights()).await.whims("model.safetensors", &[Whim::Status { status, times }]);
        let fetched = Cache::new().fetch(&server).await;
        assert_eq!(server.ranges("model.safetensors").len(), asked, "{status}");
        match (fetched, says) {
            (Ok(_), None) => {}
            (Err(error), Some((says, outcome))) => {
                assert!(error.to_string().contains(says), "{status}: {error}");
                assert_eq!(error.outcome(), outcome, "{status}");
            }
            (fetched, says) => panic!("{status}: {fetched:?}, expected {says:?}"),
        }
    };
    let tries = quick().tries as usize;
    check(503, tries - 1, None, tries).await;
    check(429, 1, None, 2).await;
    check(503, tries, Some(("does not answer", Outcome::Failed)), tries).await;
    check(401, 1, Some(("give a token that may read it", Outcome::Misconfigured)), 1).await;
    check(403, 1, Some(("accept the model's terms", Outcome::Misconfigured)), 1).await;
    check(404, 1, Some(("does not exist (404)", Outcome::Misconfigured)), 1).await;
    check(451, 1, Some(("was refused (451)", Outcome::Misconfigured)), 1).await;
}

#[tokio::test]
async fn a_listing_that_leads_out_of_its_folder_is_refused_before_a_file_is_fetched() {
    let server = server(&weights()).await;
    let evil = json!({"type": "file", "path": "../../config.json", "size": 1, "oid": "0".repeat(40)});
    server.shelf.lock().expect("a lock").listed.push(evil);
    let error = Cache::new().fetch(&server).await.expect_err("refused");
    assert!(matches!(error, FetchError::UnsafeName { .. }), "{error}");
    assert_eq!(server.heard().len(), 2, "the commit and the listing");
}

#[tokio::test]
async fn one_file_of_a_repository_is_a_model_of_its_own() {
    let (server, cache) = (server(&weights()).await, Cache::new());
    server.shelf.lock().expect("a lock").files.insert("q8/tiny.gguf".to_owned(), b"GGUF".to_vec());
    let of_file = Wanted { file: Some("q8/tiny.gguf".into()), ..wanted(cache.0.path()) };
    let folder = fetch(&of_file, &server.access(), quick()).await.expect("fetched");
    assert!(names(&folder).contains(&"tiny.gguf".to_owned()));
    assert!(!names(&folder).contains(&"model.safetensors".to_owned()));
}

#[tokio::test]
async fn pods_that_come_at_once_fetch_once_and_all_see_a_whole_model() {
    let server = server(&weights()).await.whims("model.safetensors", &[Whim::Cut { after: 9_000, times: 5 }]);
    let cache = Cache::new();
    let (into, access) = (wanted(cache.0.path()), server.access());
    // Pods are processes: waiting for a turn blocks one, so each has a thread and a runtime of its own.
    let pods: Vec<_> = (0..3)
        .map(|_| {
            let (into, access) = (into.clone(), access.clone());
            tokio::task::spawn_blocking(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime").block_on(fetch(&into, &access, quick()))
            })
        })
        .collect();
    for pod in pods {
        let folder = pod.await.expect("no panic").expect("fetched");
        assert_eq!(fs::read(folder.join("model.safetensors")).expect("read"), weights());
    }
    assert_eq!(server.ranges("model.safetensors").len(), 6, "one pod fetched, with five cuts");
}

#[tokio::test]
async fn a_token_is_told_to_the_address_beside_it_and_to_nobody_else() {
    let store = server(&weights()).await;
    let hub = server(&weights()).await.whims("model.safetensors", &[Whim::Redirect]);
    {
        let mut shelf = hub.shelf.lock().expect("a lock");
        shelf.needs_token = true;
        shelf.elsewhere = store.base.clone();
    }
    let secret = tempfile::tempdir().expect("a folder");
    fs::write(secret.path().join("url"), &hub.base).expect("written");
    fs::write(secret.path().join("token"), format!("{TOKEN}\n")).expect("written");
    let cache = Cache::new();
    let access = Access::Secret(secret.path().to_owned());
    fetch(&wanted(cache.0.path()), &access, quick()).await.expect("fetched");
    assert!(hub.heard().iter().all(|(.., token)| *token), "the hub hears it");
    let elsewhere = store.heard();
    assert_eq!(elsewhere.len(), 1);
    assert!(elsewhere.iter().all(|(.., token)| !token), "another server does not");

    let refused = Cache::new().fetch(&hub).await.expect_err("without the token");
    assert!(matches!(refused, FetchError::Unauthorized { .. }), "{refused}");
}

/// All that is logged, of every part of the process and at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("a lock").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The command as a pod runs it: what it leaves behind, how it ends, and what it logs.
#[test]
fn the_command_leaves_a_link_or_a_report_and_logs_no_token() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(server(&weights()));
    server.shelf.lock().expect("a lock").needs_token = true;
    let place = tempfile::tempdir().expect("a folder");
    let path = |name: &str| place.path().join(name).display().to_string();
    fs::create_dir(path("secret")).expect("made");
    fs::write(path("secret/url"), &server.base).expect("written");
    fs::write(path("secret/token"), TOKEN).expect("written");
    // For the whole process: what other tests log holds no token either.
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE);
    subscriber.with_writer(move || writer.clone()).with_ansi(false).init();
    let run = |repo: &str| {
        let typed = [
            format!("--repo={repo}"),
            "--revision=main".to_owned(),
            format!("--into={}", path("cache")),
            format!("--link={}", path("current")),
            format!("--secret={}", path("secret")),
            format!("--report={}", path("report")),
        ];
        let typed = ["worker", "fetch"].into_iter().map(str::to_owned).chain(typed);
        let arguments = Arguments::try_parse_from(typed).expect("valid arguments");
        worker::run::run(&arguments.command)
    };

    assert_eq!(run("a/b"), Outcome::Complete);
    assert_eq!(fs::read(place.path().join("current/model.safetensors")).expect("read"), weights());
    assert!(!place.path().join("report").exists(), "of a model that is here the worker behind it speaks");

    assert_eq!(run("a/missing"), Outcome::Misconfigured);
    let report = fs::read_to_string(path("report")).expect("a report");
    assert!(report.contains("does not exist (404): look at repo, revision and file"), "{report}");

    let log = String::from_utf8(log.0.lock().expect("a lock").clone()).expect("UTF-8");
    let folder = Path::new(&path("cache")).join("a--b").join(COMMIT);
    assert!(log.contains(&format!("the model is complete folder={}", folder.display())), "{log}");
    assert!(log.contains("TRACE"), "what libraries say is there too");
    assert!(!log.contains(TOKEN) && !report.contains(TOKEN));
}

#[test]
fn a_link_leads_to_the_newest_folder() {
    let place = tempfile::tempdir().expect("a folder");
    let to = place.path().join("current");
    for name in ["one", "two"] {
        let folder = place.path().join(name);
        fs::create_dir(&folder).expect("made");
        link(&folder, &to).expect("linked");
        assert_eq!(fs::read_link(&to).expect("a link"), folder);
    }
}

#[test]
fn a_repository_that_leads_out_of_the_cache_is_no_argument() {
    for repo in ["../b", "a/../b", "a/b/c", "/b", "a/", ""] {
        let typed = ["worker", "fetch", "--revision=main", "--into=c", "--repo", repo];
        assert!(Arguments::try_parse_from(typed).is_err(), "{repo:?}");
    }
}
