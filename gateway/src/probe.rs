//! Asks a gateway and its ledgers as an application would, and says of each check how it went.
//!
//! ```text
//! --gateway ─▶ /healthz  /readyz  /v1/decide  /ofrep/…   an unknown campaign is answered as documented
//! --ledger ──▶ /healthz  /readyz  /v1/events             a token that is none is told so
//! ```
//!
//! Nothing is recorded, and nobody's copy is asked for, so it may run at any time.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use reqwest::{Certificate, Client, ClientBuilder, Method, StatusCode, Url};
use serde_json::{Value, json};

use crate::auth::ShownKey;
use crate::auth::files::ApiKeyFileError;

/// What a probe takes.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct ProbeArgs {
    /// The address of the gateways, such as http://broadside-gateway:8080.
    #[arg(long, value_name = "URL", value_parser = address)]
    gateway: Url,
    /// The address of the ledger, such as http://broadside-ledger:8081; of several, those of all parts, with commas between
    /// them.
    #[arg(long, value_name = "URL,..", value_delimiter = ',', required = true, value_parser = address)]
    ledger: Vec<Url>,
    /// Certificates of the authorities that theirs are of, in PEM; again for each file. With addresses of https.
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,
    /// A folder of the keys with which applications ask, of which one is shown.
    #[arg(long, env = "BROADSIDE_API_KEYS", value_name = "DIR")]
    api_keys: Option<PathBuf>,
}

/// Why not all is well.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Some checks failed.
    #[error("{failed} of {checks} checks failed: do what their lines say, and ask again")]
    Failed {
        /// How many did.
        failed: usize,
        /// How many there were.
        checks: usize,
    },
    /// There is no key to show.
    #[error(transparent)]
    ApiKey(#[from] ApiKeyFileError),
    /// A folder holds no key.
    #[error("--api-keys: {} holds no key: mount a Secret of keys there, or leave the flag out", .0.display())]
    NoKey(PathBuf),
    /// A file can't be read.
    #[error(
        "--ca: {} can't be read: the certificate's Secret needs an entry ca.crt, as cert-manager makes it; or name another file",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds no certificates.
    #[error("--ca: {} holds no certificates in PEM: name a file that does", path.display())]
    NoAuthority {
        /// The file.
        path: PathBuf,
        /// Why, unless it is empty.
        source: Option<reqwest::Error>,
    },
    /// Nobody can be asked.
    #[error("this machine has no certificates of authorities: name a file of them with --ca")]
    NoClient(#[source] reqwest::Error),
    /// The lines can't be printed.
    #[error("what was found can't be written")]
    Write(#[from] std::io::Error),
}

fn address(text: &str) -> Result<Url, String> {
    let url = text.parse::<Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| format!("{text:?} is no address: write http://HOST:PORT or https://HOST:PORT"))
}

/// A process that answers has done so long before.
const PATIENCE: Duration = Duration::from_secs(5);

/// No object of Kubernetes has this name.
const NOBODYS: &str = "_probe";

/// Prints a line for each check.
///
/// # Errors
/// When a check failed, or none could be made.
pub async fn probe(args: &ProbeArgs, mut to: impl Write) -> Result<(), ProbeError> {
    let asker = Asker::new(args)?;
    let gateway = of_gateway(asker.namespace()).map(|check| (&args.gateway, check));
    let ledgers = args.ledger.iter().flat_map(|url| of_ledger().map(|check| (url, check)));
    let (mut checks, mut failed) = (0, 0);
    for (url, check) in gateway.into_iter().chain(ledgers) {
        let found = asker.holds(url, &check).await;
        checks += 1;
        match found {
            Ok(()) => writeln!(to, "ok      {check} at {}", told(url))?,
            Err(fault) => {
                failed += 1;
                writeln!(to, "failed  {check} at {}: {fault}", told(url))?;
            }
        }
    }
    if failed > 0 { Err(ProbeError::Failed { failed, checks }) } else { Ok(()) }
}

/// An address without the slash that parsing adds.
fn told(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

/// A question, and how it is answered where all is well.
struct Check {
    /// What is known if it is.
    what: &'static str,
    method: Method,
    path: String,
    body: Option<Value>,
    status: StatusCode,
    /// Where the answer has a word, by a pointer, and the word.
    word: Option<(&'static str, &'static str)>,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl Check {
    fn get(what: &'static str, path: &str) -> Self {
        Self { what, method: Method::GET, path: path.into(), body: None, status: StatusCode::OK, word: None }
    }

    fn post(
        what: &'static str,
        path: String,
        body: Value,
        status: StatusCode,
        word: (&'static str, &'static str),
    ) -> Self {
        Self { what, method: Method::POST, path, body: Some(body), status, word: Some(word) }
    }
}

/// What docs/gateway.md promises of an unknown campaign.
fn of_gateway(namespace: &str) -> [Check; 4] {
    let question =
        json!({"namespace": namespace, "campaign": NOBODYS, "placement": NOBODYS, "subject": NOBODYS});
    let flag = format!("/ofrep/v1/evaluate/flags/{namespace}.{NOBODYS}.{NOBODYS}");
    let context = json!({"context": {"targetingKey": NOBODYS}});
    [
        Check::get("the gateway runs", "/healthz"),
        Check::get("the gateway has read the tables", "/readyz"),
        Check::post(
            "an unknown campaign is told to an application",
            "/v1/decide".into(),
            question,
            StatusCode::OK,
            ("/reason", "UnknownCampaign"),
        ),
        Check::post(
            "an unknown flag is told to OpenFeature",
            flag,
            context,
            StatusCode::NOT_FOUND,
            ("/errorCode", "FLAG_NOT_FOUND"),
        ),
    ]
}

fn of_ledger() -> [Check; 3] {
    let event = json!({"events": [{"id": NOBODYS, "token": NOBODYS, "type": "exposure"}]});
    [
        Check::get("the ledger runs", "/healthz"),
        Check::get("the ledger has read the tables, and records", "/readyz"),
        Check::post(
            "an event with a token that is none is told to an application",
            "/v1/events".into(),
            event,
            StatusCode::ACCEPTED,
            ("/outcomes/0/outcome", "invalid"),
        ),
    ]
}

/// What is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("nobody answers ({0}): look whether its pods run, and whether a NetworkPolicy keeps you out")]
    Silent(String),
    #[error(
        "nobody answers who can be trusted ({0}): look whether it runs, whether its certificate has this name, and whether \
         --ca names its authority"
    )]
    Untrusted(String),
    #[error("it asks for a key of applications: name a folder with one of them in --api-keys")]
    Keyed,
    #[error(
        "it is not ready: look in its log whether it may list adtables, whether the definitions are installed, and whether \
         its volume is full"
    )]
    NotReady,
    #[error(
        "it answers {0}, which a gateway of this version does not: look what runs there, and upgrade it with this one"
    )]
    Other(String),
}

/// Who asks.
struct Asker {
    client: Client,
    key: Option<ShownKey>,
}

impl Asker {
    fn new(args: &ProbeArgs) -> Result<Self, ProbeError> {
        let key = match &args.api_keys {
            Some(folder) => {
                Some(ShownKey::first_of(folder)?.ok_or_else(|| ProbeError::NoKey(folder.clone()))?)
            }
            None => None,
        };
        Ok(Self { client: client(args)?, key })
    }

    /// One that may be asked about.
    fn namespace(&self) -> &str {
        self.key.as_ref().map_or("default", |key| &key.namespace)
    }

    async fn holds(&self, url: &Url, check: &Check) -> Result<(), Fault> {
        let mut url = url.clone();
        url.set_path(&check.path);
        let is_encrypted = url.scheme() == "https";
        let request = self.client.request(check.method.clone(), url);
        let request = self.key.iter().fold(request, |request, shown| request.bearer_auth(&shown.key));
        let request = check.body.iter().fold(request, |request, body| request.json(body));
        let silent = |error: reqwest::Error| {
            let why = chain(&error.without_url());
            if is_encrypted { Fault::Untrusted(why) } else { Fault::Silent(why) }
        };
        let response = request.send().await.map_err(silent)?;
        let status = response.status();
        let body = response.bytes().await.map_err(silent)?;
        check.is_met(status, &body)
    }
}

impl Check {
    fn is_met(&self, status: StatusCode, body: &[u8]) -> Result<(), Fault> {
        match status {
            StatusCode::UNAUTHORIZED => return Err(Fault::Keyed),
            StatusCode::SERVICE_UNAVAILABLE => return Err(Fault::NotReady),
            _ if status != self.status => return Err(Fault::Other(status.to_string())),
            _ => {}
        }
        let Some((place, word)) = self.word else { return Ok(()) };
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        match answer.pointer(place) {
            Some(found) if found == word => Ok(()),
            Some(found) => Err(Fault::Other(format!("{found} in place of {word}"))),
            None => Err(Fault::Other(format!("{status} without {word}"))),
        }
    }
}

fn client(args: &ProbeArgs) -> Result<Client, ProbeError> {
    let is_encrypted = args.ledger.iter().chain([&args.gateway]).any(|url| url.scheme() == "https");
    let builder = if args.ca.is_empty() && is_encrypted {
        builder()
    } else {
        // Our image has no certificates, and an address without TLS needs none.
        builder().tls_certs_only(authorities(&args.ca)?)
    };
    builder.build().map_err(ProbeError::NoClient)
}

fn builder() -> ClientBuilder {
    // Where a proxy is named for the outside, a service of the cluster is not behind it.
    Client::builder().timeout(PATIENCE).no_proxy()
}

fn authorities(files: &[PathBuf]) -> Result<Vec<Certificate>, ProbeError> {
    let mut authorities = Vec::new();
    for path in files {
        let pem =
            std::fs::read(path).map_err(|source| ProbeError::Unreadable { path: path.clone(), source })?;
        let unfit = |source| ProbeError::NoAuthority { path: path.clone(), source };
        let found = Certificate::from_pem_bundle(&pem).map_err(|error| unfit(Some(error)))?;
        if found.is_empty() {
            return Err(unfit(None));
        }
        authorities.extend(found);
    }
    Ok(authorities)
}

/// What an error says, and all that caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
