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
struct BookForm {
    experiment: Experiment,
    is_decided: bool,
    /// By the place of its arm in the list.
    cells: Vec<(usize, Sums)>,
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
    pub(crate) fn snapshot(&mut self) -> Vec<u8> {
        self.forget_arms();
        let arms: Vec<&Arc<Arm>> = self.arms.iter().collect();
        let places = arms.iter().enumerate().map(|(place, arm)| (&***arm, place)).collect();
        let head = Head {
            arms: arms.iter().map(|arm| Arm::clone(arm)).collect(),
            books: self.books.values().map(|book| BookForm::new(book, &places)).collect(),
            source: self.source,
            erasures: self.erasures.clone(),
            residue: self.residue,
            units: self.units.len(),
        };
        // It is made while events wait, so that it should not grow by copies of itself.
        let mut bytes = written(Vec::with_capacity(self.units.len() * LONG_ENOUGH), &head);
        for (key, unit) in &self.units {
            if let Some(unit) = unit_form(unit, &places) {
                bytes = written(bytes, &KeyedForm { key: *key.bytes(), unit });
            }
        }
        bytes
    }

    /// The state of these bytes.
    ///
    /// # Errors
    /// When they are not what [`State::snapshot`] gives.
    pub(crate) fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let (Head { arms, books, source, erasures, residue, units }, mut rest) =
            postcard::take_from_bytes(bytes)?;
        let arms: Vec<Arc<Arm>> = arms.into_iter().map(Arc::new).collect();
        let mut state =
            Self { arms: arms.iter().cloned().collect(), source, erasures, residue, ..Self::default() };
        for form in books {
            let book = form.book(&arms)?;
            state.insert(book);
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
        Self { experiment: book.experiment().clone(), is_decided: book.is_decided(), cells }
    }

    fn book(self, arms: &[Arc<Arm>]) -> Result<Book, SnapshotError> {
        let Self { experiment, is_decided, cells } = self;
        let cell = |(place, sums): (usize, Sums)| {
            let arm = arms.get(place).ok_or_else(unreadable)?;
            Ok((Arc::clone(arm), sums))
        };
        let cells = cells.into_iter().map(cell).collect::<Result<_, SnapshotError>>()?;
        Ok(Book::with(experiment, is_decided, cells))
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
