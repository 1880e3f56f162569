//! Experiments in worlds whose truth is known, without a cluster.
//!
//! ```text
//! bytes ──parse──▶ form ──read──▶ Played ──play──▶ Story ──▶ JSON, or a table
//!          shape          meaning         a round at a time
//! ```
//!
//! What is asked of a world is asked as of totals in a file: a world makes a [`Question`], and its rounds fill it.

mod answer;
mod form;
mod play;
mod read;
mod table;

pub use answer::{Decided, SimulateAnswer, TrueVariant};
pub(super) use form::World as Form;
pub use play::Story;
pub use read::Played;
pub use table::table;
