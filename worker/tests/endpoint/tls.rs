//! Whom an `https` endpoint has to be, where its authority is named.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

use crate::{KEY, chain, endpoint_of, mounted, write};

const ANSWER: &str =
    r#"{"choices": [{"message": {"content": "{\"headline\": \"Run\"}"}, "finish_reason": "stop"}]}"#;

/// A server with a certificate of its own, which is returned; it stands until the tests end.
fn serve() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let pem = made.cert.pem();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("ring has them").with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![made.cert.der().clone()], key).expect("a pair"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            // Whoever does not trust us hangs up, which is what a test wants to see at the other end.
            let _ = answer(connection.expect("a connection"), Arc::clone(&config));
        }
    });
    (url, pem)
}

fn answer(mut connection: TcpStream, config: Arc<ServerConfig>) -> std::io::Result<()> {
    let mut tls = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = Stream::new(&mut tls, &mut connection);
    let mut request = Vec::new();
    while !is_whole(&request) {
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes)? {
            0 => return Ok(()),
            count => request.extend_from_slice(&bytes[..count]),
        }
    }
    let length = ANSWER.len();
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{ANSWER}")?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// Whether head and body of a request are there.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |it| it.parse().expect("a length"))
}

#[test]
fn an_authority_that_is_named_is_trusted_and_no_other() {
    let ((url, pem), (_, other)) = (serve(), serve());
    let endpoint =
        |authority: &str| endpoint_of(&mounted(&[("url", &url), ("key", KEY), ("ca.crt", authority)]), 1);
    assert!(write(&endpoint(&pem), 1).expect("written")[0].1.finished);
    let error = write(&endpoint(&other), 1).expect_err("another's certificate");
    let shown = chain(&error);
    let named = "`ca.crt` (`broadside-endpoint-ca.crt` of the Secret)";
    assert!(shown.contains(named) && shown.contains("certificate"), "{shown}");
}

/// Our image is such a machine. What is known there is asked of a process of its own, since the environment is a process's.
#[test]
fn public_authorities_are_known_on_a_machine_without_certificates() {
    const BARE: [(&str, &str); 2] = [("SSL_CERT_FILE", "/nowhere"), ("SSL_CERT_DIR", "/nowhere")];
    if BARE.iter().any(|(name, value)| std::env::var(name).as_deref() != Ok(value)) {
        let mut again = Command::new(std::env::current_exe().expect("a test's program"));
        again.args(["--exact", "tls::public_authorities_are_known_on_a_machine_without_certificates"]);
        let output = again.envs(BARE).output().expect("started");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let (url, _) = serve();
    // With no authority at all there would be no client.
    let error = write(&endpoint_of(&mounted(&[("url", &url), ("key", KEY)]), 1), 1).expect_err("unknown");
    assert!(!error.is_lasting() && chain(&error).contains("UnknownIssuer"), "{}", chain(&error));
}
