//! Where a click leads: an address of the web that a redirect can send people to, and nothing else.
//!
//! ```text
//! https://shop.example/trail?ref=mail#reviews                      as people write it
//! https://shop.example/trail?ref=mail&broadside=v1.fa0d..#reviews  as a redirect leads there
//! ```
//!
//! It is held to RFC 3986 letter by letter, since browsers mend what is not, each in its own way.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The longest landing page, in bytes: what every browser takes.
const LIMIT: usize = 2048;

/// A landing page such as `https://shop.example/trail`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LandingPage(pub String);

/// Why a text is no landing page. None repeats the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LandingPageError {
    /// It is longer than browsers take.
    #[error("it is longer than {LIMIT} bytes: write a shorter one")]
    TooLong,
    /// It is of another scheme, or of none.
    #[error("it is no address of the web: begin it with https:// or http://, in small letters")]
    Scheme,
    /// It holds a user or a password.
    #[error("it names a user: leave out what stands before the @, which everybody who clicks could read")]
    User,
    /// It has no host, or one that can't be.
    #[error("it has no host: write one such as shop.example, and a port only as digits")]
    Host,
    /// A letter in it is not one of addresses.
    #[error("it holds what addresses don't: copy it from a browser, which writes é as %C3%A9")]
    Letters,
    /// The place of the token is taken.
    #[error("its query holds {}, which the redirect adds: leave it out", LandingPage::TOKEN)]
    Token,
}

impl LandingPage {
    /// The parameter of the query by which the landing page is told the decision.
    pub const TOKEN: &str = "broadside";

    /// The grammar that schema and check share, but for escapes, ports and numbers of hosts, which the check alone reads.
    pub const PATTERN: &str = "^https?://([A-Za-z0-9][-A-Za-z0-9._]*|\\[[0-9A-Fa-f:.]+\\])(:[0-9]+)?\
        (/[-A-Za-z0-9._~:/@!$&'()*+,;=%]*)?(\\?[-A-Za-z0-9._~:/@!$&'()*+,;=%?\\[\\]]*)?\
        (#[-A-Za-z0-9._~:/@!$&'()*+,;=%?]*)?$";

    /// Holds it to be a place that a redirect can lead to.
    ///
    /// # Errors
    /// When it is too long, of another scheme than `http` and `https`, has a user, no host or a letter that is none of
    /// RFC 3986, or has the parameter that a redirect adds. Square brackets may stand in its query, as forms write them.
    pub fn check(&self) -> Result<(), LandingPageError> {
        let text = self.0.as_str();
        if text.len() > LIMIT {
            return Err(LandingPageError::TooLong);
        }
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let rest = rest.ok_or(LandingPageError::Scheme)?;
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        check_authority(authority)?;
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if !(is_made_of("", path) && is_made_of("?[]", query) && is_made_of("?", fragment)) {
            return Err(LandingPageError::Letters);
        }
        let name = |pair: &str| pair.split('=').next() == Some(Self::TOKEN);
        if query.split('&').any(name) { Err(LandingPageError::Token) } else { Ok(()) }
    }

    /// The address with the token in its query; the rest of it stays as it is.
    ///
    /// ```
    /// let page = api::LandingPage("https://shop.example/trail?ref=mail#reviews".to_owned());
    /// assert_eq!(page.told("v1.a.b.c"), "https://shop.example/trail?ref=mail&broadside=v1.a.b.c#reviews");
    /// ```
    #[must_use]
    pub fn told(&self, token: &str) -> String {
        let (address, fragment) = self.0.split_at(self.0.find('#').unwrap_or(self.0.len()));
        let joint = match address.split_once('?') {
            None => "?",
            Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        [address, joint, Self::TOKEN, "=", token, fragment].concat()
    }
}

fn check_authority(authority: &str) -> Result<(), LandingPageError> {
    if authority.contains('@') {
        return Err(LandingPageError::User);
    }
    let (host, port) = match authority.rfind(':') {
        Some(colon) if !authority.ends_with(']') => (&authority[..colon], Some(&authority[colon + 1..])),
        _ => (authority, None),
    };
    let is_port = |port: &str| {
        port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    if is_host(host) && port.is_none_or(is_port) { Ok(()) } else { Err(LandingPageError::Host) }
}

fn is_host(host: &str) -> bool {
    if let Some(number) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return number.parse::<Ipv6Addr>().is_ok();
    }
    let of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    host.starts_with(|first: char| first.is_ascii_alphanumeric()) && host.bytes().all(of_host)
}

/// Whether a part holds nothing but the letters of every part, `more` of its own, and whole escapes.
fn is_made_of(more: &str, part: &str) -> bool {
    let of_part = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || b"-._~:/@!$&'()*+,;=%".contains(&byte)
            || more.as_bytes().contains(&byte)
    };
    let is_escape = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    part.bytes().all(of_part) && part.split('%').skip(1).all(is_escape)
}

impl JsonSchema for LandingPage {
    fn schema_name() -> Cow<'static, str> {
        "LandingPage".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "maxLength": LIMIT,
            "pattern": "^https?://",
            "x-kubernetes-validations": [{
                "rule": format!("self.matches(r\"{}\")", Self::PATTERN),
                "message": "write an address such as https://shop.example/trail, without a user, as a browser shows it",
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_landing_page_is_an_address_of_the_web() {
        let pattern = regex::Regex::new(LandingPage::PATTERN).expect("it is one");
        use LandingPageError::{Host, Letters, Scheme, Token, TooLong, User};
        let long = format!("https://shop.example/{}", "a".repeat(LIMIT));
        for (sentence, text, expected) in [
            ("an-address-is-one", "https://shop.example/trail", Ok(())),
            ("a-host-alone-is-one", "https://shop.example", Ok(())),
            ("without-encryption", "http://localhost:8080/", Ok(())),
            ("a-query-and-a-fragment", "https://shop.example?a[]=b%20c&d#/e?f", Ok(())),
            ("the-number-of-a-host", "http://[::1]:8080/a", Ok(())),
            ("an-at-sign-in-the-path-is-no-user", "https://shop.example/@me", Ok(())),
            ("another-parameter-that-begins-so", "https://shop.example/?broadsides=1", Ok(())),
            ("nothing-is-none", "", Err(Scheme)),
            ("a-script-is-refused", "javascript:alert(1)//https://shop.example", Err(Scheme)),
            ("capitals-in-the-scheme-are-refused", "HTTPS://shop.example", Err(Scheme)),
            ("another-host-by-scheme-of-the-page", "//shop.example", Err(Scheme)),
            ("a-space-before-it", " https://shop.example", Err(Scheme)),
            ("a-user-is-refused", "https://me@shop.example/", Err(User)),
            ("a-password-is-refused", "https://me:secret@shop.example/", Err(User)),
            ("a-user-before-a-number", "https://me@[::1]/", Err(User)),
            ("no-host-is-refused", "https:///trail", Err(Host)),
            ("a-query-is-no-host", "https://?a", Err(Host)),
            ("a-backslash-is-no-slash", "https://shop.example\\.other.example/", Err(Host)),
            ("a-host-with-an-escape", "https://shop%2eexample/", Err(Host)),
            ("a-letter-beyond-ascii-in-the-host", "https://schön.example/", Err(Host)),
            ("a-number-that-is-none", "https://[::g]/", Err(Host)),
            ("half-a-bracket", "https://[::1/", Err(Host)),
            ("a-port-beyond-ports", "https://shop.example:65536/", Err(Host)),
            ("a-port-with-a-sign", "https://shop.example:+80/", Err(Host)),
            ("no-port-behind-the-colon", "https://shop.example:/", Err(Host)),
            ("a-line-break", "https://shop.example/\r\nSet-Cookie: a=b", Err(Letters)),
            ("a-space", "https://shop.example/a b", Err(Letters)),
            ("a-quotation-mark", "https://shop.example/\"", Err(Letters)),
            ("a-letter-beyond-ascii", "https://shop.example/é", Err(Letters)),
            ("half-an-escape", "https://shop.example/?a=%4", Err(Letters)),
            ("a-tag-of-a-mail-sender", "https://shop.example/%%name%%", Err(Letters)),
            ("a-second-fragment", "https://shop.example/#a#b", Err(Letters)),
            ("the-place-of-the-token", "https://shop.example/?a&broadside=1", Err(Token)),
            ("it-alone", "https://shop.example/?broadside", Err(Token)),
            ("a-long-one", &long, Err(TooLong)),
        ] {
            assert_eq!(LandingPage(text.to_owned()).check(), expected, "{sentence}");
            let shared = matches!(expected, Ok(()) | Err(Scheme | User));
            assert!(!shared || pattern.is_match(text) == expected.is_ok(), "{sentence}, by the schema");
        }
    }

    #[test]
    fn the_token_stands_in_the_query_and_the_rest_stays() {
        for (page, told) in [
            ("https://shop.example", "https://shop.example?broadside=T"),
            ("https://shop.example/a", "https://shop.example/a?broadside=T"),
            ("https://shop.example/a?", "https://shop.example/a?broadside=T"),
            ("https://shop.example/a?b=c", "https://shop.example/a?b=c&broadside=T"),
            ("https://shop.example/a?b=c&", "https://shop.example/a?b=c&broadside=T"),
            ("https://shop.example/a#b?c", "https://shop.example/a?broadside=T#b?c"),
            ("https://shop.example/a?b=c%26#d", "https://shop.example/a?b=c%26&broadside=T#d"),
        ] {
            assert_eq!(LandingPage(page.to_owned()).told("T"), told);
        }
    }
}
