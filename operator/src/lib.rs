//! The operator: turns a campaign into variants, a table, verdicts and a winner.
//!
//! ```text
//! AdCampaign ─parse▶ Campaign ─observe▶ Seen ─plan▶ Plan ─apply▶ objects
//!                                                     │
//!                                    report ──▶ status, once, on every exit
//! ```
//!
//! Only [`observe`] and [`apply`] touch the cluster, the first through [`world`], which watches it. A pass takes no hint about
//! what changed and remembers nothing but what is in the cluster and in the ledger; run twice, it does what it does once.
//!
//! The crate refuses to know how copy is written (the worker), how people are counted (the gateway) and how numbers
//! become shares and verdicts (`experiment`).

pub mod apply;
pub mod args;
pub mod campaign;
pub mod clock;
pub mod controller;
pub mod error;
pub mod events;
pub mod key;
pub mod leader;
pub mod ledger;
mod looks;
pub mod metrics;
pub mod model;
pub mod objects;
pub mod observe;
pub mod plan;
pub mod sentence;
pub mod server;
pub mod status;
mod workload;
pub mod world;

pub use campaign::{Campaign, Fault, InvalidSpec};
