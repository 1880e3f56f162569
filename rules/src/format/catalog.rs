//! The formats that a campaign may name.

use super::{FORMATS, Format, FormatError, format};

/// The most formats that a brand may have of its own.
pub const MAX_OWN_FORMATS: usize = 16;

/// Our formats, and those of a brand.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Formats {
    /// Ordered by name.
    own: Vec<Format>,
}

impl Formats {
    /// Our formats, and `own` beside them.
    ///
    /// # Errors
    /// When two have one name, one of ours has it, or there are more than [`MAX_OWN_FORMATS`].
    pub fn with(mut own: Vec<Format>) -> Result<Self, FormatError> {
        if own.len() > MAX_OWN_FORMATS {
            return Err(FormatError::TooMany { found: own.len() });
        }
        if let Some(taken) = own.iter().find(|it| format(it.name()).is_some()) {
            return Err(FormatError::Taken(taken.name().to_owned()));
        }
        own.sort_by(|a, b| a.name().cmp(b.name()));
        if let Some(twice) = own.windows(2).find(|two| two[0].name() == two[1].name()) {
            return Err(FormatError::Twice(twice[0].name().to_owned()));
        }
        Ok(Self { own })
    }

    /// The format of that name, spelled exactly so.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Format> {
        self.own.iter().find(|own| own.name() == name).or_else(|| format(name))
    }

    /// All of them, the brand's first.
    pub fn iter(&self) -> impl Iterator<Item = &Format> {
        self.own.iter().chain(FORMATS.iter())
    }
}
