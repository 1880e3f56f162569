//! What an experiment allows one to say, and whom it should show what.
//!
//! Sums go in, decisions come out, and nothing else happens: no clock, no input or output, no environment, no
//! randomness of the system (`clippy.toml` of this crate bans them). The same totals give the same answer on the same
//! build; an assignment is the same on every platform.
//!
//! The crate refuses to know what an arm says, what it is called, where totals come from and what time it is. An arm
//! is an index; arm 0 is the control. Rewards are 0 or 1.
//!
//! ```text
//! Totals ──▶ Cell ──▶ estimate ──▶ Estimate ──▶ allocate ──▶ Allocation ──▶ assign ──▶ an arm for a subject
//!            round ×                  │                                       ▲
//!            segment                  └───────▶ judge ──▶ Verdict         AssignmentKey
//! ```
//!
//! | Module | Question |
//! | --- | --- |
//! | [`mod@allocation`] | How are shares written so that they sum exactly? |
//! | [`mod@totals`] | What was counted? |
//! | [`mod@estimate`] | What is known? |
//! | [`mod@policy`] | What is shown in the next round? |
//! | [`mod@stopping`] | When may it end? |
//! | [`mod@verdict`] | What may be said? |
//! | [`mod@assignment`] | Which arm does this subject get? |
//!
//! Two kinds of knowledge live side by side and must not be confused. Posteriors, P(best) and the expected loss steer
//! the traffic and are shown; they are not protected against looking often. Only the e-process against the control is,
//! so only it can carry a verdict. `docs/design/verdicts.md` derives both.
//!
//! ```
//! use experiment::{Allocation, Cell, Policy, PartsPerMillion, Stopping, Totals, Verdict};
//!
//! let even = Allocation::even(2).expect("two arms");
//! let cell = Cell::new(even, vec![Totals::binary(20_000, 400), Totals::binary(20_000, 600)])?;
//! let stopping = Stopping::new(0.95, 0.01, 1)?;
//! let estimate = experiment::estimate(&[cell], &stopping)?;
//! assert!(matches!(experiment::judge(&estimate, &stopping), Verdict::Winner { arm: 1, .. }));
//!
//! let percent = |p: u32| PartsPerMillion::new(p * 10_000).expect("below 100 %");
//! let policy = Policy::new(2, percent(1), percent(20), 100)?;
//! let next = experiment::allocate(&estimate, &policy).allocation;
//! assert_eq!(next.shares(), [percent(20), percent(80)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod allocation;
pub mod assignment;
pub mod estimate;
pub mod policy;
pub mod stopping;
pub mod totals;
pub mod verdict;

mod best;
mod holm;
mod posterior;
mod rate_ratio;

pub use allocation::{Allocation, AllocationError, PartsPerMillion};
pub use assignment::{AssignmentKey, assign};
pub use estimate::{
    AgainstControl, ArmEstimate, Candidates, Estimate, EstimateError, LiftInterval, estimate, estimate_among,
};
pub use policy::{Allocated, Policy, PolicyError, Reason, allocate};
pub use stopping::{Stopping, StoppingError};
pub use totals::{Cell, CellError, Totals};
pub use verdict::{Evidence, Missing, Verdict, judge};
