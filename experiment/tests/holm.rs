//! Adjusted any-time p-values and limits of many arms against statsmodels (`oracles/holm.py`).

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]
#![expect(clippy::print_stdout, reason = "how far one is from a bound is worth reading: `-- --nocapture`")]

#[path = "oracles/cells.rs"]
mod cells;

use experiment::{AgainstControl, Design, Standing, Stopping};

const ORACLE: &str = include_str!("oracles/holm.csv");

/// A generation, and `r` behind it where the arm is served no more.
fn standing(text: &str) -> Standing {
    Standing { generation: text.trim_end_matches('r').parse().unwrap(), retired: text.ends_with('r') }
}

/// By variant: what was found, and ln E, level, adjusted p-value, lower and upper lift as they should be.
fn compared(line: &str) -> Vec<(AgainstControl, Vec<f64>)> {
    let fields: Vec<&str> = line.split(';').collect();
    let [_, direction, confidence, standings, text, variants @ ..] = &fields[..] else {
        panic!("not a case: {line}")
    };
    let stopping = Stopping::new(confidence.parse().unwrap(), 0.01).unwrap();
    let arms = std::iter::once(Standing::FIRST).chain(standings.split(',').map(standing)).collect();
    let design = Design::new(cells::metric("binary", direction), stopping, arms).unwrap();
    let found = experiment::estimate(&cells::cells(text), &design).unwrap();
    let against = found.arms[1..].iter().map(|arm| arm.against_control.unwrap());
    let expected =
        variants.iter().map(|text| text.split('/').map(|figure| figure.parse().unwrap()).collect());
    against.zip(expected).collect()
}

#[test]
fn many_arms_are_adjusted_as_statsmodels_does() {
    let mut worst = [0.0_f64; 5];
    let mut better = 0;
    for line in ORACLE.lines() {
        for (arm, (found, expected)) in compared(line).iter().enumerate() {
            let limits = found.lift_anytime;
            let figures = [found.log_e_value, found.level, found.adjusted_p_value, limits.low, limits.high];
            for (part, (found, &expected)) in figures.into_iter().zip(expected).enumerate() {
                // A p-value may be far below one; everything else is as large as it is, or as one.
                let unit =
                    if part == 2 { expected.abs().max(f64::MIN_POSITIVE) } else { expected.abs().max(1.0) };
                let off =
                    if found.to_bits() == expected.to_bits() { 0.0 } else { (found - expected).abs() / unit };
                let name = ["ln E", "level", "adjusted p-value", "lower lift", "upper lift"][part];
                assert!(off < 1e-8, "{line}\nvariant {}: {name} {found} instead of {expected}", arm + 1);
                worst[part] = worst[part].max(off);
            }
            assert_eq!(found.better, expected[2] <= expected[1], "{line}\nvariant {}", arm + 1);
            better += usize::from(found.better);
        }
    }
    println!("off by at most {worst:?}");
    assert!(better >= 10, "{better} were shown to be better, so both answers were seen");
}
