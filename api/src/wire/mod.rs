//! The JSON that applications and the operator exchange with the gateway.

pub mod decide;
pub mod erasure;
pub mod event;
pub mod ofrep;
pub mod part;
pub mod report;
pub mod token;
pub mod totals;
