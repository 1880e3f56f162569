//! Shares of the next round: written cases, and properties of all.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

use experiment::{
    Allocation, Cell, Control, Design, Direction, Kind, Metric, PartsPerMillion, Policy, PolicyError, Reason,
    Rule, Standing, Stopping, Totals, allocate,
};
use proptest::prelude::*;

fn ppm(parts: u32) -> PartsPerMillion {
    PartsPerMillion::new(parts).unwrap()
}

fn design(arms: usize, retired: &[usize], metric: Metric) -> Design {
    let standing = |arm| Standing { generation: 1, retired: retired.contains(&arm) };
    Design::new(metric, Stopping::new(0.95, 0.01).unwrap(), (0..arms).map(standing).collect()).unwrap()
}

fn cell(counts: &[(u64, u64)]) -> Cell {
    let totals = counts.iter().map(|&(exposures, rewards)| Totals::binary(exposures, rewards)).collect();
    Cell::new(Allocation::even(counts.len()).unwrap(), totals).unwrap()
}

fn shares(allocation: &Allocation) -> Vec<u32> {
    allocation.shares().iter().map(|share| share.get()).collect()
}

fn allocated(counts: &[(u64, u64)], retired: &[usize], policy: &Policy) -> (Vec<u32>, Reason) {
    let next = allocate(&[cell(counts)], &design(counts.len(), retired, Metric::CLICKS), policy);
    (shares(&next.allocation), next.reason)
}

fn policy(rule: Rule, arms: usize, floor: u32, control: u32, minimum: u64) -> Policy {
    Policy::new(rule, arms, ppm(floor), Control::Fixed(ppm(control)), minimum).unwrap()
}

#[test]
fn shares_follow_the_chance_of_being_the_best() {
    let policy = policy(Rule::Thompson, 3, 10_000, 200_000, 100);
    let check = |counts: &[(u64, u64)], retired: &[usize], expected: &[u32], reason| {
        assert_eq!(allocated(counts, retired, &policy), (expected.to_vec(), reason), "{counts:?}");
    };
    // Below the minimum the variants share evenly, however good one of them looks; the control's count is no matter.
    check(&[(0, 0), (0, 0), (0, 0)], &[], &[200_000, 400_000, 400_000], Reason::Exploring);
    check(&[(500, 9), (500, 90), (99, 0)], &[], &[200_000, 400_000, 400_000], Reason::Exploring);
    check(&[(0, 0), (100, 0), (100, 90)], &[], &[200_000, 10_000, 790_000], Reason::Rule(Rule::Thompson));
    check(&[(900, 9), (500, 10), (500, 10)], &[], &[200_000, 400_000, 400_000], Reason::Rule(Rule::Thompson));
    // A control far ahead keeps its share and does not blur the variants.
    check(
        &[(10_000, 9_000), (10_000, 10), (10_000, 200)],
        &[],
        &[200_000, 10_000, 790_000],
        Reason::Rule(Rule::Thompson),
    );
    check(&[(900, 9), (500, 10), (500, 90)], &[2], &[200_000, 800_000, 0], Reason::Rule(Rule::Thompson));
    check(&[(900, 9), (500, 10), (99, 9)], &[2], &[200_000, 800_000, 0], Reason::Rule(Rule::Thompson));
    check(&[(900, 9), (500, 10), (500, 90)], &[1, 2], &[1_000_000, 0, 0], Reason::Rule(Rule::Thompson));
    check(&[(900, 9)], &[], &[1_000_000], Reason::Rule(Rule::Thompson));
}

#[test]
fn the_share_is_the_chance_by_a_formula_of_its_own() {
    // P(B > A) for Beta(α, β) of whole numbers is a finite sum: here 1/3 against 2/3 by Beta(1, 1) and Beta(2, 1).
    let policy = policy(Rule::Thompson, 3, 0, 100_000, 0);
    assert_eq!(
        allocated(&[(0, 0), (0, 0), (1, 1)], &[], &policy),
        (vec![100_000, 300_000, 600_000], Reason::Rule(Rule::Thompson))
    );
}

#[test]
fn shares_that_cannot_be_kept_are_refused() {
    let check = |arms, floor, control, expected| {
        let fixed = Control::Fixed(ppm(control));
        assert_eq!(Policy::new(Rule::Thompson, arms, ppm(floor), fixed, 0).err(), expected);
    };
    check(6, 10_000, 200_000, None);
    check(5, 200_000, 200_000, None);
    check(1, 10_000, 1_000_000, None);
    check(2, 0, 0, Some(PolicyError::NoControl));
    check(2, 0, 1_000_000, Some(PolicyError::NoVariants { variants: 1 }));
    let error = PolicyError::Floor { arms: 5, floor: ppm(200_000), fixed: ppm(200_000) };
    assert_eq!(error.to_string(), "5 arms with a floor of 20% beside a fixed share of 20% exceed 100%");
    check(6, 200_000, 200_000, Some(error));
    let competing = |arms, floor| Policy::new(Rule::TopTwo, arms, ppm(floor), Control::Competes, 0).err();
    assert_eq!(competing(5, 200_000), None);
    let error = PolicyError::Floor { arms: 6, floor: ppm(200_000), fixed: ppm(0) };
    assert_eq!(competing(6, 200_000), Some(error));
    let policy = policy(Rule::Even, 2, 0, 500_000, 0);
    assert!([0.0, -1.0, f64::NAN].into_iter().all(|half| policy.with_look_back(half).is_err()));
}

#[test]
fn an_experiment_that_outgrew_its_floor_still_sums() {
    let policy = policy(Rule::Thompson, 2, 500_000, 200_000, 0);
    let (shares, _) = allocated(&[(10, 1); 4], &[], &policy);
    assert_eq!(shares, [200_000, 266_667, 266_667, 266_666]);
}

/// Ten arms, of which the control competes: top-two halves the leader's lead in exploring, and even knows nothing.
#[test]
fn each_rule_has_its_shares() {
    let counts = [(10_000, 200), (10_000, 300), (10_000, 210)];
    let of = |rule| {
        let policy = Policy::new(rule, 3, ppm(10_000), Control::Competes, 0).unwrap();
        allocated(&counts, &[], &policy).0
    };
    assert_eq!(of(Rule::Even), [333_334, 333_333, 333_333]);
    let (thompson, top_two) = (of(Rule::Thompson), of(Rule::TopTwo));
    assert!(thompson[1] > 979_000 && thompson[0] < 10_100, "{thompson:?}");
    assert!((490_000..500_000).contains(&top_two[1]) && top_two[2] > top_two[0], "{top_two:?}");
}

#[test]
fn what_is_better_depends_on_the_direction() {
    let less = Metric { kind: Kind::Binary, direction: Direction::Minimize };
    let policy = policy(Rule::Thompson, 3, 10_000, 200_000, 0);
    let cells = [cell(&[(900, 9), (500, 10), (500, 90)])];
    let of = |metric| shares(&allocate(&cells, &design(3, &[], metric), &policy).allocation);
    assert_eq!(of(Metric::CLICKS), [200_000, 10_000, 790_000]);
    assert_eq!(of(less), [200_000, 790_000, 10_000]);
}

#[test]
fn values_are_compared_by_their_means() {
    let metric = Metric { kind: Kind::Value { cap: None }, direction: Direction::Maximize };
    let value = |exposures, rewards, squared_rewards| Totals { exposures, rewards, squared_rewards };
    let of = |totals: Vec<Totals>| {
        let arms = totals.len();
        let cell = Cell::new(Allocation::even(arms).unwrap(), totals).unwrap();
        let policy = policy(Rule::Thompson, arms, 0, 200_000, 0);
        shares(&allocate(&[cell], &design(arms, &[], metric), &policy).allocation)
    };
    let buyers = value(1_000, 2_500.0, 200_000.0);
    assert_eq!(of(vec![buyers; 3]), [200_000, 400_000, 400_000]);
    assert_eq!(of(vec![value(1_000, 0.0, 0.0); 3]), [200_000, 400_000, 400_000]);
    let better = of(vec![buyers, buyers, value(1_000, 4_000.0, 320_000.0)]);
    assert!(better[2] > 700_000, "{better:?}");
    // One large sale says little.
    let lucky = of(vec![buyers, value(100, 900.0, 810_000.0), value(1_000, 4_000.0, 320_000.0)]);
    assert!(lucky[1] > 250_000, "{lucky:?}");
}

/// The better arm changes; a policy that looks back on the last thousand exposures follows, and one that does not, not.
#[test]
fn a_policy_that_looks_back_forgets() {
    let cells = [cell(&[(0, 0), (4_000, 400), (4_000, 200)]), cell(&[(0, 0), (1_000, 50), (1_000, 90)])];
    let policy = policy(Rule::Thompson, 3, 10_000, 200_000, 0);
    let of = |policy: &Policy| shares(&allocate(&cells, &design(3, &[], Metric::CLICKS), policy).allocation);
    assert_eq!(of(&policy), [200_000, 790_000, 10_000]);
    let looking_back = of(&policy.with_look_back(400.0).unwrap());
    assert!(looking_back[2] > 780_000, "{looking_back:?}");
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
        rule in prop::sample::select(vec![Rule::Thompson, Rule::TopTwo, Rule::Even]),
    ) {
        let policy = policy(rule, counts.len(), floor, control, minimum);
        let (shares, reason) = allocated(&counts, &retired, &policy);
        prop_assert_eq!(shares.iter().sum::<u32>(), 1_000_000);
        let variants: Vec<usize> = (1..counts.len()).filter(|arm| !retired.contains(arm)).collect();
        prop_assert_eq!(shares[0], if variants.is_empty() { 1_000_000 } else { control });
        prop_assert!(variants.iter().all(|&arm| shares[arm] >= floor));
        prop_assert!(retired.iter().all(|&arm| shares.get(arm).is_none_or(|&share| share == 0)));
        let explored = variants.iter().all(|&arm| counts[arm].0 >= minimum);
        prop_assert_eq!(reason, if explored { Reason::Rule(rule) } else { Reason::Exploring });
    }

    #[test]
    fn more_rewards_never_lower_a_share(counts in counts(), arm in 1..14_usize) {
        prop_assume!(arm < counts.len() && counts[arm].1 < counts[arm].0);
        let policy = policy(Rule::Thompson, counts.len(), 1_000, 100_000, 0);
        let mut better = counts.clone();
        better[arm].1 += 1;
        // One part in a million is rounding.
        prop_assert!(allocated(&better, &[], &policy).0[arm] + 1 >= allocated(&counts, &[], &policy).0[arm]);
    }
}
