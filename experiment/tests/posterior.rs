//! P(best) and expected loss against an independent computation (`oracles/posterior.py`).

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

use experiment::{Allocation, Cell, Design, Estimate, Metric, Standing, Stopping, Totals};

const ORACLE: &str = include_str!("oracles/posterior.csv");

/// One arm of the oracle: what was counted, and what is true.
struct Expected {
    totals: Totals,
    p_best: f64,
    expected_loss: f64,
}

fn parse(field: &str) -> Expected {
    let parts: Vec<&str> = field.split(':').collect();
    let [exposures, rewards, p_best, expected_loss] = parts[..] else { panic!("not an arm: {field}") };
    Expected {
        totals: Totals::binary(exposures.parse().unwrap(), rewards.parse().unwrap()),
        p_best: p_best.parse().unwrap(),
        expected_loss: expected_loss.parse().unwrap(),
    }
}

fn estimate(totals: Vec<Totals>) -> Estimate {
    let even = Allocation::even(totals.len()).unwrap();
    let stopping = Stopping::new(0.95, 0.01).unwrap();
    let design = Design::new(Metric::CLICKS, stopping, vec![Standing::FIRST; totals.len()]).unwrap();
    experiment::estimate(&[Cell::new(even, totals).unwrap()], &design).unwrap()
}

/// P(best) within 10⁻⁶ absolutely, the expected loss within 10⁻⁶ of the expected best rate.
#[test]
fn p_best_and_expected_loss_are_right_to_six_digits() {
    let (mut worst_chance, mut worst_loss): (f64, f64) = (0.0, 0.0);
    for line in ORACLE.lines() {
        let (name, arms) = line.split_once(';').unwrap();
        let expected: Vec<Expected> = arms.split(';').map(parse).collect();
        let found = estimate(expected.iter().map(|arm| arm.totals).collect());
        for (expected, found) in expected.iter().zip(&found.arms) {
            let best_rate = expected.expected_loss + (found.rewards + 1.0) / (found.exposures as f64 + 2.0);
            let chance = (found.p_best - expected.p_best).abs();
            let loss = (found.expected_loss - expected.expected_loss).abs() / best_rate;
            assert!(chance < 1e-6, "{name}: P(best) {} instead of {}", found.p_best, expected.p_best);
            assert!(
                loss < 1e-6,
                "{name}: loss {} instead of {}",
                found.expected_loss,
                expected.expected_loss
            );
            (worst_chance, worst_loss) = (worst_chance.max(chance), worst_loss.max(loss));
        }
    }
    // The quadrature is far better than it promises; a change that spends this margin should be a decision.
    assert!(
        worst_chance < 1e-7 && worst_loss < 1e-7,
        "P(best) off by {worst_chance:e}, loss by {worst_loss:e}"
    );
}

#[test]
fn the_oracle_covers_what_is_promised() {
    let arms = |line: &str| line.split(';').count() - 1;
    assert!(ORACLE.lines().count() >= 40);
    assert!(ORACLE.lines().any(|line| arms(line) == 2) && ORACLE.lines().any(|line| arms(line) == 100));
}

#[test]
fn the_published_example_comes_out() {
    // 240 of 10 000 against 200 of 10 000 from uniform priors.
    let found = estimate(vec![Totals::binary(10_000, 200), Totals::binary(10_000, 240)]);
    assert!((found.arms[1].p_best - 0.973_013_850).abs() < 1e-8);
    assert!((found.arms[1].expected_loss - 2.142_41e-5).abs() < 1e-10);
    assert_eq!(found.leader, 1);
}
