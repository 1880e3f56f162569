//! Rows 5, 6 and 12: what shares cost, and how soon they find the best arm.

use experiment::simulation::{Trend, Truth, World};
use experiment::{Remaining, Rule, Verdict, judge};

use super::line::{Bound, Line};
use super::settings::{Setting, lin10, scaled, worlds};

/// Garivier & Cappé 2011, section 6: ten arms of low rates.
const GARIVIER_CAPPE: [f64; 10] = [0.1, 0.05, 0.05, 0.05, 0.02, 0.02, 0.02, 0.01, 0.01, 0.01];

/// Row 5: clicks lost by Thompson sampling, without floors, and what rounds of a hundredth of the horizon add.
pub(crate) fn regret(scale: f64) -> Vec<Line> {
    let scenario = |name: &str, rates: &[f64], horizon: u64, runs: u64, most: f64| {
        let lost = |rounds: u64| {
            let world = World::steady(rates, rounds as usize, horizon / rounds);
            let setting = Setting::new("", world, Rule::Thompson, 0.0, None);
            worlds(runs, |seed| {
                let mut course = setting.course(seed);
                while course.play() {}
                course.regret()
            })
        };
        let (short, long) = (lost(1000), lost(100));
        let even = horizon as f64
            * (rates.iter().copied().fold(0.0, f64::max) - rates.iter().sum::<f64>() / rates.len() as f64);
        let quick =
            Line::mean(format!("{name}, a thousand rounds: clicks lost"), &short, Bound::AtMost(most))
                .beside(even);
        let slow = Line::mean(
            format!("{name}, a hundred rounds: clicks lost"),
            &long,
            Bound::AtMost(1.05 * quick.figure),
        );
        [quick, slow]
    };
    let mut lines =
        scenario("Garivier–Cappé, T = 20 000", &GARIVIER_CAPPE, 20_000, scaled(1000, scale), 95.0).to_vec();
    lines.extend(scenario("lin10, T = 100 000", &lin10(), 100_000, scaled(1000, scale), 197.0));
    lines
}

/// Row 6: how soon the best of ten arms leads for certain, and is called the winner.
pub(crate) fn leader(scale: f64) -> Vec<Line> {
    let runs = scaled(600, scale);
    let world = World::steady(&lin10(), 600, 1000);
    let best = world.arms.len() - 1;
    let certain = |rule: Rule| -> Vec<(f64, bool)> {
        let setting = Setting::new("", world.clone(), rule, 1.0, None);
        worlds(runs, |seed| {
            let mut course = setting.course(seed);
            while course.play() {
                let chances = setting.p_best(course.cells());
                let leader = (0..chances.len())
                    .fold(0, |best, arm| if chances[arm] > chances[best] { arm } else { best });
                if chances[leader] >= 0.95 {
                    return (course.exposures() as f64, leader == best);
                }
            }
            (f64::INFINITY, false)
        })
    };
    let (top_two, even) = (certain(Rule::TopTwo), certain(Rule::Even));
    let exposures = |outcomes: &[(f64, bool)]| outcomes.iter().map(|outcome| outcome.0).collect::<Vec<f64>>();
    let hits = |outcomes: &[(f64, bool)]| outcomes.iter().map(|outcome| outcome.1).collect::<Vec<bool>>();
    let naive = Line::median("", &exposures(&even), Bound::AtLeast(0.0)).figure;
    let setting = Setting::new("", World::steady(&lin10(), 200, 1000), Rule::Thompson, 1.0, Some(10.0));
    let winners: Vec<(f64, bool)> = worlds(runs, |seed| {
        let mut course = setting.course(seed);
        while course.play() {
            if let Verdict::Winner { arm, .. } = judge(&setting.estimate(course.cells()), Remaining::Some) {
                return (course.exposures() as f64, arm == best);
            }
        }
        (f64::INFINITY, false)
    });
    vec![
        Line::median(
            "lin10, top-two to P(best) ≥ 95 %: exposures (naive: even split)",
            &exposures(&top_two),
            Bound::AtMost(72_000.0),
        )
        .beside(naive),
        Line::share(
            "lin10, top-two to P(best) ≥ 95 %: the best arm leads",
            &hits(&top_two),
            Bound::AtLeast(98.5),
        ),
        Line::median(
            "lin10, Thompson, control 10 %, to Winner: exposures",
            &exposures(&winners),
            Bound::AtMost(40_000.0),
        ),
        Line::share(
            "lin10, Thompson, control 10 %: the winner is the best",
            &hits(&winners),
            Bound::AtLeast(85.0),
        ),
    ]
}

/// Row 12: the best variant changes halfway; clicks lost after that, with and without a look-back of a tenth.
pub(crate) fn drift(scale: f64) -> Vec<Line> {
    let runs = scaled(400, scale);
    let changing = |rate, later_rate| Truth { later_rate, ..Truth::rate(rate) };
    let arms = vec![Truth::rate(0.02), changing(0.03, 0.02), changing(0.02, 0.03), Truth::rate(0.02)];
    let world = World { arms, trend: Trend::Steady, rounds: vec![1000; 100] };
    let setting = Setting::new("", world, Rule::Thompson, 1.0, Some(10.0));
    let lost_later = |setting: &Setting| {
        worlds(runs, |seed| {
            let mut course = setting.course(seed);
            let mut before = 0.0;
            while course.play() {
                if course.cells().len() == 50 {
                    before = course.regret();
                }
            }
            course.regret() - before
        })
    };
    let forgetful = setting.policy.with_look_back(10_000.0).expect("above 0");
    let without = Line::mean("", &lost_later(&setting), Bound::AtLeast(0.0)).figure;
    let with = lost_later(&Setting { policy: forgetful, ..setting });
    vec![
        Line::mean("clicks lost after the change (naive: no look-back)", &with, Bound::AtMost(0.5 * without))
            .beside(without),
    ]
}
