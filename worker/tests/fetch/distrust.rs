//! What a server cannot bring about, whatever it answers.

use std::fs;
use std::time::Duration;

use api::wire::report::Outcome;
use serde_json::json;
use worker::fetch::{Access, FetchError, Patience, Wanted, fetch};

use crate::server::{Server, Whim};
use crate::{Cache, quick, server, wanted, weights};

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
async fn a_server_that_cuts_each_answer_and_knows_no_ranges_is_given_up() {
    let always = [Whim::IgnoreRange { cut: Some(15_000) }];
    let server = server(&weights()).await.whims("model.safetensors", &always);
    let cache = Cache::new();
    let fetched = tokio::time::timeout(Duration::from_secs(20), cache.fetch(&server)).await;
    let error = fetched.expect("it ends").expect_err("never whole");
    assert_eq!(error.outcome(), Outcome::Failed, "{error}");
    // Only the first brought bytes that were not there before.
    assert_eq!(server.ranges("model.safetensors").len(), quick().tries as usize);
}

#[tokio::test]
async fn a_server_that_brings_little_each_time_is_given_up_for_now() {
    let drops = [Whim::Cut { after: 1_000, times: usize::MAX }];
    let server = server(&weights()).await.whims("model.safetensors", &drops);
    let (cache, patience) = (Cache::new(), Patience { tries_in_all: 20, ..quick() });
    for run in 1..=2 {
        let error = fetch(&wanted(cache.0.path()), &server.access(), patience).await.expect_err("not whole");
        assert_eq!(error.outcome(), Outcome::Failed, "{error}");
        assert_eq!(server.ranges("model.safetensors").len(), 20 * run);
    }
    assert!(server.ranges("model.safetensors")[20].is_some(), "the second run goes on where the first was");
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let server = server(&weights()).await;
    server.shelf.lock().expect("a lock").padding = 5 << 20;
    let error = Cache::new().fetch(&server).await.expect_err("too much");
    assert!(error.to_string().contains("larger than 4 MiB"), "{error}");
    assert_eq!(error.outcome(), Outcome::Misconfigured);
    assert_eq!(server.heard().len(), 1);
}

#[tokio::test]
async fn a_size_that_no_such_file_has_is_refused_before_a_file_is_fetched() {
    for (paths, size, says) in [
        (&["chat_template.jinja"][..], 33_u64 << 20, "chat_template.jinja of a/b has 34603008 bytes"),
        (&["model.safetensors.index.json"], 1 << 40, "model.safetensors.index.json of a/b has"),
        (&["x.bin", "y.bin"], u64::MAX, "more bytes together than can be counted"),
    ] {
        let server = server(&weights()).await;
        let entry = |path| json!({"type": "file", "path": path, "size": size, "oid": "0".repeat(40)});
        server.shelf.lock().expect("a lock").listed.extend(paths.iter().map(entry));
        let error = Cache::new().fetch(&server).await.expect_err(says);
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!((error.outcome(), server.heard().len()), (Outcome::Misconfigured, 2));
    }
}

#[tokio::test]
async fn what_a_model_lacks_is_said_before_a_file_is_fetched() {
    let (config, tokenizer) = (("config.json", &b"{}"[..]), ("tokenizer.json", &b"{}"[..]));
    let (weights, gguf) = (("model.safetensors", &b"x"[..]), ("q8.gguf", &b"GGUF"[..]));
    for (files, file, says) in [
        (vec![weights, config], None, "a/b has no tokenizer.json"),
        (vec![gguf, config], Some("q8.gguf"), "a/b has no tokenizer.json"),
        (vec![weights, tokenizer], None, "a/b has no config.json"),
        (vec![config, tokenizer], None, "a/b has no model.safetensors"),
        (vec![gguf, tokenizer], Some("q4.gguf"), "a/b has no q4.gguf"),
    ] {
        let (server, cache) = (Server::start(&files).await, Cache::new());
        let wanted = Wanted { file: file.map(str::to_owned), ..wanted(cache.0.path()) };
        let error = fetch(&wanted, &server.access(), quick()).await.expect_err(says);
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!((error.outcome(), server.heard().len()), (Outcome::Misconfigured, 2), "{says}");
    }
}

#[tokio::test]
async fn a_token_is_told_to_nobody_in_plain_text() {
    let secret = tempfile::tempdir().expect("a folder");
    fs::write(secret.path().join("url"), "http://models.example.com").expect("written");
    fs::write(secret.path().join("token"), "hf_x").expect("written");
    let access = Access::Secret(secret.path().to_owned());
    let error = fetch(&wanted(secret.path()), &access, quick()).await.expect_err("refused");
    assert!(error.to_string().contains("is plain http to another network"), "{error}");
    assert_eq!(error.outcome(), Outcome::Misconfigured);
}
