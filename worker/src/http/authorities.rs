//! Whom a server's certificate may come from.

use reqwest::Certificate;

/// The public authorities. An image of ours holds no certificates of a system, so Mozilla's are compiled in; a client
/// merges them with those of the system, where there are some.
pub(crate) fn known() -> impl Iterator<Item = Certificate> {
    let known = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    known.map(|der| Certificate::from_der(der).expect("Mozilla's certificates are certificates"))
}

/// The certificates of a text in PEM, one at least.
///
/// # Errors
/// When there is none; the error is a predicate with its remedy.
pub(crate) fn bundle(pem: &str) -> Result<Vec<Certificate>, &'static str> {
    let bundle = Certificate::from_pem_bundle(pem.as_bytes()).ok().filter(|it| !it.is_empty());
    bundle.ok_or("holds no certificate: write the authority's in PEM, or leave it out")
}
