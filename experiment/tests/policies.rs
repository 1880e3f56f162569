//! Shares against simulated Thompson sampling and against mabwiser (`oracles/policies.py`).

#![expect(clippy::print_stdout, reason = "how far one is from a bound is worth reading: `-- --nocapture`")]

#[path = "oracles/cells.rs"]
mod cells;

use experiment::{Control, Design, PartsPerMillion, Policy, Reason, Rule, Standing, Stopping, allocate};

const ORACLE: &str = include_str!("oracles/policies.csv");

/// How many standard errors of the simulation a share may be away, beside the one part in a million of its rounding.
const ERRORS: f64 = 5.0;

#[test]
fn shares_are_how_often_sampling_plays() {
    let mut worst: f64 = 0.0;
    for line in ORACLE.lines() {
        let fields: Vec<&str> = line.split(';').collect();
        let [name, rule, kind, direction, look_back, text, draws, played] = fields[..] else {
            panic!("not a case: {line}")
        };
        let rule = if rule == "TopTwo" { Rule::TopTwo } else { Rule::Thompson };
        let cells = cells::cells(text);
        let arms = cells[0].arms();
        let policy = Policy::new(rule, arms, PartsPerMillion::ZERO, Control::Competes, 0).unwrap();
        let policy = match look_back.parse() {
            Ok(exposures) => policy.with_look_back(exposures).unwrap(),
            Err(_) => policy,
        };
        let stopping = Stopping::new(0.95, 0.01).unwrap();
        let design =
            Design::new(cells::metric(kind, direction), stopping, vec![Standing::FIRST; arms]).unwrap();
        let found = allocate(&cells, &design, &policy);
        assert_eq!(found.reason, Reason::Rule(rule));
        let draws: f64 = draws.parse().unwrap();
        for (share, played) in found.allocation.shares().iter().zip(played.split(',')) {
            let (share, frequency) = (share.fraction(), played.parse::<f64>().unwrap() / draws);
            let error = (share.max(1e-6) * (1.0 - share) / draws).sqrt();
            let off = ((frequency - share).abs() - 1e-6).max(0.0) / error;
            assert!(off < ERRORS, "{name}, {rule:?}: {share} where {frequency} were played, {off} errors");
            worst = worst.max(off);
        }
    }
    println!("off by at most {worst} standard errors");
}
