//! The cookie by which a visitor comes back: who asks from a page without a subject is named by it.
//!
//! A cookie that a server sets outlives those of scripts, which browsers that guard against tracking forget within a week
//! (WebKit's Intelligent Tracking Prevention 2.1), so that the same person counts once. It is first-party, told to no
//! script, and set only for visitors who allow measuring. It names nobody: 128 bits at random, hashed like every subject.

use api::name::hex;
use api::wire::decide::Traffic;
use axum::http::{HeaderMap, HeaderValue, header};

use super::Terms;

/// How long it lasts, in seconds: 400 days, the most that browsers keep.
/// Source: <https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis-20>, section 5.5.
const LASTS: u32 = 400 * 24 * 60 * 60;

/// Whose subject nobody needs to know, since nothing is drawn for them.
const NOBODY: &str = "-";

/// A cookie's name, and the domain whose hosts it is sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitorCookie {
    name: String,
    domain: Option<String>,
}

/// Why something can't be a cookie.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCookie {
    /// The name has more in it than names of cookies have.
    #[error("--visitor-cookie: {0:?} is no name: write 1 to 64 letters, digits, `-` and `_`")]
    Name(String),
    /// The domain is none.
    #[error("--visitor-domain: {0:?} is no domain: write one such as shop.example, without a dot before it")]
    Domain(String),
    /// Browsers keep such a name for one host.
    #[error(
        "--visitor-domain: browsers send a cookie named __Host-.. to one host alone: leave the domain out, or name it otherwise"
    )]
    Host,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Visitor {
    /// Whom the caller names, or nobody who is to be known again.
    Told,
    /// One whose browser knows our cookie.
    Known,
    /// One whose browser is given it just now.
    New(HeaderValue),
    /// One who is no longer to be measured, and whose browser is to forget it.
    Gone(HeaderValue),
}

impl Visitor {
    /// What the browser is told, where it is told something.
    pub(super) fn cookie(&self) -> Option<&HeaderValue> {
        match self {
            Self::Told | Self::Known => None,
            Self::New(cookie) | Self::Gone(cookie) => Some(cookie),
        }
    }
}

impl VisitorCookie {
    /// A cookie of that name, for that domain and all below it, or for the gateway's own host.
    ///
    /// # Errors
    /// When browsers would not take it.
    pub fn new(name: &str, domain: Option<&str>) -> Result<Self, NoCookie> {
        let is_plain = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_');
        if !(1..=64).contains(&name.len()) || !name.bytes().all(is_plain) {
            return Err(NoCookie::Name(name.to_owned()));
        }
        if let Some(domain) = domain.filter(|domain| !is_domain(domain)) {
            return Err(NoCookie::Domain(domain.to_owned()));
        }
        if name.starts_with("__Host-") && domain.is_some() {
            return Err(NoCookie::Host);
        }
        Ok(Self { name: name.to_owned(), domain: domain.map(str::to_owned) })
    }

    /// Puts in the subject where the caller names none.
    ///
    /// A new one is given only to a browser that says that the page is of our site, since others don't keep it, and whoever
    /// doesn't would be a new person each time.
    pub(super) fn name(
        &self,
        subject: &mut Option<String>,
        terms: Terms<'_>,
        headers: &HeaderMap,
    ) -> Visitor {
        let is_nobody =
            !terms.consent.measurement || terms.traffic != Traffic::Visitor || terms.preview.is_some();
        if is_nobody && subject.is_none() {
            *subject = Some(NOBODY.to_owned());
        }
        match (self.find(headers), &subject) {
            (Some(_), _) if !terms.consent.measurement => Visitor::Gone(self.written("", 0)),
            (_, Some(_)) => Visitor::Told,
            (Some(known), None) => {
                *subject = Some(known.to_owned());
                Visitor::Known
            }
            (None, None) if is_of_our_site(headers) => {
                let id = fresh();
                let cookie = self.written(&id, LASTS);
                *subject = Some(id);
                Visitor::New(cookie)
            }
            (None, None) => Visitor::Told,
        }
    }

    /// What the browser says, unless that is none of ours.
    fn find<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let is_ours =
            |id: &str| id.len() == 32 && id.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        pairs.find_map(|(name, id)| (name == self.name && is_ours(id)).then_some(id))
    }

    /// Source: RFC 6265, section 4.1. `Lax`, since it is the page's own site that asks.
    fn written(&self, id: &str, lasts: u32) -> HeaderValue {
        let domain = self.domain.as_ref().map(|domain| format!("; Domain={domain}")).unwrap_or_default();
        let text =
            format!("{}={id}; Max-Age={lasts}; Path=/{domain}; Secure; HttpOnly; SameSite=Lax", self.name);
        HeaderValue::try_from(text).expect("letters, digits and signs that headers have")
    }
}

/// At least two labels, and no address.
fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        let is_plain = label.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'-');
        (1..=63).contains(&label.len()) && is_plain && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_number = |label: &str| label.bytes().all(|letter| letter.is_ascii_digit());
    let last = domain.rsplit_once('.').map(|(_, last)| last);
    domain.len() <= 253 && domain.split('.').all(is_label) && last.is_some_and(|last| !is_number(last))
}

/// Browsers say so to servers that speak TLS, and to this machine's own.
/// Source: <https://www.w3.org/TR/fetch-metadata/>, section 2.4.
fn is_of_our_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin" || site == "same-site")
}

fn fresh() -> String {
    let mut id = [0; 16];
    getrandom::fill(&mut id).expect("the system has random numbers");
    hex(&id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::wire::decide::Consent;
    use axum::http::HeaderName;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn cookie() -> VisitorCookie {
        VisitorCookie::new("visitor", Some("shop.example")).unwrap()
    }

    #[test]
    fn what_browsers_would_not_take_is_refused() {
        let check = |name: &str, domain: Option<&str>, expected: Option<&str>| {
            let found = VisitorCookie::new(name, domain).err().map(|error| error.to_string());
            match (&found, expected) {
                (None, None) => {}
                (Some(found), Some(part)) if found.contains(part) => {}
                _ => panic!("{name} {domain:?}: {found:?}"),
            }
        };
        check("visitor", None, None);
        check("__Host-visitor", None, None);
        check("visitor", Some("shop.example"), None);
        check("", None, Some("--visitor-cookie: \"\" is no name"));
        check("a;b", None, Some("is no name"));
        check(&"a".repeat(65), None, Some("is no name"));
        check("visitor", Some(".shop.example"), Some("--visitor-domain: \".shop.example\" is no domain"));
        check("visitor", Some("shop.example; Path=/"), Some("is no domain"));
        check("visitor", Some("example"), Some("is no domain"));
        check("visitor", Some("10.0.0.1"), Some("is no domain"));
        check("visitor", Some("-shop.example"), Some("is no domain"));
        check("__Host-visitor", Some("shop.example"), Some("leave the domain out"));
    }

    #[test]
    fn a_visitor_is_known_by_the_cookie_and_by_nothing_else() {
        let check = |sent: &[&str], expected: Option<&str>| {
            let headers =
                sent.iter().map(|line| (header::COOKIE, HeaderValue::from_str(line).unwrap())).collect();
            assert_eq!(cookie().find(&headers), expected, "{sent:?}");
        };
        check(&[], None);
        check(&["visitor=0123456789abcdef0123456789abcdef"], Some(ID));
        check(&["a=b; visitor=0123456789abcdef0123456789abcdef;c=d"], Some(ID));
        check(&["a=b", "visitor=0123456789abcdef0123456789abcdef"], Some(ID));
        check(&["visitor=short; visitor=0123456789abcdef0123456789abcdef"], Some(ID));
        check(&["visitor=0123456789ABCDEF0123456789ABCDEF"], None);
        check(&["revisitor=0123456789abcdef0123456789abcdef"], None);
        check(&["visitor"], None);
    }

    #[test]
    fn only_a_visitor_who_allows_it_and_can_keep_it_is_given_one() {
        let pair = format!("visitor={ID}");
        let browser = |site: Option<&str>, cookie: Option<&str>| -> HeaderMap {
            let site = site.map(|site| (HeaderName::from_static("sec-fetch-site"), site));
            let cookie = cookie.map(|cookie| (header::COOKIE, cookie));
            site.into_iter()
                .chain(cookie)
                .map(|(name, text)| (name, HeaderValue::from_str(text).unwrap()))
                .collect()
        };
        let named = |told: Option<&str>, terms: Terms<'_>, headers: &HeaderMap| {
            let mut subject = told.map(str::to_owned);
            let visitor = cookie().name(&mut subject, terms, headers);
            (subject, visitor)
        };
        let (ours, known) = (browser(Some("same-site"), None), browser(Some("same-site"), Some(&pair)));
        let allowed = Terms::default();
        let some = |subject: &str| Some(subject.to_owned());
        assert_eq!(named(Some("alice"), allowed, &known), (some("alice"), Visitor::Told));
        assert_eq!(named(None, allowed, &known), (some(ID), Visitor::Known));
        assert_eq!(named(None, allowed, &browser(None, Some(&pair))), (some(ID), Visitor::Known));
        for site in [None, Some("cross-site"), Some("none")] {
            assert_eq!(named(None, allowed, &browser(site, None)), (None, Visitor::Told), "{site:?}");
        }
        for terms in [Terms { traffic: Traffic::Bot, ..allowed }, Terms { preview: Some("warm"), ..allowed }]
        {
            assert_eq!(named(None, terms, &ours), (some(NOBODY), Visitor::Told));
        }
        let refused = Terms { consent: Consent { measurement: false }, ..allowed };
        assert_eq!(named(None, refused, &ours), (some(NOBODY), Visitor::Told));
        let forget = "visitor=; Max-Age=0; Path=/; Domain=shop.example; Secure; HttpOnly; SameSite=Lax";
        let gone = || Visitor::Gone(HeaderValue::from_static(forget));
        assert_eq!(named(None, refused, &known), (some(NOBODY), gone()));
        assert_eq!(named(Some("alice"), refused, &known), (some("alice"), gone()));
        let (Some(one), Visitor::New(set)) = named(None, allowed, &ours) else { panic!("a new one") };
        let expected = format!(
            "visitor={one}; Max-Age=34560000; Path=/; Domain=shop.example; Secure; HttpOnly; SameSite=Lax"
        );
        assert_eq!(set, expected.as_str());
        assert_ne!(some(&one), named(None, allowed, &ours).0, "each has their own");
    }
}
