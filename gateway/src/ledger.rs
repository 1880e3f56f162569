//! The ledger: what counts, and the durable record of it.
//!
//! ```text
//!   event ─check─▶ Arrival ─queue─▶ writer ── one group of the log for all that waited ──▶ disk
//!                                     │                                                    │
//!   totals ◀───────────────────── state                  outcome ◀─────────────────────────┘
//! ```
//!
//! **The unit** is one subject in one placement under one seed. Its first exposure to arrive fixes round, segment and
//! variant; a second one is a duplicate, under whatever token. A reward counts when its time lies in
//! `[exposure, exposure + window]`, both ends included; all of a unit are summed, and the sum is capped. Events may arrive
//! in any order.
//!
//! **Guardrails**, metrics that are watched for harm, have a unit of their own beside the placement's, with their own window, cap
//! and rewards. The one record of an exposure opens them with the placement's, unless their own window has closed, and nothing else
//! does.
//!
//! **Decisions** count where they are told: once for each unit, in the cell that was decided first, until copy is seen. From
//! then on the exposure's cell has them, so that of no cell more people have seen copy than were decided for.
//!
//! **Maturing.** When window and [allowance](unit::allowance) have passed by the ledger's clock, the exposure is added
//! to the sums of its cell and variant, and all that is left of the unit is that it was counted, and what for. Nothing that
//! arrives later changes a sum: rewards of within the window are summed apart for a week.
//!
//! **Dedup.** A unit counts once, which protects exposures, and rewards that can't add anything. Other rewards count once
//! for each id, so ids are kept as long as a repeat could still change a sum.
//! Ids are compared among events of one kind about one unit, so the ids of two applications do not meet.
//!
//! **Erasure.** Whoever is [forgotten](check::Erasure) is a stranger from then on, and soon in no file.
//!
//! **Time** is the arrival time of each request, in the order in which the writer takes them. A clock that jumps back
//! uncounts nothing. Behind a [stream] it is the stream's time.

pub mod amount;
pub mod backup;
pub mod check;
mod checkpoint;
mod counted;
pub mod export;
mod forgetting;
mod http;
pub mod incoming;
mod known;
mod log;
mod metrics;
mod recorder;
mod redirect;
pub mod repair;
mod state;
pub mod store;
pub mod stream;
mod telling;
pub mod unit;
mod writer;

pub use http::{BODY_LIMIT, EVENTS_LIMIT, LedgerState, Sums, router};
pub use writer::{Fed, Ledger, LedgerError, QUEUE_LIMIT};

use jiff::Timestamp;

/// Milliseconds since 1970: what the ledger stores and compares.
pub type Millis = i64;

/// A moment in milliseconds, cut towards the past.
pub fn millis(moment: Timestamp) -> Millis {
    moment.as_millisecond()
}
