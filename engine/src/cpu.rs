//! Arithmetic on the CPU: matrices of 32-bit floats and of 8-bit integers, and what lies between them.
//!
//! Everything works on [`Columns`], and everything that is worth it runs on rayon's threads; the caller enters the pool
//! once for a whole step ([`rayon::ThreadPool::install`]), since entering it for each product costs more than a product
//! of one row.
//!
//! Inner loops are written as loops over indices inside functions that are always inlined into a `with_simd`: what the
//! compiler leaves as a function of its own, such as the closure of an iterator, knows nothing of the processor's better
//! instructions, and a fused multiplication and addition becomes a call.

mod attention;
mod columns;
mod dense;
mod elementwise;
mod matrix;
mod memory;
mod q8;
mod rotary;
mod vnni;

pub use attention::{Span, attend};
pub use columns::{Columns, LANES};
pub use dense::DenseMatrix;
pub use elementwise::{add, add_bias, gate, log_sum_exp, rms_norm};
pub(crate) use elementwise::{exponentials, highest};
pub use matrix::{Form, Matrix};
pub use memory::LayerMemory;
pub use q8::Q8Matrix;
pub use rotary::{HeadNorms, Pairing, Rotary};
