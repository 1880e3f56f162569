//! How long an allocation takes: quadrature, floors and rounding. Ten arms should stay under 25 µs.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use experiment::{
    Allocation, AssignmentKey, Cell, Control, Design, Metric, PartsPerMillion, Policy, Rule, Standing,
    Stopping, Totals,
};

/// The exposures of an arm.
type Exposures = fn(usize) -> u64;

/// Cells of `arms` arms with `exposures` each, at rates from 2 % to 3 %.
fn cells(arms: usize, exposures: Exposures, rounds: usize) -> Vec<Cell> {
    let totals = |arm: usize| {
        let exposures = exposures(arm);
        Totals::binary(exposures, exposures * (20 + 10 * arm as u64 / arms as u64) / 1000)
    };
    let even = Allocation::even(arms).expect("arms");
    let cell = Cell::new(even, (0..arms).map(totals).collect()).expect("counts fit");
    vec![cell; rounds]
}

fn design(arms: usize) -> Design {
    let stopping = Stopping::new(0.95, 0.01).expect("sensible");
    let stopping = stopping.with_worthwhile_lift(0.1).expect("sensible");
    Design::new(Metric::CLICKS, stopping, vec![Standing::FIRST; arms]).expect("arms")
}

fn policy(arms: usize) -> Policy {
    let ppm = |parts: u32| PartsPerMillion::new(parts).expect("below a million");
    Policy::new(Rule::Thompson, arms, ppm(1_000), Control::Fixed(ppm(200_000)), 0).expect("fits")
}

fn allocate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("allocate (ten arms: limit 25 µs)");
    let mixed =
        |arm: usize| if arm.is_multiple_of(2) { 100 } else { 10_u64.pow(u32::try_from(arm).expect("small")) };
    let settings: [(&str, usize, Exposures); 5] = [
        ("two arms", 2, |_| 10_000),
        ("ten arms without data", 10, |_| 0),
        ("ten arms, 10000 exposures each", 10, |_| 10_000),
        ("ten arms, 100 to 1000000000 exposures", 10, mixed),
        ("hundred arms, 10000 exposures each", 100, |_| 10_000),
    ];
    for (name, arms, exposures) in settings {
        let (cells, design, policy) = (cells(arms, exposures, 1), design(arms), policy(arms));
        group.bench_with_input(BenchmarkId::from_parameter(name), &cells, |bencher, cells| {
            bencher.iter(|| experiment::allocate(black_box(cells), &design, &policy));
        });
    }
    group.finish();
}

fn estimate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("estimate");
    for (name, arms, rounds) in [
        ("ten arms, forty cells (limit 300 µs)", 10, 40),
        ("ten arms, sixty cells", 10, 60),
        ("two arms, one cell", 2, 1),
    ] {
        let (cells, design) = (cells(arms, |_| 1_000, rounds), design(arms));
        group.bench_function(name, |bencher| {
            bencher.iter(|| experiment::estimate(black_box(&cells), &design));
        });
    }
    group.finish();
}

fn assign(criterion: &mut Criterion) {
    let key = AssignmentKey::new("0b0ba1c6-6f0b-4b8e-8a1c-1d2c5f6b7a89", "hero", 1);
    let names: Vec<String> = (0..10).map(|arm| format!("cart-and-hero-hero-{arm:06x}")).collect();
    let tenth = PartsPerMillion::new(100_000).expect("below a million");
    criterion.bench_function("assign, ten arms", |bencher| {
        bencher.iter(|| {
            let arms = names.iter().map(|name| (name.as_str(), tenth));
            experiment::assign(&key, black_box(b"3f2a9c5be1d04478"), arms)
        });
    });
}

criterion_group!(benches, allocate, estimate, assign);
criterion_main!(benches);
