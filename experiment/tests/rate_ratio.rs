//! E-values, confidence sequences and shrunken lifts against an independent computation (`oracles/rate_ratio.py`).

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

use experiment::{
    AgainstControl, Allocation, Cell, Design, Metric, PartsPerMillion, Standing, Stopping, Totals,
};

const ORACLE: &str = include_str!("oracles/rate_ratio.csv");

/// A cell of three arms, of which the last takes what the pair leaves.
fn cell(text: &str) -> Cell {
    let parts: Vec<u64> = text.split('/').map(|part| part.parse().unwrap()).collect();
    let [control, arm, rewards_control, rewards_arm] = parts[..] else { panic!("not a cell: {text}") };
    let shares = [control, arm, 1_000_000 - control - arm];
    let shares = shares.map(|parts| PartsPerMillion::new(u32::try_from(parts).unwrap()).unwrap());
    let counted = |share: u64, rewards| Totals::binary(if share > 0 { 10_000_000 } else { 0 }, rewards);
    let totals = vec![counted(control, rewards_control), counted(arm, rewards_arm), Totals::default()];
    Cell::new(Allocation::try_from(shares.to_vec()).unwrap(), totals).unwrap()
}

fn against_control(cells: &[Cell]) -> AgainstControl {
    // The third arm is of another generation, so that the second one answers for itself alone.
    let arms = vec![Standing::FIRST, Standing::FIRST, Standing { generation: 2, retired: false }];
    let design = Design::new(Metric::CLICKS, Stopping::new(0.95, 0.01).unwrap(), arms).unwrap();
    experiment::estimate(cells, &design).unwrap().arms[1].against_control.unwrap()
}

#[track_caller]
fn check(name: &str, what: &str, found: f64, expected: f64) {
    let close = (found - expected).abs() <= 1e-8 * expected.abs().max(1.0);
    assert!(
        close || (found.is_infinite() && expected.is_infinite()),
        "{name}: {what} {found} instead of {expected}"
    );
}

#[test]
fn evidence_and_limits_are_right_to_eight_digits() {
    assert!(ORACLE.lines().count() >= 11);
    for line in ORACLE.lines() {
        let fields: Vec<&str> = line.split(';').collect();
        let [name, cells, figures @ ..] = &fields[..] else { panic!("not a case: {line}") };
        let expected: Vec<f64> = figures.iter().map(|figure| figure.parse().unwrap()).collect();
        let found = against_control(&cells.split('|').map(cell).collect::<Vec<_>>());
        check(name, "ln E", found.log_e_value, expected[0]);
        check(name, "lower lift", found.lift_anytime.low, expected[1]);
        check(name, "upper lift", found.lift_anytime.high, expected[2]);
        check(name, "shrunken lift", found.lift_shrunken, expected[3]);
        check(name, "p-value", found.p_anytime, (-expected[0]).exp().min(1.0));
    }
}

#[test]
fn a_cell_without_a_share_of_both_says_nothing() {
    let with =
        against_control(&[cell("500000/500000/200/240"), cell("0/500000/0/900"), cell("500000/0/800/0")]);
    let without = against_control(&[cell("500000/500000/200/240")]);
    assert_eq!(with.log_e_value.to_bits(), without.log_e_value.to_bits());
}
