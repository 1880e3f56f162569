//! Broadside on a real cluster, as the demonstration and the tests have it.
//!
//! ```text
//! programs   our binaries, as cargo built them         kubectl        kubectl, helm and broadside as children
//! images     each packed into an image                 installation   a cluster with the chart installed
//! rights     what an account may do, and what it asked for          terminal       what a test tells people while it runs
//! ```
//!
//! There is one way to put Broadside on a cluster, and it is the users' way: images, Helm, `kubectl apply`. What the
//! demonstration shows is what the tests prove.

#![expect(clippy::print_stdout, reason = "the demonstration speaks to a terminal")]

pub mod demo;
pub mod images;
pub mod installation;
pub mod kubectl;
pub mod programs;
pub mod rights;
pub mod terminal;

pub use installation::{Installation, Options};
pub use kubectl::Kubectl;
