//! Asks the ledger for a campaign's totals.

use std::time::Duration;

use api::wire::totals::TotalsResponse;

/// The ledger, by its address.
#[derive(Clone, Debug)]
pub struct Ledger {
    http: reqwest::Client,
    url: reqwest::Url,
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
}

/// A pass does not wait longer for totals: the last shares do no harm.
const PATIENCE: Duration = Duration::from_secs(5);

impl Ledger {
    /// The ledger at `url`.
    ///
    /// # Errors
    /// When no HTTP client can be made on this machine: for `https`, when it has no certificates of authorities.
    pub fn new(url: reqwest::Url) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().timeout(PATIENCE);
        // Our image has no certificates, and an address without TLS needs none.
        let client = if url.scheme() == "https" { client } else { client.tls_certs_only([]) };
        Ok(Self { http: client.build()?, url })
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
        let response = self.http.get(url).send().await.map_err(unreachable)?;
        response.error_for_status().map_err(unreachable)?.json().await.map_err(unreachable)
    }
}
