//! What stands in a group: moments, and what was accepted at them. Names are written once for each file.

use std::hash::Hash;
use std::ops::RangeInclusive;

use foldhash::HashMap;
use serde::{Deserialize, Serialize};

use crate::ledger::Millis;
use crate::ledger::amount::Amount;
use crate::ledger::check::{Arrival, Click, Decision, Draw, Erasure, Experiment, Exposure, Subject, What};
use crate::ledger::unit::{Arm, Decided, PAST_IDS, Past, Reward};

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// What follows happened at this moment of the ledger's clock, and what was due then was counted.
    Clock(Millis),
    /// This was accepted, or counted apart.
    Arrival(Arrival),
    /// What follows comes late for a unit that was counted so.
    Reopened(Experiment, Subject, Past),
    /// What follows is the first exposure of a subject for whom this was chosen before.
    Decided(Experiment, Subject, Decided),
    /// What was known about a subject is erased.
    Erased(Erasure),
    /// All up to this message of the stream that the ledger follows is in the log.
    Source(u64),
}

/// Why bytes can't be read as entries.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::ledger) enum EntryError {
    /// They are none.
    #[error("it is no entry of a log")]
    Foreign,
    /// A newer gateway wrote them.
    #[error("it was written by a newer gateway: upgrade the ledger")]
    Newer,
}

/// An entry as it is written. The order of the variants is a part of the format.
#[derive(Clone, Serialize, Deserialize)]
enum Form<'b> {
    Clock(Millis),
    /// Gets the next number among experiments.
    Experiment {
        campaign: &'b str,
        placement: &'b str,
        seed: i64,
    },
    /// Gets the next number among draws.
    Draw {
        round: u32,
        segment: &'b str,
        variant: &'b str,
        probability: u32,
    },
    Exposure {
        experiment: u32,
        draw: u32,
        subject: Subject,
        /// Before the last moment, as `before_decision` is before the exposure: small numbers are short.
        before: Millis,
        window: Millis,
        before_decision: i64,
        cap: Amount,
        covariate: Option<Amount>,
    },
    Reward {
        experiment: u32,
        subject: Subject,
        id: u64,
        before: Millis,
        window: Millis,
        value: Amount,
    },
    Source(u64),
    Reopened {
        experiment: u32,
        subject: Subject,
        past: Past,
    },
    Click {
        experiment: u32,
        draw: u32,
        subject: Subject,
        before: Millis,
    },
    Erased {
        campaign: &'b str,
        subject: Subject,
    },
    Decision {
        experiment: u32,
        draw: u32,
        subject: Subject,
        before: Millis,
    },
    Decided {
        experiment: u32,
        subject: Subject,
        decided: Decided,
    },
}

/// The most that an entry takes, and each definition before it but for its names.
const LONGEST: usize = 90;

/// The most that what is kept of a unit takes, which stands before a reward that comes late.
const PAST: usize = 64 + 10 * PAST_IDS;

/// The most that a former decision takes, which stands before an exposure.
const DECIDED: usize = 42;

impl Entry {
    /// The most bytes that it takes.
    pub(crate) fn longest(arrival: &Arrival) -> u64 {
        let Arrival { experiment: Experiment { campaign, placement, seed: _ }, subject: _, what } = arrival;
        let before = match what {
            What::Exposure(Exposure { draw, .. })
            | What::Decision(Decision { draw, .. })
            | What::Click(Click { draw, .. }) => {
                DECIDED + LONGEST + draw.arm.segment.len() + draw.arm.variant.len()
            }
            What::Reward(_) => PAST,
        };
        (LONGEST + campaign.len() + placement.len() + before + LONGEST) as u64
    }

    /// The most bytes that an erasure takes.
    pub(crate) fn longest_erasure(erasure: &Erasure) -> u64 {
        (LONGEST + erasure.campaign.len()) as u64
    }

    /// Whom it is about.
    pub(crate) fn subject(&self) -> Option<&Subject> {
        match self {
            Self::Arrival(Arrival { subject, .. })
            | Self::Reopened(_, subject, _)
            | Self::Decided(_, subject, _)
            | Self::Erased(Erasure { subject, .. }) => Some(subject),
            Self::Clock(_) | Self::Source(_) => None,
        }
    }

    /// The most bytes that a moment and a place in a stream take.
    pub(crate) const CLOCK: u64 = 22;
}

/// Writes the entries of a file.
#[derive(Debug, Default)]
pub(super) struct Writer {
    group: Vec<u8>,
    now: Option<Millis>,
    experiments: HashMap<Experiment, u32>,
    draws: HashMap<Draw, u32>,
}

impl Writer {
    pub(super) fn add(&mut self, entry: &Entry) {
        match entry {
            Entry::Clock(now) if self.now == Some(*now) => {}
            Entry::Clock(now) => {
                self.now = Some(*now);
                self.write(&Form::Clock(*now));
            }
            Entry::Source(sequence) => self.write(&Form::Source(*sequence)),
            Entry::Erased(Erasure { campaign, subject }) => {
                self.write(&Form::Erased { campaign, subject: *subject });
            }
            Entry::Reopened(experiment, subject, past) => {
                let (experiment, past) = (self.experiment(experiment), past.clone());
                self.write(&Form::Reopened { experiment, subject: *subject, past });
            }
            Entry::Decided(experiment, subject, decided) => {
                let experiment = self.experiment(experiment);
                self.write(&Form::Decided { experiment, subject: *subject, decided: *decided });
            }
            Entry::Arrival(Arrival { experiment, subject, what }) => {
                let experiment = self.experiment(experiment);
                match what {
                    What::Decision(decision) => self.decision(experiment, *subject, decision),
                    What::Exposure(exposure) => self.exposure(experiment, *subject, exposure),
                    What::Reward(reward) => self.reward(experiment, *subject, reward),
                    What::Click(click) => self.click(experiment, *subject, click),
                }
            }
        }
    }

    /// Gives what an entry names its numbers, and leaves it out.
    pub(super) fn name(&mut self, entry: &Entry) {
        match entry {
            Entry::Arrival(Arrival { experiment, what, subject: _ }) => {
                self.experiment(experiment);
                match what {
                    What::Exposure(Exposure { draw, .. })
                    | What::Decision(Decision { draw, .. })
                    | What::Click(Click { draw, .. }) => {
                        self.draw(draw);
                    }
                    What::Reward(_) => {}
                }
            }
            Entry::Reopened(experiment, ..) | Entry::Decided(experiment, ..) => {
                self.experiment(experiment);
            }
            Entry::Clock(_) | Entry::Source(_) | Entry::Erased(_) => {}
        }
    }

    /// Hands over the group and begins the next.
    pub(super) fn take<T>(&mut self, with: impl FnOnce(&[u8]) -> T) -> T {
        let result = with(&self.group);
        self.group.clear();
        result
    }

    fn decision(&mut self, experiment: u32, subject: Subject, Decision { at, draw }: &Decision) {
        let draw = self.draw(draw);
        self.write(&Form::Decision { experiment, draw, subject, before: self.before(*at) });
    }

    fn exposure(&mut self, experiment: u32, subject: Subject, exposure: &Exposure) {
        let Exposure { at, window, cap, covariate, decided_at, draw } = exposure;
        let (draw, before, before_decision) = (self.draw(draw), self.before(*at), at / 1000 - decided_at);
        let (window, cap, covariate) = (*window, *cap, *covariate);
        let form =
            Form::Exposure { experiment, draw, subject, before, window, before_decision, cap, covariate };
        self.write(&form);
    }

    fn reward(&mut self, experiment: u32, subject: Subject, reward: &Reward) {
        let Reward { id, at, window, value } = *reward;
        self.write(&Form::Reward { experiment, subject, id, before: self.before(at), window, value });
    }

    fn click(&mut self, experiment: u32, subject: Subject, Click { at, draw }: &Click) {
        let draw = self.draw(draw);
        self.write(&Form::Click { experiment, draw, subject, before: self.before(*at) });
    }

    fn before(&self, at: Millis) -> Millis {
        self.now.expect("a moment comes before what happened then") - at
    }

    fn experiment(&mut self, experiment: &Experiment) -> u32 {
        number(&mut self.experiments, experiment).unwrap_or_else(|number| {
            let Experiment { campaign, placement, seed } = experiment;
            self.write(&Form::Experiment { campaign, placement, seed: *seed });
            number
        })
    }

    fn draw(&mut self, draw: &Draw) -> u32 {
        number(&mut self.draws, draw).unwrap_or_else(|number| {
            let Draw { arm: Arm { round, segment, variant }, probability } = draw;
            self.write(&Form::Draw { round: *round, segment, variant, probability: *probability });
            number
        })
    }

    fn write(&mut self, form: &Form<'_>) {
        let group = std::mem::take(&mut self.group);
        self.group = postcard::to_extend(form, group).expect("a vector takes all there is");
    }
}

/// What a message begins with: the first version that has all of its entries. What a version adds stands behind what there
/// was, so that a newer one reads older messages, and an older ledger all messages in which nothing new is.
const PLAIN: u8 = 2;
const WITH_DECISIONS: u8 = 3;

/// Versions that are ours, known or not: neither texts nor what else is common begin so.
const OURS: RangeInclusive<u8> = PLAIN..=7;

/// Entries that are a message of their own, apart from any file.
pub(crate) fn message<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Vec<u8> {
    let mut writer = Writer { group: vec![PLAIN], ..Writer::default() };
    for entry in entries {
        if matches!(entry, Entry::Arrival(Arrival { what: What::Decision(_), .. })) {
            writer.group[0] = WITH_DECISIONS;
        }
        writer.add(entry);
    }
    writer.group
}

/// The entries of a message.
///
/// # Errors
/// When it is none, or of a newer version.
pub(crate) fn entries(message: &[u8]) -> Result<Vec<Entry>, EntryError> {
    match message.split_first() {
        Some((PLAIN..=WITH_DECISIONS, entries)) => Reader::default().read(entries).collect(),
        Some((version, _)) if OURS.contains(version) => Err(EntryError::Newer),
        _ => Err(EntryError::Foreign),
    }
}

/// The number of a name; as an error where it is new.
fn number<T: Clone + Eq + Hash>(known: &mut HashMap<T, u32>, name: &T) -> Result<u32, u32> {
    if let Some(number) = known.get(name) {
        return Ok(*number);
    }
    let number = u32::try_from(known.len()).expect("a file holds fewer");
    known.insert(name.clone(), number);
    Err(number)
}

/// Reads the entries of a file.
#[derive(Debug, Default)]
pub(super) struct Reader {
    now: Option<Millis>,
    experiments: Vec<Experiment>,
    draws: Vec<Draw>,
}

/// Goes on with a file that was read.
impl From<Reader> for Writer {
    fn from(Reader { now, experiments, draws }: Reader) -> Self {
        let (experiments, draws) = (numbered(experiments), numbered(draws));
        Self { group: Vec::new(), now, experiments, draws }
    }
}

fn numbered<T: Eq + Hash>(names: Vec<T>) -> HashMap<T, u32> {
    names.into_iter().zip(0..).collect()
}

impl Reader {
    /// The entries of the next group.
    pub(super) fn read<'r>(
        &'r mut self,
        mut body: &'r [u8],
    ) -> impl Iterator<Item = Result<Entry, EntryError>> + 'r {
        std::iter::from_fn(move || {
            while !body.is_empty() {
                let read = postcard::take_from_bytes(body);
                let Ok((form, rest)) = read else {
                    body = &[];
                    return Some(Err(EntryError::Foreign));
                };
                body = rest;
                if let Some(entry) = self.entry(form).transpose() {
                    return Some(entry);
                }
            }
            None
        })
    }

    /// The entry of a form; none of a definition.
    fn entry(&mut self, form: Form<'_>) -> Result<Option<Entry>, EntryError> {
        match form {
            Form::Clock(now) => {
                self.now = Some(now);
                return Ok(Some(Entry::Clock(now)));
            }
            Form::Source(sequence) => return Ok(Some(Entry::Source(sequence))),
            Form::Experiment { campaign, placement, seed } => {
                let (campaign, placement) = (campaign.to_owned(), placement.to_owned());
                self.experiments.push(Experiment { campaign, placement, seed });
            }
            Form::Draw { round, segment, variant, probability } => {
                let arm = Arm { round, segment: segment.to_owned(), variant: variant.to_owned() };
                self.draws.push(Draw { arm, probability });
            }
            Form::Exposure { experiment, draw, subject, before, window, before_decision, cap, covariate } => {
                let at = self.at(before)?;
                let draw = self.draws.get(draw as usize).ok_or(EntryError::Foreign)?.clone();
                let decided_at = (at / 1000).checked_sub(before_decision).ok_or(EntryError::Foreign)?;
                let exposure = Exposure { at, window, cap, covariate, decided_at, draw };
                return self.arrival(experiment, subject, What::Exposure(exposure)).map(Some);
            }
            Form::Reward { experiment, subject, id, before, window, value } => {
                let reward = Reward { id, at: self.at(before)?, window, value };
                return self.arrival(experiment, subject, What::Reward(reward)).map(Some);
            }
            Form::Click { experiment, draw, subject, before } => {
                let draw = self.draws.get(draw as usize).ok_or(EntryError::Foreign)?.clone();
                let click = Click { at: self.at(before)?, draw };
                return self.arrival(experiment, subject, What::Click(click)).map(Some);
            }
            Form::Decision { experiment, draw, subject, before } => {
                let draw = self.draws.get(draw as usize).ok_or(EntryError::Foreign)?.clone();
                let decision = Decision { at: self.at(before)?, draw };
                return self.arrival(experiment, subject, What::Decision(decision)).map(Some);
            }
            Form::Decided { experiment, subject, decided } => {
                return Ok(Some(Entry::Decided(self.of(experiment)?, subject, decided)));
            }
            Form::Erased { campaign, subject } => {
                return Ok(Some(Entry::Erased(Erasure { campaign: campaign.to_owned(), subject })));
            }
            Form::Reopened { experiment, subject, past } => {
                return Ok(Some(Entry::Reopened(self.of(experiment)?, subject, past)));
            }
        }
        Ok(None)
    }

    fn at(&self, before: Millis) -> Result<Millis, EntryError> {
        self.now.and_then(|now| now.checked_sub(before)).ok_or(EntryError::Foreign)
    }

    fn arrival(&self, experiment: u32, subject: Subject, what: What) -> Result<Entry, EntryError> {
        Ok(Entry::Arrival(Arrival { experiment: self.of(experiment)?, subject, what }))
    }

    fn of(&self, experiment: u32) -> Result<Experiment, EntryError> {
        self.experiments.get(experiment as usize).cloned().ok_or(EntryError::Foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Vec<Entry> {
        let experiment = Experiment { campaign: "8c4e".into(), placement: "hero".into(), seed: 1 };
        let arm = Arm { round: 3, segment: "all".into(), variant: "warm".into() };
        let draw = Draw { arm, probability: 250_000 };
        let (cap, covariate) = (Amount::LARGEST, Amount::new(-1e9));
        let exposure =
            Exposure { at: 990, window: 60_000, cap, covariate, decided_at: -7, draw: draw.clone() };
        let reward = Reward { id: u64::MAX, at: 1_000, window: 60_000, value: Amount::LARGEST };
        let ids = [u64::MAX; PAST_IDS].into();
        let past = Past { at: i64::MIN, arm: u64::MAX, value: Amount::LARGEST, room: Amount::LARGEST, ids };
        let arrival =
            |what| Entry::Arrival(Arrival { experiment: experiment.clone(), subject: [7; 16], what });
        let shown = || arrival(What::Exposure(exposure.clone()));
        vec![
            Entry::Clock(1_000),
            arrival(What::Decision(Decision { at: 0, draw: draw.clone() })),
            Entry::Decided(experiment.clone(), [7; 16], Decided { arm: u64::MAX, at: i64::MIN }),
            shown(),
            Entry::Reopened(experiment.clone(), [7; 16], past),
            arrival(What::Reward(reward)),
            arrival(What::Click(Click { at: 999, draw })),
            Entry::Erased(Erasure { campaign: "8c4e".into(), subject: [7; 16] }),
            Entry::Clock(1_001),
            shown(),
            Entry::Source(9),
        ]
    }

    #[test]
    fn a_message_reads_back_and_writes_names_once() {
        let message = message(&sound());
        assert_eq!(entries(&message).unwrap(), sound());
        assert_eq!(message.windows(4).filter(|bytes| bytes == b"warm").count(), 1);
        let room: u64 = sound()
            .iter()
            .map(|it| if let Entry::Arrival(it) = it { Entry::longest(it) } else { Entry::CLOCK })
            .sum();
        assert!(message.len() as u64 <= room);
    }

    #[test]
    fn a_message_of_an_older_version_is_read_and_one_of_a_newer_is_told_from_what_is_not_ours() {
        let of = |version: u8| {
            let mut message = message(&sound());
            message[0] = version;
            entries(&message)
        };
        assert_eq!((of(2).unwrap(), of(3).unwrap()), (sound(), sound()));
        assert_eq!((of(4), of(7)), (Err(EntryError::Newer), Err(EntryError::Newer)));
        let without: Vec<Entry> =
            sound().into_iter().filter(|entry| !matches!(entry, Entry::Decided(..))).collect();
        let plain = [without[0].clone(), without[2].clone()];
        assert_eq!(
            (message(&without)[0], message(&plain)[0]),
            (3, 2),
            "an older ledger reads what has nothing new"
        );
        for foreign in [of(1), of(8), of(b'\n'), of(b'{'), entries(&[])] {
            assert_eq!(foreign, Err(EntryError::Foreign));
        }
    }

    #[test]
    fn what_somebody_else_wrote_is_refused_or_read_and_ends_nobody() {
        let message = message(&sound());
        for at in 0..message.len() {
            assert!(
                entries(&message[..at]).is_ok_and(|read| read.len() < sound().len())
                    || entries(&message[..at]).is_err()
            );
            for bit in 0..8 {
                let mut changed = message.clone();
                changed[at] ^= 1 << bit;
                let _ = entries(&changed);
            }
        }
        let far = |form: Form<'_>| {
            let bytes = postcard::to_extend(&Form::Clock(i64::MIN), vec![PLAIN]).unwrap();
            entries(&postcard::to_extend(&form, bytes).unwrap())
        };
        assert!(
            far(Form::Reward {
                experiment: 0,
                subject: [7; 16],
                id: 1,
                before: 1,
                window: i64::MAX,
                value: Amount::ONE,
            })
            .is_err()
        );
    }
}
