//! The guard before the routes of applications.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::{self, Next};
use axum::response::Response;

use super::files::ApiKeyring;
use super::{Caller, Spent};
use crate::refusal::{Code, Refusal};

/// Who is let in.
#[derive(Clone, Debug, Default)]
pub enum Access {
    /// Everyone.
    #[default]
    Open,
    /// Applications that show one of these keys.
    Keyed(ApiKeyring),
}

/// What stands before a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Applications come here, with the key of a namespace.
    Key,
    /// The operator comes here, for every namespace.
    Operator,
    /// Anyone comes here: browsers have no key, and what they ask with is its own proof.
    Open,
}

impl Access {
    /// Puts the guard before these routes.
    pub fn guard(&self, router: Router) -> Router {
        match self {
            Self::Open => router,
            Self::Keyed(keys) => router.route_layer(middleware::from_fn_with_state(keys.clone(), let_in)),
        }
    }
}

/// Whoever adds a route adds it behind the door of keys, unless it says otherwise here.
pub(super) fn door(path: &str) -> Door {
    match path {
        "/v1/totals" => Door::Operator,
        _ if path.starts_with("/v1/r/") => Door::Open,
        _ => Door::Key,
    }
}

async fn let_in(State(keys): State<ApiKeyring>, mut request: Request, next: Next) -> Response {
    if door(request.uri().path()) != Door::Key {
        return next.run(request).await;
    }
    match caller(&keys, request.headers()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refusal) => refusal.at(request.uri().path()),
    }
}

fn caller(keys: &ApiKeyring, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let shown = bearer(headers).ok_or_else(|| unauthorized("send `Authorization: Bearer KEY`"))?;
    let keys = keys.load();
    let key =
        keys.find(shown).ok_or_else(|| unauthorized("the key is none of those in use: send another"))?;
    key.spend().map_err(|Spent| too_many())?;
    Ok(Caller::Of(key.namespace().clone()))
}

fn too_many() -> Refusal {
    let message = "the key asks too often: send the same request again in a second".to_owned();
    Refusal { code: Code::TooMany, message }
}

fn unauthorized(message: &str) -> Refusal {
    Refusal { code: Code::Unauthorized, message: message.to_owned() }
}

/// What follows the scheme, which is the same in capitals. Source: RFC 9110, section 11.4.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer ";
    let (scheme, shown) = headers.get(header::AUTHORIZATION)?.as_bytes().split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| shown.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_found_behind_its_scheme() {
        let check = |value: &'static str, expected: Option<&str>| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
            assert_eq!(bearer(&headers), expected.map(str::as_bytes), "{value}");
        };
        check("Bearer abc", Some("abc"));
        check("bearer   abc ", Some("abc"));
        check("Bearer ", Some(""));
        check("Bearer", None);
        check("Basic YTpi", None);
        check("abc", None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
