//! What units and experiments are called.

use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher24;

use crate::ledger::check::{Arrival, Experiment, Subject, What};

/// A unit's name: eight bytes that tell the experiment, and the subject's pseudonym.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::ledger) struct Key([u8; 24]);

/// An experiment's name, by hash: of a thousand million experiments two share one with a chance of 3 %.
pub(super) type Name = u64;

impl Key {
    /// The unit that an event is about. Decisions and clicks have units of their own: they count once, and nothing of them
    /// matures.
    pub(in crate::ledger) fn of(Arrival { experiment, subject, what }: &Arrival) -> Self {
        match what {
            What::Exposure(_) | What::Reward(_) => Self::new(experiment, *subject),
            What::Decision(_) => Self::decisions(experiment, *subject),
            What::Click(_) => Self::clicks(experiment, *subject),
        }
    }

    /// The unit of a subject in an experiment.
    pub(in crate::ledger) fn new(experiment: &Experiment, subject: Subject) -> Self {
        Self::named(name(experiment), subject)
    }

    /// The unit of what was chosen for a subject in an experiment.
    pub(super) fn decisions(experiment: &Experiment, subject: Subject) -> Self {
        Self::named(name(&("decisions", experiment)), subject)
    }

    /// The unit of a subject's clicks in an experiment.
    pub(super) fn clicks(experiment: &Experiment, subject: Subject) -> Self {
        Self::named(name(&("clicks", experiment)), subject)
    }

    fn named(name: Name, subject: Subject) -> Self {
        let mut key = [0; 24];
        key[..8].copy_from_slice(&name.to_be_bytes());
        key[8..].copy_from_slice(&subject);
        Self(key)
    }

    /// The unit of these bytes.
    pub(super) fn from_bytes(bytes: [u8; 24]) -> Self {
        Self(bytes)
    }

    /// As bytes, whose order is the keys' own.
    pub(in crate::ledger) fn bytes(&self) -> &[u8; 24] {
        &self.0
    }

    pub(super) fn experiment(&self) -> Name {
        let (name, _) = self.0.split_first_chunk().expect("24 bytes are more than eight");
        Name::from_be_bytes(*name)
    }
}

pub(super) fn name(of: &impl Hash) -> Name {
    let mut hasher = SipHasher24::new();
    of.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As experiments were before there were guardrails.
    #[derive(Hash)]
    struct Former(&'static str, &'static str, i64);

    #[test]
    fn units_have_the_names_that_they_are_stored_under_and_guardrails_names_of_their_own() {
        let hero = Experiment { campaign: "8c4e".into(), placement: "hero".into(), seed: 1, guardrail: None };
        assert_eq!(name(&hero), name(&Former("8c4e", "hero", 1)));
        assert_eq!(name(&("clicks", &hero)), name(&("clicks", Former("8c4e", "hero", 1))));
        let others = [hero.watched_by("bounce"), hero.watched_by("spent")];
        let mut names = [name(&hero), name(&others[0]), name(&others[1])].to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 3);
    }
}
