//! The operator's door: whoever asks for totals shows a token of a ServiceAccount, and the API server is asked whose it is.
//!
//! The token is made for us alone, by its audience, so that nobody who sees it can do anything else with it.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::{self, Next};
use axum::response::Response;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::api::{Api, PostParams};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::guard::{Door, bearer, door};
use crate::refusal::{Code, Refusal};

/// For whom the token must be made.
pub const AUDIENCE: &str = "broadside-ledger";

/// How long an answer of the API server holds: so long a token counts that was taken back.
pub const HOLDS_FOR: Duration = Duration::from_secs(60);

/// How long it may take until it is known, with the wait for a turn. The operator waits five seconds for totals.
const REVIEW_WITHIN: Duration = Duration::from_secs(4);

/// How many answers are kept: one is enough for one operator, and strangers' tokens take no more memory than this.
const KEPT: usize = 64;

/// A ServiceAccount, as the API server names it: `system:serviceaccount:NAMESPACE:NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account(String);

/// What was typed is no account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no account: write system:serviceaccount:NAMESPACE:NAME")]
pub struct NoAccount(String);

/// Who is told totals.
#[derive(Clone, Debug, Default)]
pub enum Totals {
    /// Everyone.
    #[default]
    Open,
    /// One account.
    For(Arc<Reviewer>),
}

/// Asks the API server whose a token is.
pub struct Reviewer {
    account: Account,
    reviews: Api<TokenReview>,
    known: Mutex<HashMap<[u8; 32], Known>>,
    /// One question at a time, so that strangers' tokens are no load for the API server.
    turn: tokio::sync::Mutex<()>,
    /// The same for a token that was the account's when it was asked about last: it waits for no stranger.
    accounts_turn: tokio::sync::Mutex<()>,
}

/// What was found out about a token, and when.
#[derive(Clone, Copy)]
struct Known {
    verdict: Result<(), Denied>,
    since: Instant,
}

/// Why a token does not open the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Denied {
    /// It is none, or for somebody else than us.
    Token,
    /// It is another account's.
    Account,
}

impl FromStr for Account {
    type Err = NoAccount;

    fn from_str(typed: &str) -> Result<Self, NoAccount> {
        let parts = typed.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
        let is_name = |name: &str| !name.is_empty() && !name.contains(':');
        match parts {
            Some((namespace, name)) if is_name(namespace) && is_name(name) => Ok(Self(typed.to_owned())),
            _ => Err(NoAccount(typed.to_owned())),
        }
    }
}

impl Totals {
    /// Totals for that account; this client asks whose a token is.
    #[must_use]
    pub fn for_account(account: Account, client: kube::Client) -> Self {
        Self::For(Arc::new(Reviewer {
            account,
            reviews: Api::all(client),
            known: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            accounts_turn: tokio::sync::Mutex::default(),
        }))
    }

    /// Puts the guard before the routes of the operator.
    pub fn guard(&self, router: Router) -> Router {
        match self {
            Self::Open => router,
            Self::For(reviewer) => {
                router.route_layer(middleware::from_fn_with_state(Arc::clone(reviewer), let_in))
            }
        }
    }
}

async fn let_in(State(reviewer): State<Arc<Reviewer>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if door(path) != Door::Operator {
        return next.run(request).await;
    }
    match reviewer.admit(request.headers()).await {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.at(path),
    }
}

impl Reviewer {
    async fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let shown = bearer(headers).and_then(|shown| std::str::from_utf8(shown).ok());
        let verdict = self.verdict(shown.ok_or(Denied::Token)?).await?;
        Ok(verdict?)
    }

    async fn verdict(&self, token: &str) -> Result<Result<(), Denied>, Refusal> {
        let digest = Sha256::digest(token).into();
        if let Some(verdict) = self.known(&digest) {
            return Ok(verdict);
        }
        let turn = if self.was_the_accounts(&digest) { &self.accounts_turn } else { &self.turn };
        let asked = tokio::time::timeout(REVIEW_WITHIN, async {
            let _turn = turn.lock().await;
            // Whoever had the turn before may have asked the same.
            if let Some(verdict) = self.known(&digest) {
                return Ok(verdict);
            }
            let verdict = judge(&self.review(token).await?, &self.account);
            self.keep(digest, Known { verdict, since: Instant::now() });
            Ok(verdict)
        });
        asked.await.unwrap_or_else(|_| {
            tracing::warn!("the API server did not say in time whose a token is");
            Err(unavailable())
        })
    }

    async fn review(&self, token: &str) -> Result<TokenReviewStatus, Refusal> {
        let (token, audiences) = (Some(token.to_owned()), Some(vec![AUDIENCE.to_owned()]));
        let review = TokenReview { spec: TokenReviewSpec { audiences, token }, ..TokenReview::default() };
        let params = PostParams::default();
        let reviewed = self.reviews.create(&params, &review).await.map_err(|error| {
            tracing::warn!(%error, "the API server was asked whose a token is, and did not say");
            unavailable()
        });
        Ok(reviewed?.status.unwrap_or_default())
    }

    fn was_the_accounts(&self, digest: &[u8; 32]) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(digest).is_some_and(|known| known.verdict.is_ok())
    }

    fn known(&self, digest: &[u8; 32]) -> Option<Result<(), Denied>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(digest).filter(|known| known.holds()).map(|known| known.verdict)
    }

    fn keep(&self, digest: [u8; 32], verdict: Known) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, known| known.holds() || known.verdict.is_ok());
        if known.len() >= KEPT {
            known.retain(|_, known| known.verdict.is_ok());
        }
        // So many tokens of the account are those of days.
        if known.len() >= KEPT {
            known.retain(|_, known| known.holds());
        }
        known.insert(digest, verdict);
    }
}

impl std::fmt::Debug for Reviewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Reviewer").field(&self.account).finish()
    }
}

impl Known {
    fn holds(&self) -> bool {
        self.since.elapsed() < HOLDS_FOR
    }
}

/// An API server that knows of no audiences names none, and then the token is for itself and not for us.
fn judge(status: &TokenReviewStatus, account: &Account) -> Result<(), Denied> {
    let audiences = status.audiences.as_deref().unwrap_or_default();
    if status.authenticated != Some(true) || !audiences.iter().any(|audience| audience == AUDIENCE) {
        return Err(Denied::Token);
    }
    let user = status.user.as_ref().and_then(|user| user.username.as_ref());
    if user == Some(&account.0) { Ok(()) } else { Err(Denied::Account) }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Token => Self {
                code: Code::Unauthorized,
                message: format!(
                    "send `Authorization: Bearer TOKEN`, of a ServiceAccount for the audience {AUDIENCE}"
                ),
            },
            Denied::Account => Self {
                code: Code::Forbidden,
                message: "totals are for another account: send a token of the one in --totals-account"
                    .to_owned(),
            },
        }
    }
}

fn unavailable() -> Refusal {
    let message = "the API server does not say whose the token is: send the same request again".to_owned();
    Refusal { code: Code::Unavailable, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::authentication::v1::UserInfo;

    const OPERATOR: &str = "system:serviceaccount:broadside-system:broadside-operator";

    #[test]
    fn an_account_has_a_namespace_and_a_name() {
        let check = |typed: &str, is_one| assert_eq!(typed.parse::<Account>().is_ok(), is_one, "{typed}");
        check(OPERATOR, true);
        check("system:serviceaccount:broadside-system", false);
        check("system:serviceaccount::operator", false);
        check("system:serviceaccount:a:b:c", false);
        check("broadside-operator", false);
    }

    #[test]
    fn only_a_token_of_the_account_for_us_opens_the_door() {
        let check = |authenticated, audiences: &[&str], user: &str, expected| {
            let status = TokenReviewStatus {
                authenticated,
                audiences: Some(audiences.iter().map(|&name| name.to_owned()).collect()),
                user: Some(UserInfo { username: Some(user.to_owned()), ..UserInfo::default() }),
                error: None,
            };
            assert_eq!(judge(&status, &OPERATOR.parse().unwrap()), expected, "{status:?}");
        };
        check(Some(true), &[AUDIENCE], OPERATOR, Ok(()));
        check(Some(true), &["other", AUDIENCE], OPERATOR, Ok(()));
        check(Some(true), &["https://kubernetes.default.svc"], OPERATOR, Err(Denied::Token));
        check(Some(true), &[], OPERATOR, Err(Denied::Token));
        check(Some(false), &[AUDIENCE], OPERATOR, Err(Denied::Token));
        check(None, &[AUDIENCE], OPERATOR, Err(Denied::Token));
        check(Some(true), &[AUDIENCE], "system:serviceaccount:shop:broadside-operator", Err(Denied::Account));
        check(Some(true), &[AUDIENCE], "system:anonymous", Err(Denied::Account));
        assert_eq!(judge(&TokenReviewStatus::default(), &OPERATOR.parse().unwrap()), Err(Denied::Token));
    }
}
