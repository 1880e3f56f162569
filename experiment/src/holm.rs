//! Many questions at once: Holm's step-down procedure.

/// Holm's adjusted p-values (Holm 1979), in the order of `p_values`: rejecting where the adjusted value is at most α
/// keeps the chance of any false rejection at α, whatever the dependence.
pub(crate) fn adjusted(p_values: &[f64]) -> Vec<f64> {
    let mut by_size: Vec<usize> = (0..p_values.len()).collect();
    by_size.sort_by(|&one, &other| p_values[one].total_cmp(&p_values[other]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, &index) in by_size.iter().enumerate() {
        let remaining = (p_values.len() - rank) as f64;
        largest = largest.max((remaining * p_values[index]).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_adjusted_as_published() {
        let check = |p_values: &[f64], expected: &[f64]| {
            let found = adjusted(p_values);
            assert!(
                found.iter().zip(expected).all(|(x, y)| (x - y).abs() < 1e-15),
                "{p_values:?}: {found:?}"
            );
            assert_eq!(found.len(), expected.len());
        };
        check(&[0.01, 0.04, 0.03, 0.005], &[0.03, 0.06, 0.06, 0.02]);
        check(&[0.02], &[0.02]);
        check(&[0.5, 0.9, 0.4], &[1.0, 1.0, 1.0]);
        check(&[], &[]);
    }
}
