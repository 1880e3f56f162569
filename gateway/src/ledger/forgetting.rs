//! How what was erased leaves the disk: by checkpoints that are made sooner than they would be.
//!
//! ```text
//!   erased ──▶ checkpoint ──▶ checkpoint ────────────────▶ checkpoint ──▶ checkpoint
//!              the log goes    no older one is kept,        the list of what was erased
//!              on in another   so no log before it is       is in no checkpoint any more
//!              file            needed: it is removed, or
//!                              written anew without it
//! ```

use super::check::Erasure;
use super::checkpoint::KEPT;
use super::state::State;

/// How far it is. The list and how many checkpoints must follow it are the state's, so that they outlive a crash.
#[derive(Debug, Default)]
pub(super) struct Forgetting {
    /// How many of the list, which are the first, a whole checkpoint holds.
    held: usize,
    /// How many the checkpoint that is being written holds.
    holding: usize,
    /// The last group of the last checkpoint: another one needs a group more.
    last: u64,
}

/// Whether a file of the log ends where a checkpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileEnds {
    /// All that the checkpoint holds stands in files that end before what comes.
    Here,
    /// What comes goes on in the same file.
    Later,
}

impl Forgetting {
    /// Whether anything is to be done still.
    pub(super) fn waits(&self, state: &State) -> bool {
        state.residue() > 0 || !state.erasures().is_empty()
    }

    /// Whether a checkpoint after this group would bring it on.
    pub(super) fn is_due(&self, state: &State, last: u64) -> bool {
        self.waits(state) && last > self.last
    }

    /// A checkpoint begins after this group, with which a file of the log ends or does not; what it may take out of the files
    /// that are needed no more once it is written. Who stands in a file that goes on is not held by it yet.
    pub(super) fn begin(&mut self, state: &State, last: u64, ends: FileEnds) -> Vec<Erasure> {
        self.holding = match ends {
            FileEnds::Here => state.erasures().len(),
            FileEnds::Later => self.held,
        };
        self.last = last;
        state.erasures()[..self.held].to_vec()
    }

    /// Whether the checkpoint that is being written takes somebody out of files.
    pub(super) fn takes_out(&self) -> bool {
        self.held > 0
    }

    /// It is written, and what it took out is in no file but in the checkpoints themselves.
    pub(super) fn end(&mut self, state: &mut State) {
        let gone = self.held;
        let to_follow = if gone > 0 { KEPT } else { state.residue().saturating_sub(1) };
        state.erased(gone, to_follow);
        self.held = self.holding - gone;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erasure(number: u8) -> Erasure {
        Erasure { campaign: "8c4e".into(), subject: [number; 16] }
    }

    #[test]
    fn what_was_erased_is_taken_out_by_the_second_checkpoint_and_named_until_then() {
        let (mut state, mut forgetting) = (State::default(), Forgetting::default());
        assert!(!forgetting.is_due(&state, 1));
        state.erase(erasure(1));
        // By checkpoint: what is erased while it is written, and what it takes out.
        for (last, meanwhile, taken_out) in [
            (1, Some(2), vec![]),
            (2, None, vec![1]),
            (3, None, vec![2]),
            (4, None, vec![]),
            (5, None, vec![]),
        ] {
            assert!(forgetting.is_due(&state, last));
            let found = forgetting.begin(&state, last, FileEnds::Here);
            assert_eq!(found, taken_out.into_iter().map(erasure).collect::<Vec<_>>(), "after group {last}");
            assert!(!forgetting.is_due(&state, last), "the next one needs a group more");
            meanwhile.into_iter().for_each(|number| drop(state.erase(erasure(number))));
            forgetting.end(&mut state);
        }
        assert!(!forgetting.waits(&state));
    }

    #[test]
    fn a_checkpoint_in_the_middle_of_a_file_brings_nobody_on() {
        let (mut state, mut forgetting) = (State::default(), Forgetting::default());
        state.erase(erasure(1));
        for (last, ends, taken_out) in [
            (1, FileEnds::Later, 0),
            (2, FileEnds::Later, 0),
            (3, FileEnds::Here, 0),
            (4, FileEnds::Later, 1),
        ] {
            assert_eq!(forgetting.begin(&state, last, ends).len(), taken_out, "after group {last}");
            forgetting.end(&mut state);
        }
        assert!(state.erasures().is_empty() && forgetting.waits(&state));
    }
}
