//! P(best) and expected loss of experiments whose shares and rates move, against an independent fit (`oracles/common.py`).

#![expect(clippy::print_stdout, reason = "how far one is from a bound is worth reading: `-- --nocapture`")]

#[path = "oracles/cells.rs"]
mod cells;

use experiment::{Design, Standing, Stopping};

const ORACLE: &str = include_str!("oracles/common.csv");

/// P(best) within 10⁻⁵ absolutely, the expected loss within 10⁻⁵ of the leader's mean.
#[test]
fn what_moves_all_arms_alike_is_taken_out_as_an_independent_fit_does() {
    let (mut worst, mut wrong) = ([0.0_f64; 2], Vec::new());
    for line in ORACLE.lines() {
        let fields: Vec<&str> = line.split(';').collect();
        let [_, kind, direction, retired, text, expected @ ..] = &fields[..] else {
            panic!("not a case: {line}")
        };
        let retired: Vec<usize> = retired.split_terminator(',').map(|arm| arm.parse().unwrap()).collect();
        let standing = |arm| Standing { generation: 1, retired: retired.contains(&arm) };
        let arms = (0..expected.len()).map(standing).collect();
        let stopping = Stopping::new(0.95, 0.01).unwrap();
        let design = Design::new(cells::metric(kind, direction), stopping, arms).unwrap();
        let found = experiment::estimate(&cells::cells(text), &design).unwrap();
        let leader = &found.arms[found.leader];
        let scale = leader.rewards / leader.exposures as f64;
        for (arm, expected) in found.arms.iter().zip(expected) {
            let Some((p_best, loss)) = expected.split_once('/') else {
                assert_eq!(arm.p_best, 0.0, "a retired arm is not the best: {line}");
                continue;
            };
            let (p_best, loss): (f64, f64) = (p_best.parse().unwrap(), loss.parse().unwrap());
            let off = [(arm.p_best - p_best).abs(), (arm.expected_loss - loss).abs() / scale];
            worst = [worst[0].max(off[0]), worst[1].max(off[1])];
            if off.iter().any(|off| off.is_nan() || *off > 1e-5) {
                wrong.push(format!(
                    "{line}\n{} and {} instead of {p_best} and {loss}",
                    arm.p_best, arm.expected_loss
                ));
            }
        }
    }
    println!("P(best) off by at most {:e}, the loss by {:e} of the mean", worst[0], worst[1]);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
