//! What the borders write reads back as the text, for any text; nothing in it is acted upon.
//!
//! Each language has a reader here that does what the real one does: it looks for its signs from the left, and acts on
//! each. A sign that it can't have been given fails the test.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rules::{
    BrandRules, Language, Markup, Rule, Variable, Variables, check_slot, csv_cell, fill, format, html,
    translate,
};

const LANGUAGES: [Language; 7] = [
    Language::Liquid(Markup::Text),
    Language::Liquid(Markup::Html),
    Language::Handlebars(Markup::Text),
    Language::Handlebars(Markup::Html),
    Language::Mailchimp,
    Language::Salesforce,
    Language::GoogleAds,
];

/// Stands in no other text of these tests.
const FALLBACK: &str = "Zoë Quix";

fn variables() -> Variables {
    let name = Variable::new("first_name", 12, FALLBACK).expect("a good variable");
    Variables::new(vec![name]).expect("one variable")
}

/// Any characters, and often those that some language acts on.
fn text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "{first_name}",
        "{first_name}",
        "{",
        "}",
        "{{",
        "}}",
        "{%",
        "%",
        "%%",
        "=%%",
        "*",
        "|",
        "\\",
        "#",
        "\"",
        "'",
        "<b>",
        "&amp;",
        "=1+1",
        "+",
        "-",
        "@",
        "＝",
        "\t",
        "\r",
        "\n",
        " ",
        "\u{200B}",
        "\u{FEFF}",
        "[",
        "]",
        "$",
        "茶",
        "👾",
        "CUSTOMIZER.a:b",
    ]);
    let part = prop_oneof![any::<char>().prop_map(String::from), special.prop_map(str::to_owned)];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// What one who reads a language sees where no value is known, and how many variables were looked up.
fn read(language: Language, written: &str) -> (String, usize) {
    let (mut shown, mut variables) = (String::new(), 0);
    let mut rest = written;
    while let Some(at) = next_sign(language, rest) {
        let before = &rest[..at];
        // Two backslashes before a tag are one, and one would make it text.
        let before = match language {
            Language::Handlebars(_) if before.ends_with("\\\\") => &before[..at - 1],
            Language::Handlebars(_) => {
                assert!(!before.ends_with('\\'), "a tag became text: {written}");
                before
            }
            _ => before,
        };
        shown.push_str(&plain(language, before));
        let (tag, name, after) =
            tag(language, &rest[at..]).unwrap_or_else(|| panic!("a stray sign: {written}"));
        shown.push_str(&plain(language, tag));
        variables += name;
        rest = after;
    }
    shown.push_str(&plain(language, rest));
    (shown, variables)
}

fn next_sign(language: Language, text: &str) -> Option<usize> {
    let signs: &[&str] = match language {
        Language::Liquid(_) => &["{{", "{%", "{#"],
        Language::Handlebars(_) => &["{{"],
        Language::Mailchimp => &["*|"],
        Language::Salesforce => &["%%"],
        Language::GoogleAds => &["{", "}"],
    };
    signs.iter().filter_map(|sign| text.find(sign)).min()
}

/// What a tag shows, how many variables it looks up, and what stands behind it.
fn tag(language: Language, text: &str) -> Option<(&str, usize, &str)> {
    let (opening, closing) = match language {
        Language::Liquid(_) => ("{{ ", " }}"),
        Language::Handlebars(_) => ("{{#if ", "{{/if}}"),
        Language::Mailchimp => ("*|IF:", "*|END:IF|*"),
        Language::Salesforce => ("%%=", "=%%"),
        Language::GoogleAds => ("{CUSTOMIZER.", "}"),
    };
    let (body, after) = text.strip_prefix(opening)?.split_once(closing)?;
    if ["\"{\"", "Concat(\"%\",\"\")"].contains(&body) {
        return Some((if body.starts_with('C') { "%" } else { "{" }, 0, after));
    }
    let (before, behind) = match language {
        Language::Liquid(Markup::Text) => ("first_name|default:\"", "\""),
        Language::Liquid(Markup::Html) => ("first_name|default:\"", "\"|escape"),
        Language::Handlebars(Markup::Text) => ("first_name}}{{{first_name}}}{{else}}", ""),
        Language::Handlebars(Markup::Html) => ("first_name}}{{first_name}}{{else}}", ""),
        Language::Mailchimp => ("FIRST_NAME|**|FIRST_NAME|**|ELSE:|*", ""),
        Language::Salesforce => ("IIF(EMPTY([first_name]),\"", "\",[first_name])"),
        Language::GoogleAds => ("first_name:", ""),
    };
    Some((body.strip_prefix(before)?.strip_suffix(behind)?, 1, after))
}

fn plain(language: Language, text: &str) -> String {
    match language {
        Language::Liquid(Markup::Html) | Language::Handlebars(Markup::Html) => read_html(text),
        _ => text.to_owned(),
    }
}

/// The text of a document, which must have no tag and no entity but those five.
fn read_html(html: &str) -> String {
    assert!(!html.contains(['<', '>', '"', '\'']), "{html}");
    let mut text = String::new();
    let mut pieces = html.split('&');
    text.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (name, rest) = piece.split_once(';').expect("an entity has an end");
        text.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "#39" => '\'',
            other => panic!("&{other}; in {html}"),
        });
        text.push_str(rest);
    }
    text
}

/// The text of a cell: without quotation marks, and without the apostrophe that was put before a formula.
fn read_cell(cell: &str) -> String {
    let inner = cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).expect("quotation marks");
    assert!(!inner.replace("\"\"", "").contains('"'), "{cell}");
    let content = inner.replace("\"\"", "\"");
    match content.strip_prefix('\'') {
        Some(text) if is_formula(text.trim_start_matches('\'')) => text.to_owned(),
        _ => content,
    }
}

fn is_formula(text: &str) -> bool {
    let first = text.chars().find(|c| !c.is_whitespace() && !rules::is_invisible(*c));
    text.starts_with(['\t', '\r', '\n']) || first.is_some_and(|c| "=+-@＝＋－＠".contains(c))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn html_reads_back(text in text()) {
        prop_assert_eq!(read_html(&html(&text)), text);
    }

    #[test]
    fn a_cell_reads_back_and_is_no_formula(text in text()) {
        let cell = csv_cell(&text);
        prop_assert!(!is_formula(&cell[1..cell.len() - 1]), "{}", cell);
        prop_assert_eq!(read_cell(&cell), text);
    }

    #[test]
    fn every_language_reads_back_or_says_that_it_cannot(text in text()) {
        let variables = variables();
        let shown = variables.with_fallbacks(&text);
        for language in LANGUAGES {
            if let Ok(written) = translate(&text, &variables, language) {
                let expected = (shown.to_string(), shown.matches(FALLBACK).count());
                prop_assert_eq!(read(language, &written), expected, "{:?}: {}", language, written);
            }
        }
    }

    #[test]
    fn what_the_check_lets_through_every_mail_sender_can_show(text in text()) {
        let brand = BrandRules::default().with_variables(variables());
        let body = format("Email").and_then(|format| format.slot("body")).expect("a slot");
        let passes = !check_slot(body, &brand, &text).iter().any(rules::Violation::is_hard);
        let mail = LANGUAGES.iter().filter(|language| **language != Language::GoogleAds);
        for language in mail.filter(|_| passes) {
            prop_assert!(translate(&text, brand.variables(), *language).is_ok(), "{:?}: {}", language, text);
        }
    }

    #[test]
    fn a_text_that_passes_is_within_its_limits_for_every_reader(text in text(), value in text()) {
        let brand = BrandRules::default().with_variables(variables());
        let values = BTreeMap::from([("first_name".to_owned(), value)]);
        let is_size = |rule: &Rule| rule.limit().is_some();
        for (format_, slot) in [("WebBanner", "headline"), ("BannerMobile", "headline"), ("Sms", "text"), ("VideoScript", "line1")] {
            let slot = format(format_).and_then(|format| format.slot(slot)).expect("a slot");
            if check_slot(slot, &brand, &text).iter().any(rules::Violation::is_hard) {
                continue;
            }
            let filled = fill(slot, brand.variables(), &text, &values);
            let broken = check_slot(slot, &brand, &filled);
            prop_assert!(!broken.iter().any(|it| it.is_hard() && is_size(&it.rule)), "{}: {:?}", filled, broken);
        }
    }
}
