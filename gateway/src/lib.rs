//! Which copy does this person see, and what did they do? Broadside's two roles on the path of traffic.
//!
//! ```text
//!            AdTable objects, or a folder of them
//!               │                        │
//!               ▼                        ▼
//!   page ──▶ decide ──token──▶ page ──▶ ledger ──totals──▶ operator
//!            stateless,                 on a volume, one
//!            two or more                or one for each part
//! ```
//!
//! `decide` answers from memory: it never waits for the API server, a disk or another process, and it never fails a
//! page. `ledger` acknowledges an event once it is on disk and counts it once.
//!
//! The crate refuses to know what an estimate is, why a share is what it is, and who a subject is: it carries out
//! tables, and it stores keyed hashes.
//!
//! Read [`table`] (what may be served), [`decide`] (the decision), [`ledger`] (what counts), then the edges.

pub mod args;
pub mod auth;
pub mod clock;
pub mod cors;
pub mod decide;
pub mod key;
pub mod ledger;
pub mod offline;
pub mod probe;
pub mod refusal;
pub mod run;
pub mod serve;
pub mod size;
pub mod table;
pub mod tables;
pub mod telemetry;
pub mod tls;
pub mod told;

#[cfg(test)]
#[path = "../tests/it/samples.rs"]
mod samples;
