//! Distribution functions that hold their digits where others lose them: with millions of observations and deep in the
//! tails.
//!
//! | Module | Functions | Relative error |
//! | --- | --- | --- |
//! | [`mod@beta`] | The regularized incomplete beta function and its inverse | 10⁻¹² |
//! | [`mod@normal`] | The normal distribution function and its inverse | 10⁻¹² |
//!
//! The bounds are those that `tests/special_functions.rs` holds against an independent computation. An argument that
//! makes no sense gives NaN, and so does an argument that is NaN: a function of numbers returns a number.

pub mod beta;
pub(crate) mod cholesky;
pub(crate) mod elementary;
pub mod normal;
pub(crate) mod root;
