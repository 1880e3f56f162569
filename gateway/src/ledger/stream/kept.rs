//! Whether a stream still has all that a ledger has not read. Pure: what a stream keeps is asked elsewhere.
//!
//! Numbers are those of the whole stream, so a ledger of a part misses most of them, and can't tell from a missing one
//! whether it was for it. But a stream lets go of its oldest messages: where it began no later than right behind what was
//! read when the next was already here, none went unread.

use async_nats::jetstream::stream::State;

use super::FollowError;
use crate::ledger::writer::Fed;

/// What a stream has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// The first message that it has, or the next that it will take.
    pub(super) first: u64,
    /// The last that it took.
    pub(super) end: u64,
}

impl From<&State> for Kept {
    fn from(state: &State) -> Self {
        Self { first: state.first_sequence, end: state.last_sequence }
    }
}

impl Kept {
    /// Whether all that came after `last` is there. A ledger that has nothing begins wherever the stream does.
    ///
    /// # Errors
    /// When it is not.
    pub(super) fn goes_on_after(self, last: u64) -> Result<(), FollowError> {
        let Self { first, end } = self;
        match last {
            0 => Ok(()),
            _ if end < last => Err(FollowError::Another { end, last }),
            _ if first > last + 1 => Err(FollowError::Gap { first, last }),
            _ => Ok(()),
        }
    }

    /// What of messages that came before this was asked can be counted after `last`: all of them. A ledger that has
    /// nothing yet, and would begin with what the stream is about to let go of, begins with what it still has.
    ///
    /// # Errors
    /// When some may be missing between them.
    pub(super) fn sound(self, last: u64, mut fed: Vec<Fed>) -> Result<Vec<Fed>, FollowError> {
        if last == 0 {
            fed.retain(|fed| fed.sequence >= self.first);
        }
        gap(last, &fed).map_or(Ok(()), |before| self.goes_on_after(before))?;
        Ok(fed)
    }
}

/// The message after which the first number is missing, if one is.
pub(super) fn gap(last: u64, fed: &[Fed]) -> Option<u64> {
    let mut before = match last {
        0 => fed.first()?.sequence - 1,
        _ => last,
    };
    for fed in fed {
        if fed.sequence != before + 1 {
            return Some(before);
        }
        before = fed.sequence;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(sequences: &[u64]) -> Vec<Fed> {
        let fed = |sequence: &u64| Fed::nothing(*sequence);
        sequences.iter().map(fed).collect()
    }

    #[test]
    fn a_gap_is_where_the_first_number_is_missing() {
        for (last, sequences, expected) in [
            (0, &[][..], None),
            (0, &[7, 8, 9], None),
            (0, &[7, 9], Some(7)),
            (6, &[7, 8], None),
            (5, &[7, 8], Some(5)),
            (6, &[7, 9, 12], Some(7)),
            (6, &[], None),
        ] {
            assert_eq!(gap(last, &fed(sequences)), expected, "{last} {sequences:?}");
        }
    }

    #[test]
    fn a_ledger_goes_on_where_the_stream_has_what_follows() {
        let check = |last, (first, end), expected: &str| {
            let found = Kept { first, end }.goes_on_after(last);
            let found = found.map_or_else(|error| error.to_string(), |()| "goes on".to_owned());
            assert!(found.starts_with(expected), "after {last} of {first} to {end}: {found}");
        };
        check(0, (1, 0), "goes on");
        check(0, (500, 900), "goes on");
        check(10, (1, 10), "goes on");
        check(10, (11, 10), "goes on");
        check(10, (11, 20), "goes on");
        check(10, (12, 20), "the stream begins with message 12, and the ledger has read up to 10");
        check(10, (1, 9), "the stream ends with message 9, and the ledger has read up to 10");
    }

    #[test]
    fn what_lies_before_the_streams_beginning_may_have_been_for_the_ledger() {
        let check = |last, sequences: &[u64], first, expected: Option<&[u64]>| {
            let found = Kept { first, end: 100 }.sound(last, fed(sequences)).ok();
            let found = found.map(|fed| fed.iter().map(|fed| fed.sequence).collect::<Vec<_>>());
            assert_eq!(found.as_deref(), expected, "{sequences:?} after {last}, from {first} on");
        };
        // Another ledger's messages are missing, and the stream has all of them, or has not from where we were on.
        check(10, &[14, 17], 1, Some(&[14, 17]));
        check(10, &[14, 17], 11, Some(&[14, 17]));
        check(10, &[14, 17], 12, None);
        check(10, &[11, 17], 12, Some(&[11, 17]));
        check(10, &[11, 17], 13, None);
        // Whatever the stream let go of, nothing is missing.
        check(10, &[11, 12], 50, Some(&[11, 12]));
        // A ledger that begins anew.
        check(0, &[14, 17], 14, Some(&[14, 17]));
        check(0, &[14, 17, 20], 16, Some(&[17, 20]));
        check(0, &[14, 17], 50, Some(&[]));
    }
}
