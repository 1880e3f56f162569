//! The form in which a brief is put to the model: plain lines, one thing to a line.
//!
//! ```text
//! format: WebBanner
//! language: en
//! tone: warm
//! product: Aero Trail 3
//! audience: people who run on trails at the weekend
//! offer: Free returns for 60 days
//! fact: Weighs 240 g
//! action: Shop now
//! words: Terms apply
//! headline: Meet Aero Trail 3
//! body: Weighs 240 g. Free returns for 60 days. Terms apply.
//! button: Shop now
//! ```
//!
//! Everything above the first slot is the *head*.
//! A slot is asked for by its *cue* (`headline:`); the copy goes on to the end of the line, and later slots see the
//! earlier ones.
//! A value stands behind whatever its language sets between two words: behind a space in English, directly behind the
//! colon in Chinese. So a name has the same tokens in the brief and in the copy, and copying is repeating tokens, which a
//! small model can learn for names it has never seen.
//! Offers and facts start with a capital letter, as sentences do, for the same reason.

use rules::is_invisible;

/// The token that opens every text.
pub const OPENING: &str = "<s>";
/// The token that closes every text.
pub const CLOSING: &str = "</s>";

/// How a language sets words and sentences beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    /// What stands between two words.
    pub gap: &'static str,
    /// What ends a sentence.
    pub stop: &'static str,
}

impl Script {
    /// The script of a language, by its primary tag.
    #[must_use]
    pub fn of(language: &str) -> Self {
        match language {
            "ja" | "zh" => Self { gap: "", stop: "。" },
            _ => Self { gap: " ", stop: "." },
        }
    }
}

/// What the model is told before it writes one variant. Values hold no line break and no outer white space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Name of the channel format, such as `WebBanner`.
    pub format: String,
    /// The language of brief and copy, as a primary tag such as `en`.
    pub language: String,
    /// One word for how the copy should sound.
    pub tone: Option<String>,
    /// The name of what is advertised; the one thing that every brief has.
    pub product: String,
    /// For whom it is.
    pub audience: Option<String>,
    /// What is offered, as a sentence without its full stop.
    pub offer: Option<String>,
    /// What is true of the product, each a sentence without its full stop.
    pub facts: Vec<String>,
    /// What the reader should do.
    pub action: Option<String>,
    /// Words that the copy has to hold.
    pub words: Option<String>,
}

impl Prompt {
    /// The head: all lines before the first slot, with a line break at the end.
    #[must_use]
    pub fn head(&self) -> String {
        let Script { gap, .. } = Script::of(&self.language);
        let line = |key: &str, value: &String| format!("{key}:{gap}{value}\n");
        let mut lines = vec![format!("format: {}\nlanguage: {}\n", self.format, self.language)];
        lines.extend(self.tone.iter().map(|it| line("tone", it)));
        lines.push(line("product", &self.product));
        lines.extend(self.audience.iter().map(|it| line("audience", it)));
        lines.extend(self.offer.iter().map(|it| line("offer", it)));
        lines.extend(self.facts.iter().map(|it| line("fact", it)));
        lines.extend(self.action.iter().map(|it| line("action", it)));
        lines.extend(self.words.iter().map(|it| line("words", it)));
        lines.concat()
    }
}

/// The primary tag of a language: `zh` of `zh-Hans-CN`.
#[must_use]
pub fn primary(tag: &str) -> String {
    tag.split('-').next().unwrap_or_default().to_lowercase()
}

/// What asks for the copy of one slot.
#[must_use]
pub fn cue(slot: &str) -> String {
    format!("{slot}:")
}

/// A value for one line: white space and control characters become single spaces, outer ones go, and what nobody sees is
/// left out.
///
/// A line break inside a brief would otherwise open a line of its own, which lets a brief write its own copy. And tags,
/// direction marks and zero-width spaces would tell a model what the people who approved the brief never read.
#[must_use]
pub fn value(text: &str) -> String {
    let seen = text.chars().filter(|c| !is_invisible(*c) || is_joiner(*c));
    let spaced: String = seen.map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Joiners and variation selectors change how their neighbors look, in emoji and in some scripts.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}')
}

/// A value that reads as a sentence: a capital letter first, no full stop last.
#[must_use]
pub fn sentence(text: &str) -> String {
    let value = value(text);
    let value = value.trim_end_matches(['.', '。']);
    let mut rest = value.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_has_one_line_for_each_thing_that_the_brief_says() {
        let prompt = Prompt {
            format: "WebBanner".into(),
            language: "en".into(),
            product: "Aero Trail 3".into(),
            offer: Some("Free returns".into()),
            facts: vec!["Weighs 240 g".into(), "Upper from recycled yarn".into()],
            ..Prompt::default()
        };
        assert_eq!(
            prompt.head(),
            "format: WebBanner\nlanguage: en\nproduct: Aero Trail 3\noffer: Free returns\nfact: Weighs 240 g\n\
             fact: Upper from recycled yarn\n"
        );
    }

    #[test]
    fn a_language_without_spaces_has_none_before_its_values() {
        let prompt = Prompt {
            format: "WebBanner".into(),
            language: "zh".into(),
            product: "云翼咖啡".into(),
            ..Prompt::default()
        };
        assert_eq!(prompt.head(), "format: WebBanner\nlanguage: zh\nproduct:云翼咖啡\n");
    }

    #[test]
    fn the_primary_tag_is_what_stands_first() {
        for (tag, expected) in [("en", "en"), ("zh-Hans-CN", "zh"), ("DE-at", "de"), ("", "")] {
            assert_eq!(primary(tag), expected);
        }
    }

    #[test]
    fn a_value_is_one_line_of_what_people_see() {
        for (text, expected) in [
            ("  two\nheadline: ours\u{0}\t now ", "two headline: ours now"),
            ("Aero\u{200B} Trail\u{202E} 3\u{E0041}", "Aero Trail 3"),
            ("👩\u{200D}🔬 ❤\u{FE0F}", "👩\u{200D}🔬 ❤\u{FE0F}"),
            ("\u{200B}", ""),
        ] {
            assert_eq!(value(text), expected);
        }
    }

    #[test]
    fn a_sentence_starts_with_a_capital_and_loses_its_full_stop() {
        assert_eq!(sentence("weighs 240 g."), "Weighs 240 g");
        assert_eq!(sentence("éclair maison"), "Éclair maison");
        assert_eq!(sentence("满99元包邮。"), "满99元包邮");
        assert_eq!(sentence(" . "), "");
    }
}
