//! Estimates and verdicts of totals that were written down.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

use experiment::{
    Allocation, Cell, Design, Direction, Estimate, EstimateError, Fault, Kind, Metric, Missing,
    PartsPerMillion, Period, Problem, Remaining, Standing, Stopping, Totals, Verdict, judge,
};

fn stopping() -> Stopping {
    Stopping::new(0.95, 0.01).unwrap()
}

fn design(arms: usize) -> Design {
    Design::new(Metric::CLICKS, stopping(), vec![Standing::FIRST; arms]).unwrap()
}

/// An even split over arms of (exposures, rewards), the control first.
fn even(counts: &[(u64, u64)]) -> Cell {
    let totals = counts.iter().map(|&(exposures, rewards)| Totals::binary(exposures, rewards)).collect();
    Cell::new(Allocation::even(counts.len()).unwrap(), totals).unwrap()
}

fn estimate(cells: &[Cell], design: &Design) -> Estimate {
    experiment::estimate(cells, design).unwrap()
}

fn estimated(counts: &[(u64, u64)]) -> Estimate {
    estimate(&[even(counts)], &design(counts.len()))
}

/// What a verdict says, in a word.
fn word(verdict: &Verdict) -> String {
    let missing = |missing: &Missing| match missing {
        Missing::ControlLeads { .. } => "control leads",
        Missing::BetterThanControl { .. } => "not shown better",
        Missing::SmallLoss { .. } => "loss too large",
    };
    match verdict {
        Verdict::Winner { arm, .. } => format!("winner {arm}"),
        Verdict::ControlWins => "control wins".into(),
        Verdict::NoWorthwhileDifference { .. } => "nothing worthwhile".into(),
        Verdict::Inconclusive { leader, .. } => format!("inconclusive, {leader} leads"),
        Verdict::Unhealthy(Problem::NoData) => "no data".into(),
        Verdict::Unhealthy(Problem::SampleRatio(_)) => "sample ratio".into(),
        Verdict::Collecting { missing: list, .. } => list.iter().map(missing).collect::<Vec<_>>().join(", "),
    }
}

fn judged(estimate: &Estimate) -> String {
    word(&judge(estimate, Remaining::Some))
}

#[test]
fn a_winner_leads_is_better_and_loses_little() {
    let check = |counts: &[(u64, u64)], expected: &str| {
        assert_eq!(judged(&estimated(counts)), expected, "{counts:?}");
    };
    check(&[(20_000, 400), (20_000, 600)], "winner 1");
    check(&[(20_000, 400), (20_000, 480), (20_000, 700)], "winner 2");
    check(&[(20_000, 400), (20_000, 430)], "not shown better");
    check(&[(2_000, 40), (2_000, 43)], "not shown better, loss too large");
    // Two variants far above the control, and no telling which is the better one.
    check(&[(20_000, 400), (20_000, 690), (20_000, 700)], "loss too large");
    check(&[(20_000, 600), (20_000, 400)], "control wins");
    check(&[(20_000, 600), (20_000, 400), (20_000, 500)], "control leads");
    check(&[(2_000, 41), (2_000, 40)], "control leads, loss too large");
    check(&[(0, 0), (0, 0)], "no data");
    // Nothing is said of counts that the shares can't have made, however large the difference.
    check(&[(20_000, 400), (18_000, 900)], "sample ratio");
    // A certain best by P(best) alone: 97 % against 95 % asked.
    check(&[(10_000, 200), (10_000, 240)], "not shown better");
    check(&[(100, 5)], "control leads");
}

#[test]
fn a_comparison_says_which_cells_it_rests_on() {
    let cell = |shares: [u32; 3], n: u64| {
        let parts = shares.map(|parts| PartsPerMillion::new(parts).unwrap()).to_vec();
        let totals = shares.map(|parts| Totals::binary(if parts > 0 { n } else { 0 }, n / 50));
        let totals = totals.map(|totals| if totals.exposures == 0 { Totals::default() } else { totals });
        Cell::new(Allocation::try_from(parts).unwrap(), totals.to_vec()).unwrap()
    };
    let (alone, first, both) = ([1_000_000, 0, 0], [500_000, 500_000, 0], [200_000, 400_000, 400_000]);
    let cells = [cell(alone, 500), cell(first, 500), cell(both, 500), cell(both, 500), cell(first, 0)];
    let found = estimate(&cells, &design(3));
    let period = |arm: usize| found.arms[arm].against_control.unwrap().period;
    assert_eq!(period(1), Some(Period { first: 1, last: 3 }));
    assert_eq!(period(2), Some(Period { first: 2, last: 3 }));
    assert_eq!(estimated(&[(0, 0), (0, 0)]).arms[1].against_control.unwrap().period, None);
}

#[test]
fn what_is_missing_comes_with_its_figures() {
    let estimate = estimated(&[(2_000, 40), (2_000, 43)]);
    let Verdict::Collecting { leader: 1, missing } = judge(&estimate, Remaining::Some) else {
        panic!("a winner")
    };
    let leader = &estimate.arms[1];
    let expected = [
        Missing::BetterThanControl {
            adjusted_p_value: leader.against_control.unwrap().adjusted_p_value,
            level: stopping().level(1),
        },
        Missing::SmallLoss { relative_loss: leader.relative_loss, maximum_loss: 0.01 },
    ];
    assert_eq!(missing, expected);
    assert!(leader.p_best > 0.5 && leader.relative_loss > 0.01);
}

#[test]
fn evidence_is_that_of_the_winner() {
    let estimate = estimated(&[(20_000, 400), (20_000, 600)]);
    let Verdict::Winner { arm: 1, evidence } = judge(&estimate, Remaining::Some) else { panic!("no winner") };
    assert_eq!((evidence.exposures, evidence.control_exposures), (20_000, 20_000));
    assert!(evidence.adjusted_p_value <= evidence.level && evidence.relative_loss <= evidence.maximum_loss);
    let limits = evidence.lift_anytime;
    assert!(limits.low > 0.0 && limits.low < 0.5 && limits.high > 0.5);
    assert!(
        evidence.lift_shrunken > 0.2 && evidence.lift_shrunken < 0.5,
        "shrunken below the raw lift of 50 %"
    );
}

/// A design in which some arms are served no more.
fn without(arms: usize, retired: &[usize]) -> Design {
    let standing = |arm| Standing { generation: 1, retired: retired.contains(&arm) };
    Design::new(Metric::CLICKS, stopping(), (0..arms).map(standing).collect()).unwrap()
}

#[test]
fn every_arm_that_was_ever_served_counts() {
    let adjusted = |cells: &[Cell], design: &Design| {
        estimate(cells, design).arms[1].against_control.unwrap().adjusted_p_value
    };
    let counts = [(20_000, 400), (20_000, 520), (20_000, 380), (20_000, 410)];
    let alone = adjusted(&[even(&counts[..2])], &design(2));
    let three = adjusted(&[even(&counts)], &design(4));
    assert!((three / alone - 3.0).abs() < 1e-9, "Holm over three arms, {three} against {alone}");
    let retired = adjusted(&[even(&counts)], &without(4, &[2, 3]));
    assert_eq!(retired.to_bits(), three.to_bits(), "retiring arms must not make the others look better");
    let half = PartsPerMillion::new(500_000).unwrap();
    let shares = vec![half, half, PartsPerMillion::ZERO, PartsPerMillion::ZERO];
    let totals =
        vec![Totals::binary(20_000, 400), Totals::binary(20_000, 520), Totals::default(), Totals::default()];
    let unserved = adjusted(&[Cell::new(shares.try_into().unwrap(), totals).unwrap()], &design(4));
    assert_eq!(unserved.to_bits(), alone.to_bits(), "an arm that nobody saw is no question yet");
}

#[test]
fn a_retired_arm_neither_leads_nor_counts_as_the_best() {
    let cells = [even(&[(20_000, 400), (20_000, 520), (20_000, 900)])];
    let retired = estimate(&cells, &without(3, &[2]));
    assert_eq!((retired.leader, retired.arms[2].p_best), (1, 0.0));
    assert_eq!(judged(&retired), "winner 1");
    let all_retired = estimate(&cells, &without(3, &[0, 1, 2]));
    assert_eq!((all_retired.leader, all_retired.arms[0].p_best), (0, 1.0));
}

#[test]
fn an_arm_below_the_control_is_never_shown_better() {
    let against = estimated(&[(20_000, 600), (20_000, 400)]).arms[1].against_control.unwrap();
    assert!(against.p_anytime < 1e-6 && against.adjusted_p_value == 1.0 && !against.better);
    assert!(against.lift_anytime.high < 0.0);
}

#[test]
fn a_later_generation_has_less_to_spend() {
    let of = |generation| {
        let arms = vec![Standing::FIRST, Standing { generation, retired: false }];
        let design = Design::new(Metric::CLICKS, stopping(), arms).unwrap();
        judged(&estimate(&[even(&[(20_000, 400), (20_000, 511)])], &design))
    };
    assert_eq!((of(1), of(9)), ("winner 1".into(), "not shown better".into()));
}

/// The interval that is shown lies above zero exactly when the arm is shown to be better, whatever else is in question.
#[test]
fn picture_and_verdict_never_disagree() {
    let mut better = 0;
    for step in 0..400_u64 {
        let counts = [
            (20_000, 400),
            (20_000, 380 + step / 2),
            (20_000, 440 + (step * 7) % 90),
            (20_000, 470 + (step * 13) % 70),
        ];
        for arm in &estimated(&counts).arms[1..] {
            let against = arm.against_control.unwrap();
            assert_eq!(against.better, against.lift_anytime.low > 0.0, "{counts:?}: {against:?}");
            assert!(
                against.lift_anytime.low <= against.lift.estimate
                    && against.lift.estimate <= against.lift_anytime.high
            );
            better += usize::from(against.better);
        }
    }
    assert!((100..1000).contains(&better), "{better} of 1200, so both sides were seen");
}

#[test]
fn without_a_worthwhile_difference_an_experiment_ends() {
    let judged = |counts: &[(u64, u64)], lift| {
        let stopping = stopping().with_worthwhile_lift(lift).unwrap();
        let design = Design::new(Metric::CLICKS, stopping, vec![Standing::FIRST; counts.len()]).unwrap();
        judged(&estimate(&[even(counts)], &design))
    };
    let alike = [(200_000, 4_000), (200_000, 4_010), (200_000, 3_980)];
    assert_eq!(judged(&alike, 0.1), "nothing worthwhile");
    assert_eq!(judged(&alike, 0.02), "not shown better, loss too large");
    // One variant that may still be worth having is enough to go on.
    assert_eq!(judged(&[(200_000, 4_000), (200_000, 4_250), (200_000, 3_980)], 0.1), "not shown better");
    assert_eq!(judged(&[(200_000, 4_000), (200_000, 3_500), (200_000, 3_400)], 0.1), "control wins");
    assert_eq!(judged(&[(200_000, 4_000), (200_000, 4_800), (200_000, 3_980)], 0.1), "winner 1");
}

#[test]
fn when_the_time_is_up_nothing_more_is_claimed() {
    let of = |counts: &[(u64, u64)]| word(&judge(&estimated(counts), Remaining::Nothing));
    assert_eq!(of(&[(20_000, 400), (20_000, 430)]), "inconclusive, 1 leads");
    assert_eq!(of(&[(20_000, 400), (20_000, 600)]), "winner 1");
    assert_eq!(of(&[(0, 0), (0, 0)]), "no data");
}

/// Misses of a metric of which less is better are its rewards, mirrored.
#[test]
fn less_is_better_is_the_mirror_image() {
    let less = Metric { kind: Kind::Binary, direction: Direction::Minimize };
    let design = |metric| Design::new(metric, stopping(), vec![Standing::FIRST; 2]).unwrap();
    let of = |metric, control, arm| estimate(&[even(&[(20_000, control), (20_000, arm)])], &design(metric));
    let (bad, good) = (of(less, 400, 600), of(less, 600, 400));
    assert_eq!((judged(&bad), judged(&good)), ("control wins".into(), "winner 1".into()));
    let more = of(Metric::CLICKS, 600, 400).arms[1].against_control.unwrap();
    let against = good.arms[1].against_control.unwrap();
    assert_eq!(against.lift, more.lift, "a lift is one of the metric, whichever way is better");
    assert!((against.log_e_value - more.log_e_value).abs() < 1e-9);
    let off = |one: f64, other: f64| (one - other).abs() < 1e-9;
    assert!(
        off(against.lift_anytime.low, more.lift_anytime.low)
            && off(against.lift_anytime.high, more.lift_anytime.high)
    );
    assert!(off(against.lift_shrunken, more.lift_shrunken) && against.lift_shrunken < -0.1);
}

#[test]
fn values_have_verdicts_too() {
    let metric = Metric { kind: Kind::Value { cap: None }, direction: Direction::Maximize };
    let design = Design::new(metric, stopping(), vec![Standing::FIRST; 2]).unwrap();
    let sold =
        |buyers: f64| Totals { exposures: 20_000, rewards: 40.0 * buyers, squared_rewards: 4_000.0 * buyers };
    let of = |control, arm| {
        let cell = Cell::new(Allocation::even(2).unwrap(), vec![sold(control), sold(arm)]).unwrap();
        estimate(&[cell], &design)
    };
    assert_eq!(judged(&of(1_000.0, 1_300.0)), "winner 1");
    assert_eq!(judged(&of(1_000.0, 1_050.0)), "not shown better");
    assert_eq!(judged(&of(1_300.0, 1_000.0)), "control wins");
    let against = of(1_000.0, 1_300.0).arms[1].against_control.unwrap();
    assert!((against.lift.estimate - 0.3).abs() < 1e-9 && against.lift_anytime.low > 0.0);
    assert!((0.1..0.3).contains(&against.lift_shrunken));
    // Before there are some thirty sales on either side nothing is said.
    let few = of(20.0, 400.0).arms[1].against_control.unwrap();
    assert!(few.log_e_value == 0.0 && few.lift_anytime.high.is_infinite() && few.lift_shrunken == 0.0);
}

#[test]
fn order_of_cells_and_time_trends_do_not_matter_to_the_comparison() {
    // Rates triple in the second cell, where the share of the variant is nine times that of the control. Of the sums
    // the variant looks far better; cell by cell nothing differs.
    let shares = |parts: [u32; 2]| {
        Allocation::try_from(parts.map(|parts| PartsPerMillion::new(parts).unwrap()).to_vec()).unwrap()
    };
    let cells = [
        Cell::new(shares([500_000, 500_000]), vec![Totals::binary(50_000, 1_000); 2]).unwrap(),
        Cell::new(
            shares([100_000, 900_000]),
            vec![Totals::binary(10_000, 600), Totals::binary(90_000, 5_400)],
        )
        .unwrap(),
    ];
    let found = estimate(&cells, &design(2));
    let against = found.arms[1].against_control.unwrap();
    assert!((found.arms[1].p_best - 0.5).abs() < 0.02, "{}", found.arms[1].p_best);
    assert!(against.difference.estimate.abs() < 1e-12 && against.lift.estimate.abs() < 1e-12);
    assert!(!judged(&found).contains("winner"));
    let turned = estimate(&[cells[1].clone(), cells[0].clone()], &design(2));
    assert!((turned.arms[1].p_best - found.arms[1].p_best).abs() < 1e-12);
}

#[test]
fn what_is_no_experiment_is_refused() {
    let check = |cells: &[Cell], expected| {
        assert_eq!(experiment::estimate(cells, &design(2)).unwrap_err(), expected);
    };
    check(&[], EstimateError::NoCells);
    check(&[even(&[(1, 0); 2]), even(&[(1, 0); 3])], EstimateError::Arms { cell: 1, found: 3, expected: 2 });
    let value = Totals { exposures: 10, rewards: 7.5, squared_rewards: 20.0 };
    let cell = Cell::new(Allocation::even(2).unwrap(), vec![Totals::binary(10, 1), value]).unwrap();
    check(&[cell], EstimateError::Totals { cell: 0, arm: 1, fault: Fault::NotBinary });
}
