//! What a piece of copy says, in the forms in which two are compared: by their letters, and where there is an embedder by
//! their meaning.

use api::Slots;
use rules::{Fingerprint, Format, MeaningThreshold};

use crate::embedding::{Embed, EmbedderError, Embedding};

/// What a piece of copy says.
#[derive(Clone, Debug)]
pub struct Gist {
    letters: Fingerprint,
    meaning: Option<Embedding>,
}

/// In which way one piece of copy repeats another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repeat {
    /// Nearly by the letter.
    Letters,
    /// In other words.
    Meaning,
}

impl Gist {
    /// That of each piece of copy of one format, in their order. An embedder reads the texts of the slots as one, in the
    /// order of the format; without it copy has letters alone.
    ///
    /// # Errors
    /// When the embedder can't go on.
    pub fn of<'s>(
        copies: impl Iterator<Item = &'s Slots>,
        format: &Format,
        embedder: Option<&dyn Embed>,
    ) -> Result<Vec<Self>, EmbedderError> {
        let copies: Vec<&Slots> = copies.collect();
        let meanings = match embedder {
            None => vec![None; copies.len()],
            Some(embedder) => {
                let texts: Vec<String> = copies.iter().map(|copy| text(copy, format)).collect();
                embedder.embed(&texts)?.into_iter().map(Some).collect()
            }
        };
        let letters = copies.into_iter().map(Fingerprint::new);
        Ok(letters.zip(meanings).map(|(letters, meaning)| Self { letters, meaning }).collect())
    }

    /// In which way this repeats `other`, if it does.
    #[must_use]
    pub fn repeats(&self, other: &Self, threshold: MeaningThreshold) -> Option<Repeat> {
        if self.letters.is_near_duplicate(&other.letters) {
            return Some(Repeat::Letters);
        }
        self.cosine(other).filter(|cosine| threshold.is_reached_by(*cosine)).map(|_| Repeat::Meaning)
    }

    /// How alike both are, from 0 to 1: by their meaning where both have one, else by their letters.
    #[must_use]
    pub fn likeness(&self, other: &Self, threshold: MeaningThreshold) -> f64 {
        let by_letters = || self.letters.similarity(&other.letters);
        self.cosine(other).map_or_else(by_letters, |cosine| threshold.likeness(cosine))
    }

    /// The cosine of their meanings, where both have one.
    #[must_use]
    pub fn cosine(&self, other: &Self) -> Option<f64> {
        Some(self.meaning.as_ref()?.cosine(other.meaning.as_ref()?))
    }
}

/// Pictures and videos are none of a format's texts.
fn text(copy: &Slots, format: &Format) -> String {
    let texts = format.slots().iter().filter_map(|slot| copy.get(&slot.name));
    texts.map(String::as_str).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Of every text that it knows, the direction; it knows what begins so.
    pub(crate) struct Compass(pub(crate) &'static [(&'static str, [f32; 2])]);

    impl Embed for Compass {
        fn digest(&self) -> &str {
            "sha256:compass"
        }

        fn embed(&self, texts: &[String]) -> Result<Vec<Embedding>, EmbedderError> {
            let of = |text: &String| self.0.iter().find(|(known, _)| text.starts_with(known));
            texts.iter().map(|text| Embedding::new(of(text).expect(text).1.to_vec())).collect()
        }
    }

    const KNOWN: Compass = Compass(&[
        ("Light shoes", [1.0, 0.0]),
        ("LIGHT shoes", [0.0, 1.0]),
        ("Shoes that weigh little", [0.95, 0.312]),
        ("Back for sixty days", [0.6, 0.8]),
    ]);

    fn gists(embedder: Option<&dyn Embed>) -> Vec<Gist> {
        let copy = |text: &str| Slots::from([("headline".to_owned(), text.to_owned())]);
        let copies = KNOWN.0.iter().map(|(text, _)| copy(text)).collect::<Vec<_>>();
        let format = rules::format("WebBanner").expect("a format of ours");
        Gist::of(copies.iter(), format, embedder).expect("all are known")
    }

    #[test]
    fn copy_repeats_another_by_letters_or_by_meaning() {
        use Repeat::{Letters, Meaning};
        let threshold = MeaningThreshold::default();
        let check = |embedder, repeats: [Option<Repeat>; 3], likeness: [f64; 3]| {
            let gists = gists(embedder);
            let others = || gists[1..].iter();
            assert_eq!(others().map(|it| it.repeats(&gists[0], threshold)).collect::<Vec<_>>(), repeats);
            for (other, expected) in others().zip(likeness) {
                let found = other.likeness(&gists[0], threshold);
                assert!((found - expected).abs() < 1e-2, "{found} is not {expected}");
            }
        };
        check(None, [Some(Letters), None, None], [1.0, 0.077, 0.0]);
        check(Some(&KNOWN), [Some(Letters), Some(Meaning), None], [0.0, 0.875, 0.0]);
    }

    #[test]
    fn an_embedder_reads_the_texts_in_the_order_of_the_format() {
        let format = rules::format("WebBanner").expect("a format of ours");
        let media = format!("https://example.com/a.webp@sha256:{}", "0a".repeat(32));
        let slots = [("button", "Go"), ("headline", "Run"), ("image", &media), ("body", "Far")];
        let copy = slots.map(|(slot, text)| (slot.to_owned(), text.to_owned())).into();
        assert_eq!(text(&copy, format), "Run\nFar\nGo");
    }
}
