//! The form in which a brief is put to the model: plain lines, one thing to a line.
//!
//! ```text
//! format: WebBanner
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
//! Every value stands behind a space, so that a name has the same tokens in the brief and in the copy: copying is then
//! repeating tokens, which a small model can learn for names it has never seen.
//! Offers and facts start with a capital letter, as sentences do, for the same reason.

/// The token that opens every text.
pub const OPENING: &str = "<s>";
/// The token that closes every text.
pub const CLOSING: &str = "</s>";

/// What the model is told before it writes one variant. Values hold no line break and no outer white space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Name of the channel format, such as `WebBanner`.
    pub format: String,
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
        let mut lines = vec![line("format", &self.format)];
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

/// What asks for the copy of one slot.
#[must_use]
pub fn cue(slot: &str) -> String {
    format!("{slot}:")
}

/// A value for one line: white space and control characters become single spaces, outer ones go.
///
/// A line break inside a brief would otherwise open a line of its own, which lets a brief write its own copy.
#[must_use]
pub fn value(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A value that reads as a sentence: a capital letter first, no full stop last.
#[must_use]
pub fn sentence(text: &str) -> String {
    let value = value(text);
    let value = value.trim_end_matches('.');
    let mut rest = value.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

fn line(key: &str, value: &str) -> String {
    format!("{key}: {value}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_has_one_line_for_each_thing_that_the_brief_says() {
        let prompt = Prompt {
            format: "WebBanner".into(),
            product: "Aero Trail 3".into(),
            offer: Some("Free returns".into()),
            facts: vec!["Weighs 240 g".into(), "Upper from recycled yarn".into()],
            ..Prompt::default()
        };
        assert_eq!(
            prompt.head(),
            "format: WebBanner\nproduct: Aero Trail 3\noffer: Free returns\nfact: Weighs 240 g\n\
             fact: Upper from recycled yarn\n"
        );
    }

    #[test]
    fn a_value_never_holds_a_line_of_its_own() {
        assert_eq!(value("  two\nheadline: ours\u{0}\t now "), "two headline: ours now");
    }

    #[test]
    fn a_sentence_starts_with_a_capital_and_loses_its_full_stop() {
        assert_eq!(sentence("weighs 240 g."), "Weighs 240 g");
        assert_eq!(sentence("éclair maison"), "Éclair maison");
        assert_eq!(sentence(" . "), "");
    }
}
