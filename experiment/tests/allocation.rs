//! Shares of the next round: written cases, and properties of all.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

use experiment::{
    Allocation, Candidates, Cell, PartsPerMillion, Policy, PolicyError, Reason, Stopping, Totals, allocate,
    estimate_among,
};
use proptest::prelude::*;

fn ppm(parts: u32) -> PartsPerMillion {
    PartsPerMillion::new(parts).unwrap()
}

fn allocated(counts: &[(u64, u64)], retired: &[usize], policy: &Policy) -> (Vec<u32>, Reason) {
    let totals = counts.iter().map(|&(exposures, rewards)| Totals::binary(exposures, rewards)).collect();
    let cell = Cell::new(Allocation::even(counts.len()).unwrap(), totals).unwrap();
    let stopping = Stopping::new(0.95, 0.01, 1).unwrap();
    let estimate = estimate_among(&[cell], &Candidates::without(retired), &stopping).unwrap();
    let next = allocate(&estimate, policy);
    (next.allocation.shares().iter().map(|share| share.get()).collect(), next.reason)
}

#[test]
fn shares_follow_the_chance_of_being_the_best() {
    let policy = Policy::new(3, ppm(10_000), ppm(200_000), 100).unwrap();
    let check = |counts: &[(u64, u64)], retired: &[usize], expected: &[u32], reason| {
        assert_eq!(allocated(counts, retired, &policy), (expected.to_vec(), reason), "{counts:?}");
    };
    // Below the minimum the variants share evenly, however good one of them looks; the control's count is no matter.
    check(&[(0, 0), (0, 0), (0, 0)], &[], &[200_000, 400_000, 400_000], Reason::Exploring);
    check(&[(500, 9), (500, 90), (99, 0)], &[], &[200_000, 400_000, 400_000], Reason::Exploring);
    check(&[(0, 0), (100, 0), (100, 90)], &[], &[200_000, 10_000, 790_000], Reason::Thompson);
    check(&[(900, 9), (500, 10), (500, 10)], &[], &[200_000, 400_000, 400_000], Reason::Thompson);
    // A control far ahead keeps its share and does not blur the variants.
    check(
        &[(10_000, 9_000), (10_000, 10), (10_000, 200)],
        &[],
        &[200_000, 10_000, 790_000],
        Reason::Thompson,
    );
    check(&[(900, 9), (500, 10), (500, 90)], &[2], &[200_000, 800_000, 0], Reason::Thompson);
    check(&[(900, 9), (500, 10), (99, 9)], &[2], &[200_000, 800_000, 0], Reason::Thompson);
    check(&[(900, 9), (500, 10), (500, 90)], &[1, 2], &[1_000_000, 0, 0], Reason::Thompson);
    check(&[(900, 9)], &[], &[1_000_000], Reason::Thompson);
}

#[test]
fn the_share_is_the_chance_by_a_formula_of_its_own() {
    // P(B > A) for Beta(α, β) of whole numbers is a finite sum: here 1/3 against 2/3 by Beta(1, 1) and Beta(2, 1).
    let policy = Policy::new(3, ppm(0), ppm(100_000), 0).unwrap();
    assert_eq!(
        allocated(&[(0, 0), (0, 0), (1, 1)], &[], &policy),
        (vec![100_000, 300_000, 600_000], Reason::Thompson)
    );
}

#[test]
fn shares_that_cannot_be_kept_are_refused() {
    let check = |arms, floor, control, expected| {
        assert_eq!(Policy::new(arms, ppm(floor), ppm(control), 0).err(), expected);
    };
    check(6, 10_000, 200_000, None);
    check(5, 200_000, 200_000, None);
    check(1, 10_000, 1_000_000, None);
    check(2, 0, 0, Some(PolicyError::NoControl));
    check(2, 0, 1_000_000, Some(PolicyError::NoVariants { variants: 1 }));
    let error = PolicyError::Floor { variants: 5, floor: ppm(200_000), control_share: ppm(200_000) };
    assert_eq!(error.to_string(), "5 variants with a floor of 20% and a control share of 20% exceed 100%");
    check(6, 200_000, 200_000, Some(error));
}

#[test]
fn an_experiment_that_outgrew_its_floor_still_sums() {
    let policy = Policy::new(2, ppm(500_000), ppm(200_000), 0).unwrap();
    let (shares, _) = allocated(&[(10, 1); 4], &[], &policy);
    assert_eq!(shares, [200_000, 266_667, 266_667, 266_666]);
}

fn counts() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let arm = (0..9_u32, 1..10_u64, 0.0..=1.0).prop_map(|(power, digit, rate): (u32, u64, f64)| {
        let exposures = digit * 10_u64.pow(power);
        (exposures, (exposures as f64 * rate.powi(3)) as u64)
    });
    prop::collection::vec(arm, 1..14)
}

proptest! {
    #[test]
    fn every_allocation_keeps_its_promises(
        counts in counts(),
        retired in prop::collection::vec(1..14_usize, 0..4),
        floor in 0..60_000_u32,
        control in 1..200_000_u32,
        minimum in 0..1_000_u64,
    ) {
        let policy = Policy::new(counts.len(), ppm(floor), ppm(control), minimum).unwrap();
        let (shares, reason) = allocated(&counts, &retired, &policy);
        prop_assert_eq!(shares.iter().sum::<u32>(), 1_000_000);
        let variants: Vec<usize> = (1..counts.len()).filter(|arm| !retired.contains(arm)).collect();
        prop_assert_eq!(shares[0], if variants.is_empty() { 1_000_000 } else { control });
        prop_assert!(variants.iter().all(|&arm| shares[arm] >= floor));
        prop_assert!(retired.iter().all(|&arm| shares.get(arm).is_none_or(|&share| share == 0)));
        let explored = variants.iter().all(|&arm| counts[arm].0 >= minimum);
        prop_assert_eq!(reason, if explored { Reason::Thompson } else { Reason::Exploring });
    }

    #[test]
    fn more_rewards_never_lower_a_share(counts in counts(), arm in 1..14_usize) {
        prop_assume!(arm < counts.len() && counts[arm].1 < counts[arm].0);
        let policy = Policy::new(counts.len(), ppm(1_000), ppm(100_000), 0).unwrap();
        let mut better = counts.clone();
        better[arm].1 += 1;
        // One part in a million is rounding.
        prop_assert!(allocated(&better, &[], &policy).0[arm] + 1 >= allocated(&counts, &[], &policy).0[arm]);
    }
}
