//! What an experiment allows one to say, and whom it should show what.
//!
//! Sums go in, decisions come out, and nothing else happens: no clock, no input or output, no environment, no
//! randomness of the system (`clippy.toml` of this crate bans them). The same totals give the same answer on the same
//! build; an assignment is the same on every platform.
//!
//! The crate refuses to know what an arm says, what it is called, where totals come from and what time it is. An arm
//! is an index; arm 0 is the control. Rewards are 0 or 1, or values of 0 or more.
//!
//! ```text
//! Totals ──▶ Cell ──┬──────────────▶ allocate ──▶ Allocation ──▶ assign ──▶ an arm for a subject
//!            round ×│                    ▲            │              ▲
//!            segment│   Design ──────────┤            ▼         AssignmentKey
//!                   └──────────────▶ estimate     next round's
//!                                        │           Cell
//!                                        ▼
//!                                    Estimate ──▶ judge ──▶ Verdict
//! ```
//!
//! | Module | Question |
//! | --- | --- |
//! | [`mod@metric`] | What is a reward, and which way is better? |
//! | [`mod@allocation`] | How are shares written so that they sum exactly? |
//! | [`mod@totals`] | What was counted? |
//! | [`mod@design`] | What was settled before the first exposure? |
//! | [`mod@stopping`] | When may it end? |
//! | [`mod@estimate`] | What is known? |
//! | [`mod@evidence`] | What is known of one arm, cell by cell? |
//! | [`mod@interval`] | How large is an effect, at one planned look? |
//! | [`mod@health`] | Do the counts fit the shares? |
//! | [`mod@guardrail`] | Does anything else get worse? |
//! | [`mod@verdict`] | What may be said? |
//! | [`mod@delivered`] | What may be said of a network that chose by itself? |
//! | [`mod@outlook`] | How much traffic is still needed? |
//! | [`mod@forecast`] | How will it go, before it begins? |
//! | [`mod@policy`] | What is shown in the next round? |
//! | [`mod@assignment`] | Which arm does this subject get? |
//! | [`mod@replay`] | What would another policy have brought? |
//! | [`mod@numeric`] | How are the special functions kept exact? |
//! | [`mod@simulation`] | How does all of it do where the truth is known? |
//!
//! Two kinds of knowledge live side by side and must not be confused. Posteriors, P(best) and the expected loss steer
//! the traffic and are shown; they are not protected against looking often. Only the e-processes against the control are,
//! so only they can carry a verdict. `docs/design/verdicts.md` derives both.
//!
//! ```
//! use experiment::{
//!     Allocation, Cell, Control, Design, Metric, PartsPerMillion, Policy, Remaining, Rule, Standing, Stopping, Totals,
//!     Verdict,
//! };
//!
//! let even = Allocation::even(2).expect("two arms");
//! let cells = [Cell::new(even, vec![Totals::binary(20_000, 400), Totals::binary(20_000, 600)])?];
//! let design = Design::new(Metric::CLICKS, Stopping::new(0.95, 0.01)?, vec![Standing::FIRST; 2])?;
//! let estimate = experiment::estimate(&cells, &design)?;
//! assert!(matches!(experiment::judge(&estimate, Remaining::Some), Verdict::Winner { arm: 1, .. }));
//!
//! let percent = |p: u32| PartsPerMillion::new(p * 10_000).expect("below 100 %");
//! let policy = Policy::new(Rule::Thompson, 2, percent(1), Control::Fixed(percent(20)), 100)?;
//! let next = experiment::allocate(&cells, &design, &policy).allocation;
//! assert_eq!(next.shares(), [percent(20), percent(80)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod allocation;
pub mod assignment;
pub mod delivered;
pub mod design;
pub mod estimate;
pub mod evidence;
pub mod forecast;
pub mod guardrail;
pub mod health;
pub mod interval;
pub mod metric;
pub mod numeric;
pub mod outlook;
pub mod policy;
pub mod replay;
pub mod simulation;
pub mod stopping;
pub mod totals;
pub mod verdict;

mod anytime;
mod belief;

pub use allocation::{Allocation, AllocationError, PartsPerMillion};
pub use assignment::{AssignmentKey, assign};
pub use delivered::{Delivered, DeliveredArm, DeliveredVerdict, estimate_delivered, judge_delivered};
pub use design::{Design, DesignError, Standing};
pub use estimate::{AgainstControl, ArmEstimate, Estimate, EstimateError, Limits, Period, estimate, p_best};
pub use evidence::EProcess;
pub use guardrail::{Guarded, Guardrail, GuardrailError, Safety, guard};
pub use health::{Counts, SampleRatio};
pub use interval::{Effect, Interval};
pub use metric::{Direction, Kind, Metric};
pub use outlook::{planned_power, planned_size, still_needed};
pub use policy::{
    Allocated, Control, Features, FeaturesError, Policy, PolicyError, Reason, Rule, allocate, allocate_linear,
};
pub use stopping::{Stopping, StoppingError};
pub use totals::{Cell, CellError, Covariate, Fault, Totals};
pub use verdict::{Evidence, Missing, Problem, Remaining, Verdict, judge};
