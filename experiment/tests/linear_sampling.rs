//! Shares of segments with features against mabwiser's linear Thompson sampling (`oracles/linear.py`).

#![expect(clippy::unwrap_used, reason = "a helper of a test, where a panic is the report")]
#![expect(clippy::print_stdout, reason = "how far one is from a bound is worth reading: `-- --nocapture`")]

#[path = "oracles/cells.rs"]
mod cells;

use experiment::{
    Control, Design, Features, PartsPerMillion, Policy, Reason, Rule, Standing, Stopping, allocate_linear,
};

const ORACLE: &str = include_str!("oracles/linear.csv");

/// How many standard errors of the simulation a share may be away, beside the one part in a million of its rounding.
const ERRORS: f64 = 5.0;

#[test]
fn shares_are_how_often_linear_sampling_shows() {
    let mut worst: f64 = 0.0;
    for line in ORACLE.lines() {
        let fields: Vec<&str> = line.split(';').collect();
        let [name, kind, direction, features, text, asked, shown] = fields[..] else {
            panic!("not a case: {line}")
        };
        let cells = cells::cells(text);
        let arms = cells[0].arms();
        let policy = Policy::new(Rule::Thompson, arms, PartsPerMillion::ZERO, Control::Competes, 0).unwrap();
        let stopping = Stopping::new(0.95, 0.01).unwrap();
        let metric = cells::metric(kind, direction);
        let design = Design::new(metric, stopping, vec![Standing::FIRST; arms]).unwrap();
        let features = Features::new(features.split('/').map(numbers).collect()).unwrap();
        let found = allocate_linear(&cells, &design, &policy, &features);
        let asked: f64 = asked.parse().unwrap();
        for (segment, (found, shown)) in found.iter().zip(shown.split('/')).enumerate() {
            assert_eq!(found.reason, Reason::LinearThompson);
            for (share, shown) in found.allocation.shares().iter().zip(numbers(shown)) {
                let (share, frequency) = (share.fraction(), shown / asked);
                let error = (share.max(1e-6) * (1.0 - share) / asked).sqrt();
                let off = ((frequency - share).abs() - 1e-6).max(0.0) / error;
                assert!(off < ERRORS, "{name}, segment {segment}: {share} where {frequency} were shown");
                worst = worst.max(off);
            }
        }
    }
    println!("off by at most {worst} standard errors");
}

fn numbers(text: &str) -> Vec<f64> {
    text.split(',').map(|number| number.parse().unwrap()).collect()
}
