//! Row 9: how long it takes, measured in the same run as everything else and never by a test.

use std::hint::black_box;
use std::time::Instant;

use experiment::{
    Allocation, AssignmentKey, Cell, Control, Design, Direction, EProcess, Metric, PartsPerMillion, Policy,
    Rule, Standing, Stopping, Totals,
};

use super::acceptance::line::{Bound, Line};

/// The shortest mean of many runs, in microseconds: what is longer was somebody else's work.
fn microseconds(mut work: impl FnMut()) -> f64 {
    const TIMES: u32 = 200;
    let mut shortest = f64::INFINITY;
    for _ in 0..40 {
        let begun = Instant::now();
        for _ in 0..TIMES {
            work();
        }
        shortest = shortest.min(begun.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES));
    }
    shortest
}

/// Ten arms in so many cells whose shares all differ.
fn cells(count: u32) -> Vec<Cell> {
    let cell = |round: u32| {
        let moved = 1_000 * round;
        let shares = (0..10).map(|arm| match arm {
            0 => 200_000 - moved,
            1 => 80_000 + moved,
            2..=8 => 80_000,
            _ => 160_000,
        });
        let shares: Vec<PartsPerMillion> = shares.filter_map(PartsPerMillion::new).collect();
        let totals = shares.iter().enumerate().map(|(arm, share)| {
            let exposures = u64::from(share.get()) / 50;
            Totals::binary(exposures, exposures * (20 + arm as u64) / 1_000)
        });
        let totals = totals.collect();
        Cell::new(Allocation::try_from(shares).expect("shares sum"), totals).expect("possible")
    };
    (0..count).map(cell).collect()
}

pub(crate) fn lines() -> Vec<Line> {
    let ppm = |parts: u32| PartsPerMillion::new(parts).expect("below a million");
    let stopping = Stopping::new(0.95, 0.01).expect("sensible");
    let design = Design::new(Metric::CLICKS, stopping, vec![Standing::FIRST; 10]).expect("arms");
    let policy =
        Policy::new(Rule::Thompson, 10, ppm(10_000), Control::Fixed(ppm(200_000)), 0).expect("shares fit");
    let (forty, one) = (cells(40), cells(1));
    let process = evidence(&forty);
    let key = AssignmentKey::new("0b0ba1c6-6f0b-4b8e-8a1c-1d2c5f6b7a89", "hero", 1);
    let line = |what: &str, figure, most| Line {
        what: format!("{what}, in µs"),
        figure,
        error: 0.0,
        naive: None,
        bound: Bound::AtMost(most),
    };
    let names = ["control", "cart-and-hero-hero-000001"];
    vec![
        line(
            "allocation of ten arms",
            microseconds(|| drop(black_box(experiment::allocate(black_box(&one), &design, &policy)))),
            25.0,
        ),
        line(
            "assignment, two arms",
            microseconds(|| {
                black_box(experiment::assign(
                    &key,
                    black_box(b"3f2a9c5be1d04478"),
                    names.iter().map(|name| (*name, ppm(500_000))),
                ));
            }),
            0.1,
        ),
        line(
            "estimates of ten arms, forty cells",
            microseconds(|| drop(black_box(experiment::estimate(black_box(&forty), &design)))),
            300.0,
        ),
        line(
            "verdict of an arm after one more cell",
            microseconds(|| {
                let mut process = process.clone();
                process.add(black_box(&one[0]));
                black_box(process.is_better(black_box(0.025)));
            }),
            5.0,
        ),
    ]
}

/// What is known of the best arm after all of `cells`: enough that no look can be cut short.
fn evidence(cells: &[Cell]) -> EProcess {
    let mut process = EProcess::new(9, Direction::Maximize);
    cells.iter().for_each(|cell| process.add(cell));
    assert!(process.log_e_value() > 0.0, "the arm is better");
    process
}
