//! The few requests that a start makes of the API server: is it ready, create this, read that, patch the other.

use std::time::Duration;

use reqwest::{Certificate, Client, Method, StatusCode};
use serde_json::Value;

use crate::certificates::Identity;

/// One answer takes milliseconds; on a machine that builds at the same time, seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server could not be reached, or sent no JSON.
    #[error("the API server does not answer")]
    Transport(#[from] reqwest::Error),
    /// The server refused.
    #[error("the API server answered {status} to {path}: {message}")]
    Refused {
        /// What was asked for.
        path: String,
        /// The HTTP status.
        status: StatusCode,
        /// The server's own words.
        message: String,
    },
}

/// A client of one API server.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    client: Client,
    server: String,
}

impl Api {
    /// A client that trusts only `authority` and logs in as `identity`. `server` is a URL without a path.
    pub(crate) fn new(server: &str, authority: &str, identity: &Identity) -> Result<Self, Error> {
        install_provider();
        let login = format!("{}{}", identity.certificate, identity.key);
        let client = Client::builder()
            .tls_certs_only([Certificate::from_pem(authority.as_bytes())?])
            .identity(reqwest::Identity::from_pem(login.as_bytes())?)
            .timeout(PATIENCE)
            .no_proxy()
            .build()?;
        Ok(Self { client, server: server.to_owned() })
    }

    /// Whether the server says that it is ready. Anything but a yes, silence included, is a no.
    pub(crate) async fn is_ready(&self) -> bool {
        let answer = self.client.get(format!("{}/readyz", self.server)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// The object at `path`; `None` where there is none.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<Value>, Error> {
        match self.send(Method::GET, path, "application/json", None).await {
            Err(Error::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Makes the object at `path` what `object` says, whether or not it exists.
    pub(crate) async fn apply(&self, path: &str, object: &Value) -> Result<(), Error> {
        let path = format!("{path}?fieldManager=broadside-cluster&force=true");
        self.send(Method::PATCH, &path, "application/apply-patch+yaml", Some(object)).await.map(drop)
    }

    /// Merges `patch` into the object at `path`.
    pub(crate) async fn merge(&self, path: &str, patch: &Value) -> Result<(), Error> {
        self.send(Method::PATCH, path, "application/merge-patch+json", Some(patch)).await.map(drop)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        let mut request = self.client.request(method, format!("{}{path}", self.server));
        if let Some(body) = body {
            request = request.header("Content-Type", kind).body(body.to_string());
        }
        let answer = request.send().await?;
        let status = answer.status();
        let value: Value = answer.json().await?;
        if status.is_success() {
            return Ok(value);
        }
        let message = value["message"].as_str().unwrap_or("no message").to_owned();
        Err(Error::Refused { path: path.to_owned(), status, message })
    }
}

/// Lets rustls use ring, unless the program has already chosen something else.
pub(crate) fn install_provider() {
    // Losing a race against another thread leaves what that thread installed, which is as good.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}
