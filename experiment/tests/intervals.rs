//! Intervals for one planned look against statsmodels and an independent computation (`oracles/intervals.py`).

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]
#![expect(clippy::print_stdout, reason = "how far one is from a bound is worth reading: `-- --nocapture`")]

#[path = "oracles/cells.rs"]
mod cells;

use experiment::{Cell, Design, Effect, Interval, Kind, Standing, Stopping, interval};

const ORACLE: &str = include_str!("oracles/intervals.csv");

struct Case {
    name: String,
    cells: Vec<Cell>,
    arm: usize,
    design: Design,
    /// Estimate, lower and upper limit of the arm, the control, the difference, the lift, and the control alone.
    expected: Vec<f64>,
    /// Limits of the difference and of the lift by scores, and of the lift by the delta method; a part may be missing.
    compared: Vec<f64>,
}

fn cases() -> Vec<Case> {
    let mut last = Vec::new();
    let case = |line: &str| {
        let fields: Vec<&str> = line.split(';').collect();
        let [name, confidence, kind, text, arm, figures @ ..] = &fields[..] else {
            panic!("not a case: {line}")
        };
        if !text.is_empty() {
            last = cells::cells(text);
        }
        let metric = cells::metric(kind, "maximize");
        let stopping = Stopping::new(confidence.parse().unwrap(), 0.01).unwrap();
        let figures: Vec<f64> = figures.iter().map(|figure| figure.parse().unwrap()).collect();
        Case {
            name: format!("{name}, arm {arm}"),
            arm: arm.parse().unwrap(),
            design: Design::new(metric, stopping, vec![Standing::FIRST; last[0].arms()]).unwrap(),
            cells: last.clone(),
            expected: figures[..15].to_vec(),
            compared: figures[15..].to_vec(),
        }
    };
    ORACLE.lines().map(case).collect()
}

impl Case {
    fn found(&self) -> [Interval; 5] {
        let Effect { arm, control, difference, lift, .. } =
            interval::effect(&self.cells, self.arm, &self.design);
        let alone = experiment::estimate(&self.cells, &self.design).unwrap().arms[0].mean;
        [arm, control, difference, lift, alone]
    }

    /// Whether nothing here is so small that a normal approximation is one of doubt.
    fn is_large(&self) -> bool {
        let totals = || self.cells.iter().flat_map(Cell::totals);
        totals().all(|totals| totals.rewards.min(totals.exposures as f64 - totals.rewards) >= 1_000.0)
    }
}

/// How far apart, in parts of `unit`; nothing where both are infinite or both unknown.
fn apart(found: f64, expected: f64, unit: f64) -> f64 {
    let same = found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan());
    if same { 0.0 } else { (found - expected).abs() / unit }
}

#[test]
fn intervals_are_right_to_nine_digits() {
    const NAMES: [&str; 5] = ["arm", "control", "difference", "lift", "control alone"];
    let (mut worst, mut wrong) = ([0.0_f64; 5], Vec::new());
    for case in cases() {
        for (part, (found, expected)) in case.found().iter().zip(case.expected.chunks(3)).enumerate() {
            let &[estimate, low, high] = expected else { panic!("not an interval") };
            // Of the limit itself; where that is next to nothing, of the width.
            let unit = |figure: f64| {
                let width = if high.is_finite() { high - low } else { 0.0 };
                figure.abs().max(if width.is_finite() { width } else { 0.0 })
            };
            for (found, expected) in [(found.estimate, estimate), (found.low, low), (found.high, high)] {
                let off = apart(found, expected, unit(expected));
                worst[part] = worst[part].max(off);
                if off.is_nan() || off > 1e-9 {
                    wrong.push(format!("{}: {} {found} instead of {expected}", case.name, NAMES[part]));
                }
            }
        }
    }
    println!("{NAMES:?} off by at most {worst:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where there are thousands of rewards all good intervals are nearly one: a formula that was misread would show here
/// whatever the oracle shares with the code.
#[test]
fn with_many_rewards_scores_give_nearly_the_same() {
    let mut compared = 0;
    let mut worst = [0.0_f64; 3];
    for case in cases().iter().filter(|case| case.compared.len() == 6 && case.is_large()) {
        let [_, _, difference, lift, _] = case.found();
        for (part, (found, limits)) in
            [difference, lift, lift].iter().zip(case.compared.chunks(2)).enumerate()
        {
            let width = found.high - found.low;
            for (found, expected) in [(found.low, limits[0]), (found.high, limits[1])] {
                if !expected.is_nan() {
                    worst[part] = worst[part].max(apart(found, expected, width));
                    compared += 1;
                }
            }
        }
    }
    println!("{compared} limits: scores off by {worst:?} of the width");
    assert!(
        compared >= 50 && worst[0] < 0.005 && worst[1] < 0.005 && worst[2] < 0.05,
        "{compared}: {worst:?}"
    );
}

#[test]
fn the_oracle_covers_what_is_promised() {
    let cases = cases();
    let has = |what: &dyn Fn(&Case) -> bool| cases.iter().any(what);
    assert!(has(&|case| case.cells.len() == 1) && has(&|case| case.cells.len() > 5));
    assert!(has(&|case| matches!(case.design.metric().kind, Kind::Value { .. })));
    assert!(has(&|case| case.cells.iter().any(|cell| cell.segment() > 0)));
    assert!(has(&|case| case.cells[0].allocation().shares()[case.arm].get() == 0));
    assert!(has(&|case| case.expected[0] > 0.9) && has(&|case| case.expected[0] < 2e-4));
}
