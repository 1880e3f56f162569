//! Asks the ledger for a campaign's totals.

use std::path::{Path, PathBuf};
use std::time::Duration;

use api::wire::totals::TotalsResponse;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Certificate, Client, ClientBuilder, Url};

/// The ledger, by its address.
#[derive(Clone, Debug)]
pub struct Ledger {
    url: Url,
    trust: Trust,
    /// The file of the token that it asks for. It is read for each question: the kubelet writes another one in time.
    token: Option<PathBuf>,
}

/// Whom the ledger may be.
#[derive(Clone, Debug)]
enum Trust {
    /// Whoever answers at its address; over TLS, whoever this machine trusts.
    Fixed(Client),
    /// Who has a certificate of the authority in this file. It is read for each question, so that the next authority needs
    /// no restart.
    Authority(PathBuf),
}

/// Why there are no totals.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It can't be asked.
    #[error("the ledger at {url} did not answer")]
    Unreachable {
        /// Its address.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// A file can't be read.
    #[error("{flag}: {} can't be read: mount it, or name another", path.display())]
    Unreadable {
        /// Which flag names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file holds no authority.
    #[error("--ledger-ca: {} holds no certificates in PEM: name a file that does", path.display())]
    NoAuthority {
        /// The file.
        path: PathBuf,
        /// Why, unless it is empty.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// A file holds no token.
    #[error("--ledger-token: {} holds no token: name the file of a projected one", .0.display())]
    NoToken(PathBuf),
}

/// A pass does not wait longer for totals: the last shares do no harm.
const PATIENCE: Duration = Duration::from_secs(5);

impl Ledger {
    /// The ledger at `url`; over TLS, with a certificate of the authorities in the file `ca`, if one is named.
    ///
    /// # Errors
    /// When no HTTP client can be made on this machine: for `https` without `ca`, when it has no certificates of authorities.
    pub fn new(url: Url, ca: Option<PathBuf>) -> Result<Self, reqwest::Error> {
        let trust = match ca {
            Some(path) => Trust::Authority(path),
            // Our image has no certificates, and an address without TLS needs none.
            None if url.scheme() == "https" => Trust::Fixed(builder().build()?),
            None => Trust::Fixed(builder().tls_certs_only([]).build()?),
        };
        Ok(Self { url, trust, token: None })
    }

    /// The same ledger, which is shown the token in that file.
    #[must_use]
    pub fn shown(self, token: Option<PathBuf>) -> Self {
        Self { token, ..self }
    }

    /// The totals of the campaign with this UID.
    ///
    /// # Errors
    /// When the ledger can't be reached, refuses, or answers something else than totals.
    pub async fn totals(&self, campaign_uid: &str) -> Result<TotalsResponse, LedgerError> {
        let unreachable = |source| LedgerError::Unreachable { url: self.url.to_string(), source };
        let mut url = self.url.clone();
        url.set_path("/v1/totals");
        url.query_pairs_mut().append_pair("campaign", campaign_uid);
        let mut request = self.trust.client()?.get(url);
        if let Some(path) = &self.token {
            request = request.header(AUTHORIZATION, bearer(path)?);
        }
        let response = request.send().await.map_err(unreachable)?;
        response.error_for_status().map_err(unreachable)?.json().await.map_err(unreachable)
    }
}

impl Trust {
    fn client(&self) -> Result<Client, LedgerError> {
        match self {
            Self::Fixed(client) => Ok(client.clone()),
            Self::Authority(path) => trusting(path),
        }
    }
}

fn bearer(path: &Path) -> Result<HeaderValue, LedgerError> {
    let token = read("--ledger-token", path)?;
    let value = [b"Bearer ", token.trim_ascii()].concat();
    let mut value = HeaderValue::try_from(value).map_err(|_| LedgerError::NoToken(path.to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn trusting(path: &Path) -> Result<Client, LedgerError> {
    let pem = read("--ledger-ca", path)?;
    let unfit = |source| LedgerError::NoAuthority { path: path.to_owned(), source };
    let authorities = Certificate::from_pem_bundle(&pem).map_err(|error| unfit(Some(error)))?;
    if authorities.is_empty() {
        return Err(unfit(None));
    }
    builder().tls_certs_only(authorities).build().map_err(|error| unfit(Some(error)))
}

fn builder() -> ClientBuilder {
    Client::builder().timeout(PATIENCE)
}

fn read(flag: &'static str, path: &Path) -> Result<Vec<u8>, LedgerError> {
    std::fs::read(path).map_err(|source| LedgerError::Unreadable { flag, path: path.to_owned(), source })
}
