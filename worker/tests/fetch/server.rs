//! A server of the test's own, which fails as servers and lines fail.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use api::name::hex;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use futures::StreamExt;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use worker::fetch::Access;

use crate::{COMMIT, TOKEN};

/// What a server does with a file, besides sending it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whim {
    /// Breaks off after so many bytes, for so many answers.
    Cut { after: usize, times: usize },
    /// Sends something else, for so many answers.
    Alter { times: usize },
    /// Answers with a status, for so many answers.
    Status { status: u16, times: usize },
    /// Sends from the beginning, whatever part was asked for, and breaks off after so many bytes.
    IgnoreRange { cut: Option<usize> },
    /// Sends on to the other server.
    Redirect,
}

/// What a server has and has heard.
#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) files: HashMap<String, Vec<u8>>,
    /// Further entries of the listing.
    pub(crate) listed: Vec<Value>,
    pub(crate) whims: HashMap<String, Vec<Whim>>,
    /// So many spaces follow the JSON of an answer.
    pub(crate) padding: usize,
    pub(crate) elsewhere: String,
    pub(crate) needs_token: bool,
    /// Each request: its path, its range, and whether it held the token.
    pub(crate) heard: Vec<(String, Option<String>, bool)>,
}

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) shelf: Arc<Mutex<Shelf>>,
    pub(crate) base: String,
}

impl Server {
    pub(crate) async fn start(files: &[(&str, &[u8])]) -> Self {
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        let shelf = Arc::new(Mutex::new(Shelf { files, ..Shelf::default() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&shelf));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { shelf, base }
    }

    pub(crate) fn whims(self, file: &str, whims: &[Whim]) -> Self {
        self.shelf.lock().expect("a lock").whims.insert(file.to_owned(), whims.to_vec());
        self
    }

    /// The ranges with which a file was asked for.
    pub(crate) fn ranges(&self, file: &str) -> Vec<Option<String>> {
        let shelf = self.shelf.lock().expect("a lock");
        let of_file = shelf.heard.iter().filter(|(path, ..)| path.ends_with(&format!("/{file}")));
        of_file.map(|(_, range, _)| range.clone()).collect()
    }

    pub(crate) fn heard(&self) -> Vec<(String, Option<String>, bool)> {
        self.shelf.lock().expect("a lock").heard.clone()
    }

    pub(crate) fn access(&self) -> Access {
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
        return json_answer(&json!({"sha": COMMIT}), shelf.padding);
    }
    if path == format!("/api/models/a/b/tree/{COMMIT}") {
        return json_answer(&listing(&shelf), 0);
    }
    let Some(name) = path.strip_prefix(&format!("/a/b/resolve/{COMMIT}/")) else { return status(404) };
    let Some(bytes) = shelf.files.get(name).cloned() else { return status(404) };
    let whim = next_whim(shelf.whims.entry(name.to_owned()).or_default());
    match whim {
        Some(Whim::Redirect) => redirect(&format!("{}{path}", shelf.elsewhere)),
        Some(Whim::Status { status: code, .. }) => status(code),
        Some(Whim::Alter { .. }) => send(&vec![b'?'; bytes.len()], 0, None),
        Some(Whim::IgnoreRange { cut }) => send(&bytes, 0, cut),
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

fn json_answer(value: &Value, padding: usize) -> Response {
    Response::new(Body::from(value.to_string() + &" ".repeat(padding)))
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
