//! Pictures and videos of a variant: addresses that people give, each with the digest of what stands there.
//!
//! ```text
//! https://cdn.example.com/trail.webp@sha256:9f86d081884c7d65...
//! ```
//!
//! The form is that of images of containers. The digest makes a picture a part of the variant as its words are: another
//! picture behind the same address is another one, and whoever shows it can tell.

/// The longest address, in bytes: what every browser takes.
const MAX_ADDRESS: usize = 2048;

/// A picture or video that a format has room for. Copy may leave it out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MediaSlot {
    /// The name under which copy gives it.
    pub name: String,
    /// What it is for.
    pub purpose: String,
}

/// Where a picture or video is, and what it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Media<'t> {
    /// An `https` address without user and fragment, in the characters of RFC 3986.
    pub address: &'t str,
    /// SHA-256 of its content: 64 small hexadecimal digits.
    pub sha256: &'t str,
}

impl<'t> Media<'t> {
    /// Reads `https://<address>@sha256:<digest>`; nothing where the text has another form. Whether there is anything at
    /// the address is not looked at.
    ///
    /// ```
    /// use rules::Media;
    ///
    /// let text = format!("https://cdn.example.com/trail.webp@sha256:{}", "0a".repeat(32));
    /// let media = Media::parse(&text).expect("a picture");
    /// assert_eq!(media.address, "https://cdn.example.com/trail.webp");
    /// assert_eq!(Media::parse("http://cdn.example.com/trail.webp"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &'t str) -> Option<Self> {
        let (address, sha256) = text.rsplit_once("@sha256:")?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_digest = sha256.len() == 64 && sha256.bytes().all(is_digit);
        (is_digest && is_address(address)).then_some(Self { address, sha256 })
    }
}

/// The scheme in small letters, so that nobody who compares beginnings is misled.
fn is_address(address: &str) -> bool {
    let Some(rest) = address.strip_prefix("https://") else { return false };
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let of_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
    let of_address = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=%".contains(&byte);
    address.len() <= MAX_ADDRESS
        && host.starts_with(|first: char| first.is_ascii_alphanumeric())
        && host.bytes().all(of_host)
        && rest.bytes().all(of_address)
        && rest.split('%').skip(1).all(is_escape)
}

/// Two hexadecimal digits behind each percent sign: nothing that a mail sender takes for a tag, such as `%%name%%`.
fn is_escape(rest: &str) -> bool {
    rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_are_read_as_the_table_says() {
        for (sentence, address, is_media) in [
            ("an-address-is-one", "https://cdn.example.com/a.webp", true),
            ("a-port-and-a-query-are-allowed", "https://cdn.example.com:8443/a?w=80&h=%20", true),
            ("an-at-sign-in-the-path-is-no-user", "https://example.com/@me/a.mp4", true),
            ("plain-http-is-refused", "http://example.com/a", false),
            ("capitals-in-the-scheme-are-refused", "HTTPS://example.com/a", false),
            ("a-script-is-refused", "javascript:alert(1)//https://example.com", false),
            ("data-is-refused", "data:image/png;base64,AAAA", false),
            ("a-user-is-refused", "https://me:secret@example.com/a", false),
            ("no-host-is-refused", "https:///a", false),
            ("a-space-is-refused", "https://example.com/a b", false),
            ("a-quotation-mark-is-refused", "https://example.com/a\"onload=x", false),
            ("a-letter-beyond-ascii-is-refused", "https://exämple.com/a", false),
            ("a-fragment-is-refused", "https://example.com/a#b", false),
            ("a-tag-is-refused", "https://example.com/{{a}}", false),
            ("a-tag-of-percent-signs-is-refused", "https://example.com/%%a%%", false),
            ("a-tag-of-brackets-is-refused", "https://example.com/[[a]]", false),
        ] {
            let text = format!("{address}@sha256:{}", "0a".repeat(32));
            assert_eq!(
                Media::parse(&text).map(|media| media.address),
                is_media.then_some(address),
                "{sentence}"
            );
        }
        let long = format!("https://example.com/{}@sha256:{}", "a".repeat(MAX_ADDRESS), "0a".repeat(32));
        assert_eq!(Media::parse(&long), None);
    }

    #[test]
    fn a_digest_is_64_small_hexadecimal_digits() {
        for digest in ["", "@sha256:", "@sha256:0a", "@md5:0a"] {
            assert_eq!(Media::parse(&format!("https://example.com/a{digest}")), None, "{digest}");
        }
        assert_eq!(Media::parse(&format!("https://example.com/a@sha256:{}", "0A".repeat(32))), None);
    }
}
