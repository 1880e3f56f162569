//! One request at a time over HTTP: what is sent, how much is read, and what an answer's status means.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;

use super::access::{self, Access, Key};
use super::answer::Completion;
use super::patience::Patience;
use super::request::{Offer, Request};
use super::{EndpointError, Passing};
use crate::backoff;
use crate::http::authorities;
use crate::http::body::{self, BodyError, TOO_LARGE};
use crate::prompt;

/// The most of a server's own words that an error repeats, in characters.
const LONGEST_WORDS: usize = 300;
/// The most models that an error names.
const MOST_MODELS: usize = 20;

/// Why a request brought no answer.
pub(super) enum Fault {
    /// It may go well another time.
    Passing {
        source: Passing,
        /// What the server asked to wait.
        retry_after: Option<Duration>,
    },
    /// The server finds fault with the request, perhaps with something in it that can be left out.
    Refused { status: u16, said: String },
    /// What answered does not speak as an endpoint does, whatever its status says.
    Odd {
        /// What is wrong with its answer.
        what: &'static str,
    },
    /// It will not go well.
    Lasting(EndpointError),
}

pub(super) struct Client {
    http: reqwest::Client,
    folder: PathBuf,
    base: Url,
    key: Option<Key>,
}

impl Client {
    pub(super) fn new(access: Access, patience: &Patience) -> reqwest::Result<Self> {
        let Access { folder, base, key, authorities } = access;
        // The process talks to few servers; where tests have set a provider already, theirs will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authorization = key.iter().map(|key| (AUTHORIZATION, key.header()));
        let builder = reqwest::Client::builder()
            .connect_timeout(patience.connect)
            .timeout(patience.answer)
            .redirect(Policy::none())
            .default_headers(HeaderMap::from_iter(authorization));
        let builder = match base.scheme() {
            // No proxy leads into this machine or this cluster, and no authority is needed.
            "http" => builder.no_proxy().tls_certs_only([]),
            // Who names an authority trusts no other: a brief should not reach whoever has any certificate at all.
            _ if !authorities.is_empty() => builder.tls_certs_only(authorities),
            _ => builder.tls_certs_merge(authorities::known()),
        };
        Ok(Self { http: builder.build()?, folder, base, key })
    }

    /// Whether the mounted Secret has another key by now than the one that is sent.
    pub(super) fn key_has_changed(&self) -> bool {
        // While it is being written it may be unreadable or away, and then it is read again.
        access::key(&self.folder).is_ok_and(|key| key.is_some() && key != self.key)
    }

    /// Asks for one completion.
    pub(super) async fn complete(&self, request: &Request<'_>) -> Result<Completion, Fault> {
        let url = self.url("chat/completions");
        let response = self.http.post(url.clone()).json(request).send().await.map_err(connection)?;
        let (status, wait) = (response.status(), backoff::asked(response.headers()));
        if status.is_redirection() {
            return Err(Fault::Lasting(EndpointError::Redirected { to: self.location(&response) }));
        }
        let body = body::read(response).await?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|_| Fault::Odd { what: "its answer is no completion" });
        }
        let said = self.words(&body);
        Err(match status {
            StatusCode::NOT_FOUND => Fault::Lasting(self.not_found(request.model(), &url, said).await),
            status => fault(status, said, wait),
        })
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path()));
        url
    }

    /// Either the model is not served, which servers can tell us more about, or the address is wrong.
    async fn not_found(&self, model: &str, url: &Url, said: String) -> EndpointError {
        let offered = self.models().await.unwrap_or_default();
        if offered.is_empty() || offered.iter().any(|it| it == model) {
            return EndpointError::NotFound { url: url.to_string(), said };
        }
        let named = offered.iter().take(MOST_MODELS).map(|it| self.clean(it)).collect::<Vec<_>>();
        EndpointError::UnknownModel { model: model.to_owned(), offered: named.join(", ") }
    }

    /// The models that the server lists; nothing where it does not.
    async fn models(&self) -> Option<Vec<String>> {
        #[derive(Deserialize)]
        struct List {
            data: Vec<Model>,
        }
        #[derive(Deserialize)]
        struct Model {
            id: String,
        }
        let response = self.http.get(self.url("models")).send().await.ok()?;
        let body = body::read(response).await.ok()?;
        let list: List = serde_json::from_slice(&body).ok()?;
        Some(list.data.into_iter().map(|model| model.id).collect())
    }

    fn location(&self, response: &Response) -> String {
        let to = response.headers().get(LOCATION).and_then(|it| it.to_str().ok());
        self.clean(to.unwrap_or("nowhere"))
    }

    /// What a server says of an error, in any of the usual forms.
    fn words(&self, body: &[u8]) -> String {
        let text = String::from_utf8_lossy(body);
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        let error = &json["error"];
        let told = [&error["message"], error, &json["message"], &json["detail"]];
        let told = told.into_iter().find(|it| !it.is_null());
        let told = told.map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned));
        self.clean(&told.unwrap_or_else(|| text.into_owned()))
    }

    /// Words of a server as an error may repeat them: in one line, not long, and without the key.
    fn clean(&self, words: &str) -> String {
        let words = self.key.as_ref().map_or_else(|| words.to_owned(), |key| key.redact(words));
        prompt::value(&words).chars().take(LONGEST_WORDS).collect()
    }
}

/// What a status means that is neither a success nor a redirect nor 404.
fn fault(status: StatusCode, said: String, retry_after: Option<Duration>) -> Fault {
    let code = status.as_u16();
    match code {
        401 | 403 => Fault::Lasting(EndpointError::Unauthorized { status: code, said }),
        408 | 425 | 429 | 502..=504 => {
            Fault::Passing { source: Passing::Status { status: code, said }, retry_after }
        }
        500.. if code != 501 && !Offer::is_named_in(&said) => {
            Fault::Passing { source: Passing::Status { status: code, said }, retry_after }
        }
        _ => Fault::Refused { status: code, said },
    }
}

fn connection(error: reqwest::Error) -> Fault {
    Fault::Passing { source: error.into(), retry_after: None }
}

impl From<BodyError> for Fault {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Cut(error) => connection(error),
            BodyError::TooLarge => Self::Odd { what: TOO_LARGE },
        }
    }
}
