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

/// When a course was decided, in exposures; infinite where it was not.
struct Decided {
    /// The leader was named the winner.
    winner: f64,
    /// The best variant was shown to be better than the control, whoever leads and however small its lead is.
    better: f64,
    /// Over the whole course.
    lost: f64,
}

/// Row 4: how much traffic a verdict takes, and for comparison how much it takes until the best variant is shown to be
/// better than the control, before which no verdict can name it.
pub(crate) fn traffic(scale: f64) -> Vec<Line> {
    let runs = scaled(1000, scale);
    let five = |rule| {
        let world = World::steady(&FIVE, 200, 1000);
        decided(&Setting::new("", world, rule, 1.0, Some(20.0)), runs)
    };
    let split = decided(&Setting::new("", World::steady(&TWO20, 200, 500), Rule::Even, 0.0, None), runs);
    let (thompson, top_two, even) = (five(Rule::Thompson), five(Rule::TopTwo), five(Rule::Even));
    let lost = Line::mean("", &column(&even, |one| one.lost), Bound::Told).figure;
    let share = |name: &str, of: &[Decided], when: fn(&Decided) -> f64, bound| {
        let hits: Vec<bool> = of.iter().map(|one| when(one).is_finite()).collect();
        Line::share(name, &hits, bound)
    };
    let median = |name: &str, of: &[Decided], when: fn(&Decided) -> f64, bound| {
        Line::median(name, &column(of, when), bound)
    };
    let winner: fn(&Decided) -> f64 = |one| one.winner;
    let better: fn(&Decided) -> f64 = |one| one.better;
    vec![
        share("two20, even split: winner named", &split, winner, Bound::AtLeast(90.0)),
        median("two20, even split: exposures until the winner", &split, winner, Bound::AtMost(46_000.0)),
        median(
            "five, 20 %, Thompson: exposures until the winner",
            &thompson,
            winner,
            Bound::AtMost(80_000.0),
        ),
        median("five, 20 %, top-two: exposures until the winner", &top_two, winner, Bound::AtMost(86_000.0)),
        Line::mean(
            "five, 20 %, Thompson: clicks lost (naive: even split)",
            &column(&thompson, |one| one.lost),
            Bound::AtMost(0.5 * lost),
        )
        .beside(lost),
        share("two20, even split: best shown better than the control", &split, better, Bound::Told),
        median("two20, even split: exposures until that", &split, better, Bound::Told),
        median("five, 20 %, Thompson: until the best is shown better", &thompson, better, Bound::Told),
        median("five, 20 %, top-two: until the best is shown better", &top_two, better, Bound::Told),
        share("five, 20 %, Thompson: winner named within 200 000", &thompson, winner, Bound::Told),
        share("five, 20 %, top-two: winner named within 200 000", &top_two, winner, Bound::Told),
        median("five, 20 %, even split: exposures until the winner", &even, winner, Bound::Told),
    ]
}

fn column(outcomes: &[Decided], of: fn(&Decided) -> f64) -> Vec<f64> {
    outcomes.iter().map(of).collect()
}

fn decided(setting: &Setting, runs: u64) -> Vec<Decided> {
    worlds(runs, |seed| {
        let mut course = setting.course(seed);
        let (mut winner, mut better) = (f64::INFINITY, f64::INFINITY);
        while course.play() {
            let estimate = setting.estimate(course.cells());
            let now = course.exposures() as f64;
            if estimate.arms[setting.best()].against_control.expect("a variant").better {
                better = better.min(now);
            }
            if matches!(judge(&estimate, Remaining::Some), Verdict::Winner { .. }) {
                winner = winner.min(now);
            }
        }
        Decided { winner, better, lost: course.regret() }
    })
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
