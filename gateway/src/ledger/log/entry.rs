//! What stands in a group: moments, and what was accepted at them. Names are written once for each file.

use std::hash::Hash;
use std::ops::RangeInclusive;

use foldhash::HashMap;
use serde::{Deserialize, Serialize};

use crate::ledger::Millis;
use crate::ledger::amount::Amount;
use crate::ledger::check::{
    Arrival, Click, Decision, Draw, Erasure, Experiment, Exposure, Guardrail, Subject, What,
};
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
    Exposure(ExposureForm),
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
    /// Gets the next number among experiments, too: that of a metric which is watched for harm, beside the placement's.
    Guardrail {
        experiment: u32,
        metric: &'b str,
    },
    /// An exposure that counts for guardrails too.
    Watched(ExposureForm, Vec<GuardrailForm>),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct ExposureForm {
    experiment: u32,
    draw: u32,
    subject: Subject,
    /// Before the last moment, as `before_decision` is before the exposure: small numbers are short.
    before: Millis,
    window: Millis,
    before_decision: i64,
    cap: Amount,
    covariate: Option<Amount>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct GuardrailForm {
    experiment: u32,
    window: Millis,
    cap: Amount,
}

/// What entries can be read by. What a version adds stands behind what there was, so that a newer one reads all of before, and an
/// older gateway all in which nothing new is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    #[default]
    Plain = 2,
    WithDecisions = 3,
    WithGuardrails = 4,
}

impl Form<'_> {
    /// The first that has it.
    fn version(&self) -> Version {
        match self {
            Self::Guardrail { .. } | Self::Watched(..) => Version::WithGuardrails,
            Self::Decision { .. } => Version::WithDecisions,
            _ => Version::Plain,
        }
    }
}

/// The most that an entry takes, and each definition before it but for its names; and each guardrail of an exposure.
const LONGEST: usize = 90;

/// The most that what is kept of a unit takes, which stands before a reward that comes late.
const PAST: usize = 64 + 10 * PAST_IDS;

/// The most that a former decision takes, which stands before an exposure.
const DECIDED: usize = 42;

impl Entry {
    /// The most bytes that it takes.
    pub(crate) fn longest(arrival: &Arrival) -> u64 {
        let Arrival { experiment, subject: _, what } = arrival;
        let Experiment { campaign, placement, seed: _, guardrail } = experiment;
        let watched = |metric: &String| LONGEST + metric.len();
        let drawn = |draw: &Draw| DECIDED + LONGEST + draw.arm.segment.len() + draw.arm.variant.len();
        let before = match what {
            What::Exposure(Exposure { draw, guardrails, .. }) => {
                drawn(draw) + guardrails.iter().map(|it| watched(&it.metric)).sum::<usize>()
            }
            What::Decision(Decision { draw, .. }) | What::Click(Click { draw, .. }) => drawn(draw),
            What::Reward(_) => PAST + guardrail.as_ref().map_or(0, watched),
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
    version: Version,
}

impl Writer {
    /// The first version that reads all that was written.
    pub(super) fn version(&self) -> Version {
        self.version
    }

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
                let number = self.experiment(experiment);
                match what {
                    What::Decision(decision) => self.decision(number, *subject, decision),
                    What::Exposure(exposure) => self.exposure(number, experiment, *subject, exposure),
                    What::Reward(reward) => self.reward(number, *subject, reward),
                    What::Click(click) => self.click(number, *subject, click),
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
                    What::Exposure(Exposure { draw, guardrails, .. }) => {
                        self.draw(draw);
                        self.guardrails(experiment, guardrails);
                    }
                    What::Decision(Decision { draw, .. }) | What::Click(Click { draw, .. }) => {
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

    fn exposure(&mut self, number: u32, experiment: &Experiment, subject: Subject, exposure: &Exposure) {
        let Exposure { at, window, cap, covariate, decided_at, draw, guardrails } = exposure;
        let form = ExposureForm {
            experiment: number,
            draw: self.draw(draw),
            subject,
            before: self.before(*at),
            window: *window,
            before_decision: at / 1000 - decided_at,
            cap: *cap,
            covariate: *covariate,
        };
        let guardrails = self.guardrails(experiment, guardrails);
        let is_watched = !guardrails.is_empty();
        self.write(&if is_watched { Form::Watched(form, guardrails) } else { Form::Exposure(form) });
    }

    fn guardrails(&mut self, experiment: &Experiment, guardrails: &[Guardrail]) -> Vec<GuardrailForm> {
        let form = |Guardrail { metric, window, cap }: &Guardrail| {
            let experiment = self.experiment(&experiment.watched_by(metric));
            GuardrailForm { experiment, window: *window, cap: *cap }
        };
        guardrails.iter().map(form).collect()
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
        if let Some(known) = self.experiments.get(experiment) {
            return *known;
        }
        let Experiment { campaign, placement, seed, guardrail } = experiment;
        match guardrail {
            None => self.write(&Form::Experiment { campaign, placement, seed: *seed }),
            Some(metric) => {
                let experiment = self.experiment(&Experiment { guardrail: None, ..experiment.clone() });
                self.write(&Form::Guardrail { experiment, metric });
            }
        }
        number(&mut self.experiments, experiment).unwrap_or_else(|number| number)
    }

    fn draw(&mut self, draw: &Draw) -> u32 {
        number(&mut self.draws, draw).unwrap_or_else(|number| {
            let Draw { arm: Arm { round, segment, variant }, probability } = draw;
            self.write(&Form::Draw { round: *round, segment, variant, probability: *probability });
            number
        })
    }

    fn write(&mut self, form: &Form<'_>) {
        self.version = self.version.max(form.version());
        let group = std::mem::take(&mut self.group);
        self.group = postcard::to_extend(form, group).expect("a vector takes all there is");
    }
}

/// What a message begins with: the first version that has all of its entries.
const PLAIN: u8 = Version::Plain as u8;
const NEWEST: u8 = Version::WithGuardrails as u8;

/// Versions that are ours, known or not: neither texts nor what else is common begin so.
const OURS: RangeInclusive<u8> = PLAIN..=7;

/// Entries that are a message of their own, apart from any file.
pub(crate) fn message<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Vec<u8> {
    let mut writer = Writer { group: vec![PLAIN], ..Writer::default() };
    entries.into_iter().for_each(|entry| writer.add(entry));
    writer.group[0] = writer.version as u8;
    writer.group
}

/// The entries of a message.
///
/// # Errors
/// When it is none, or of a newer version.
pub(crate) fn entries(message: &[u8]) -> Result<Vec<Entry>, EntryError> {
    match message.split_first() {
        Some((PLAIN..=NEWEST, entries)) => Reader::default().read(entries).collect(),
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
    version: Version,
}

/// Goes on with a file that was read.
impl From<Reader> for Writer {
    fn from(Reader { now, experiments, draws, version }: Reader) -> Self {
        let (experiments, draws) = (numbered(experiments), numbered(draws));
        Self { group: Vec::new(), now, experiments, draws, version }
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
        self.version = self.version.max(form.version());
        match form {
            Form::Clock(now) => {
                self.now = Some(now);
                return Ok(Some(Entry::Clock(now)));
            }
            Form::Source(sequence) => return Ok(Some(Entry::Source(sequence))),
            Form::Experiment { campaign, placement, seed } => {
                let (campaign, placement) = (campaign.to_owned(), placement.to_owned());
                self.experiments.push(Experiment { campaign, placement, seed, guardrail: None });
            }
            Form::Guardrail { experiment, metric } => {
                let guardrail = self.placement(experiment)?.watched_by(metric);
                self.experiments.push(guardrail);
            }
            Form::Draw { round, segment, variant, probability } => {
                let arm = Arm { round, segment: segment.to_owned(), variant: variant.to_owned() };
                self.draws.push(Draw { arm, probability });
            }
            Form::Exposure(form) => return self.exposure(form, Vec::new()).map(Some),
            Form::Watched(form, guardrails) => {
                let guardrails =
                    guardrails.into_iter().map(|form| self.guardrail(form)).collect::<Result<_, _>>()?;
                return self.exposure(form, guardrails).map(Some);
            }
            Form::Reward { experiment, subject, id, before, window, value } => {
                let reward = What::Reward(Reward { id, at: self.at(before)?, window, value });
                let experiment = self.of(experiment)?.clone();
                return Ok(Some(Entry::Arrival(Arrival { experiment, subject, what: reward })));
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
                return Ok(Some(Entry::Decided(self.placement(experiment)?.clone(), subject, decided)));
            }
            Form::Erased { campaign, subject } => {
                return Ok(Some(Entry::Erased(Erasure { campaign: campaign.to_owned(), subject })));
            }
            Form::Reopened { experiment, subject, past } => {
                return Ok(Some(Entry::Reopened(self.of(experiment)?.clone(), subject, past)));
            }
        }
        Ok(None)
    }

    fn at(&self, before: Millis) -> Result<Millis, EntryError> {
        self.now.and_then(|now| now.checked_sub(before)).ok_or(EntryError::Foreign)
    }

    fn exposure(&self, form: ExposureForm, guardrails: Vec<Guardrail>) -> Result<Entry, EntryError> {
        let ExposureForm { experiment, draw, subject, before, window, before_decision, cap, covariate } =
            form;
        let at = self.at(before)?;
        let draw = self.draws.get(draw as usize).ok_or(EntryError::Foreign)?.clone();
        let decided_at = (at / 1000).checked_sub(before_decision).ok_or(EntryError::Foreign)?;
        let exposure = Exposure { at, window, cap, covariate, decided_at, draw, guardrails };
        self.arrival(experiment, subject, What::Exposure(exposure))
    }

    fn guardrail(&self, form: GuardrailForm) -> Result<Guardrail, EntryError> {
        let GuardrailForm { experiment, window, cap } = form;
        let metric = self.of(experiment)?.guardrail.clone().ok_or(EntryError::Foreign)?;
        Ok(Guardrail { metric, window, cap })
    }

    fn arrival(&self, experiment: u32, subject: Subject, what: What) -> Result<Entry, EntryError> {
        Ok(Entry::Arrival(Arrival { experiment: self.placement(experiment)?.clone(), subject, what }))
    }

    fn of(&self, experiment: u32) -> Result<&Experiment, EntryError> {
        self.experiments.get(experiment as usize).ok_or(EntryError::Foreign)
    }

    /// One that is no guardrail's: only rewards come for those alone.
    fn placement(&self, experiment: u32) -> Result<&Experiment, EntryError> {
        self.of(experiment).and_then(|found| match &found.guardrail {
            None => Ok(found),
            Some(_) => Err(EntryError::Foreign),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hero() -> Experiment {
        Experiment { campaign: "8c4e".into(), placement: "hero".into(), seed: 1, guardrail: None }
    }

    fn sound() -> Vec<Entry> {
        let experiment = hero();
        let arm = Arm { round: 3, segment: "all".into(), variant: "warm".into() };
        let draw = Draw { arm, probability: 250_000 };
        let (cap, covariate) = (Amount::LARGEST, Amount::new(-1e9));
        let exposure = Exposure {
            at: 990,
            window: 60_000,
            cap,
            covariate,
            decided_at: -7,
            draw: draw.clone(),
            guardrails: Vec::new(),
        };
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

    /// The same, with four guardrails and their rewards.
    fn watched() -> Vec<Entry> {
        let names = ["bounce", "unsubscribe", "refund", "complaint"];
        let guardrail = |metric: &&str| Guardrail {
            metric: (*metric).to_owned(),
            window: Millis::MAX,
            cap: Amount::LARGEST,
        };
        let mut entries = sound();
        let mut more = Vec::new();
        for entry in &mut entries {
            match entry {
                Entry::Arrival(Arrival { what: What::Exposure(exposure), .. }) => {
                    exposure.guardrails = names.iter().map(guardrail).collect();
                }
                Entry::Reopened(_, subject, past) => {
                    more.push(Entry::Reopened(hero().watched_by("refund"), *subject, past.clone()));
                }
                Entry::Arrival(Arrival { what: What::Reward(reward), subject, .. }) => {
                    let (experiment, what) = (hero().watched_by("refund"), What::Reward(*reward));
                    more.push(Entry::Arrival(Arrival { experiment, subject: *subject, what }));
                }
                _ => {}
            }
        }
        entries.extend(more);
        entries
    }

    fn room(entries: &[Entry]) -> u64 {
        let room = |it: &Entry| if let Entry::Arrival(it) = it { Entry::longest(it) } else { Entry::CLOCK };
        entries.iter().map(room).sum()
    }

    #[test]
    fn a_message_reads_back_and_writes_names_once() {
        for (sound, name) in [(sound(), b"warm"), (watched(), b"boun")] {
            let message = message(&sound);
            assert_eq!(entries(&message).unwrap(), sound);
            assert_eq!(message.windows(4).filter(|bytes| bytes == name).count(), 1);
            assert!(message.len() as u64 <= room(&sound));
        }
    }

    /// Worked out by hand from the forms of before.
    const FORMER: &[u8] = b"\x02\x00\xd0\x0f\x01\x048c4e\x04hero\x02\x02\x03\x03all\x04warm\x90\xa1\x0f\x03\x00\x00\
        \x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x14\xc0\xa9\x07\x0e\x80\x80\xb4\xcc\xd4\xdf\xc6\x03\
        \x01\xff\xff\xb3\xcc\xd4\xdf\xc6\x03";

    #[test]
    fn an_exposure_without_guardrails_is_written_as_it_was_before_there_were_any() {
        let [now, _, _, shown, ..] = &sound()[..] else { panic!("there are more") };
        assert_eq!(message([now, shown]), FORMER);
    }

    #[test]
    fn an_exposure_and_a_reward_of_a_guardrail_fit_the_room_that_is_made_for_each() {
        for entry in watched() {
            if matches!(entry, Entry::Arrival(_)) {
                let alone = [Entry::Clock(1_001), entry];
                let (length, room) = (message(&alone).len() as u64, room(&alone));
                assert!(length <= room, "{length} of {room}: {alone:?}");
            }
        }
    }

    #[test]
    fn of_guardrails_alone_there_are_rewards_and_nothing_else() {
        let experiment = hero().watched_by("bounce");
        for entry in sound() {
            let Entry::Arrival(arrival) = entry else { continue };
            let is_reward = matches!(arrival.what, What::Reward(_));
            let arrival = Entry::Arrival(Arrival { experiment: experiment.clone(), ..arrival });
            let read = entries(&message(&[Entry::Clock(1_001), arrival]));
            assert_eq!(read.is_ok(), is_reward, "{read:?}");
        }
    }

    #[test]
    fn a_message_of_an_older_version_is_read_and_one_of_a_newer_is_told_from_what_is_not_ours() {
        let of = |version: u8| {
            let mut message = message(&sound());
            message[0] = version;
            entries(&message)
        };
        assert_eq!([2, 3, 4].map(|version| of(version).unwrap()), [sound(), sound(), sound()]);
        assert_eq!((of(5), of(7)), (Err(EntryError::Newer), Err(EntryError::Newer)));
        let without: Vec<Entry> =
            sound().into_iter().filter(|entry| !matches!(entry, Entry::Decided(..))).collect();
        let plain = [without[0].clone(), without[2].clone()];
        assert_eq!(
            (message(&watched())[0], message(&without)[0], message(&plain)[0]),
            (4, 3, 2),
            "an older ledger reads what has nothing new"
        );
        for foreign in [of(1), of(8), of(b'\n'), of(b'{'), entries(&[])] {
            assert_eq!(foreign, Err(EntryError::Foreign));
        }
    }

    #[test]
    fn what_somebody_else_wrote_is_refused_or_read_and_ends_nobody() {
        let message = message(&watched());
        for at in 0..message.len() {
            assert!(
                entries(&message[..at]).is_ok_and(|read| read.len() < watched().len())
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
