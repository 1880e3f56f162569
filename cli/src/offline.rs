//! Estimates, verdicts and allocations from totals in a file: no cluster, and nothing that the operator would do
//! otherwise.
//!
//! ```text
//! bytes ──parse──▶ Document ──read──▶ Question ──┬─ estimate ─▶ EstimateAnswer ──▶ JSON, or a table
//!          shape            meaning              └─ allocate ─▶ AllocateAnswer ──▶ JSON
//! ```
//!
//! A [`Question`] is proof that the document makes sense, so everything behind it is free of faults; what is wrong
//! before it is a [`Fault`]: a place in the document, a problem and a remedy. Everything here is pure but
//! [`file`], which the commands share. `docs/offline.md` describes the form, `docs/schemas/` holds its JSON Schemas.
//!
//! ```
//! use cli::offline::Question;
//!
//! let json = br#"{"metric": {"name": "click"}, "control": "old", "rounds": [{"number": 1,
//!     "allocation": {"old": 500000, "new": 500000},
//!     "totals": {"old": {"n": 20000, "sum": "400", "sumSquares": "400"},
//!                "new": {"n": 20000, "sum": "600", "sumSquares": "600"}}}]}"#;
//! let answer = Question::parse(json)?.estimate()?;
//! assert_eq!(answer.winner.as_deref(), Some("new"));
//!
//! let fault = Question::parse(br#"{"metric": {"name": "click"}, "rounds": []}"#).unwrap_err();
//! assert_eq!(fault.to_string(), "control: is missing: add it");
//! # Ok::<(), cli::offline::Fault>(())
//! ```

mod allocation;
mod answer;
mod delivered;
mod document;
mod fault;
mod figures;
pub(crate) mod file;
mod limits;
mod number;
mod parse;
mod picture;
mod place;
mod read;
pub mod replay;
mod safety;
mod schema;
mod table;
mod words;
pub mod world;

pub use allocation::{AllocateAnswer, SegmentAllocation};
pub use answer::{
    CountsWord, EstimateAnswer, Figure, IntervalAnswer, LimitsAnswer, MissingAnswer, PlannedLook,
    RoundsAnswer, SampleRatioAnswer, SegmentAnswer, VariantAnswer, VerdictWord,
};
pub use document::Basis;
pub use fault::{Fault, Problem, ReplayProblem, WorldProblem};
pub use read::Question;
pub use safety::{GuardedAnswer, GuardrailAnswer, SafetyWord};
pub use schema::schemas;
pub use table::table;
