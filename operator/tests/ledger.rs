//! Whom the operator asks for totals, a ledger whose certificate is of the authority that was named, and what it shows.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use operator::error::chain;
use operator::ledger::{Addresses, Ledger};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

/// Where the campaign's UID would be, this ledger tells what it was shown.
const TOTALS: &str = r#"{"campaign": "SHOWN", "asOf": "2026-12-01T00:00:00Z", "placements": []}"#;

/// What it says when it is asked for the campaign `elsewhere`.
const ELSEWHERE: &str = r#"{"code": "Misdirected", "message": "the ledger of part 1/2 has it"}"#;

/// A ledger with a certificate of its own, which is returned; it stands until the tests end.
fn serve() -> (reqwest::Url, String) {
    // Whoever installed one before was a test of ours.
    let _ = ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let tls = ServerConfig::builder().with_no_client_auth();
    let tls = Arc::new(tls.with_single_cert(vec![made.cert.der().clone()], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            // Whoever does not trust us hangs up, which is what a test wants to see at the other end.
            let _ = answer(connection.unwrap(), Arc::clone(&tls));
        }
    });
    (url.parse().unwrap(), made.cert.pem())
}

fn answer(mut connection: TcpStream, tls: Arc<ServerConfig>) -> std::io::Result<()> {
    let mut tls = ServerConnection::new(tls).map_err(std::io::Error::other)?;
    let mut stream = Stream::new(&mut tls, &mut connection);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head);
    let shown = head.lines().find_map(|line| line.strip_prefix("authorization: "));
    let (status, body) = match head.contains("campaign=elsewhere") {
        true => ("421 Misdirected Request", ELSEWHERE.to_owned()),
        false => ("200 OK", TOTALS.replace("SHOWN", shown.unwrap_or("nothing"))),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn at(urls: &[&reqwest::Url]) -> Addresses {
    let urls: Vec<&str> = urls.iter().map(|url| url.as_str()).collect();
    urls.join(",").parse().unwrap()
}

/// The campaign of the totals, or why there are none.
async fn ask(url: &reqwest::Url, ca: &Path) -> Result<String, String> {
    let ledger = Ledger::new(at(&[url]), Some(ca.to_owned())).unwrap();
    ledger.totals("one").await.map(|totals| totals.campaign).map_err(|error| chain(&error))
}

#[tokio::test]
async fn an_authority_that_is_named_is_trusted_and_no_other_and_may_change() {
    let ((url, pem), (_, other)) = (serve(), serve());
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.crt");
    std::fs::write(&ca, &other).unwrap();
    let ledger = Ledger::new(at(&[&url]), Some(ca.clone())).unwrap();
    let refused = chain(&ledger.totals("one").await.unwrap_err());
    assert!(refused.contains("did not answer") && refused.contains("certificate"), "{refused}");
    std::fs::write(&ca, other + &pem).unwrap();
    let shown = ledger.totals("one").await.unwrap().campaign;
    assert_eq!(shown, "nothing", "the same ledger, with another authority");
}

#[tokio::test]
async fn the_token_is_shown_as_the_file_has_it_now() {
    let (url, pem) = serve();
    let folder = tempfile::tempdir().unwrap();
    let (ca, token) = (folder.path().join("ca.crt"), folder.path().join("token"));
    std::fs::write(&ca, pem).unwrap();
    let ledger = Ledger::new(at(&[&url]), Some(ca)).unwrap().shown(Some(token.clone()));
    let missing = chain(&ledger.totals("one").await.unwrap_err());
    assert!(missing.contains("--ledger-token") && missing.contains("can't be read"), "{missing}");
    for written in ["first", "second\n"] {
        std::fs::write(&token, written).unwrap();
        assert_eq!(ledger.totals("one").await.unwrap().campaign, format!("Bearer {}", written.trim()));
    }
    std::fs::write(&token, "two\nlines").unwrap();
    let broken = chain(&ledger.totals("one").await.unwrap_err());
    assert!(broken.contains("--ledger-token") && !broken.contains("lines"), "{broken}");
}

#[tokio::test]
async fn a_file_that_is_no_authority_is_named_with_its_flag() {
    let (url, _) = serve();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.crt");
    let missing = ask(&url, &ca).await.unwrap_err();
    assert!(missing.contains("--ledger-ca") && missing.contains("can't be read"), "{missing}");
    std::fs::write(&ca, "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n").unwrap();
    let broken = ask(&url, &ca).await.unwrap_err();
    assert!(broken.contains("--ledger-ca") && broken.contains("holds no certificates"), "{broken}");
    std::fs::write(&ca, "").unwrap();
    let empty = ask(&url, &ca).await.unwrap_err();
    assert!(empty.contains("--ledger-ca") && empty.contains("holds no certificates"), "{empty}");
}

#[tokio::test]
async fn of_several_ledgers_the_one_with_the_campaign_is_asked() {
    let ((first, _), (second, pem)) = (serve(), serve());
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.crt");
    std::fs::write(&ca, pem).unwrap();
    // Only the second is trusted, so it tells which was asked.
    let ledger = Ledger::new(at(&[&first, &second]), Some(ca)).unwrap();
    for (campaign, answers) in
        [("2f1c9a52-3b1e-4a3c-9a41-5d0b6f3f7c11", true), ("3f1c9a52-3b1e-4a3c-9a41-5d0b6f3f7c10", false)]
    {
        assert_eq!(ledger.totals(campaign).await.is_ok(), answers, "{campaign}");
    }
}

#[tokio::test]
async fn a_ledger_of_another_part_is_told_with_the_remedy() {
    let (url, pem) = serve();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.crt");
    std::fs::write(&ca, pem).unwrap();
    let refused = chain(&Ledger::new(at(&[&url]), Some(ca)).unwrap().totals("elsewhere").await.unwrap_err());
    let said = "the ledger of part 1/2 has it; this was the ledger at https://127.0.0.1:";
    assert!(refused.starts_with(said) && refused.contains("list in --ledger-url"), "{refused}");
}
