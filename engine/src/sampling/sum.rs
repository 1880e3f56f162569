//! The sum of many weights.

use crate::cpu::LANES;

#[inline(always)]
pub(super) fn sum(weights: &[f32]) -> f64 {
    // In several sums, which do not wait for each other.
    let mut sums = [0.0f64; LANES / 2];
    let (blocks, rest) = weights.as_chunks::<{ LANES / 2 }>();
    for block in blocks {
        for lane in 0..LANES / 2 {
            sums[lane] += f64::from(block[lane]);
        }
    }
    for (sum, weight) in sums.iter_mut().zip(rest) {
        *sum += f64::from(*weight);
    }
    sums.iter().sum()
}
