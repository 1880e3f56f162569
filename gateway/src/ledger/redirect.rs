//! The redirect: a link that carries a token leads to the landing page of the token's campaign, and nowhere else.
//!
//! | The link | Who follows it | Answer | On record |
//! | --- | --- | --- | --- |
//! | a token of ours, of a campaign with a landing page | a person | 302 there, the token in its query | a click |
//! | | a program that looks ahead: `HEAD`, `Sec-Purpose: prefetch` | the same | nothing |
//! | | a crawler, a browser that says `Sec-GPC: 1` | 302 there, without the token | nothing |
//! | a token of ours, of a campaign without a landing page, or without a table | anyone | 404 | nothing |
//! | anything else | anyone | 404 | nothing |
//!
//! Where it leads stands in the table alone, and nothing of a request but a token that we signed reaches the answer: so it is
//! no open redirect. How old the token is makes no difference, and neither does how the campaign stands: mail is opened
//! after weeks.
//!
//! Who follows a link may be a scanner that says nothing of it, so such a click is an unconfirmed one, and no reward. What
//! confirms it is an event of the landing page, with the token that it finds in its address; without a token there is none.
//! A person is led on whether or not the click could be recorded.

mod clicks;
pub(super) mod http;

use api::LandingPage;
use api::wire::decide::{Consent, Traffic};
use api::wire::token::{Claims, Keys};
use axum::http::{HeaderMap, Method};

use super::check::TOKEN_LIMIT;
use crate::decide::{consent, traffic};
use crate::tables::Snapshot;

pub(super) use clicks::Clicks;

/// The header by which a browser says that nobody has followed the link yet.
/// Source: <https://fetch.spec.whatwg.org/#sec-purpose-header>; Chromium adds parameters, as in `prefetch;prerender`.
const PURPOSE: &str = "sec-purpose";

/// Who follows a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follower {
    /// A person, as far as can be told.
    Person,
    /// A program that looks where it leads. A person may follow with what it found.
    Ahead,
    /// Somebody of whom nothing is counted: a crawler, or a person who does not want to be measured.
    Apart,
}

impl Follower {
    /// Who it is, as the request says.
    pub(super) fn of(method: &Method, headers: &HeaderMap) -> Self {
        let measured = consent(Consent::default(), headers).measurement;
        if !measured || traffic(Traffic::Visitor, None, headers) != Traffic::Visitor {
            return Self::Apart;
        }
        let is_prefetch = headers.get(PURPOSE).is_some_and(|it| it.as_bytes().starts_with(b"prefetch"));
        if *method == Method::HEAD || is_prefetch { Self::Ahead } else { Self::Person }
    }
}

/// A link that leads somewhere.
#[derive(Debug)]
pub(super) struct Link<'t> {
    /// What its token says.
    pub(super) claims: Claims,
    /// Where it leads.
    page: &'t LandingPage,
}

/// Why a link leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DeadLink {
    /// It holds no token of ours.
    #[error("This link is not valid, or no longer. Copy it as a whole, or look for the page yourself.")]
    Token,
    /// No table knows its campaign.
    #[error("This link leads nowhere, or not yet. Try it again in a minute, or look for the page yourself.")]
    Campaign,
    /// Its campaign has no landing page.
    #[error(
        "This link leads nowhere: its campaign names no landing page. Whoever sent it sets spec.brief.landingPage."
    )]
    Page,
}

impl<'t> Link<'t> {
    /// Reads the link with that token.
    ///
    /// # Errors
    /// When the token is none of ours, or its campaign has no table or no landing page.
    pub(super) fn read(token: &str, keys: &Keys, tables: &'t Snapshot) -> Result<Self, DeadLink> {
        if token.len() > TOKEN_LIMIT {
            return Err(DeadLink::Token);
        }
        let claims = keys.verify(token).map_err(|_| DeadLink::Token)?;
        let table = tables.of(&claims.campaign).ok_or(DeadLink::Campaign)?;
        let page = table.landing_page.as_ref().ok_or(DeadLink::Page)?;
        Ok(Self { claims, page })
    }

    /// The address to which the follower is led; `token` is the link's own.
    pub(super) fn address(&self, token: &str, follower: Follower) -> String {
        match follower {
            Follower::Person | Follower::Ahead => self.page.told(token),
            Follower::Apart => self.page.0.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    #[test]
    fn who_follows_is_told_by_method_and_head() {
        let check = |method: Method, head: &[(&'static str, &'static str)], expected| {
            let headers = head
                .iter()
                .map(|&(name, value)| (HeaderName::from_static(name), value.parse().expect("a value")));
            assert_eq!(Follower::of(&method, &headers.collect()), expected, "{method} {head:?}");
        };
        let (get, head) = (|| Method::GET, Method::HEAD);
        check(get(), &[], Follower::Person);
        check(get(), &[("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/127.0")], Follower::Person);
        check(get(), &[("sec-gpc", "0"), ("sec-purpose", "none")], Follower::Person);
        check(head, &[], Follower::Ahead);
        check(get(), &[("sec-purpose", "prefetch")], Follower::Ahead);
        check(get(), &[("sec-purpose", "prefetch;prerender")], Follower::Ahead);
        check(get(), &[("sec-gpc", "1")], Follower::Apart);
        check(get(), &[("sec-gpc", "1"), ("sec-purpose", "prefetch")], Follower::Apart);
        check(get(), &[("user-agent", "Slackbot-LinkExpanding 1.0")], Follower::Apart);
    }
}
