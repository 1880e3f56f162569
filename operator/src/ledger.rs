//! Asks the ledger for a campaign's totals; of several, the one whose part has the campaign.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use api::wire::part::{PARTITIONS, Part};
use api::wire::totals::TotalsResponse;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Certificate, Client, ClientBuilder, Response, StatusCode, Url};
use serde::Deserialize;

/// The ledger, by its address or by those of its parts.
#[derive(Clone, Debug)]
pub struct Ledger {
    addresses: Addresses,
    trust: Trust,
    /// The file of the token that it asks for. It is read for each question: the kubelet writes another one in time.
    token: Option<PathBuf>,
}

/// The address of the ledger of each part, in their order: one for a ledger that has all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses(Vec<Url>);

/// Why a text lists no addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressesError {
    /// One is none.
    #[error("{0:?} is no address: write http://HOST:PORT, with commas between those of several parts")]
    NoAddress(String),
    /// There are too many.
    #[error("{0} addresses are too many: a stream has at most 64 parts")]
    TooMany(usize),
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
    /// It is the ledger of another part.
    #[error(
        "{said}; this was the ledger at {url}: list in --ledger-url the ledgers of all parts, in the order of their numbers"
    )]
    Misdirected {
        /// Its address.
        url: String,
        /// What it says about that.
        said: String,
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

/// A pass does not wait longer for totals: the last shares do no harm, and what is recalled meanwhile waits for the pass.
const PATIENCE: Duration = Duration::from_secs(2);

impl Ledger {
    /// The ledger at these addresses; over TLS, with a certificate of the authorities in the file `ca`, if one is named.
    ///
    /// # Errors
    /// When no HTTP client can be made on this machine: for `https` without `ca`, when it has no certificates of authorities.
    pub fn new(addresses: Addresses, ca: Option<PathBuf>) -> Result<Self, reqwest::Error> {
        let trust = match ca {
            Some(path) => Trust::Authority(path),
            // Our image has no certificates, and an address without TLS needs none.
            None if addresses.0.iter().any(|url| url.scheme() == "https") => Trust::Fixed(builder().build()?),
            None => Trust::Fixed(builder().tls_certs_only([]).build()?),
        };
        Ok(Self { addresses, trust, token: None })
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
        let address = self.addresses.of(campaign_uid);
        let unreachable = |source| LedgerError::Unreachable { url: address.to_string(), source };
        let mut url = address.clone();
        url.set_path("/v1/totals");
        url.query_pairs_mut().append_pair("campaign", campaign_uid);
        let mut request = self.trust.client()?.get(url);
        if let Some(path) = &self.token {
            request = request.header(AUTHORIZATION, bearer(path)?);
        }
        let response = request.send().await.map_err(unreachable)?;
        if response.status() == StatusCode::MISDIRECTED_REQUEST {
            return Err(LedgerError::Misdirected { url: address.to_string(), said: said(response).await });
        }
        response.error_for_status().map_err(unreachable)?.json().await.map_err(unreachable)
    }
}

impl Addresses {
    /// That of the ledger whose part has the campaign.
    pub fn of(&self, campaign_uid: &str) -> &Url {
        let parts = u32::try_from(self.0.len()).expect("there are at most 64");
        &self.0[Part::with(campaign_uid, parts).number() as usize]
    }
}

impl FromStr for Addresses {
    type Err = AddressesError;

    fn from_str(text: &str) -> Result<Self, AddressesError> {
        let address = |text: &str| match Url::parse(text.trim()) {
            Ok(url) if url.has_host() => Ok(url),
            _ => Err(AddressesError::NoAddress(text.to_owned())),
        };
        let addresses = text.split(',').map(address).collect::<Result<Vec<_>, _>>()?;
        match addresses.len() {
            many if many > PARTITIONS as usize => Err(AddressesError::TooMany(many)),
            _ => Ok(Self(addresses)),
        }
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

/// What a refusal says.
async fn said(response: Response) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    let refusal = response.json().await.map(|Refusal { message }| message);
    refusal.unwrap_or_else(|_| "the ledger says that another has the campaign".to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_of_the_campaigns_part_is_asked() {
        let check = |text: &str, campaign: &str, expected: &str| {
            let addresses: Addresses = text.parse().expect("they are addresses");
            assert_eq!(addresses.of(campaign).host_str(), Some(expected), "{campaign} of {text}");
        };
        // Their partitions are 5 and 32.
        let (five, thirty_two) =
            ("2f1c9a52-3b1e-4a3c-9a41-5d0b6f3f7c11", "3f1c9a52-3b1e-4a3c-9a41-5d0b6f3f7c10");
        check("http://one:8081", five, "one");
        check("http://one:8081", thirty_two, "one");
        check("http://one:8081,http://two:8081", five, "two");
        check("http://one:8081,http://two:8081", thirty_two, "one");
        check("http://one:8081, http://two:8081, http://three:8081", five, "three");
        check("http://one:8081, http://two:8081, http://three:8081", thirty_two, "three");
    }

    #[test]
    fn what_lists_no_addresses_is_refused_by_name() {
        let check =
            |text: &str, expected: AddressesError| assert_eq!(text.parse::<Addresses>(), Err(expected));
        check("", AddressesError::NoAddress(String::new()));
        check("http://one,", AddressesError::NoAddress(String::new()));
        check("http://one,two", AddressesError::NoAddress("two".to_owned()));
        check("ledger:8081", AddressesError::NoAddress("ledger:8081".to_owned()));
        check(&vec!["http://one"; 65].join(","), AddressesError::TooMany(65));
    }
}
