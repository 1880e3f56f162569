//! TLS: what is served over it, how its certificate changes, and clients that would hold it up.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use gateway::serve::{self, HANDSHAKE_WITHIN, HEAD_WITHIN, Transport};
use gateway::tls::CertificateFiles;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::process::{Process, folder};
use crate::samples::SAMPLE;
use crate::world::World;

const QUERY: &str = "/v1/decide?namespace=shop&campaign=cart-and-hero&placement=hero&subject=alice";

/// A certificate of this machine and its key, in a folder.
pub(crate) struct Pair(tempfile::TempDir);

impl Pair {
    pub(crate) fn new() -> Self {
        let pair = Self(tempfile::tempdir().unwrap());
        pair.renew();
        pair
    }

    /// Another certificate with another key. Returns the certificate in PEM.
    fn renew(&self) -> String {
        self.renew_until(2050)
    }

    /// The same, which ends with the year before.
    fn renew_until(&self, year: i32) -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut made = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        made.not_after = rcgen::date_time_ymd(year, 1, 1);
        let (files, pem) = (self.files(), made.self_signed(&key).unwrap().pem());
        std::fs::write(files.certificate, &pem).unwrap();
        std::fs::write(files.key, key.serialize_pem()).unwrap();
        pem
    }

    pub(crate) fn pem(&self) -> String {
        std::fs::read_to_string(self.files().certificate).unwrap()
    }

    fn files(&self) -> CertificateFiles {
        CertificateFiles { certificate: self.path("tls.crt"), key: self.path("tls.key") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// A client that trusts this certificate and no other, and keeps no connection.
pub(crate) fn client(pem: &str) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let trusted = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    reqwest::Client::builder().tls_certs_only([trusted]).pool_max_idle_per_host(0).build().unwrap()
}

/// A gateway over TLS in this process.
struct Served {
    address: String,
    end: oneshot::Sender<()>,
    server: JoinHandle<()>,
    _world: World,
}

async fn served(pair: &Pair) -> Served {
    let world = World::new(SAMPLE);
    let listener = serve::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let certificate = pair.files().open().unwrap();
    tokio::spawn(pair.files().watch(certificate.clone()));
    let (end, ended) = oneshot::channel();
    let ended = async {
        let _ = ended.await;
    };
    let router = world.decide.clone();
    let server = tokio::spawn(serve::serve_over(Transport::Tls(certificate), listener, router, ended));
    Served { address, end, server, _world: world }
}

#[tokio::test]
async fn a_process_serves_all_it_has_over_tls() {
    let (folder, pair) = (folder(SAMPLE), Pair::new());
    let files = pair.files();
    let arguments =
        ["--tls-cert", files.certificate.to_str().unwrap(), "--tls-key", files.key.to_str().unwrap()];
    let process = Process::start_over_tls("all", folder.path(), &arguments, client(&pair.pem())).await;
    for path in [QUERY, "/healthz", "/metrics"] {
        assert!(process.get(path).await.unwrap().status().is_success(), "{path}");
    }
    let mut plain = TcpStream::connect(&process.address).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "it answers without TLS");
}

#[tokio::test]
async fn a_changed_certificate_is_taken_and_a_broken_one_is_not() {
    let pair = Pair::new();
    let first = pair.pem();
    let served = served(&pair).await;
    let answers = async |pem: &str| {
        let asked = client(pem).get(format!("https://{}{QUERY}", served.address)).send().await;
        asked.is_ok_and(|answer| answer.status().is_success())
    };
    assert!(answers(&first).await);
    let turn = async || {
        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(31)).await;
        tokio::time::resume();
    };
    let second = pair.renew();
    turn().await;
    assert_eq!((answers(&first).await, answers(&second).await), (false, true));
    let key = std::fs::read(pair.files().key).unwrap();
    let third = pair.renew();
    std::fs::write(pair.files().key, key).unwrap();
    turn().await;
    assert_eq!((answers(&second).await, answers(&third).await), (true, false), "another's key opens nothing");
    std::fs::remove_file(pair.files().certificate).unwrap();
    turn().await;
    assert!(answers(&second).await);
}

#[tokio::test(start_paused = true)]
async fn when_the_certificate_in_force_ends_is_told() {
    let pair = Pair::new();
    let certificate = pair.files().open().unwrap();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(certificate.clone()));
    tokio::spawn(pair.files().watch(certificate));
    let check = async |end: &str| {
        tokio::time::sleep(Duration::from_secs(31)).await;
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let line = format!("broadside_tls_certificate_ends_timestamp_seconds {end}\n");
        assert!(text.contains(&line), "{text}");
    };
    check("2524608000").await;
    pair.renew_until(2030);
    check("1893456000").await;
    std::fs::write(pair.files().certificate, "none").unwrap();
    check("1893456000").await;
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_end_ends_its_connection() {
    let served = served(&Pair::new()).await;
    // The head of a record, and of a greeting that is longer than what follows.
    for sent in [&b""[..], &[0x16, 3, 1, 2, 0], &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]] {
        let begin = Instant::now();
        let mut stream = TcpStream::connect(&served.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty());
        let taken = begin.elapsed();
        assert!(taken >= HANDSHAKE_WITHIN && taken < 2 * HANDSHAKE_WITHIN, "{taken:?} for {sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_ends_its_connection_over_tls_too() {
    let pair = Pair::new();
    let served = served(&pair).await;
    for sent in ["", "GET /v1/decide HTTP/1.1\r\nhost: gate"] {
        let mut stream = connected(&served.address, &pair).await;
        let begin = Instant::now();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let taken = begin.elapsed();
        assert!(taken >= HEAD_WITHIN - HANDSHAKE_WITHIN && taken < 2 * HEAD_WITHIN, "{taken:?} for {sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_no_handshake_and_for_no_connection_that_rests() {
    let pair = Pair::new();
    let served = served(&pair).await;
    let _silent = TcpStream::connect(&served.address).await.unwrap();
    let _resting = connected(&served.address, &pair).await;
    let begin = Instant::now();
    served.end.send(()).unwrap();
    served.server.await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn many_that_do_not_shake_hands_hold_up_nobody() {
    let pair = Pair::new();
    let served = served(&pair).await;
    let mut held = Vec::new();
    for _ in 0..200 {
        held.push(TcpStream::connect(&served.address).await.unwrap());
    }
    let answer = client(&pair.pem()).get(format!("https://{}{QUERY}", served.address)).send().await.unwrap();
    assert!(answer.status().is_success());
}

#[test]
fn an_error_names_the_flag_the_file_and_the_remedy() {
    let pair = Pair::new();
    let check = |files: &CertificateFiles, expected: [&str; 3]| {
        let said = files.open().unwrap_err().to_string();
        assert!(expected.iter().all(|part| said.contains(part)), "{said}");
    };
    let sound = pair.files();
    let none = pair.path("none");
    let missing = CertificateFiles { certificate: none.clone(), ..sound.clone() };
    check(&missing, ["--tls-cert: ", "/none", "mount"]);
    check(&CertificateFiles { key: none, ..sound.clone() }, ["--tls-key: ", "/none", "mount"]);
    let swapped = CertificateFiles { certificate: sound.key.clone(), key: sound.certificate.clone() };
    check(&swapped, ["--tls-cert: ", "/tls.key", "no certificate in PEM"]);
    let no_key = CertificateFiles { key: sound.certificate.clone(), ..sound.clone() };
    check(&no_key, ["--tls-key: ", "/tls.crt", "no private key in PEM"]);
    let other = Pair::new();
    check(
        &CertificateFiles { key: other.files().key, ..sound },
        ["--tls-cert, --tls-key", "/tls.key", "its own key"],
    );
}

#[test]
fn one_without_the_other_ends_the_start() {
    let start = |flag: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        let output = command.args(["decide", "--key-file", "key", flag, "file"]).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(start("--tls-cert").contains("--tls-key <FILE>"));
    assert!(start("--tls-key").contains("--tls-cert <FILE>"));
}

/// A connection over which hands were shaken.
async fn connected(address: &str, pair: &Pair) -> tokio_rustls::client::TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = "127.0.0.1".try_into().unwrap();
    tokio_rustls::TlsConnector::from(trusting(&pair.files().certificate)).connect(name, stream).await.unwrap()
}

fn trusting(certificate: &Path) -> std::sync::Arc<rustls::ClientConfig> {
    use rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let ring = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls =
        rustls::ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions().unwrap();
    std::sync::Arc::new(tls.with_root_certificates(roots).with_no_client_auth())
}
