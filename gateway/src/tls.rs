//! TLS from files: a mounted Secret of type `kubernetes.io/tls`, or any certificate and its key in PEM.
//!
//! They are read again from time to time, since a certificate lives for weeks and a process for longer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use clap::Args;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};

/// How often the files are looked at. A changed Secret reaches its volume within a minute or two.
const EVERY: Duration = Duration::from_secs(30);

/// With what connections are encrypted.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct TlsArgs {
    /// The certificate of this server in PEM, followed by those that lead to its authority; with it all is served over
    /// TLS, and read again when it changes.
    #[arg(long, env = "BROADSIDE_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key in PEM.
    #[arg(long, env = "BROADSIDE_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

/// Where a certificate and its key lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, and those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The certificate in force: clone it freely. Reading takes no lock.
#[derive(Clone, Debug)]
pub struct Certificate(Arc<ArcSwap<InForce>>);

#[derive(Debug)]
struct InForce {
    tls: Arc<ServerConfig>,
    /// Of both files, to know a change.
    digest: [u8; 32],
    /// The second from which clients refuse it, since 1970.
    ends: i64,
}

/// What both files hold.
struct Content {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("{flag}: {} can't be read: mount the certificate's Secret there, or name another file", path.display())]
    Unreadable {
        /// Which flag names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{flag}: {} holds no {what} in PEM: name a file that does", path.display())]
    Empty {
        /// Which flag names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What should be in it.
        what: &'static str,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The two do not go together.
    #[error("--tls-cert, --tls-key: {} and {} can't be used together: name a certificate and its own key",
        certificate.display(), key.display())]
    Unfit {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

const CERTIFICATE: &str = "--tls-cert";
const KEY: &str = "--tls-key";

impl TlsArgs {
    /// The files, where both are named.
    #[must_use]
    pub fn files(self) -> Option<CertificateFiles> {
        let (certificate, key) = self.tls_cert.zip(self.tls_key)?;
        Some(CertificateFiles { certificate, key })
    }
}

impl Certificate {
    /// Shakes hands over a fresh connection.
    ///
    /// # Errors
    /// When the other side does not speak TLS, or trusts another certificate.
    pub async fn accept<S>(&self, stream: S) -> std::io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let tls = Arc::clone(&self.0.load().tls);
        TlsAcceptor::from(tls).accept(stream).await
    }
}

/// Tells when it ends: whoever renews it, or should, is late long before that.
impl Collector for Certificate {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let (name, ends) = ("broadside_tls_certificate_ends_timestamp", ConstGauge::new(self.0.load().ends));
        let help = "When the certificate in force ends, since 1970";
        ends.encode(encoder.encode_descriptor(name, help, Some(&Unit::Seconds), ends.metric_type())?)
    }
}

impl CertificateFiles {
    /// The certificate as it stands.
    ///
    /// # Errors
    /// When the files can't be read, or hold no certificate and its key.
    pub fn open(&self) -> Result<Certificate, TlsError> {
        let in_force = self.in_force(&self.content()?)?;
        Ok(Certificate(Arc::new(ArcSwap::from_pointee(in_force))))
    }

    /// Reads it again from time to time. Connections that are open stay as they are. What can't be used is logged, and what
    /// was before stays.
    pub async fn watch(self, certificate: Certificate) {
        loop {
            tokio::time::sleep(EVERY).await;
            match self.changed(&certificate) {
                Ok(None) => {}
                Ok(Some(changed)) => {
                    tracing::info!("certificate taken");
                    certificate.0.store(Arc::new(changed));
                }
                Err(error) => tracing::warn!(%error, "certificate refused, the one before stays"),
            }
        }
    }

    fn changed(&self, certificate: &Certificate) -> Result<Option<InForce>, TlsError> {
        let content = self.content()?;
        if content.digest() == certificate.0.load().digest {
            return Ok(None);
        }
        self.in_force(&content).map(Some)
    }

    fn content(&self) -> Result<Content, TlsError> {
        Ok(Content { certificate: read(CERTIFICATE, &self.certificate)?, key: read(KEY, &self.key)? })
    }

    fn in_force(&self, content: &Content) -> Result<InForce, TlsError> {
        let chain = self.chain(&content.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&content.key)
            .map_err(|source| empty(KEY, &self.key, "private key", source))?;
        let ends = ends(&chain);
        let tls = server(chain, key).map_err(|source| TlsError::Unfit {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            source,
        })?;
        // A server that rustls makes of it has one that can be read.
        Ok(InForce { tls: Arc::new(tls), digest: content.digest(), ends: ends.unwrap_or(i64::MAX) })
    }

    fn chain(&self, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let unfit = |source| empty(CERTIFICATE, &self.certificate, "certificate", source);
        let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(unfit)?;
        if chain.is_empty() {
            return Err(unfit(rustls::pki_types::pem::Error::NoItemsFound));
        }
        Ok(chain)
    }
}

impl Content {
    fn digest(&self) -> [u8; 32] {
        let each = [&self.certificate, &self.key].map(Sha256::digest);
        Sha256::digest(each.concat()).into()
    }
}

/// HTTP/1.1 over TLS 1.2 and 1.3. Who sends no certificate of their own is welcome: keys tell applications apart.
fn server(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let tls = tls.with_safe_default_protocol_versions()?.with_no_client_auth();
    let mut tls = tls.with_single_cert(chain, key)?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

/// When the first of them, the server's own, ends.
fn ends(chain: &[CertificateDer<'_>]) -> Option<i64> {
    let (_, certificate) = X509Certificate::from_der(chain.first()?).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

fn read(flag: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { flag, path: path.to_owned(), source })
}

fn empty(
    flag: &'static str,
    path: &Path,
    what: &'static str,
    source: rustls::pki_types::pem::Error,
) -> TlsError {
    TlsError::Empty { flag, path: path.to_owned(), what, source }
}
