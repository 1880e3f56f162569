//! A world in a file, without a gateway.

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

/// The rates of `variants`, all of which the world in `file` has to know.
pub(super) fn rates(
    file: &Path,
    segment: Option<&str>,
    variants: &[&str],
) -> Result<std::collections::BTreeMap<String, f64>, Error> {
    file::answer(file, |bytes| {
        let played = Played::parse(bytes)?;
        variants.iter().map(|name| Ok(((*name).to_owned(), played.rate(name, segment)?))).collect()
    })
}
