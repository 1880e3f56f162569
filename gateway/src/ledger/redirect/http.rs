//! The HTTP edge of the redirect. Its answers are for people: a browser shows them.

use api::wire::token::Claims;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::clicks::Followed;
use super::{DeadLink, Follower, Link};
use crate::ledger::http::LedgerState;

/// Every answer is one person's, and for now: the token is in it, and a link that is dead may not be so tomorrow.
const KEPT: (header::HeaderName, &str) = (header::CACHE_CONTROL, "no-store");

/// Leads whoever follows a link to its landing page.
pub(in crate::ledger) async fn follow(
    State(state): State<LedgerState>,
    token: Result<Path<String>, PathRejection>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    // What is no text is no token either.
    let token = token.map(|Path(token)| token).unwrap_or_default();
    let follower = Follower::of(&method, &headers);
    let read = Link::read(&token, &state.keys(), &state.tables())
        .map(|link| (link.address(&token, follower), link.claims));
    let (followed, answer) = match read {
        Ok((address, claims)) => (counted(&state, &token, claims, follower).await, led(address)),
        Err(dead) => (Followed::Dead, dead.into_response()),
    };
    state.clicks().count(followed);
    answer
}

/// Has the click recorded, where it is a person's.
async fn counted(state: &LedgerState, token: &str, claims: Claims, follower: Follower) -> Followed {
    match follower {
        Follower::Person => state.clicks().take(token, state.record_click(claims)).await,
        Follower::Ahead | Follower::Apart => Followed::Uncounted,
    }
}

fn led(address: String) -> Response {
    let address =
        HeaderValue::try_from(address).expect("page and token were held to the letters of addresses");
    // Where the link stood, such as in a mail on the web, is not the landing page's business.
    let headers = [(header::REFERRER_POLICY, "no-referrer"), KEPT];
    (StatusCode::FOUND, headers, [(header::LOCATION, address)]).into_response()
}

impl IntoResponse for DeadLink {
    fn into_response(self) -> Response {
        let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), KEPT];
        (StatusCode::NOT_FOUND, headers, format!("{self}\n")).into_response()
    }
}
