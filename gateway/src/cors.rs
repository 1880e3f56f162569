//! Which web pages may read answers: those of the origins that `--allow-origin` lists.
//!
//! Browsers keep this rule, not we: it protects people's pages from each other, and nothing here from programs.

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, Method, Uri, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::auth::Access;
use crate::decide::VisitorCookie;

/// What pages of listed origins may read. All else is for the operator and for people who watch it.
const OPEN: [&str; 3] = ["/v1/decide", "/v1/events", "/ofrep/"];

/// How long a browser may keep the answer to its question whether it may ask. Each keeps it no longer than it likes:
/// Chromium two hours, Firefox a day.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// The origins whose pages may read answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// None: no answer says a word about it.
    #[default]
    None,
    /// Every one.
    Any,
    /// These.
    Listed(Vec<HeaderValue>),
}

/// Why something is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{typed:?} is no origin: write {meant}")]
pub struct NoOrigin {
    typed: String,
    meant: String,
}

impl Origins {
    /// Reads what was typed.
    ///
    /// # Errors
    /// When something is not an origin as browsers send it, scheme, host, and port unless it is the scheme's own: it would
    /// match nothing.
    pub fn parse(typed: &[String]) -> Result<Self, NoOrigin> {
        let typed: Vec<&str> = typed.iter().map(|origin| origin.trim()).filter(|it| !it.is_empty()).collect();
        match typed.as_slice() {
            [] => Ok(Self::None),
            all if all.contains(&"*") => Ok(Self::Any),
            some => some.iter().map(|&origin| parse(origin)).collect::<Result<_, _>>().map(Self::Listed),
        }
    }

    /// Has the routes tell browsers that pages of these origins may read answers.
    pub fn let_in(self, router: Router, access: &Access, visitors: Option<&VisitorCookie>) -> Router {
        let origins = match self {
            Self::None => return router,
            Self::Any => None,
            Self::Listed(origins) => Some(origins),
        };
        let origins = AllowOrigin::predicate(move |origin, request| {
            let is_open = OPEN.iter().any(|path| request.uri.path().starts_with(path));
            is_open && origins.as_ref().is_none_or(|listed| listed.contains(origin))
        });
        router.layer(layer(origins, access).allow_credentials(visitors.is_some()))
    }
}

fn layer(origins: AllowOrigin, access: &Access) -> CorsLayer {
    let mut headers = vec![header::CONTENT_TYPE, header::IF_NONE_MATCH];
    if let Access::Keyed(_) = access {
        headers.push(header::AUTHORIZATION);
    }
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(headers)
        .expose_headers([header::ETAG, header::RETRY_AFTER])
        .max_age(KEPT_FOR)
}

fn parse(typed: &str) -> Result<HeaderValue, NoOrigin> {
    let meant = serialized(typed).unwrap_or_else(|| SHAPE.to_owned());
    match HeaderValue::from_str(typed) {
        Ok(origin) if meant == typed => Ok(origin),
        _ => Err(NoOrigin { typed: typed.to_owned(), meant }),
    }
}

const SHAPE: &str = "scheme://host or scheme://host:port, such as https://shop.example";

/// The origin of an address as browsers write it: in small letters, and without the port that goes without saying.
fn serialized(address: &str) -> Option<String> {
    let uri: Uri = address.parse().ok()?;
    let (scheme, host) = (uri.scheme_str()?, uri.host()?);
    if host.contains('*') {
        return None;
    }
    let usual = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let port = uri.port_u16().filter(|port| Some(*port) != usual);
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{host}{port}").to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(typed: &[&str]) -> Result<Origins, NoOrigin> {
        Origins::parse(&typed.iter().map(|&origin| origin.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_browsers_send_is_an_origin() {
        let listed = |origins: &[&'static str]| {
            Ok(Origins::Listed(origins.iter().map(|&origin| HeaderValue::from_static(origin)).collect()))
        };
        let usual =
            ["https://shop.example", "http://localhost:3000", "http://[::1]:8080", "capacitor://localhost"];
        assert_eq!(read(&usual), listed(&usual));
        assert_eq!(read(&[" https://shop.example", ""]), listed(&["https://shop.example"]));
        assert_eq!(read(&["https://shop.example", "*"]), Ok(Origins::Any));
        assert_eq!(read(&[""]), Ok(Origins::None));
    }

    #[test]
    fn what_no_browser_sends_is_refused_with_what_it_would_send() {
        let check = |typed: &str, meant: &str| {
            let error = read(&[typed]).unwrap_err();
            assert_eq!(error, NoOrigin { typed: typed.to_owned(), meant: meant.to_owned() });
        };
        for typed in [
            "https://shop.example/",
            "https://shop.example/a?b=c",
            "https://Shop.example",
            "HTTPS://shop.example:443",
        ] {
            check(typed, "https://shop.example");
        }
        check("http://me@localhost:8080", "http://localhost:8080");
        for typed in [
            "shop.example",
            "shop.example:443",
            "null",
            "/",
            "https://",
            "https://*.example",
            "https://schön.example",
        ] {
            check(typed, SHAPE);
        }
    }
}
