//! Rows 5, 6 and 12: what shares cost, and how soon they find the best arm.

use experiment::simulation::{Truth, World};
use experiment::{Cell, Remaining, Rule, Verdict, judge};

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
    let setting = |rule, control| Setting::new("", World::steady(&lin10(), 600, 1000), rule, 1.0, control);
    let certain = |setting: Setting| named(&setting, runs, |cells| certain(&setting.p_best(cells)));
    let (top_two, even) = (certain(setting(Rule::TopTwo, None)), certain(setting(Rule::Even, None)));
    let thompson = setting(Rule::Thompson, Some(10.0));
    let winners = named(&thompson, runs, |cells| match judge(&thompson.estimate(cells), Remaining::Some) {
        Verdict::Winner { arm, .. } => Some(arm),
        _ => None,
    });
    let [soon, right] = named_lines("lin10, top-two to P(best) ≥ 95 %", &top_two, 72_000.0, 98.5);
    let [quick, best] = named_lines("lin10, Thompson, control 10 %, to Winner", &winners, 40_000.0, 85.0);
    let [naive, naively_right] = named_lines("", &even, f64::INFINITY, 0.0);
    vec![soon.beside(naive.figure), right.beside(naively_right.figure), quick, best]
}

/// The arm that is the best with a chance of 95 % or more.
fn certain(chances: &[f64]) -> Option<usize> {
    chances.iter().position(|&chance| chance >= 0.95)
}

/// When an arm was named, in exposures, and whether it was the best one.
struct Named {
    exposures: f64,
    is_best: bool,
}

/// The first arm that `name` gives in each world.
fn named(setting: &Setting, runs: u64, name: impl Fn(&[Cell]) -> Option<usize> + Sync) -> Vec<Named> {
    worlds(runs, |seed| {
        let mut course = setting.course(seed);
        while course.play() {
            if let Some(arm) = name(course.cells()) {
                return Named { exposures: course.exposures() as f64, is_best: arm == setting.best() };
            }
        }
        Named { exposures: f64::INFINITY, is_best: false }
    })
}

fn named_lines(what: &str, outcomes: &[Named], most: f64, least: f64) -> [Line; 2] {
    let exposures: Vec<f64> = outcomes.iter().map(|named| named.exposures).collect();
    let best: Vec<bool> = outcomes.iter().map(|named| named.is_best).collect();
    [
        Line::median(format!("{what}: exposures"), &exposures, Bound::AtMost(most)),
        Line::share(format!("{what}: it is the best"), &best, Bound::AtLeast(least)),
    ]
}

/// Row 12: the best variant changes halfway; clicks lost after that, with and without a look-back of a tenth.
pub(crate) fn drift(scale: f64) -> Vec<Line> {
    let runs = scaled(400, scale);
    let changing = |rate, later_rate| Truth { later_rate, ..Truth::rate(rate) };
    let arms = vec![Truth::rate(0.02), changing(0.03, 0.02), changing(0.02, 0.03), Truth::rate(0.02)];
    let world = World { arms, rounds: vec![1000; 100], ..World::default() };
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
