//! The test of counts against shares, against an independent computation (`oracles/sample_ratio.py`).

#![expect(clippy::print_stdout, reason = "how far one is from a bound is worth reading: `-- --nocapture`")]

#[path = "oracles/cells.rs"]
mod cells;

use experiment::{Design, Standing, Stopping};

const ORACLE: &str = include_str!("oracles/sample_ratio.csv");

#[test]
fn evidence_of_a_mismatch_is_right_to_eight_digits() {
    let (mut worst, mut alarms): (f64, usize) = (0.0, 0);
    for line in ORACLE.lines() {
        let fields: Vec<&str> = line.split(';').collect();
        let [name, text, expected] = fields[..] else { panic!("not a case: {line}") };
        let (cells, expected) = (cells::cells(text), expected.parse::<f64>().unwrap());
        let stopping = Stopping::new(0.95, 0.01).unwrap();
        let arms = vec![Standing::FIRST; cells[0].arms()];
        let design = Design::new(cells::metric("binary", "maximize"), stopping, arms).unwrap();
        let found = experiment::estimate(&cells, &design).unwrap().sample_ratio;
        let off = (found.log_e_value - expected).abs() / expected.abs().max(1.0);
        assert!(off < 1e-8, "{name}: ln E {} instead of {expected}", found.log_e_value);
        assert_eq!(found.ok, expected < 1000_f64.ln(), "{name}");
        worst = worst.max(off);
        alarms += usize::from(!found.ok);
    }
    println!("ln E off by at most {worst:e}");
    assert!((4..ORACLE.lines().count()).contains(&alarms), "{alarms} alarms, so both answers were seen");
}
