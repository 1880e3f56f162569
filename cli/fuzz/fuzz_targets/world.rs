//! No bytes make `broadside simulate --world` panic, and what could be read can be played.

#![no_main]

use cli::offline::world::{Played, table};
use libfuzzer_sys::fuzz_target;

/// Worlds that take longer than some milliseconds find nothing new.
const MOST_STEPS: u64 = 50_000;

fuzz_target!(|bytes: &[u8]| {
    let Some(played) = Played::parse(bytes).ok().filter(|played| played.steps() <= MOST_STEPS) else { return };
    let story = played.play(|_, _| {}).expect("what could be read can be played");
    let answer = story.answer(&played).expect("what was played has an answer");
    serde_json::to_string(&answer).expect("answers are plain data");
    table(&story, &answer, 80);
});
