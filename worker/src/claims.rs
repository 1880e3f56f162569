//! What copy claims and its brief does not: for a person to look at before it is served.
//!
//! Copy with a figure of its own is refused (see [`Brief::knows_figures_of`]); what is listed here may be right and may
//! be a promise that nobody can keep, and no program can tell which.

use std::collections::BTreeSet;

use crate::brief::Brief;

/// Words that claim more than a brief usually says, by primary language tag: superlatives, "only", "always" and the
/// like, which consumer law asks proof for. Chinese law forbids most of its own (Advertising Law of the PRC, article 9).
const CLAIMING: [(&str, &[&str]); 3] = [
    (
        "en",
        &[
            "always",
            "best",
            "biggest",
            "cheapest",
            "cleanest",
            "coolest",
            "easiest",
            "fastest",
            "finest",
            "first",
            "freshest",
            "greatest",
            "guaranteed",
            "healthiest",
            "highest",
            "largest",
            "leading",
            "lightest",
            "lowest",
            "most",
            "never",
            "newest",
            "only",
            "perfect",
            "proven",
            "quickest",
            "risk-free",
            "safest",
            "simplest",
            "smartest",
            "softest",
            "strongest",
            "toughest",
            "ultimate",
            "unbeatable",
            "unique",
            "unmatched",
            "warmest",
        ],
    ),
    (
        "de",
        &[
            "am besten",
            "bester",
            "beste",
            "bestes",
            "besten",
            "billigste",
            "einmalig",
            "einzig",
            "einzige",
            "einzigartig",
            "erste",
            "führend",
            "führende",
            "garantiert",
            "günstigste",
            "höchste",
            "immer",
            "leichteste",
            "meiste",
            "meisten",
            "nie",
            "niemals",
            "niedrigste",
            "perfekt",
            "risikofrei",
            "schnellste",
            "sicherste",
            "stärkste",
            "unschlagbar",
            "weltweit",
            "wärmste",
        ],
    ),
    (
        "zh",
        &[
            "最",
            "第一",
            "唯一",
            "顶级",
            "极致",
            "国家级",
            "首选",
            "绝对",
            "永久",
            "万能",
            "史无前例",
            "独一无二",
            "全网",
        ],
    ),
];

/// The most claims that an object holds, and the longest in characters: whoever has more to look at looks at the copy.
const MOST: usize = 32;
const LONGEST: usize = 120;

/// Words before a figure that make it a rank.
const RANKS: [&str; 4] = ["no.", "nr.", "number", "nummer"];

/// The claims of some texts that the brief does not make, each once, in alphabetical order: superlatives and their kind,
/// and, in English, names. They are as many, and as long, as `AdVariant` holds.
#[must_use]
pub fn claims<'t>(texts: impl Iterator<Item = &'t str>, brief: &Brief, language: &str) -> Vec<String> {
    let said = brief.said().join("\n").to_lowercase();
    let primary = language.split('-').next().unwrap_or_default().to_lowercase();
    let listed = CLAIMING.iter().find(|(tag, _)| *tag == primary).map_or(&[][..], |(_, words)| words);
    let mut found = BTreeSet::new();
    for text in texts {
        let lower = text.to_lowercase();
        let claimed = listed.iter().filter(|word| holds(&lower, word) && !holds(&said, word));
        found.extend(claimed.map(|word| (*word).to_owned()));
        found.extend(ranks(&lower).filter(|rank| !said.contains(rank.as_str())));
        if primary == "en" {
            found.extend(names(text).filter(|name| !said.contains(&name.to_lowercase())));
        }
    }
    found.into_iter().take(MOST).map(|claim| claim.chars().take(LONGEST).collect()).collect()
}

/// Whether a text holds a word, as a word where its script has spaces between them.
fn holds(text: &str, word: &str) -> bool {
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() && c < '\u{2e80}');
    text.match_indices(word).any(|(at, _)| {
        let (before, behind) = (text[..at].chars().next_back(), text[at + word.len()..].chars().next());
        word.starts_with(|c| c >= '\u{2e80}') || !inside(before) && !inside(behind)
    })
}

/// `no. 1`, `#1` and the like.
fn ranks(lower: &str) -> impl Iterator<Item = String> {
    let words: Vec<&str> = lower.split_whitespace().collect();
    let is_first = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()) == "1";
    let spelled = words
        .windows(2)
        .filter(|pair| RANKS.contains(&pair[0]) && (is_first(pair[1]) || pair[1].starts_with("one")))
        .map(|pair| pair.join(" "))
        .collect::<Vec<_>>();
    let signed =
        words.iter().filter(|word| word.starts_with("#1")).map(|_| "#1".to_owned()).collect::<Vec<_>>();
    spelled.into_iter().chain(signed)
}

/// Words with a capital letter that do not begin a sentence, next to each other as one name.
fn names(text: &str) -> impl Iterator<Item = String> {
    let mut names: Vec<Vec<&str>> = vec![Vec::new()];
    let mut begins = true;
    for word in text.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let capital =
            bare.chars().next().is_some_and(char::is_uppercase) && !["I", "NO", "No"].contains(&bare);
        match capital && !begins {
            true => names.last_mut().expect("one is always begun").push(bare),
            false => names.push(Vec::new()),
        }
        begins = word.ends_with(['.', '!', '?', ':', '…']);
        if word.ends_with([',', ';', '.', '!', '?', ':']) {
            names.push(Vec::new());
        }
    }
    // Where every word has a capital, capitals are a way of writing and name nothing.
    let words = text.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic));
    let small = words.clone().any(|word| word.chars().next().is_some_and(char::is_lowercase));
    let named: Vec<String> =
        names.into_iter().filter(|name| small && !name.is_empty()).map(|name| name.join(" ")).collect();
    named.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(language: &str, text: &str, expected: &[&str]) {
        let brief = Brief {
            product: "Aero Trail 3".into(),
            facts: vec!["The lightest shoe of its class".into(), "Made in Portugal".into()],
            ..Brief::default()
        };
        assert_eq!(claims(std::iter::once(text), &brief, language), expected, "{text}");
    }

    #[test]
    fn superlatives_that_the_brief_does_not_hold_are_marked() {
        check("en", "The best shoe. The lightest too.", &["best"]);
        check("en", "Bestow a smile, at the most", &["most"]);
        check("en-GB", "Your NO. 1 shoe", &["no. 1"]);
        check("en", "#1 on the trail, number one at home", &["#1", "number one"]);
        check("de", "Der beste Schuh, garantiert.", &["beste", "garantiert"]);
        check("de", "Bestens für dich", &[]);
        check("zh", "全网最轻的跑鞋", &["全网", "最"]);
        check("fr", "Le meilleur", &[]);
    }

    #[test]
    fn names_that_the_brief_does_not_hold_are_marked_in_english() {
        check("en", "Made in Portugal, worn by Kilian Jornet in Zegama", &["Kilian Jornet", "Zegama"]);
        check("en", "Meet Aero Trail 3. Run far.", &[]);
        check("en", "Run Far With Aero", &[]);
        check("de", "Der Schuh für den Weg", &[]);
    }
}
