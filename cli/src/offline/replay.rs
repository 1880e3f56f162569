//! Another policy, scored on a log of decisions and rewards.
//!
//! ```text
//! lines ──parse──▶ Line ──read──▶ Scoring ──answer──▶ ReplayAnswer ──▶ JSON, or a table
//!         shape           meaning    ▲
//!                         Policy ────┘
//! ```
//!
//! Lines come one by one, and of them sums are kept: a log may have any length. `docs/replay.md` describes the form of a
//! line, of a policy and of the answer.
//!
//! ```
//! use cli::offline::replay::{Only, Policy, Scoring};
//!
//! let mut scoring = Scoring::new(Policy::shares("control=10%,warm=90%")?, Only::default());
//! for number in 0..1000 {
//!     let variant = if number % 2 == 0 { "control" } else { "warm" };
//!     let reward = u8::from(number % 20 == 0 || number % 10 == 1);
//!     let line = format!(r#"{{"variant": "{variant}", "probability": 0.5, "reward": {reward}}}"#);
//!     scoring.read(line.as_bytes())?;
//! }
//! let answer = scoring.answer(0.95)?;
//! assert!(answer.estimates.doubly_robust.mean.estimate.0 > answer.logged.estimate.0);
//! # Ok::<(), cli::offline::Fault>(())
//! ```

mod answer;
mod line;
mod names;
mod policy;
mod scoring;
mod table;
mod words;

pub use answer::{
    EstimateAnswer, EstimatesAnswer, LeftOutAnswer, ReplayAnswer, WarningAnswer, WarningWord, WeightsAnswer,
};
pub use line::{Label, Line};
pub use policy::{Policy, Shares};
pub use scoring::{Only, Scoring};
pub use table::table;
