//! Forms of texts: what they take, what is no grammar, and that none of them takes long.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rules::{Grammar, GrammarError, MAX_GRAMMAR_BYTES, Source};

fn pattern(text: &str) -> Result<Grammar, GrammarError> {
    Grammar::new(Source::Pattern(text.to_owned()))
}

fn lark(text: &str) -> Result<Grammar, GrammarError> {
    Grammar::new(Source::Lark(text.to_owned()))
}

fn schema(text: &str) -> Result<Grammar, GrammarError> {
    Grammar::new(Source::Schema(text.to_owned()))
}

/// Each text with the part of it that may stand; nothing where all of it is of the form.
fn check(grammar: Result<Grammar, GrammarError>, texts: &[(&str, Option<&str>)]) {
    let grammar = grammar.expect("a good grammar");
    for (text, kept) in texts {
        assert_eq!(grammar.departure(text), *kept, "{text:?} by {grammar:?}");
        assert_eq!(grown(&grammar, text), *kept, "{text:?} by {grammar:?}, byte after byte");
    }
}

/// What a text comes to that grows by single bytes.
fn grown<'t>(grammar: &Grammar, text: &'t str) -> Option<&'t str> {
    let mut beginning = grammar.beginning();
    for (at, byte) in text.bytes().enumerate() {
        if !beginning.takes(&[byte]) {
            return Some(&text[..text.floor_char_boundary(at)]);
        }
        beginning.push(&[byte]);
    }
    (!beginning.may_end()).then_some(text)
}

#[test]
fn a_pattern_is_for_the_whole_text() {
    let price = || pattern(r"Only \d+ €");
    check(
        price(),
        &[("Only 12 €", None), ("Only 12", Some("Only 12")), ("Only 12 € now", Some("Only 12 €"))],
    );
    check(
        price(),
        &[("only 12 €", Some("")), ("", Some("")), ("Only ١ €", None), ("Only 12 ₤", Some("Only 12 "))],
    );
    check(pattern("^ab|cd$"), &[("ab", None), ("cd", None), ("abcd", Some("ab"))]);
    check(pattern("(?i)straße/weg"), &[("STRAßE/Weg", None), ("strasse/weg", Some("stra"))]);
    check(pattern("[一-龥]{2,4}，立即购买"), &[("云翼，立即购买", None), ("云，立即购买", Some("云"))]);
    check(pattern(".+"), &[("ä 云 👟", None), ("a\nb", Some("a"))]);
    check(
        pattern(r"Hello \{first_name\}, .+"),
        &[("Hello {first_name}, hi", None), ("Hello Ann, hi", Some("Hello "))],
    );
    check(pattern("(ab)?"), &[("", None), ("ab", None), ("a", Some("a"))]);
}

#[test]
fn rules_in_lark_may_refer_to_each_other() {
    let offer = r#"
        start: product " for " price [", " TERMS]
        product: "Aero Trail" | "City"
        price: /[0-9]+/ " €"
        TERMS: "while " /[a-z]+/ " last"
    "#;
    check(
        lark(offer),
        &[
            ("City for 3 €", None),
            ("Aero Trail for 129 €, while stocks last", None),
            ("Aero for 3 €", Some("Aero ")),
            ("City for 3 €, while", Some("City for 3 €, while")),
        ],
    );
    check(
        lark(r#"start: "(" start ")" | "x""#),
        &[("((x))", None), ("((x)", Some("((x)")), ("(x))", Some("(x)"))],
    );
}

#[test]
fn a_json_schema_holds_a_text_to_its_objects() {
    let person = r#"{"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"],
        "additionalProperties": false}"#;
    check(
        schema(person),
        &[(r#"{"age": 7}"#, None), (r#"{"age": "#, Some(r#"{"age": "#)), (r#"{"name""#, Some("{\""))],
    );
}

#[test]
fn what_is_no_grammar_is_said_in_one_line_with_a_remedy() {
    let long = "a".repeat(MAX_GRAMMAR_BYTES + 1);
    for (grammar, said) in [
        (
            pattern("a("),
            "cannot be used (at 1(8): invalid regex \"a(\" (in regex): regex parse error: a( ^ error: unclosed group): correct it",
        ),
        (pattern(r"\bab"), "lookarounds not supported"),
        (pattern(r"(a)\1"), "backreferences are not supported"),
        (pattern(r"[^\x00-\x{10FFFF}]"), "lets no text begin: correct it"),
        (pattern(&long), "has 16385 bytes, at most 16384 are read: shorten it"),
        (lark(""), "cannot be used ("),
        (lark("price: /[0-9]+/"), "cannot be used ("),
        (lark("start: price"), "unknown name: \"price\""),
        (lark("start: <|tool|>"), "lets no text begin: correct it"),
        (lark("start: @other"), "unknown grammar @other"),
        (schema("{"), "cannot be used ("),
        (schema(r#"{"type": "colour"}"#), "cannot be used ("),
    ] {
        let error = grammar.expect_err(said).to_string();
        assert!(error.contains(said) && !error.contains('\n'), "{error}");
        assert!(
            ["correct it", "correct it, or where it is too much work, make it smaller", "shorten it"]
                .iter()
                .any(|it| error.ends_with(it))
        );
    }
}

/// Grammars come from anybody who may edit a ConfigMap. Each of these explodes somewhere: in its parser, its tables, or
/// over a text.
#[test]
fn a_hostile_grammar_is_refused_or_takes_no_more_and_never_hangs() {
    let nested = |count: usize| format!("{}a{}", "(".repeat(count), ")".repeat(count));
    let letters = |letters: &str, count: usize| letters.repeat(count);
    let cases = [
        ("optional-and-again", pattern("(a?){1000}a{1000}"), letters("a", 1500)),
        ("repeats-of-repeats", pattern("(((.{1,100}){1,100}){1,100}){1,100}x"), letters("ax", 8000)),
        ("far-behind", pattern("(a|b)*a(a|b){60}"), letters("aababbabaabb", 1300)),
        ("far-behind-any", pattern(".*a.{500}"), letters("abc", 5000)),
        ("two-ways-without-end", lark("start: a\na: a a | \"x\" |\n"), letters("x", 16_000)),
        (
            "four-ways-without-end",
            lark("start: s\ns: s s s s | \"x\" | \"xx\" | \"xxx\"\n"),
            letters("x", 16_000),
        ),
        ("never-ends", lark("start: \"a\" b\nb: \"c\" b\n"), format!("a{}", letters("c", 16_000))),
        ("deep-rules", lark(&format!("start: {}\n", nested(5000).replace('a', "\"a\""))), "a".to_owned()),
        ("deep-pattern", pattern(&nested(5000)), "a".to_owned()),
        ("many-and-many", lark("start: A{100000}\nA: /(.{1,1000}y){1,1000}/\n"), letters("yx", 8000)),
        (
            "and-not",
            lark("start: X\nX: /.*[ab].{50}/ & ~/.*[cd].{40}/ & /(a|b|c|d|.)*e.{30}/\n"),
            letters("abcde", 3000),
        ),
        ("unicode-cubed", pattern(r"(\w{1,100}\W{1,100}){1,100}"), letters("ä云 ", 2500)),
    ];
    let mut refused = Vec::new();
    for (name, grammar, text) in cases {
        let begun = Instant::now();
        match grammar {
            Ok(grammar) => drop(grammar.departure(&text)),
            Err(GrammarError::Unusable { .. }) => refused.push(name),
            Err(other) => panic!("{name}: {other}"),
        }
        // Milliseconds in a release; the bound is for a debug build on a machine that does much else.
        assert!(begun.elapsed() < Duration::from_secs(20), "{name} took {:?}", begun.elapsed());
    }
    assert_eq!(refused, ["deep-rules", "deep-pattern", "and-not"]);
}

/// Patterns out of parts that the crate `regex` reads alike, over few letters, so that many texts match.
fn patterns() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("a".to_owned()),
        Just("ä".to_owned()),
        Just("[ab]".to_owned()),
        Just("[^a]".to_owned()),
        Just(".".to_owned()),
        Just(r"\d".to_owned()),
        Just("(?i:A)".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join("|"))),
            (inner, prop_oneof![Just("*"), Just("+"), Just("?"), Just("{1,3}"), Just("{2}")])
                .prop_map(|(part, times)| format!("({part}){times}")),
        ]
    })
}

proptest! {
    /// The automaton that writes is held against an engine of another kind.
    #[test]
    fn a_pattern_takes_what_the_crate_regex_takes(pattern in patterns(), text in "[abä7]{0,6}") {
        let grammar = Grammar::new(Source::Pattern(pattern.clone())).expect("a pattern");
        let whole = regex::Regex::new(&format!(r"\A(?:{pattern})\z")).expect("a pattern");
        prop_assert_eq!(grammar.departure(&text).is_none(), whole.is_match(&text), "{} {:?}", pattern, text);
    }

    #[test]
    fn no_text_of_a_grammar_makes_a_panic(text in r#"[a-z():|*+?/"\\~&{}\[\]0-9 \n%@<>]{0,40}"#, read in ".{0,20}") {
        for source in [Source::Pattern(text.clone()), Source::Lark(format!("start: {text}")), Source::Schema(text)] {
            let departure = Grammar::new(source).map(|grammar| grammar.departure(&read).map(str::len));
            prop_assert!(departure.is_err() || departure.is_ok_and(|it| it.is_none_or(|kept| kept <= read.len())));
        }
    }
}
