//! `worker fetch` against a server of the test's own, which fails as servers and lines fail.

mod command;
mod distrust;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::wire::report::Outcome;
use clap::Parser;
use worker::args::Arguments;
use worker::backoff::Backoff;
use worker::fetch::{Access, FetchError, Patience, Wanted, fetch, link};

use crate::server::{Server, Whim};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const TOKEN: &str = "hf_never-to-be-seen";

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
    let cuts = [Whim::Cut { after: 15_000, times: 1 }, Whim::IgnoreRange { cut: None }];
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
