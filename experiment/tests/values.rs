//! The any-time test of values, and the evidence against a worthwhile lift, against an independent computation
//! (`oracles/values.py`).

#![expect(clippy::print_stdout, reason = "how far one is from a bound is worth reading: `-- --nocapture`")]

#[path = "oracles/cells.rs"]
mod cells;

use experiment::{Design, Standing, Stopping};

const ORACLE: &str = include_str!("oracles/values.csv");

#[test]
fn evidence_and_limits_are_right_to_eight_digits() {
    const NAMES: [&str; 5] = ["ln E", "lower lift", "upper lift", "shrunken lift", "ln E against worthwhile"];
    let (mut worst, mut wrong) = ([0.0_f64; 5], Vec::new());
    for line in ORACLE.lines() {
        let fields: Vec<&str> = line.split(';').collect();
        let [_, kind, direction, confidence, lift, text, expected @ ..] = &fields[..] else {
            panic!("not a case: {line}")
        };
        let cells = cells::cells(text);
        let stopping = Stopping::new(confidence.parse().unwrap(), 0.01).unwrap();
        let stopping = stopping.with_worthwhile_lift(lift.parse().unwrap()).unwrap();
        // A third arm is of another generation, so that the second one answers for itself alone.
        let generation = |arm| if arm < 2 { 1 } else { 2 };
        let arms = (0..cells[0].arms()).map(|arm| Standing { generation: generation(arm), retired: false });
        let design = Design::new(cells::metric(kind, direction), stopping, arms.collect()).unwrap();
        let found = experiment::estimate(&cells, &design).unwrap().arms[1].against_control.unwrap();
        let limits = found.lift_anytime;
        let evidence = found.log_e_not_worthwhile.unwrap();
        let figures = [found.log_e_value, limits.low, limits.high, found.lift_shrunken, evidence];
        for (part, (found, expected)) in figures.into_iter().zip(expected).enumerate() {
            let expected: f64 = expected.parse().unwrap();
            let off = if found.to_bits() == expected.to_bits() {
                0.0
            } else {
                (found - expected).abs() / expected.abs().max(1.0)
            };
            worst[part] = worst[part].max(off);
            if off.is_nan() || off > 1e-8 {
                wrong.push(format!("{line}\n{} {found} instead of {expected}", NAMES[part]));
            }
        }
    }
    println!("{NAMES:?} off by at most {worst:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
