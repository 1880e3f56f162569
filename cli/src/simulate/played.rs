//! A world in a file, without a gateway.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::estimate::Format;
use crate::offline::file::{self, Error};
use crate::offline::world::{Played, table};
use crate::terminal::{Output, note};

/// After so long a line tells how far it is, and again after as long.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Plays the world in `file`, and says what became of it.
pub(super) fn run(file: &Path, seed: Option<u64>, format: Format, output: Output) -> Result<String, Error> {
    file::answer(file, |bytes| {
        let played = Played::parse(bytes)?;
        let played = match seed {
            Some(seed) => played.with_seed(seed),
            None => played,
        };
        let mut told = Instant::now();
        let story = played.play(|passed, all| {
            if told.elapsed() >= TELL_EVERY {
                note(&format!("{passed} of {all} rounds have passed"));
                told = Instant::now();
            }
        })?;
        let answer = story.answer(&played)?;
        Ok(match format {
            Format::Json => file::json(&answer),
            Format::Table => table(&story, &answer, output.width()),
        })
    })
}

/// What a world says of people who are sent through a gateway.
pub(super) struct Rates {
    pub(super) seed: u64,
    pub(super) by_variant: BTreeMap<String, f64>,
}

/// The rates of `variants`, all of which the world in `file` has to know.
pub(super) fn rates(file: &Path, segment: Option<&str>, variants: &[&str]) -> Result<Rates, Error> {
    file::answer(file, |bytes| {
        let played = Played::parse(bytes)?;
        let rate = |name: &&str| Ok(((*name).to_owned(), played.rate(name, segment)?));
        let by_variant = variants.iter().map(rate).collect::<Result<_, _>>()?;
        Ok(Rates { seed: played.seed(), by_variant })
    })
}
