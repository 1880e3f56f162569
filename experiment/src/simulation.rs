//! Experiments in worlds whose truth is known.
//!
//! A world is played round by round: the policy divides the next round, people are drawn, and what they do is counted.
//! All chance comes from a seed, so a course can be seen again.
//!
//! ```text
//! World ── rates by arm and segment, trends, delay, people who come back
//!   │
//!   ▼              allocate ◀── matured cells ◀─┐
//! Course ── play ──▶ shares ──▶ people ──▶ cells ┘     regret beside it
//! ```
//!
//! ```
//! use experiment::simulation::{Course, World};
//! use experiment::{Control, Design, Metric, PartsPerMillion, Policy, Rule, Standing, Stopping};
//!
//! let world = World::steady(&[0.02, 0.03], 50, 1_000);
//! let design = Design::new(Metric::CLICKS, Stopping::new(0.95, 0.01)?, vec![Standing::FIRST; 2])?;
//! let policy = Policy::new(Rule::Thompson, 2, PartsPerMillion::ZERO, Control::Competes, 100)?;
//! let mut course = Course::new(&world, &design, &policy, 1);
//! while course.play() {}
//! assert_eq!(course.exposures(), 50_000);
//! assert!(course.regret() < course.even_regret(), "moving traffic pays");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod course;
mod crowd;
pub(crate) mod draw;
mod keenness;
mod trend;
mod truth;
mod world;

pub use course::Course;
pub use trend::Trend;
pub(crate) use truth::cap;
pub use truth::{Truth, Worth};
pub use world::{Counted, People, Segment, World};
