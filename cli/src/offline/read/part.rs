//! A round, or one segment of it → cells: shares and totals by arm.

use experiment::{Allocation, AllocationError, Cell, CellError, Covariate, Kind, PartsPerMillion, Totals};

use super::super::document;
use super::super::fault::{Fault, Problem};
use super::super::number::{Count, Fields, Named};
use super::super::place::Place;
use super::arms::Arms;
use super::guardrails::Watch;
use super::settings::count;
use super::totals::{Counted, counted};

/// A round, or one segment of it, as the document has it.
pub(super) struct Part<'a> {
    pub(super) place: Place,
    /// The number of its round.
    pub(super) round: u64,
    pub(super) segment: Option<&'a String>,
    /// `None` where nobody knows the shares, and nothing rests on them.
    pub(super) allocation: Option<&'a Named<Count>>,
    pub(super) totals: &'a Named<Fields<document::Totals>>,
}

impl Part<'_> {
    /// The cell of the metric, and that of each guardrail's metric where it was counted.
    pub(super) fn cells(
        &self,
        arms: &Arms,
        kind: Kind,
        watches: &[Watch],
    ) -> Result<(Cell, Vec<Option<Cell>>), Fault> {
        let allocation = self.allocation(arms)?;
        let counted = self.counted(arms, kind, watches)?;
        let refused = |error| self.refused(arms, error);
        let watched = watches.iter().enumerate().map(|(index, watch)| {
            let Some(totals) = self.watched(arms, &counted, index, watch)? else { return Ok(None) };
            Cell::new(allocation.clone(), totals).map(Some).map_err(refused)
        });
        let watched: Vec<Option<Cell>> = watched.collect::<Result<_, _>>()?;
        let totals = counted.iter().map(|counted| counted.totals).collect();
        let mut cell = Cell::new(allocation, totals).map_err(refused)?;
        if let Some(decisions) = self.decisions(arms, &counted)? {
            cell = cell.with_decisions(decisions).map_err(refused)?;
        }
        if let Some(covariates) = self.covariates(arms, &counted)? {
            cell = cell.with_covariates(covariates).map_err(refused)?;
        }
        Ok((cell, watched))
    }

    fn allocation(&self, arms: &Arms) -> Result<Allocation, Fault> {
        let place = self.place.field("allocation");
        let Some(allocation) = self.allocation else {
            return Ok(Allocation::even(arms.names().len()).expect("there is a control"));
        };
        let mut shares = vec![PartsPerMillion::ZERO; arms.names().len()];
        for (name, share) in allocation.iter() {
            let place = place.entry(name);
            let parts = u32::try_from(count(&place, share)?).ok().and_then(PartsPerMillion::new);
            shares[arms.index(name)] = parts.ok_or_else(|| Fault::at(&place, Problem::Share))?;
        }
        Allocation::try_from(shares).map_err(|error| match error {
            AllocationError::Sum { sum } => Fault::at(&place, Problem::Shares { sum }),
            AllocationError::Empty => Fault::at(&place, Problem::Shares { sum: 0 }),
        })
    }

    /// By arm.
    fn counted(&self, arms: &Arms, kind: Kind, watches: &[Watch]) -> Result<Vec<Counted>, Fault> {
        let mut all = vec![Counted::nothing(watches.len()); arms.names().len()];
        for (name, totals) in self.totals.iter() {
            let place = self.place.field("totals").entry(name);
            let share = self.allocation.map(|allocation| allocation.get(name));
            if share == Some(None) {
                return Err(Fault::at(&place, Problem::Unallocated));
            }
            let counted = counted(totals, kind, watches, &place)?;
            if !self.has_share(name) && counted.is_any() {
                return Err(Fault::at(&place, Problem::Unserved));
            }
            all[arms.index(name)] = counted;
        }
        Ok(all)
    }

    fn has_share(&self, name: &str) -> bool {
        let share =
            |allocation: &Named<Count>| allocation.get(name).is_some_and(|share| share.get() != Ok(0));
        self.allocation.is_none_or(share)
    }

    /// By arm, if the document has them: of all variants that had a share, or of none.
    fn decisions(&self, arms: &Arms, counted: &[Counted]) -> Result<Option<Vec<u64>>, Fault> {
        let decisions = counted.iter().map(|counted| counted.decisions).collect();
        of_all_or_none(decisions, |arm| self.has_share(&arms.names()[arm]))
            .map_err(|arm| Fault::at(&self.place_of(arms, arm).field("decisions"), Problem::MissingForSome))
    }

    /// By arm, if the document has them: of all variants that were exposed, or of none.
    fn covariates(&self, arms: &Arms, counted: &[Counted]) -> Result<Option<Vec<Covariate>>, Fault> {
        let covariates = counted.iter().map(|counted| counted.covariate).collect();
        of_all_or_none(covariates, |arm| counted[arm].totals.exposures > 0)
            .map_err(|arm| Fault::at(&self.place_of(arms, arm).field("covariate"), Problem::MissingForSome))
    }

    /// As of covariates.
    fn watched(
        &self,
        arms: &Arms,
        counted: &[Counted],
        index: usize,
        watch: &Watch,
    ) -> Result<Option<Vec<Totals>>, Fault> {
        let watched = counted.iter().map(|counted| counted.watched[index]).collect();
        of_all_or_none(watched, |arm| counted[arm].totals.exposures > 0).map_err(|arm| {
            let place = self.place_of(arms, arm).field("guardrails").entry(&watch.name);
            Fault::at(&place, Problem::MissingForSome)
        })
    }

    /// That this round lacks the covariate that others have, said of the first arm that was exposed; `None` where it has it,
    /// or where nobody was exposed.
    pub(super) fn lacks_covariate(&self, arms: &Arms, cell: &Cell) -> Option<Fault> {
        let exposed = cell.totals().iter().position(|totals| totals.exposures > 0)?;
        let place = self.place_of(arms, exposed).field("covariate");
        (!cell.has_covariate()).then(|| Fault::at(&place, Problem::MissingInSomeRounds))
    }

    fn place_of(&self, arms: &Arms, arm: usize) -> Place {
        self.place.field("totals").entry(&arms.names()[arm])
    }

    /// What `experiment` refuses although it was read: a fault that it knows and we do not.
    fn refused(&self, arms: &Arms, error: CellError) -> Fault {
        let place = self.place.field("totals");
        let place = match error {
            CellError::Unserved { arm } | CellError::Totals { arm, .. } | CellError::Decisions { arm } => {
                place.entry(&arms.names()[arm])
            }
            CellError::Arms { .. } => place,
        };
        Fault::at(&place, Problem::Refused(error.to_string()))
    }
}

/// What every arm has that needs it, or none has; an arm that needs it not has nothing where it is left out.
///
/// # Errors
/// With the first arm that lacks what others have.
fn of_all_or_none<T: Default>(
    by_arm: Vec<Option<T>>,
    is_needed: impl Fn(usize) -> bool,
) -> Result<Option<Vec<T>>, usize> {
    if by_arm.iter().all(Option::is_none) {
        return Ok(None);
    }
    match (0..by_arm.len()).find(|&arm| by_arm[arm].is_none() && is_needed(arm)) {
        Some(arm) => Err(arm),
        None => Ok(Some(by_arm.into_iter().map(Option::unwrap_or_default).collect())),
    }
}
