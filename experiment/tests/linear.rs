//! Shares that segments learn from each other, as far out as features and counts may go.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

use experiment::{
    Allocation, Cell, Control, Design, Features, Kind, Metric, PartsPerMillion, Policy, Reason, Rule,
    Standing, Stopping, Totals, allocate_linear,
};
use proptest::prelude::*;

fn design(arms: usize, kind: Kind) -> Design {
    let stopping = Stopping::new(0.95, 0.01).unwrap();
    Design::new(Metric { kind, ..Metric::CLICKS }, stopping, vec![Standing::FIRST; arms]).unwrap()
}

/// The shares of each segment, whose arms have `totals` by segment and arm.
fn shares(features: &[Vec<f64>], totals: &[Vec<Totals>], kind: Kind) -> Vec<Vec<u32>> {
    let arms = totals[0].len();
    let cell = |(segment, totals): (usize, &Vec<Totals>)| {
        Cell::new(Allocation::even(arms).unwrap(), totals.clone()).unwrap().in_segment(segment)
    };
    let cells: Vec<Cell> = totals.iter().enumerate().map(cell).collect();
    let zero = PartsPerMillion::ZERO;
    let policy = Policy::new(Rule::Thompson, arms, zero, Control::Competes, 0).unwrap();
    let features = Features::new(features.to_vec()).unwrap();
    let allocated = allocate_linear(&cells, &design(arms, kind), &policy, &features);
    assert!(allocated.iter().all(|next| next.reason == Reason::LinearThompson));
    let of = |next: &Allocation| next.shares().iter().map(|share| share.get()).collect::<Vec<u32>>();
    allocated.iter().map(|next| of(&next.allocation)).collect()
}

/// Two arms, of which the first is better in even segments and the second in odd ones.
fn crossed(segments: usize, n: u64) -> Vec<Vec<Totals>> {
    let rates = |segment: usize| if segment.is_multiple_of(2) { [30, 20] } else { [20, 30] };
    (0..segments)
        .map(|segment| rates(segment).map(|rate| Totals::binary(n, n / 1_000 * rate)).to_vec())
        .collect()
}

#[test]
fn the_largest_features_and_counts_still_tell_segments_apart() {
    let near = |segments: usize, size: usize, base: f64, step: f64| -> Vec<Vec<f64>> {
        let feature = |segment: usize, at: usize| base - step * ((7 * segment + 3 * at) % 11) as f64;
        (0..segments).map(|segment| (0..size).map(|at| feature(segment, at)).collect()).collect()
    };
    let signs = |segments: usize, size: usize| -> Vec<Vec<f64>> {
        let sign = |bits: usize| if bits.count_ones().is_multiple_of(2) { 1000.0 } else { -1000.0 };
        (0..segments).map(|segment| (0..size).map(|at| sign(at & (2 * segment + 1))).collect()).collect()
    };
    for (features, n) in [
        (near(4, 10, 1000.0, 1.0), 1_000_000_000_000),
        (near(4, 10, 1000.0, 0.01), 1_000_000_000_000_000),
        (signs(5, 256), 1_000_000_000),
        (near(11, 200, 1000.0, 0.001), 1_000_000_000_000),
    ] {
        let found = shares(&features, &crossed(features.len(), n), Kind::Binary);
        for (segment, shares) in found.iter().enumerate() {
            let better = segment % 2;
            assert!(shares[better] > 999_000, "{n}, segment {segment} of {}: {shares:?}", found.len());
        }
    }
}

#[test]
fn a_segment_without_any_feature_shares_evenly() {
    let totals = crossed(2, 1_000);
    let found = shares(&[vec![1.0, 1.0], vec![0.0, 0.0]], &totals, Kind::Binary);
    assert_eq!(found[1], [500_000, 500_000]);
}

/// Nearly nothing is known of them, and what is differs by less than a double shows.
#[test]
fn the_smallest_features_end_in_shares_too() {
    for feature in [1e-300, 1e-20, 1e-18, 1e-17, 3e-17, 1e-16, 1e-15] {
        for shares in shares(&[vec![feature], vec![-feature]], &crossed(2, 1_000_000_000_000), Kind::Binary) {
            assert_eq!(shares.iter().sum::<u32>(), 1_000_000, "{feature}");
        }
    }
}

fn feature() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        Just(1.0),
        Just(1000.0),
        Just(-1000.0),
        -1000.0..=1000.0_f64,
        999.0..=1000.0_f64,
        -1e-6..1e-6_f64,
        (-18..-3_i32).prop_map(|power| 10_f64.powi(power)),
    ]
}

proptest! {
    #[test]
    fn no_features_and_no_counts_make_anything_panic(
        features in (1..20_usize).prop_flat_map(|size| prop::collection::vec(prop::collection::vec(feature(), size), 6)),
        counts in prop::collection::vec(prop::collection::vec((0..50_u32, 0.0..=1.0_f64), 3), 1..6),
        worth in prop_oneof![Just(None), (1e-50..1e50_f64).prop_map(Some)],
    ) {
        let totals = |(bits, rate): &(u32, f64)| {
            let exposures = (1_u64 << bits) - 1;
            let rewarded = (exposures as f64 * rate.powi(6)) as u64;
            let Some(worth) = worth else { return Totals::binary(exposures, rewarded) };
            let rewards = rewarded as f64 * worth;
            Totals { exposures, rewards, squared_rewards: rewards * worth * 2.0 }
        };
        let totals: Vec<Vec<Totals>> = counts.iter().map(|arms| arms.iter().map(totals).collect()).collect();
        let kind = worth.map_or(Kind::Binary, |_| Kind::Value { cap: None });
        for shares in shares(&features, &totals, kind) {
            prop_assert_eq!(shares.iter().sum::<u32>(), 1_000_000);
        }
    }
}
