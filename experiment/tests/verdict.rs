//! Estimates and verdicts of totals that were written down.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

use experiment::{
    Allocation, Candidates, Cell, Estimate, EstimateError, Missing, PartsPerMillion, Stopping, StoppingError,
    Totals, Verdict, estimate_among, judge,
};

fn stopping(generation: u32) -> Stopping {
    Stopping::new(0.95, 0.01, generation).unwrap()
}

/// An even split over arms of (exposures, rewards), the control first.
fn even(counts: &[(u64, u64)]) -> Cell {
    let totals = counts.iter().map(|&(exposures, rewards)| Totals::binary(exposures, rewards)).collect();
    Cell::new(Allocation::even(counts.len()).unwrap(), totals).unwrap()
}

fn estimated(counts: &[(u64, u64)]) -> Estimate {
    experiment::estimate(&[even(counts)], &stopping(1)).unwrap()
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
        Verdict::Collecting { missing: list, .. } => list.iter().map(missing).collect::<Vec<_>>().join(", "),
    }
}

#[test]
fn a_winner_leads_is_better_and_loses_little() {
    let check = |counts: &[(u64, u64)], expected: &str| {
        assert_eq!(word(&judge(&estimated(counts), &stopping(1))), expected, "{counts:?}");
    };
    check(&[(20_000, 400), (20_000, 600)], "winner 1");
    check(&[(20_000, 400), (20_000, 480), (20_000, 700)], "winner 2");
    check(&[(20_000, 400), (20_000, 430)], "not shown better");
    check(&[(2_000, 40), (2_000, 43)], "not shown better, loss too large");
    // Two variants far above the control, and no telling which is the better one.
    check(&[(20_000, 400), (20_000, 690), (20_000, 700)], "loss too large");
    check(&[(20_000, 600), (20_000, 400)], "control leads");
    check(&[(2_000, 41), (2_000, 40)], "control leads, loss too large");
    check(&[(0, 0), (0, 0)], "control leads, loss too large");
    // A certain best by P(best) alone: 97 % against 95 % asked.
    check(&[(10_000, 200), (10_000, 240)], "not shown better");
    check(&[(100, 5)], "control leads");
}

#[test]
fn what_is_missing_comes_with_its_figures() {
    let estimate = estimated(&[(2_000, 40), (2_000, 43)]);
    let Verdict::Collecting { leader: 1, missing } = judge(&estimate, &stopping(1)) else {
        panic!("a winner")
    };
    let leader = &estimate.arms[1];
    let expected = [
        Missing::BetterThanControl {
            adjusted_p_value: leader.against_control.unwrap().adjusted_p_value,
            level: stopping(1).level(),
        },
        Missing::SmallLoss { relative_loss: leader.relative_loss(), maximum_loss: 0.01 },
    ];
    assert_eq!(missing, expected);
    assert!(leader.p_best > 0.5 && leader.relative_loss() > 0.01);
}

#[test]
fn evidence_is_that_of_the_winner() {
    let estimate = estimated(&[(20_000, 400), (20_000, 600)]);
    let Verdict::Winner { arm: 1, evidence } = judge(&estimate, &stopping(1)) else { panic!("no winner") };
    assert_eq!((evidence.exposures, evidence.control_exposures), (20_000, 20_000));
    assert!(evidence.adjusted_p_value <= evidence.level && evidence.relative_loss <= evidence.maximum_loss);
    assert!(evidence.lift.lower > 0.0 && evidence.lift.lower < 0.5 && evidence.lift.upper > 0.5);
    assert!(
        evidence.shrunken_lift > 0.3 && evidence.shrunken_lift < 0.5,
        "shrunken below the raw lift of 50 %"
    );
}

#[test]
fn every_arm_that_was_ever_served_counts() {
    let adjusted = |cells: &[Cell], candidates: &Candidates| {
        let estimate = estimate_among(cells, candidates, &stopping(1)).unwrap();
        estimate.arms[1].against_control.unwrap().adjusted_p_value
    };
    let counts = [(20_000, 400), (20_000, 520), (20_000, 380), (20_000, 410)];
    let alone = adjusted(&[even(&counts[..2])], &Candidates::all());
    let three = adjusted(&[even(&counts)], &Candidates::all());
    assert!((three / alone - 3.0).abs() < 1e-9, "Holm over three arms, {three} against {alone}");
    let retired = adjusted(&[even(&counts)], &Candidates::without(&[2, 3]));
    assert_eq!(retired.to_bits(), three.to_bits(), "retiring arms must not make the others look better");
    let half = PartsPerMillion::new(500_000).unwrap();
    let shares = vec![half, half, PartsPerMillion::ZERO, PartsPerMillion::ZERO];
    let totals =
        vec![Totals::binary(20_000, 400), Totals::binary(20_000, 520), Totals::default(), Totals::default()];
    let unserved = adjusted(&[Cell::new(shares.try_into().unwrap(), totals).unwrap()], &Candidates::all());
    assert_eq!(unserved.to_bits(), alone.to_bits(), "an arm that nobody saw is no question yet");
}

#[test]
fn a_retired_arm_neither_leads_nor_counts_as_the_best() {
    let cells = [even(&[(20_000, 400), (20_000, 520), (20_000, 900)])];
    let estimate = estimate_among(&cells, &Candidates::without(&[2]), &stopping(1)).unwrap();
    assert_eq!((estimate.leader, estimate.arms[2].p_best), (1, 0.0));
    assert_eq!(word(&judge(&estimate, &stopping(1))), "winner 1");
    let all_retired = estimate_among(&cells, &Candidates::without(&[0, 1, 2]), &stopping(1)).unwrap();
    assert_eq!((all_retired.leader, all_retired.arms[0].p_best), (0, 1.0));
}

#[test]
fn an_arm_below_the_control_is_never_shown_better() {
    let estimate = estimated(&[(20_000, 600), (20_000, 400)]);
    let against = estimate.arms[1].against_control.unwrap();
    assert!(against.p_value < 1e-6 && against.adjusted_p_value == 1.0 && !against.better);
    assert!(against.lift.upper < 0.0);
}

#[test]
fn generations_spend_one_alpha_together() {
    let spent: f64 = (1..=100_000).map(|generation| stopping(generation).level()).sum();
    assert!((0.0499..0.05).contains(&spent), "{spent}");
    let counts = [(20_000, 400), (20_000, 511)];
    let word_of = |generation| word(&judge(&estimated(&counts), &stopping(generation)));
    assert_eq!((word_of(1), word_of(9)), ("winner 1".into(), "not shown better".into()));
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
    let estimate = experiment::estimate(&cells, &stopping(1)).unwrap();
    assert!(estimate.arms[1].p_best > 0.999);
    assert_eq!(word(&judge(&estimate, &stopping(1))), "not shown better");
    let turned = experiment::estimate(&[cells[1].clone(), cells[0].clone()], &stopping(1)).unwrap();
    assert_eq!(turned.arms[1].p_best.to_bits(), estimate.arms[1].p_best.to_bits());
}

#[test]
fn what_is_no_experiment_is_refused() {
    let check = |cells: &[Cell], expected| {
        assert_eq!(experiment::estimate(cells, &stopping(1)).unwrap_err(), expected);
    };
    check(&[], EstimateError::NoCells);
    check(&[even(&[(1, 0); 2]), even(&[(1, 0); 3])], EstimateError::Arms { cell: 1, found: 3, expected: 2 });
    let value = Totals { exposures: 10, rewards: 7.5, squared_rewards: 20.0 };
    let cell = Cell::new(Allocation::even(2).unwrap(), vec![Totals::binary(10, 1), value]).unwrap();
    check(&[cell], EstimateError::NotBinary { cell: 0, arm: 1 });
}

#[test]
fn stopping_rules_without_sense_are_refused() {
    let check = |confidence, maximum_loss, generation, expected| {
        assert_eq!(Stopping::new(confidence, maximum_loss, generation).err(), expected);
    };
    check(0.95, 0.01, 1, None);
    check(1.0, 0.01, 1, Some(StoppingError::Confidence(1.0)));
    check(0.05, 0.01, 1, Some(StoppingError::Confidence(0.05)));
    check(0.95, 0.0, 1, Some(StoppingError::MaximumLoss(0.0)));
    check(0.95, 1.5, 1, Some(StoppingError::MaximumLoss(1.5)));
    check(0.95, 0.01, 0, Some(StoppingError::Generation));
    assert!(Stopping::new(f64::NAN, 0.01, 1).is_err() && Stopping::new(0.95, f64::NAN, 1).is_err());
}
