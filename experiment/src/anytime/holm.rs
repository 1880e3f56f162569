//! Many questions at once: Holm's step-down procedure (Holm 1979).

/// What Holm's procedure says of one hypothesis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    /// The adjusted p-value: rejecting where it is at most α keeps the chance of any false rejection at α, whatever the
    /// dependence.
    pub(crate) adjusted: f64,
    /// How many hypotheses this one's own p-value has to answer for at the level asked: it is rejected just when its
    /// p-value is at most the level divided by this.
    pub(crate) multiplicity: f64,
}

/// The steps for `p_values`, in their order, at `level`.
pub(crate) fn steps(p_values: &[f64], level: f64) -> Vec<Step> {
    let mut by_size: Vec<usize> = (0..p_values.len()).collect();
    by_size.sort_by(|&one, &other| p_values[one].total_cmp(&p_values[other]));
    let mut steps = vec![Step { adjusted: 0.0, multiplicity: 0.0 }; p_values.len()];
    let mut adjusted: f64 = 0.0;
    // Where the procedure stops, all that remain answer for as many as the one that stopped it.
    let mut stopped: Option<f64> = None;
    let mut remaining = 0.0;
    for (rank, &index) in by_size.iter().enumerate() {
        // Equals answer for as many as the first of them, so that their order does not matter.
        if rank == 0 || p_values[index] > p_values[by_size[rank - 1]] {
            remaining = (p_values.len() - rank) as f64;
        }
        adjusted = adjusted.max((remaining * p_values[index]).min(1.0));
        let multiplicity = stopped.unwrap_or(remaining);
        if p_values[index] > level / multiplicity {
            stopped = Some(multiplicity);
        }
        steps[index] = Step { adjusted, multiplicity };
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_adjusted_as_published() {
        let check = |p_values: &[f64], expected: &[f64]| {
            let found: Vec<f64> = steps(p_values, 0.05).iter().map(|step| step.adjusted).collect();
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

    #[test]
    fn multiplicities_say_what_each_has_to_reach() {
        let check = |p_values: &[f64], expected: &[f64]| {
            let found = steps(p_values, 0.05);
            assert_eq!(found.iter().map(|step| step.multiplicity).collect::<Vec<_>>(), expected);
            for (step, p_value) in found.iter().zip(p_values) {
                assert_eq!(step.adjusted <= 0.05, *p_value <= 0.05 / step.multiplicity);
            }
        };
        check(&[0.01, 0.04, 0.03, 0.005], &[3.0, 2.0, 2.0, 4.0]);
        check(&[0.001, 0.002, 0.003], &[3.0, 2.0, 1.0]);
        check(&[0.9, 0.04], &[2.0, 2.0]);
        check(&[0.0, 0.0, 0.01], &[3.0, 3.0, 1.0]);
    }
}
