//! The state as bytes and back.

use std::sync::Arc;

use foldhash::HashMap;
use serde::{Deserialize, Serialize};

use super::book::{Book, Sums};
use super::{Key, State};
use crate::ledger::Millis;
use crate::ledger::amount::Amount;
use crate::ledger::check::{Erasure, Experiment};
use crate::ledger::unit::{Arm, Corrected, Open, Unit, Waiting};

/// The bytes are not those of a state.
#[derive(Debug, thiserror::Error)]
#[error("it is not the state of a ledger")]
pub struct SnapshotError(#[from] postcard::Error);

/// How a state is written: what has no guardrail as it always was, so that an older ledger reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum Layout {
    /// Head and units.
    Plain,
    /// The books of guardrails stand between them.
    WithGuardrails,
}

/// A state as bytes.
#[derive(Debug)]
pub(in crate::ledger) struct Snapshot {
    pub(in crate::ledger) layout: Layout,
    pub(in crate::ledger) body: Vec<u8>,
}

/// As many bytes as most units take.
const LONG_ENOUGH: usize = 64;

/// What comes before the units.
#[derive(Serialize, Deserialize)]
struct Head {
    arms: Vec<Arm>,
    books: Vec<BookForm>,
    source: u64,
    erasures: Vec<Erasure>,
    residue: usize,
    units: usize,
}

#[derive(Serialize, Deserialize)]
struct ExperimentForm {
    campaign: String,
    placement: String,
    seed: i64,
}

#[derive(Serialize, Deserialize)]
struct BookForm {
    /// Where it is a guardrail's, its placement's.
    experiment: ExperimentForm,
    is_decided: bool,
    /// By the place of its arm in the list.
    cells: Vec<(usize, Sums)>,
}

#[derive(Serialize, Deserialize)]
struct GuardrailForm {
    metric: String,
    book: BookForm,
}

#[derive(Serialize, Deserialize)]
struct KeyedForm {
    key: [u8; 24],
    unit: UnitForm,
}

#[derive(Serialize, Deserialize)]
enum UnitForm {
    Waiting(Vec<Waiting>),
    Open {
        arm: usize,
        at: Millis,
        window: Millis,
        cap: Amount,
        covariate: Option<Amount>,
        value: Amount,
        ids: Vec<u64>,
    },
    Corrected(Corrected),
}

impl State {
    /// All of it as bytes.
    pub(in crate::ledger) fn snapshot(&mut self) -> Snapshot {
        self.forget_arms();
        let arms: Vec<&Arc<Arm>> = self.arms.iter().collect();
        let places = arms.iter().enumerate().map(|(place, arm)| (&***arm, place)).collect();
        let guardrails: Vec<GuardrailForm> =
            self.books.values().filter_map(|book| GuardrailForm::new(book, &places)).collect();
        let own = self.books.values().filter(|book| book.experiment().guardrail.is_none());
        let head = Head {
            arms: arms.iter().map(|arm| Arm::clone(arm)).collect(),
            books: own.map(|book| BookForm::new(book, &places)).collect(),
            source: self.source,
            erasures: self.erasures.clone(),
            residue: self.residue,
            units: self.units.len(),
        };
        // It is made while events wait, so that it should not grow by copies of itself.
        let mut body = written(Vec::with_capacity(self.units.len() * LONG_ENOUGH), &head);
        let layout = if guardrails.is_empty() { Layout::Plain } else { Layout::WithGuardrails };
        if layout == Layout::WithGuardrails {
            body = written(body, &guardrails);
        }
        for (key, unit) in &self.units {
            if let Some(unit) = unit_form(unit, &places) {
                body = written(body, &KeyedForm { key: *key.bytes(), unit });
            }
        }
        Snapshot { layout, body }
    }

    /// The state of these bytes.
    ///
    /// # Errors
    /// When they are not what [`State::snapshot`] gives.
    pub(in crate::ledger) fn from_snapshot(layout: Layout, bytes: &[u8]) -> Result<Self, SnapshotError> {
        let (Head { arms, books, source, erasures, residue, units }, rest) =
            postcard::take_from_bytes(bytes)?;
        let (guardrails, mut rest) = match layout {
            Layout::Plain => (Vec::new(), rest),
            Layout::WithGuardrails => postcard::take_from_bytes::<Vec<GuardrailForm>>(rest)?,
        };
        let arms: Vec<Arc<Arm>> = arms.into_iter().map(Arc::new).collect();
        let mut state =
            Self { arms: arms.iter().cloned().collect(), source, erasures, residue, ..Self::default() };
        for form in books {
            state.insert(form.book(None, &arms)?);
        }
        for GuardrailForm { metric, book } in guardrails {
            state.insert(book.book(Some(metric), &arms)?);
        }
        state.units.reserve(units.min(bytes.len()));
        for _ in 0..units {
            let (KeyedForm { key, unit }, more) = postcard::take_from_bytes(rest)?;
            rest = more;
            state.restore(Key::from_bytes(key), unit.unit(&arms)?)?;
        }
        if rest.is_empty() { Ok(state) } else { Err(unreadable()) }
    }

    fn restore(&mut self, key: Key, unit: Unit) -> Result<(), SnapshotError> {
        if matches!(unit, Unit::Open(_)) {
            self.books.get_mut(&key.experiment()).ok_or_else(unreadable)?.begin();
        }
        self.corrected += usize::from(matches!(unit, Unit::Corrected(_)));
        self.keep(key, Some(unit), None);
        Ok(())
    }
}

type Places<'s> = HashMap<&'s Arm, usize>;

impl BookForm {
    fn new(book: &Book, places: &Places<'_>) -> Self {
        let cells = book.cells().map(|(arm, sums)| (places[&**arm], sums.clone())).collect();
        let Experiment { campaign, placement, seed, guardrail: _ } = book.experiment().clone();
        let experiment = ExperimentForm { campaign, placement, seed };
        Self { experiment, is_decided: book.is_decided(), cells }
    }

    fn book(self, guardrail: Option<String>, arms: &[Arc<Arm>]) -> Result<Book, SnapshotError> {
        let Self { experiment: ExperimentForm { campaign, placement, seed }, is_decided, cells } = self;
        let experiment = Experiment { campaign, placement, seed, guardrail };
        let cell = |(place, sums): (usize, Sums)| {
            let arm = arms.get(place).ok_or_else(unreadable)?;
            Ok((Arc::clone(arm), sums))
        };
        let cells = cells.into_iter().map(cell).collect::<Result<_, SnapshotError>>()?;
        Ok(Book::with(experiment, is_decided, cells))
    }
}

impl GuardrailForm {
    /// Of a guardrail's book; none of another.
    fn new(book: &Book, places: &Places<'_>) -> Option<Self> {
        let metric = book.experiment().guardrail.clone()?;
        Some(Self { metric, book: BookForm::new(book, places) })
    }
}

fn unit_form(unit: &Unit, places: &Places<'_>) -> Option<UnitForm> {
    match unit {
        Unit::Waiting(waiting) => Some(UnitForm::Waiting(waiting.clone())),
        Unit::Open(Open { arm, at, window, cap, covariate, value, ids }) => Some(UnitForm::Open {
            arm: places[&**arm],
            at: *at,
            window: *window,
            cap: *cap,
            covariate: *covariate,
            value: *value,
            ids: ids.clone(),
        }),
        Unit::Corrected(corrected) => Some(UnitForm::Corrected(corrected.clone())),
        Unit::Counted(_) => None,
    }
}

impl UnitForm {
    fn unit(self, arms: &[Arc<Arm>]) -> Result<Unit, SnapshotError> {
        Ok(match self {
            Self::Waiting(waiting) => Unit::Waiting(waiting),
            Self::Open { arm, at, window, cap, covariate, value, ids } => {
                let arm = Arc::clone(arms.get(arm).ok_or_else(unreadable)?);
                Unit::Open(Open { arm, at, window, cap, covariate, value, ids })
            }
            Self::Corrected(corrected) => Unit::Corrected(corrected),
        })
    }
}

fn written(bytes: Vec<u8>, form: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(form, bytes).expect("a vector takes all there is")
}

fn unreadable() -> SnapshotError {
    SnapshotError(postcard::Error::DeserializeBadEncoding)
}
