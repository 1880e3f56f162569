//! Files by which a client finds its API server and proves who it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::certificates::Identity;

/// A kubeconfig with one context. It carries all keys, so that it can be copied anywhere.
///
/// `server` is a URL; `authority` is PEM.
pub(crate) fn kubeconfig(name: &str, server: &str, authority: &str, identity: &Identity) -> String {
    let [authority, certificate, key] =
        [authority, &identity.certificate, &identity.key].map(|pem| STANDARD.encode(pem));
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: {name}
  cluster:
    server: {server}
    certificate-authority-data: {authority}
users:
- name: {name}
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
contexts:
- name: {name}
  context:
    cluster: {name}
    user: {name}
current-context: {name}
"
    )
}
