//! Copy that a machine would take for its own language.
//!
//! Copy passes through mail senders, ad networks and pages. What means something to one of them is refused at the
//! source, where a person can still say it differently; the [borders](crate::border) escape in addition. Our own
//! variables are taken out before.

use std::fmt;

use crate::Severity;
use crate::normal::visible;

/// The most characters of a text that a message quotes.
const EXCERPT: usize = 24;

/// A language that copy must not speak. One delimiter is enough: half a tag breaks a template as surely as a whole.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Template {
    /// `{{ name }}`: Mustache, Handlebars, Jinja, Liquid, Go.
    DoubleBrace,
    /// `{% if %}`, `{# comment #}`: Jinja, Liquid, Twig.
    BlockTag,
    /// `${name}`, `#{name}`, `%{name}`: JavaScript, FreeMarker, Ruby, expression languages.
    SigilBrace,
    /// `{Keyword:shoes}`, `{=IF(..)}`, `{LOCATION(City)}`, `{name}`: ad customizers and message formats.
    SingleBrace,
    /// `<% code %>`: ERB, JSP, ASP, EJS.
    ServerTag,
    /// `%%name%%`, `%%[ code ]%%`, `%NAME%`: AMPscript and other mail senders.
    Percent,
    /// `*|NAME|*`: Mailchimp and Mandrill.
    MergeTag,
    /// `[[name]]`: Mautic-like senders, Thymeleaf.
    DoubleBracket,
    /// `<b>`, `</b>`, `<!-- -->`: what a browser takes for a tag.
    Markup,
    /// `&nbsp;`, `&#8217;`: what a browser takes for a character.
    Entity,
    /// `javascript:alert()`, `data:text/html`: what a browser would run.
    Script,
    /// `[Product name]`: what somebody forgot to fill in. Soft, since a person may mean the brackets.
    Placeholder,
}

/// How a language is recognized.
enum Signs {
    /// Any of these texts.
    Any(&'static [&'static str]),
    /// The byte offset of the first, if there is one.
    Scan(fn(&str) -> Option<usize>),
}

/// In the order in which findings are reported.
const LANGUAGES: [(Template, Signs); 12] = [
    (Template::DoubleBrace, Signs::Any(&["{{", "}}"])),
    (Template::BlockTag, Signs::Any(&["{%", "%}", "{#", "#}"])),
    (Template::SigilBrace, Signs::Any(&["${", "#{", "%{"])),
    (Template::SingleBrace, Signs::Scan(single_brace)),
    (Template::ServerTag, Signs::Any(&["<%", "%>"])),
    (Template::Percent, Signs::Scan(percent)),
    (Template::MergeTag, Signs::Any(&["*|", "|*"])),
    (Template::DoubleBracket, Signs::Any(&["[[", "]]"])),
    (Template::Markup, Signs::Scan(markup)),
    (Template::Entity, Signs::Scan(entity)),
    (Template::Script, Signs::Scan(script)),
    (Template::Placeholder, Signs::Scan(placeholder)),
];

impl Template {
    /// Every language that `text` speaks, once each, with the beginning of its first sign.
    ///
    /// Invisible characters are taken out before, because some senders do the same.
    pub(crate) fn find(text: &str) -> Vec<(Self, String)> {
        let text: String = visible(text).collect();
        let found = |(kind, signs): &(Self, Signs)| Some((*kind, excerpt(&text, signs.find(&text)?)));
        LANGUAGES.iter().filter_map(found).collect()
    }

    /// Hard for all that a machine would act on.
    #[must_use]
    pub fn severity(self) -> Severity {
        if self == Self::Placeholder { Severity::Soft } else { Severity::Hard }
    }

    /// What the author can do.
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::Markup => "write plain text; for \"less than\" put a space behind <",
            Self::Entity => "write the character itself",
            Self::Placeholder => "fill it in, or use other brackets",
            _ => "write the words that the reader shall see",
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DoubleBrace => "a template tag like {{ }}",
            Self::BlockTag => "a template tag like {% %}",
            Self::SigilBrace => "a template tag like ${ }",
            Self::SingleBrace => "an ad customizer like {Keyword:..}",
            Self::ServerTag => "a template tag like <% %>",
            Self::Percent => "a mail tag like %%..%%",
            Self::MergeTag => "a mail tag like *|..|*",
            Self::DoubleBracket => "a template tag like [[ ]]",
            Self::Markup => "an HTML tag",
            Self::Entity => "an HTML entity",
            Self::Script => "a script address",
            Self::Placeholder => "a placeholder",
        })
    }
}

impl Signs {
    fn find(&self, text: &str) -> Option<usize> {
        match self {
            Self::Any(signs) => signs.iter().filter_map(|sign| text.find(sign)).min(),
            Self::Scan(scan) => scan(text),
        }
    }
}

fn excerpt(text: &str, start: usize) -> String {
    text[start..].chars().take(EXCERPT).collect()
}

/// The first place of `open` whose text before and behind it pleases.
fn find_open(text: &str, open: char, pleases: impl Fn(&str, &str) -> bool) -> Option<usize> {
    let open_at = |start: &usize| pleases(&text[..*start], &text[start + open.len_utf8()..]);
    text.match_indices(open).map(|(start, _)| start).find(open_at)
}

/// What follows the longest beginning of `text` that is made of `part`, and whether that beginning holds anything.
fn skip(text: &str, part: impl Fn(char) -> bool) -> (bool, &str) {
    let rest = text.trim_start_matches(part);
    (rest.len() < text.len(), rest)
}

/// A brace before a name, an argument or a value; double and sigiled braces are languages of their own.
fn single_brace(text: &str) -> Option<usize> {
    find_open(text, '{', |before, after| {
        let name = after.trim_start_matches(|c: char| c == '=' || c.is_whitespace());
        let (named, rest) = skip(name, |c| c.is_alphanumeric() || " _.-".contains(c));
        named && rest.starts_with([':', '(', ',', '}']) && !before.ends_with(['{', '$', '#', '%'])
    })
}

fn percent(text: &str) -> Option<usize> {
    let doubled = text.find("%%");
    let named = find_open(text, '%', |_, after| {
        let (long, rest) = skip(after, |c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        long && after.starts_with(|c: char| c.is_ascii_uppercase()) && rest.starts_with('%')
    });
    doubled.into_iter().chain(named).min()
}

/// What makes a browser leave its data state: WHATWG HTML, section 13.2.5.6, "tag open state".
fn markup(text: &str) -> Option<usize> {
    find_open(text, '<', |_, after| after.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)))
}

/// Numeric references need no semicolon to work (WHATWG HTML, section 13.2.5.80); named ones of two letters and more
/// are taken with one, so that "R&D;" and "Fish & chips" are text.
fn entity(text: &str) -> Option<usize> {
    find_open(text, '&', |_, after| {
        if let Some(number) = after.strip_prefix('#') {
            return number.starts_with(|c: char| c.is_ascii_digit() || c == 'x' || c == 'X');
        }
        let rest = after.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        after.len() - rest.len() >= 2 && rest.starts_with(';')
    })
}

/// "JavaScript: The Good Parts" is a title; an address has no space.
fn script(text: &str) -> Option<usize> {
    let text = text.to_ascii_lowercase();
    let address = |scheme: &'static str| {
        let runs = |start: &usize| text[start + scheme.len()..].starts_with(|c: char| !c.is_whitespace());
        text.match_indices(scheme).map(|(start, _)| start).find(runs)
    };
    ["javascript:", "vbscript:", "data:text/html"].into_iter().filter_map(address).min()
}

fn placeholder(text: &str) -> Option<usize> {
    find_open(text, '[', |before, after| {
        let rest = after.trim_start_matches(|c: char| c.is_alphanumeric() || " _'’/-".contains(c));
        after.starts_with(char::is_alphanumeric) && rest.starts_with(']') && !before.ends_with('[')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sentence, text, what it speaks.
    const ROWS: &[(&str, &str, &[Template])] = &[
        ("mustache-is-refused", "Hi {{ first_name }}", &[Template::DoubleBrace]),
        ("half-a-tag-is-refused", "Hi {{ you", &[Template::DoubleBrace]),
        ("the-other-half-is-refused", "you }} there", &[Template::DoubleBrace]),
        ("a-tag-split-by-an-invisible-is-refused", "Hi {\u{200B}{name}}", &[Template::DoubleBrace]),
        ("liquid-blocks-are-refused", "{% if vip %}", &[Template::BlockTag]),
        ("jinja-comments-are-refused", "{# note #}", &[Template::BlockTag]),
        ("shell-like-variables-are-refused", "Hi ${name}", &[Template::SigilBrace]),
        ("ruby-like-variables-are-refused", "Hi #{name}", &[Template::SigilBrace]),
        ("gettext-like-variables-are-refused", "Hi %{name}", &[Template::SigilBrace]),
        ("keyword-insertion-is-refused", "Buy {KeyWord:Shoes}", &[Template::SingleBrace]),
        ("a-customizer-with-space-is-refused", "Buy { keyword : Shoes }", &[Template::SingleBrace]),
        ("an-if-function-is-refused", "{=IF(device=mobile,Call):Visit}", &[Template::SingleBrace]),
        ("location-insertion-is-refused", "In {LOCATION(City)}", &[Template::SingleBrace]),
        ("a-named-customizer-is-refused", "{CUSTOMIZER.Price:9}", &[Template::SingleBrace]),
        ("a-variable-in-one-brace-is-refused", "Hi {name}", &[Template::SingleBrace]),
        ("a-numbered-argument-is-refused", "Save {0}", &[Template::SingleBrace]),
        (
            "a-plural-form-is-refused",
            "{n, plural, one {#}}",
            &[Template::DoubleBrace, Template::BlockTag, Template::SingleBrace],
        ),
        ("erb-is-refused", "<%= name %>", &[Template::ServerTag]),
        ("ampscript-is-refused", "%%[ SET @a = 1 ]%%", &[Template::Percent]),
        ("a-percent-pair-is-refused", "Hi %%first%%", &[Template::Percent]),
        ("a-name-between-percent-signs-is-refused", "Hi %FIRSTNAME%", &[Template::Percent]),
        ("percentages-are-text", "Save 50% OFF, 20% more", &[]),
        ("mailchimp-tags-are-refused", "Hi *|FNAME|*", &[Template::MergeTag]),
        ("double-brackets-are-refused", "[[name]]", &[Template::DoubleBracket]),
        ("html-is-refused", "<b>Now</b>", &[Template::Markup]),
        ("a-tag-without-end-is-refused", "<img src=x onerror=alert(1)", &[Template::Markup]),
        ("a-comment-is-refused", "<!-- x -->", &[Template::Markup]),
        ("script-is-refused", "<script>go()</script>", &[Template::Markup]),
        ("less-than-is-text", "2 < 3, I <3 you, <5 left", &[]),
        ("named-entities-are-refused", "Fish&nbsp;chips", &[Template::Entity]),
        ("numeric-entities-are-refused", "It&#8217s, &#x27;", &[Template::Entity]),
        ("ampersands-are-text", "Fish & chips, R&D; AT&T", &[]),
        ("script-addresses-are-refused", "JavaScript:alert(1)", &[Template::Script]),
        ("documents-in-addresses-are-refused", "data:text/html,x", &[Template::Script]),
        ("a-book-about-javascript-is-text", "JavaScript: The Good Parts", &[]),
        ("placeholders-are-seen", "Hi [First name]", &[Template::Placeholder]),
        ("empty-brackets-are-text", "Checked [ ] or []", &[]),
        ("chinese-brackets-are-text", "【新品】跑鞋", &[]),
        ("money-stars-and-hashes-are-text", "$19 *new* #1 | 5* hotel", &[]),
        ("a-brace-without-a-name-is-text", ":-{ oh {} my }", &[]),
    ];

    #[test]
    fn hears_what_its_table_says() {
        for (sentence, text, expected) in ROWS {
            let kinds: Vec<Template> = Template::find(text).into_iter().map(|(kind, _)| kind).collect();
            assert_eq!(kinds, *expected, "{sentence}");
        }
    }

    #[test]
    fn every_language_has_a_row_and_its_place_in_the_order() {
        for (kind, _) in &LANGUAGES {
            assert!(ROWS.iter().any(|(_, _, kinds)| kinds.contains(kind)), "{kind:?} has no row");
        }
        assert!(LANGUAGES.is_sorted_by_key(|(kind, _)| *kind));
    }

    #[test]
    fn an_excerpt_begins_at_the_sign_and_is_short() {
        let found = Template::find("你好 {{ 一个非常长的变量名称一个非常长的变量名称一个非常长的变量名称 }}");
        assert_eq!(
            found,
            [(Template::DoubleBrace, "{{ 一个非常长的变量名称一个非常长的变量名称一".to_owned())]
        );
    }
}
