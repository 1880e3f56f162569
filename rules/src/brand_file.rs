//! A brand as files: its own formats, its words, and its names.
//!
//! ```text
//! brand.yaml         forbidden, required, exceptions
//! any-other.yaml     a format, in the form of ours (rules/formats/)
//! ```
//!
//! On a cluster the files are the data of a ConfigMap that a campaign names.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

use crate::{
    BrandRules, BrandRulesError, Exception, ExceptionError, Exceptions, Format, FormatError, Formats,
};

/// The file with words and names; all others are formats.
const WORDS: &str = "brand.yaml";

/// The most bytes of a file. The largest format of ours has a third of that, and the file of a brand's own format stands
/// in each table that serves it.
pub const MAX_BRAND_FILE_BYTES: usize = 8 * 1024;

/// What a brand has of its own.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Brand {
    formats: Formats,
    forbidden: Vec<String>,
    required: Vec<String>,
    exceptions: Exceptions,
}

/// `brand.yaml` as it is written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Words {
    forbidden: Vec<String>,
    required: Vec<String>,
    exceptions: Vec<Exception>,
}

impl Brand {
    /// Reads the files, by name.
    ///
    /// # Errors
    /// With everything that is wrong, in the order of the files.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    ///
    /// let files = BTreeMap::from([("brand.yaml".to_owned(), "forbidden: [cheap]".to_owned())]);
    /// let brand = rules::Brand::parse(&files).expect("a good brand");
    /// let rules = brand.rules(&["free".to_owned()], &[]).expect("two words");
    /// assert_eq!(rules.forbidden(), ["cheap", "free"]);
    /// ```
    pub fn parse(files: &BTreeMap<String, String>) -> Result<Self, Vec<BrandError>> {
        let (mut brand, mut formats, mut errors) = (Self::default(), Vec::new(), Vec::new());
        for (file, text) in files {
            let read = match file.as_str() {
                _ if text.len() > MAX_BRAND_FILE_BYTES => Err(BrandProblem::TooLarge { found: text.len() }),
                WORDS => brand.read_words(text),
                name if name.ends_with(".yaml") => {
                    Format::parse(text).map(|format| formats.push(format)).map_err(BrandProblem::from)
                }
                _ => Err(BrandProblem::Unknown),
            };
            errors.extend(read.err().map(|problem| BrandError { file: file.clone(), problem }));
        }
        match Formats::with(formats) {
            Ok(formats) => brand.formats = formats,
            Err(problem) => errors.push(BrandError { file: "formats".to_owned(), problem: problem.into() }),
        }
        if errors.is_empty() { Ok(brand) } else { Err(errors) }
    }

    fn read_words(&mut self, text: &str) -> Result<(), BrandProblem> {
        let words: Words = serde_saphyr::from_str(text).map_err(|error| unreadable(&error))?;
        BrandRules::new(&words.forbidden, &words.required)?;
        self.exceptions = Exceptions::new(words.exceptions)?;
        (self.forbidden, self.required) = (words.forbidden, words.required);
        Ok(())
    }

    /// The formats that a campaign of this brand may name.
    #[must_use]
    pub fn formats(&self) -> &Formats {
        &self.formats
    }

    /// The rules for copy of a campaign with words of its own: those of both.
    ///
    /// # Errors
    /// When the campaign's words cannot be used, or not together with the brand's.
    pub fn rules(&self, forbidden: &[String], required: &[String]) -> Result<BrandRules, BrandRulesError> {
        // By themselves first, so that a message counts places in the campaign's own lists.
        BrandRules::new(forbidden, required)?;
        let rules =
            BrandRules::new(&[&self.forbidden, forbidden].concat(), &[&self.required, required].concat())?;
        Ok(rules.with_exceptions(self.exceptions.clone()))
    }
}

/// What is wrong in a brand's files, and in which.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{file}: {problem}")]
pub struct BrandError {
    /// The name of the file.
    pub file: String,
    /// What is wrong there.
    pub problem: BrandProblem,
}

/// What is wrong in one of a brand's files. Every message ends with what to do.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum BrandProblem {
    /// Neither words nor a format.
    #[error("is neither {WORDS} nor a format: end its name in .yaml, or take it out")]
    Unknown,
    /// More than [`MAX_BRAND_FILE_BYTES`].
    #[error("has {found} bytes, at most {MAX_BRAND_FILE_BYTES} are read: shorten it")]
    TooLarge {
        /// How many it has.
        found: usize,
    },
    /// Not YAML, or not of its shape.
    #[error("is not of the shape that docs/formats.md describes, {what}: correct it")]
    Unreadable {
        /// What the parser said, with the place.
        what: String,
    },
    /// The words cannot be used.
    #[error(transparent)]
    Words(#[from] BrandRulesError),
    /// The names cannot be excepted.
    #[error(transparent)]
    Exceptions(#[from] ExceptionError),
    /// The format breaks a promise of formats.
    #[error("{what}")]
    Format {
        /// What is wrong and what to do.
        what: String,
    },
}

impl From<FormatError> for BrandProblem {
    fn from(error: FormatError) -> Self {
        match error {
            FormatError::Unreadable(error) => unreadable(&error),
            other => Self::Format { what: other.to_string() },
        }
    }
}

/// Without the lines around the place: a message is one line.
fn unreadable(error: &serde_saphyr::Error) -> BrandProblem {
    BrandProblem::Unreadable { what: error.without_snippet().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AdCopy, check};

    const TILE: &str = "
name: ShopTile
version: 1
summary: A tile of our shop.
counting: Graphemes
deliveries: [Gateway]
editorial: [ManyExclamations, ShoutingCapitals]
source: Our design system.
checked: 2026-11-29
slots:
  - {name: title, purpose: What it is., required: true, hardLimit: 30, maximumLines: 1}
";

    fn files(files: &[(&str, &str)]) -> BTreeMap<String, String> {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn copy_of_a_brands_format_is_judged_by_the_brands_words_and_names() {
        let words = "forbidden: [cheap]\nexceptions: [{text: Yahoo!, rules: [ManyExclamations]}]";
        let brand =
            Brand::parse(&files(&[("brand.yaml", words), ("tile.yaml", TILE)])).expect("a good brand");
        let tile = brand.formats().get("ShopTile").expect("the brand's format");
        assert!(brand.formats().get("WebBanner").is_some(), "ours are there too");
        assert_eq!(tile.file(), TILE);
        let rules = brand.rules(&["free".to_owned()], &[]).expect("good words");
        for (title, broken) in [
            ("Yahoo! Sale!", &[][..]),
            ("Yay! Sale!", &["ManyExclamations"]),
            ("Cheap and free at Yahoo!", &["ForbiddenWord", "ForbiddenWord"]),
            ("BUY NOW at Yahoo!", &["ShoutingCapitals"]),
        ] {
            let copy = AdCopy::from([("title".to_owned(), title.to_owned())]);
            let names: Vec<&str> = check(tile, &rules, &copy).iter().map(|it| it.rule.name()).collect();
            assert_eq!(names, broken, "{title}");
        }
    }

    #[test]
    fn copy_of_a_brands_format_is_held_to_the_form_of_its_slot() {
        let by = |form: &str| {
            let tile = TILE.replace("maximumLines: 1", &format!("maximumLines: 1, {form}"));
            Format::parse(&tile).expect("a good format")
        };
        let pattern = by("pattern: 'From \\d+ €'");
        let grammar = by(r#"grammar: "start: \"From \" price\nprice: /[0-9]+ €/""#);
        let brand = BrandRules::new(&[], &[]).expect("no words break no bound");
        for (title, broken) in [
            ("From 19 €", None),
            ("19 €", Some("title does not begin as its FIELD demands: write it as the format's file says")),
            (
                "From 19",
                Some(
                    "title does not go on as its FIELD demands behind \"From 19\": write it as the format's file says",
                ),
            ),
            (
                "From 19 € a month",
                Some(
                    "title does not go on as its FIELD demands behind \"From 19 €\": write it as the format's file says",
                ),
            ),
            // What is too long is no more than that.
            (
                "From 19 € for everything that you see",
                Some("title has 37 characters, at most 30 are allowed: shorten it by 7"),
            ),
        ] {
            for (format, field) in [(&pattern, "pattern"), (&grammar, "grammar")] {
                let copy = AdCopy::from([("title".to_owned(), title.to_owned())]);
                let said: Vec<String> =
                    check(format, &brand, &copy).iter().map(ToString::to_string).collect();
                let broken: Vec<String> = broken.iter().map(|it| it.replace("FIELD", field)).collect();
                assert_eq!(said, broken, "{title} by {field}");
            }
        }
    }

    #[test]
    fn everything_that_is_wrong_is_said_with_its_file() {
        let twice = TILE.replace("ShopTile", "Other");
        let ours = TILE.replace("ShopTile", "WebBanner");
        let large = format!("# {}", "x".repeat(MAX_BRAND_FILE_BYTES));
        let long = TILE.replace("ShopTile", "shop-tile");
        let held = |form: &str| TILE.replace("maximumLines: 1", &format!("maximumLines: 1, {form}"));
        let (torn, both) = (held("pattern: 'a('"), held("pattern: a, grammar: 'start: \"a\"'"));
        let (lost, barren) = (held("grammar: 'start: price'"), held("pattern: '[^\\x00-\\x{10FFFF}]'"));
        for (sentence, given, said) in [
            (
                "a-word-that-is-none",
                &[("brand.yaml", "forbidden: [' ']")][..],
                &["brand.yaml: forbidden[0] is empty"][..],
            ),
            (
                "a-field-that-is-misspelled",
                &[("brand.yaml", "forbiden: [a]")],
                &["brand.yaml: is not of the shape that docs/formats.md describes, unknown field `forbiden`"],
            ),
            (
                "a-rule-that-is-none",
                &[("brand.yaml", "exceptions: [{text: a, rules: [Boredom]}]")],
                &["unknown variant `Boredom`"],
            ),
            (
                "a-name-of-no-rule",
                &[("brand.yaml", "exceptions: [{text: a, rules: []}]")],
                &["brand.yaml: exceptions[0].rules is empty"],
            ),
            (
                "a-file-of-another-kind",
                &[("README.md", "Hello")],
                &["README.md: is neither brand.yaml nor a format"],
            ),
            (
                "a-file-that-is-too-large",
                &[("a.yaml", &large)],
                &["a.yaml: has 8194 bytes, at most 8192 are read: shorten it"],
            ),
            (
                "a-name-of-ours",
                &[("a.yaml", &ours)],
                &["formats: format \"WebBanner\" is one of Broadside's own"],
            ),
            (
                "a-name-twice",
                &[("a.yaml", &twice), ("b.yaml", &twice)],
                &["formats: format \"Other\" is there twice"],
            ),
            (
                "a-name-that-no-placement-gives",
                &[("a.yaml", &long)],
                &["a.yaml: format \"shop-tile\": has a name that no placement can give"],
            ),
            (
                "a-pattern-that-is-none",
                &[("a.yaml", &torn)],
                &[
                    "a.yaml: format \"ShopTile\": pattern of slot title cannot be used (at 1(8): invalid regex",
                ],
            ),
            (
                "a-grammar-that-lacks-a-rule",
                &[("a.yaml", &lost)],
                &["grammar of slot title cannot be used (at 1(8): unknown name: \"price\"): correct it, or"],
            ),
            (
                "a-pattern-that-nothing-matches",
                &[("a.yaml", &barren)],
                &["pattern of slot title lets no text begin: correct it"],
            ),
            (
                "a-pattern-beside-a-grammar",
                &[("a.yaml", &both)],
                &["format \"ShopTile\": slot title has both pattern and grammar: say one"],
            ),
            (
                "all-at-once",
                &[("a.yaml", "{}"), ("brand.yaml", "[]")],
                &["a.yaml: is not of the shape", "brand.yaml: is not of the shape"],
            ),
        ] {
            let errors = Brand::parse(&files(given)).expect_err(sentence);
            assert_eq!(errors.len(), said.len(), "{sentence}: {errors:?}");
            for (error, said) in errors.iter().zip(said) {
                assert!(error.to_string().contains(said), "{sentence}: {error}");
                assert!(!error.to_string().contains('\n'), "{sentence}: {error}");
            }
        }
    }

    #[test]
    fn words_of_brand_and_campaign_must_hold_together() {
        let brand = Brand::parse(&files(&[("brand.yaml", "forbidden: [cheap]")])).expect("a good brand");
        let error = brand.rules(&[], &["cheap flights".to_owned()]).expect_err("a contradiction").to_string();
        assert!(
            error.starts_with("the required word \"cheap flights\" contains the forbidden word"),
            "{error}"
        );
    }
}
