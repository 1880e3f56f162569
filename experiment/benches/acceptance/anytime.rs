//! Rows 3, 4 and 14: what may be said at every look.

use experiment::simulation::World;
use experiment::{Remaining, Rule, Stopping, Verdict, judge};

use super::coverage::naive;
use super::line::{Bound, Line, percent};
use super::settings::{FIVE, NULL2, NULL10, Setting, TRENDS, TWO20, lin10, scaled, worlds};

/// Row 3: a true null that is ever rejected, and a lift that is ever outside its any-time interval.
pub(crate) fn false_alarms(scale: f64) -> Vec<Line> {
    let two = |rates: &[f64]| World::steady(rates, 100, 200);
    let many = |rates: &[f64]| World::steady(rates, 100, 1000);
    let settings: [(&str, World, f64, Option<f64>); 5] = [
        ("null2, floor 1 %", two(&NULL2), 1.0, None),
        ("null2, floor 5 %", two(&NULL2), 5.0, None),
        ("null10, floor 1 %, control 10 %", many(&NULL10), 1.0, Some(10.0)),
        ("two20, floor 1 %", two(&TWO20), 1.0, None),
        ("lin10, floor 1 %, control 10 %", many(&lin10()), 1.0, Some(10.0)),
    ];
    let mut lines = Vec::new();
    for (name, world, floor, control) in settings {
        for (trend_name, trend) in TRENDS {
            let setting = Setting::new(name, world.clone(), Rule::Thompson, floor, control)
                .with_trend(trend_name, trend);
            lines.extend(looks(&setting, scaled(1000, scale)));
        }
    }
    lines
}

struct Looked {
    /// Whether any variant was ever called better (or its interval left zero) wrongly.
    alarm: bool,
    naive: bool,
    /// Whether the best variant's lift was always covered.
    covered: bool,
}

fn looks(setting: &Setting, runs: u64) -> Vec<Line> {
    let arm = setting.best();
    let lift = setting.lift(arm);
    let null: Vec<usize> = (1..setting.world.arms.len()).filter(|&arm| setting.lift(arm) == 0.0).collect();
    let outcomes = worlds(runs, |seed| {
        let mut course = setting.course(seed);
        let mut looked = Looked { alarm: false, naive: false, covered: true };
        while course.play() {
            let estimate = setting.estimate(course.cells());
            let against = |arm: usize| estimate.arms[arm].against_control.expect("a variant");
            for &arm in &null {
                let limits = against(arm).lift_anytime;
                looked.alarm |= limits.low > 0.0 || limits.high < 0.0;
                let naive = naive(course.cells(), arm);
                looked.naive |= naive.low > 0.0 || naive.high < 0.0;
            }
            let limits = against(arm).lift_anytime;
            looked.covered &= limits.low <= lift && lift <= limits.high;
        }
        looked
    });
    let column = |of: fn(&Looked) -> bool| outcomes.iter().map(of).collect::<Vec<bool>>();
    let mut lines = Vec::new();
    if !null.is_empty() {
        let (naive, _) = percent(&column(|looked| looked.naive));
        let what = format!("{}: false alarm, ever", setting.name);
        lines.push(Line::share(what, &column(|looked| looked.alarm), Bound::AtMost(2.5)).beside(naive));
    }
    let what = format!("{}: lift covered, always", setting.name);
    lines.push(Line::share(what, &column(|looked| looked.covered), Bound::AtLeast(96.0)));
    lines
}

/// Row 4: how much traffic a verdict takes.
pub(crate) fn traffic(scale: f64) -> Vec<Line> {
    let two = Setting::new("two20, even split", World::steady(&TWO20, 200, 500), Rule::Even, 0.0, None);
    let five = |name, rule| Setting::new(name, World::steady(&FIVE, 200, 1000), rule, 1.0, Some(20.0));
    let runs = scaled(1000, scale);
    let decided = |setting: &Setting| -> Vec<(f64, f64)> {
        worlds(runs, |seed| {
            let mut course = setting.course(seed);
            let mut at = f64::INFINITY;
            while course.play() {
                let estimate = setting.estimate(course.cells());
                let best = estimate.arms[setting.best()].against_control.expect("a variant");
                if at.is_infinite() && best.better {
                    at = course.exposures() as f64;
                }
            }
            (at, course.regret())
        })
    };
    let times = |outcomes: &[(f64, f64)]| outcomes.iter().map(|outcome| outcome.0).collect::<Vec<f64>>();
    let regrets = |outcomes: &[(f64, f64)]| outcomes.iter().map(|outcome| outcome.1).collect::<Vec<f64>>();
    let hits =
        |outcomes: &[(f64, f64)]| outcomes.iter().map(|outcome| outcome.0.is_finite()).collect::<Vec<bool>>();
    let split = decided(&two);
    let thompson = decided(&five("five, control 20 %, Thompson", Rule::Thompson));
    let top_two = decided(&five("five, control 20 %, top-two", Rule::TopTwo));
    let even = decided(&five("five, control 20 %, even split", Rule::Even));
    let lost = Line::mean("", &regrets(&even), Bound::AtLeast(0.0)).figure;
    vec![
        Line::share("two20, even split: decided", &hits(&split), Bound::AtLeast(90.0)),
        Line::median("two20, even split: exposures", &times(&split), Bound::AtMost(46_000.0)),
        Line::median("five, control 20 %, Thompson: exposures", &times(&thompson), Bound::AtMost(80_000.0)),
        Line::mean(
            "five, control 20 %, Thompson: clicks lost",
            &regrets(&thompson),
            Bound::AtMost(0.5 * lost),
        )
        .beside(lost),
        Line::median("five, control 20 %, top-two: exposures", &times(&top_two), Bound::AtMost(86_000.0)),
    ]
}

/// Row 14: the lift that is shown at the moment of a decision.
pub(crate) fn lift_at_the_decision(scale: f64) -> Vec<Line> {
    let runs = scaled(2000, scale);
    let stopping = Stopping::new(0.95, 1.0).expect("sensible");
    let lines = [0.05, 0.1, 0.2].into_iter().flat_map(|lift| {
        let world = World::steady(&[0.02, 0.02 * (1.0 + lift)], 100, 1000);
        let setting = Setting::new("", world, Rule::Even, 0.0, None).with_stopping(stopping);
        let decided: Vec<(f64, f64, bool)> = worlds(runs, |seed| {
            let mut course = setting.course(seed);
            while course.play() {
                let estimate = setting.estimate(course.cells());
                if let Verdict::Winner { arm, evidence } = judge(&estimate, Remaining::Some) {
                    let plain = estimate.arms[arm].against_control.expect("a variant").lift;
                    let limits = evidence.lift_anytime;
                    return Some((
                        plain.estimate,
                        evidence.lift_shrunken,
                        limits.low <= lift && lift <= limits.high,
                    ));
                }
            }
            None
        })
        .into_iter()
        .flatten()
        .collect();
        let name = format!("true lift {:+.0} %", 100.0 * lift);
        let errors = |of: fn(&(f64, f64, bool)) -> f64| {
            decided.iter().map(|one| 100.0 * (of(one) - lift)).collect::<Vec<f64>>()
        };
        let covered: Vec<bool> = decided.iter().map(|one| one.2).collect();
        let plain = Line::mean("", &errors(|one| one.0), Bound::AtLeast(0.0)).figure;
        let mut shrunken = Line::mean(
            format!("{name}: error of the shrunken lift"),
            &errors(|one| one.1),
            Bound::Within(-0.5 * plain.abs(), 0.5 * plain.abs()),
        );
        shrunken.naive = Some(plain);
        [Line::share(format!("{name}: any-time interval covers"), &covered, Bound::AtLeast(97.0)), shrunken]
    });
    lines.collect()
}
