//! What holds for any string.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rules::{
    AdCopy, BrandRules, Counting, Editorial, Fingerprint, MAX_TEXT_BYTES, check, fold, format, normalize,
};

const COUNTINGS: [Counting; 6] = [
    Counting::Graphemes,
    Counting::CodePoints,
    Counting::DoubleWidth,
    Counting::Utf16,
    Counting::Weighted,
    Counting::SmsSegments,
];

/// Any characters, and often those that the code treats apart.
fn text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "{",
        "}",
        "%",
        "<",
        "&#",
        "[",
        "|*",
        "cheap",
        "CHEAP",
        " ",
        "\n",
        "\u{AD}",
        "\u{200B}",
        "\u{200D}",
        "\u{301}",
        "\u{307}",
        "\u{FE0F}",
        "\u{345}",
        "i",
        "İ",
        "ß",
        "茶",
        "ﾊ",
        "\u{FF9E}",
        "👨",
        "🇩",
        "🏽",
        "ี",
        "\u{FFFD}",
        "FREE",
        "code ",
        "!",
        "0800",
        " 123",
        "-",
        "*",
        "★",
        "$a1e",
        ",",
        "click here",
    ]);
    let part = prop_oneof![any::<char>().prop_map(String::from), special.prop_map(str::to_owned)];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

fn copy() -> impl Strategy<Value = AdCopy> {
    let name = prop::sample::select(vec![
        "headline",
        "body",
        "button",
        "subject",
        "other",
        "headline1",
        "headline2",
        "line1",
        "line2",
        "text",
        "title",
    ])
    .prop_map(str::to_owned);
    prop::collection::btree_map(name, text(), 0..5)
}

fn brand() -> BrandRules {
    let words = |word: &str| vec![word.to_owned()];
    BrandRules::new(&words("cheap"), &words("茶")).expect("two words")
}

proptest! {
    #[test]
    fn any_copy_is_judged_and_judged_alike_again(copy in copy()) {
        for format in rules::formats() {
            let violations = check(format, &brand(), &copy);
            prop_assert_eq!(&violations, &check(format, &brand(), &copy));
            prop_assert!(violations.iter().all(|violation| !violation.to_string().is_empty()));
        }
    }

    #[test]
    fn any_text_is_read_for_style_and_what_is_found_stands_in_it(text in text()) {
        for check in Editorial::all() {
            let found = check.find(&text);
            prop_assert!(found.is_none_or(|excerpt| !excerpt.is_empty() && text.contains(&excerpt)));
        }
    }

    #[test]
    fn any_script_is_told_in_times_that_follow_each_other(copy in copy()) {
        let format = format("VideoScript").expect("a format");
        let cues = rules::cues(format, &copy);
        prop_assert!(cues.windows(2).all(|two| two[0].ends_at == two[1].starts_at));
        prop_assert!(cues.iter().all(|cue| cue.ends_at > cue.starts_at));
        prop_assert_eq!(rules::webvtt(&cues).matches(" --> ").count(), cues.len());
    }

    #[test]
    fn copy_without_a_hard_violation_keeps_every_hard_limit(copy in copy()) {
        let format = format("WebBanner").expect("a format");
        if !check(format, &brand(), &copy).iter().any(rules::Violation::is_hard) {
            for (name, text) in &copy {
                let slot = format.slot(name).expect("a known slot");
                prop_assert!(slot.count(text) <= slot.hard_limit);
                prop_assert!(!fold(text).split(' ').any(|word| word == "cheap"));
            }
        }
    }

    #[test]
    fn folding_and_normalizing_twice_is_doing_it_once(text in text()) {
        prop_assert_eq!(fold(&fold(&text)), fold(&text));
        prop_assert_eq!(normalize(&normalize(&text)), normalize(&text));
    }

    #[test]
    fn normalized_text_counts_as_the_text(text in text()) {
        for counting in COUNTINGS {
            prop_assert_eq!(counting.count(&text), counting.count(&normalize(&text)));
        }
    }

    #[test]
    fn the_rules_of_counting_keep_their_order(text in text()) {
        let [graphemes, points, double, utf16, _, segments] = COUNTINGS.map(|counting| counting.count(&text));
        prop_assert!(graphemes <= points && points <= double && points <= utf16);
        prop_assert!(segments <= points && (segments == 0) == text.is_empty());
    }

    #[test]
    fn a_forbidden_word_is_found_whatever_hides_in_it(at in 1..5_usize, hidden in "[\u{AD}\u{200B}-\u{200F}\u{2060}]{0,5}") {
        let (head, tail) = "cheap".split_at(at);
        let hit = format!("so {head}{hidden}{tail}!");
        let brand = brand();
        prop_assert_eq!(brand.forbidden_in(&hit), ["cheap"]);
    }

    #[test]
    fn similarity_is_symmetric_and_one_for_itself(a in copy(), b in copy()) {
        let (a, b) = (Fingerprint::new(&a), Fingerprint::new(&b));
        prop_assert!((a.similarity(&b) - b.similarity(&a)).abs() < f64::EPSILON);
        prop_assert!((0.0..=1.0).contains(&a.similarity(&b)));
        prop_assert!(a.is_near_duplicate(&a));
    }
}

#[test]
fn the_largest_texts_are_judged_in_bounded_time() {
    let start = std::time::Instant::now();
    // The worst list: each word overlaps all others at every place of the text.
    let nested: Vec<String> = (1..=rules::MAX_WORD_LENGTH).map(|length| "a".repeat(length)).collect();
    let brand = BrandRules::new(&nested, &[]).expect("a hundred words");
    for unit in ["a", "{", "{a ", "%A", "[a", "&a", "<", "e\u{301}", "{a<&#%A[\u{200B}"] {
        let copy = BTreeMap::from([("headline".to_owned(), unit.repeat(MAX_TEXT_BYTES / unit.len()))]);
        assert!(!check(format("WebBanner").expect("a format"), &brand, &copy).is_empty());
    }
    // About one and a half seconds in an unoptimized build; the bound leaves room for a busy machine.
    assert!(start.elapsed().as_secs() < 20);
}

#[test]
fn the_largest_texts_are_read_for_style_in_bounded_time() {
    let start = std::time::Instant::now();
    let units = [
        "a ",
        "a*) ",
        "*",
        "code FREE ",
        "123456,",
        "call 1 ",
        "1-800-",
        "a.",
        "A B C D ",
        "云云雨",
        "click",
        "$a1e ",
        "! ",
        "->",
        "é é ",
        "FlOw ",
    ];
    for unit in units {
        let text = unit.repeat(MAX_TEXT_BYTES / unit.len());
        assert!(Editorial::all().filter_map(|check| check.find(&text)).count() > 0, "{unit}");
    }
    // About a second in an unoptimized build.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn a_larger_text_is_refused_unread() {
    let copy = BTreeMap::from([
        ("headline".to_owned(), "cheap 茶 ".repeat(MAX_TEXT_BYTES)),
        ("button".to_owned(), "Go".to_owned()),
    ]);
    let violations = check(format("WebBanner").expect("a format"), &brand(), &copy);
    let names: Vec<&str> = violations.iter().map(|violation| violation.rule.name()).collect();
    assert_eq!(names, ["TooLarge", "RequiredWord"]);
    assert_eq!(violations[0].rule.limit(), Some(MAX_TEXT_BYTES));
    assert_eq!(violations[0].rule.found(), Some(10 * MAX_TEXT_BYTES));
}
