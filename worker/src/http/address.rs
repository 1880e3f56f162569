//! Addresses of servers that people write down.

use std::net::IpAddr;

use reqwest::Url;

/// What a server is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Something that others may not read, such as a key.
    Secrets,
    /// Nothing that others may not know.
    Nothing,
}

/// Reads the address of a server. What is wrong with it is a predicate with its remedy, which repeats nothing of the
/// text: it may hold a password.
///
/// # Errors
/// When it is no address of the web, holds what logs should not show, or would have secrets read on their way.
pub(crate) fn parse(text: &str, told: Told) -> Result<Url, &'static str> {
    let url: Url = text.parse().map_err(|_| "is no address: write one such as https://host")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "holds a user or a password, which logs would show: write a key or token under the key of the Secret that is for it",
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("holds `?` or `#`, which logs would show: write the address up to its path");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if told == Told::Nothing || is_near(url.host_str().unwrap_or_default()) => Ok(url),
        "http" => Err(
            "is plain http to another network, where what is sent can be read: use https, or the in-cluster name <service>.<namespace>.svc",
        ),
        _ => Err("is neither https nor http: write an address such as https://host"),
    }
}

/// Whether plain http stays within this machine or this cluster.
///
/// Services of a cluster seldom have certificates, and their network is the cluster's own. A name without a dot is a
/// Service of the same namespace. `<service>.<namespace>` and bare addresses are refused, since nothing tells them from
/// hosts outside.
fn is_near(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = address.parse::<IpAddr>().is_ok_and(|it| it.is_loopback());
    loopback
        || (!address.contains(['.', ':']))
        || host.ends_with(".svc")
        || host.ends_with(".svc.cluster.local")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_carries_secrets_within_machine_and_cluster_alone() {
        for (address, told, taken) in [
            ("https://llm.example.com", Told::Secrets, true),
            ("http://vllm:8000", Told::Secrets, true),
            ("http://vllm.models.svc:8000/v1", Told::Secrets, true),
            ("http://vllm.models.svc.cluster.local", Told::Secrets, true),
            ("http://127.0.0.1:8000", Told::Secrets, true),
            ("http://[::1]:8000", Told::Secrets, true),
            ("http://llm.example.com", Told::Secrets, false),
            ("http://vllm.models", Told::Secrets, false),
            ("http://10.0.0.7:8000", Told::Secrets, false),
            ("http://134744072", Told::Secrets, false),
            ("http://a.svc.example.com", Told::Secrets, false),
            ("http://[2001:db8::1]", Told::Secrets, false),
            ("http://models.example.com", Told::Nothing, true),
        ] {
            let url = parse(address, told);
            assert_eq!(url.is_ok(), taken, "{address}: {url:?}");
            assert!(url.err().is_none_or(|what| what.contains("is plain http to another network")));
        }
    }

    #[test]
    fn what_logs_should_not_show_is_refused_and_not_repeated() {
        for (address, says) in [
            ("", "is no address"),
            ("hub", "is no address"),
            ("https://me:s3cret@ho st", "is no address"),
            ("ftp://host", "is neither https nor http"),
            ("me:s3cret@host", "is neither https nor http"),
            ("https://me:s3cret@host", "holds a user or a password"),
            ("ftp://s3cret@host", "holds a user or a password"),
            ("https://host?key=s3cret", "holds `?` or `#`"),
            ("https://host#s3cret", "holds `?` or `#`"),
        ] {
            for told in [Told::Secrets, Told::Nothing] {
                let what = parse(address, told).expect_err(address);
                assert!(what.contains(says), "{address}: {what}");
            }
        }
    }
}
