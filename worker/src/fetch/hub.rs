//! The interface of Hugging Face, as far as it is needed: the commit of a revision, its files, and their bytes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::model_secret::SecretEntry;
use api::model_secret::hub::{CA, TOKEN, URL};
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, LINK, RANGE};
use reqwest::{Certificate, Client, Response, StatusCode, Url, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tracing::info;

use super::FetchError;
use super::listing::{Entry, Listing, is_commit};
use super::patience::{Patience, Trouble};
use crate::backoff;
use crate::http::address::{self, Told};
use crate::http::authorities;
use crate::http::body::{self, BodyError, TOO_LARGE};

/// How a repository is reached. It is not shown: an address may have been written with a password.
#[derive(Clone)]
pub enum Access {
    /// Without a token; at Hugging Face itself, unless a mirror is named.
    Open {
        /// The mirror's address.
        mirror: Option<String>,
    },
    /// With what a folder holds: `token`, which may be empty, and where they are wanted `url` and `ca.crt`.
    Secret(PathBuf),
}

/// Where a mirror's address is written.
const MIRROR: &str = "`--mirror` (spec.source.huggingFace.mirror of the AdModel)";

const HUGGING_FACE: &str = "https://huggingface.co";

/// A server that has not answered by then is tried again.
const CONNECTED_WITHIN: Duration = Duration::from_secs(10);

/// Between two pieces of an answer. A line that is silent for longer is dead, and we would wait for ever.
const SILENCE: Duration = Duration::from_secs(30);

/// A listing has up to a thousand files on a page; a model has fewer than this.
const MOST_PAGES: usize = 64;

const MOST_REDIRECTS: usize = 10;

/// A server with repositories.
pub(super) struct Hub {
    client: Client,
    base: Url,
    pub(super) patience: Patience,
}

impl Hub {
    pub(super) fn open(access: &Access, patience: Patience) -> Result<Self, FetchError> {
        let (named, address, token, authority) = match access {
            Access::Open { mirror } => (MIRROR.to_owned(), mirror.clone(), None, Vec::new()),
            Access::Secret(folder) => {
                (URL.to_string(), read(folder, URL)?, token(folder)?, authority(folder)?)
            }
        };
        let address = address.unwrap_or_else(|| HUGGING_FACE.to_owned());
        let told = if token.is_some() { Told::Secrets } else { Told::Nothing };
        let base = address::parse(&address, told).map_err(|what| FetchError::Address { named, what })?;
        let client = client(&base, token, authority)?;
        info!(hub = %base, "a repository's server");
        Ok(Self { client, base, patience })
    }

    /// The commit that a revision is now.
    pub(super) async fn commit(&self, repo: &str, revision: &str) -> Result<String, FetchError> {
        #[derive(Deserialize)]
        struct Answer {
            sha: String,
        }
        let url = self.url(&["api", "models"], repo, &["revision", revision]);
        let (Answer { sha }, _) = self.json(url.clone()).await?;
        if is_commit(&sha) {
            Ok(sha)
        } else {
            Err(FetchError::Strange { url: url.into(), what: format!("the commit is {sha:?}") })
        }
    }

    /// The files of a commit.
    pub(super) async fn listing(&self, repo: &str, commit: &str) -> Result<Listing, FetchError> {
        let mut url = self.url(&["api", "models"], repo, &["tree", commit]);
        url.set_query(Some("recursive=true"));
        let first = url.to_string();
        let mut entries: Vec<Entry> = Vec::new();
        for _ in 0..MOST_PAGES {
            let (page, next): (Vec<Entry>, _) = self.json(url.clone()).await?;
            entries.extend(page);
            match next {
                Some(next) => url = self.beside(&url, &next)?,
                None => return Listing::new(entries, &first),
            }
        }
        Err(FetchError::Strange { url: first, what: "it lists files without end".to_owned() })
    }

    /// The address of a file of a commit.
    pub(super) fn file(&self, repo: &str, commit: &str, path: &str) -> Url {
        let inside: Vec<&str> = ["resolve", commit].into_iter().chain(path.split('/')).collect();
        self.url(&[], repo, &inside)
    }

    /// What `url` answers, once; from byte `from` on, if the server can.
    pub(super) async fn get(&self, url: &Url, from: u64) -> Result<Response, Trouble> {
        let request = self.client.get(url.clone());
        let request = if from == 0 { request } else { request.header(RANGE, format!("bytes={from}-")) };
        let answer = request.send().await.map_err(|source| cut(url, source))?;
        if answer.status().is_success() { Ok(answer) } else { Err(refusal(url, &answer)) }
    }

    /// What `url` answers as JSON, and the address of the next page.
    async fn json<T: DeserializeOwned>(&self, url: Url) -> Result<(T, Option<String>), FetchError> {
        let attempt = async || {
            let answer = self.get(&url, 0).await?;
            let next = next_page(answer.headers());
            let strange = |what: String| FetchError::Strange { url: url.to_string(), what };
            let bytes = body::read(answer).await.map_err(|error| match error {
                BodyError::Cut(source) => cut(&url, source),
                BodyError::TooLarge => strange(TOO_LARGE.to_owned()).into(),
            })?;
            Ok((serde_json::from_slice(&bytes).map_err(|error| strange(error.to_string()))?, next))
        };
        self.patience.during(attempt).await
    }

    /// Each word becomes one part of the path: a branch such as `refs/pr/1` keeps its slashes as `%2F`. A repository is
    /// `owner/name`, and its slash is one.
    fn url(&self, before: &[&str], repo: &str, behind: &[&str]) -> Url {
        let mut url = self.base.clone();
        let mut path = url.path_segments_mut().expect("addresses of the web have paths");
        path.pop_if_empty().extend(before).extend(repo.split('/')).extend(behind);
        drop(path);
        url
    }

    /// A next page lies on the same server, since our token goes with the question.
    fn beside(&self, url: &Url, next: &str) -> Result<Url, FetchError> {
        let strange =
            || FetchError::Strange { url: url.to_string(), what: format!("its next page is {next:?}") };
        let next = url.join(next).map_err(|_| strange())?;
        if next.origin() == self.base.origin() { Ok(next) } else { Err(strange()) }
    }
}

fn client(base: &Url, token: Option<HeaderValue>, authority: Vec<Certificate>) -> Result<Client, FetchError> {
    // Whoever installed one before did so for this process too.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]);
    // A token that goes in plain text stays within machine or cluster, where no proxy leads.
    let is_near = base.scheme() == "http" && token.is_some();
    headers.extend(token.map(|token| (AUTHORIZATION, token)));
    let builder = Client::builder();
    let builder = if is_near { builder.no_proxy() } else { builder };
    builder
        .connect_timeout(CONNECTED_WITHIN)
        .read_timeout(SILENCE)
        .default_headers(headers)
        .redirect(redirect::Policy::custom(follow))
        .tls_certs_merge(authorities::known().chain(authority))
        .build()
        .map_err(FetchError::Client)
}

/// reqwest tells the token to nobody but the first server; a redirect may not take away the encryption either.
fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let from = attempt.previous().last().map(|url| url.scheme() == "https");
    match (from, attempt.url().scheme()) {
        (Some(true), "http") => attempt.error("from https to http"),
        _ if attempt.previous().len() > MOST_REDIRECTS => attempt.error("too many redirects"),
        _ => attempt.follow(),
    }
}

/// A failed try at the connection. The client's words may hold a signed address, so they lose it.
pub(super) fn cut(url: &Url, source: reqwest::Error) -> Trouble {
    let source = source.without_url();
    if source.is_redirect() {
        return Trouble::Final(FetchError::Astray { url: url.to_string(), source });
    }
    Trouble::again(FetchError::Unreachable { url: url.to_string(), source: Some(source) }, None)
}

fn refusal(url: &Url, answer: &Response) -> Trouble {
    let url = url.to_string();
    let status = answer.status();
    let busy = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    Trouble::Final(match status {
        StatusCode::UNAUTHORIZED => FetchError::Unauthorized { url },
        StatusCode::FORBIDDEN => FetchError::Forbidden { url },
        StatusCode::NOT_FOUND => FetchError::NotFound { url },
        _ if busy || status.is_server_error() => {
            let error = FetchError::Unreachable { url, source: None };
            return Trouble::again(error, backoff::asked(answer.headers()));
        }
        _ => FetchError::Refused { url, status: status.as_u16() },
    })
}

/// The address in `<…>; rel="next"`.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let links = headers.get(LINK)?.to_str().ok()?.split(',');
    let mut next = links.filter(|link| link.contains("rel=\"next\""));
    Some(next.next()?.split_once('<')?.1.split_once('>')?.0.to_owned())
}

/// A file of the Secret, if it is there.
fn read(folder: &Path, entry: SecretEntry) -> Result<Option<String>, FetchError> {
    match fs::read_to_string(folder.join(entry.file)) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(_) => Err(secret(folder, entry, "can't be read: make it a readable text")),
    }
}

/// Marked as what nobody prints.
fn token(folder: &Path) -> Result<Option<HeaderValue>, FetchError> {
    let Some(token) = read(folder, TOKEN)? else { return Ok(None) };
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| secret(folder, TOKEN, "is no token: write it alone, on one line"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn authority(folder: &Path) -> Result<Vec<Certificate>, FetchError> {
    let bundle = read(folder, CA)?.map(|pem| authorities::bundle(&pem));
    Ok(bundle.transpose().map_err(|what| secret(folder, CA, what))?.unwrap_or_default())
}

fn secret(folder: &Path, SecretEntry { key, file }: SecretEntry, what: &'static str) -> FetchError {
    FetchError::Secret { path: folder.join(file), key, what }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(mirror: &str) -> Result<Hub, FetchError> {
        Hub::open(&Access::Open { mirror: Some(mirror.to_owned()) }, Patience::default())
    }

    #[test]
    fn addresses_are_those_of_the_interface() {
        let check = |mirror: &str, expected: &str| {
            let url = hub(mirror).map(|hub| hub.file("Qwen/Qwen3-8B", "refs/pr/1", "a b/model.gguf"));
            assert_eq!(url.expect("an address").as_str(), expected);
        };
        check("https://hub", "https://hub/Qwen/Qwen3-8B/resolve/refs%2Fpr%2F1/a%20b/model.gguf");
        check("http://hub:81/hf/", "http://hub:81/hf/Qwen/Qwen3-8B/resolve/refs%2Fpr%2F1/a%20b/model.gguf");
        for address in ["hub", "ftp://hub", ""] {
            assert!(matches!(hub(address), Err(FetchError::Address { .. })), "{address}");
        }
    }

    #[test]
    fn a_next_page_lies_on_the_same_server() {
        let header = HeaderValue::from_static("<https://hub/api?cursor=1>; rel=\"next\"");
        let next = next_page(&HeaderMap::from_iter([(LINK, header)])).expect("a next page");
        let hub = hub("https://hub").expect("a hub");
        let page = Url::parse("https://hub/api").expect("an address");
        assert_eq!(hub.beside(&page, &next).expect("the same server").as_str(), "https://hub/api?cursor=1");
        assert!(hub.beside(&page, "https://elsewhere/api").is_err());
    }

    #[test]
    fn a_secret_says_what_is_wrong_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || Hub::open(&Access::Secret(folder.path().to_owned()), Patience::default());
        open().expect("an empty Secret is an open hub");
        for (name, content, says) in [
            ("token", "a\nb", "/token (`broadside-hub-token` of the Secret) is no token: write it alone"),
            ("ca.crt", "none", "/ca.crt (`broadside-hub-ca.crt` of the Secret) holds no certificate"),
            ("url", "hub", "`url` (`broadside-hub-url` of the Secret) is no address"),
        ] {
            fs::write(folder.path().join(name), content).expect("written");
            let said = open().err().expect(says).to_string();
            assert!(said.contains(says) && !said.contains("a\nb"), "{said}");
            fs::remove_file(folder.path().join(name)).expect("removed");
        }
    }
}
