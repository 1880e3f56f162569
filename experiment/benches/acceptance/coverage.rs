//! Rows 1 and 2: do fixed-look intervals cover the truth although a bandit chose the shares?

use experiment::simulation::{Trend, Truth, World, Worth};
use experiment::{Cell, Direction, Interval, Kind, Metric, Rule};

use super::line::{Bound, Line, percent};
use super::settings::{FIVE, NULL2, NULL10, Setting, TRENDS, TWO20, lin10, scaled, worlds};

const Z95: f64 = 1.959_963_984_540_054;

/// 95 % intervals of rates under Thompson sampling.
pub(crate) fn rates(scale: f64) -> Vec<Line> {
    let two = |rates: &[f64]| World::steady(rates, 100, 200);
    let many = |rates: &[f64]| World::steady(rates, 100, 1000);
    let settings: [(&str, World, Rule, f64, Option<f64>); 10] = [
        ("null2, floor 1 %", two(&NULL2), Rule::Thompson, 1.0, None),
        ("null2, floor 0.1 %", two(&NULL2), Rule::Thompson, 0.1, None),
        ("null2, floor 5 %", two(&NULL2), Rule::Thompson, 5.0, None),
        ("two20, floor 1 %", two(&TWO20), Rule::Thompson, 1.0, None),
        ("null10, floor 1 %", many(&NULL10), Rule::Thompson, 1.0, None),
        ("lin10, floor 1 %", many(&lin10()), Rule::Thompson, 1.0, None),
        ("lin10, floor 1 %, control 10 %", many(&lin10()), Rule::Thompson, 1.0, Some(10.0)),
        ("five, floor 1 %, control 20 %", many(&FIVE), Rule::Thompson, 1.0, Some(20.0)),
        ("five, top-two, floor 1 %", many(&FIVE), Rule::TopTwo, 1.0, None),
        ("null2, even split", two(&NULL2), Rule::Even, 0.0, None),
    ];
    let mut lines = Vec::new();
    for (name, world, rule, floor, control) in settings {
        for (trend_name, trend) in TRENDS {
            let setting =
                Setting::new(name, world.clone(), rule, floor, control).with_trend(trend_name, trend);
            let width = matches!(trend, Trend::Steady).then_some(1.22);
            lines.extend(covered(&setting, scaled(2000, scale), Bound::Within(93.5, 97.5), width));
        }
    }
    lines
}

/// 95 % intervals of revenue: five in a hundred buy, for log-normal amounts.
pub(crate) fn values(scale: f64) -> Vec<Line> {
    let buyer = |lift: f64, spread: f64| Truth {
        rate: 0.05,
        later_rate: 0.05,
        // The mean is that of spread 1, times 1 + lift.
        worth: Worth::LogNormal { location: 0.5 - 0.5 * spread * spread + f64::ln_1p(lift), spread },
    };
    let world = |arms: Vec<Truth>| World { arms, rounds: vec![1000; 40], ..World::default() };
    let two = |lift, spread| world(vec![buyer(0.0, 1.0), buyer(lift, spread)]);
    let sale = Trend::Sale { from: 0.7, until: 1.0, factor: 2.5 };
    let settings = [
        ("two equal, floor 1 %", two(0.0, 1.0), 1.0, None, Trend::Steady, 94.0),
        ("two equal, floor 5 %", two(0.0, 1.0), 5.0, None, Trend::Steady, 94.0),
        ("+15 %, floor 1 %", two(0.15, 1.0), 1.0, None, Trend::Steady, 94.0),
        ("+15 %, floor 5 %", two(0.15, 1.0), 5.0, None, Trend::Steady, 94.0),
        ("five equal, floor 1 %", world(vec![buyer(0.0, 1.0); 5]), 1.0, None, Trend::Steady, 94.0),
        ("five equal, floor 5 %", world(vec![buyer(0.0, 1.0); 5]), 5.0, None, Trend::Steady, 94.0),
        (
            "five equal, floor 1 %, control 20 %",
            world(vec![buyer(0.0, 1.0); 5]),
            1.0,
            Some(20.0),
            Trend::Steady,
            94.0,
        ),
        ("two equal, floor 1 %, sale", two(0.0, 1.0), 1.0, None, sale, 94.0),
        ("spread of the arm twofold", two(0.0, 1.35), 1.0, None, Trend::Steady, 92.5),
        ("spread of the arm twofold, floor 5 %", two(0.0, 1.35), 5.0, None, Trend::Steady, 92.5),
    ];
    let metric = Metric { kind: Kind::Value { cap: None }, direction: Direction::Maximize };
    let lines = settings.into_iter().flat_map(|(name, world, floor, control, trend, least)| {
        let setting = Setting::new(name, world, Rule::Thompson, floor, control)
            .with_trend("", trend)
            .with_metric(metric);
        covered(&setting, scaled(2000, scale), Bound::AtLeast(least), None)
    });
    lines.collect()
}

struct Covered {
    difference: bool,
    lift: bool,
    naive: bool,
    /// Ours over the naive one.
    width: f64,
}

/// How often the best variant's difference and lift are covered, and how wide the interval is.
fn covered(setting: &Setting, runs: u64, bound: Bound, width: Option<f64>) -> Vec<Line> {
    let (arm, control) = (setting.best(), setting.world.arms[0].mean());
    let lift = setting.lift(arm);
    let outcomes = worlds(runs, |seed| {
        let cells = setting.play(seed);
        let against = setting.estimate(&cells).arms[arm].against_control.expect("a variant");
        let naive = naive(&cells, arm);
        let holds = |interval: &Interval, truth: f64| (interval.low..=interval.high).contains(&truth);
        Covered {
            difference: holds(&against.difference, control * lift),
            lift: holds(&against.lift, lift),
            naive: holds(&naive, control * lift),
            width: (against.difference.high - against.difference.low) / (naive.high - naive.low),
        }
    });
    let column = |of: fn(&Covered) -> bool| outcomes.iter().map(of).collect::<Vec<bool>>();
    let name = &setting.name;
    let mut lines = Vec::new();
    // Under a trend there is no one difference, unless it is none.
    if setting.world.trends.iter().all(|trend| *trend == Trend::Steady) || lift == 0.0 {
        let (naive, _) = percent(&column(|covered| covered.naive));
        let line = Line::share(format!("{name}: difference"), &column(|covered| covered.difference), bound);
        lines.push(line.beside(naive));
    }
    lines.push(Line::share(format!("{name}: lift"), &column(|covered| covered.lift), bound));
    if let Some(most) = width {
        let widths: Vec<f64> = outcomes.iter().map(|covered| covered.width).collect();
        lines.push(Line::median(format!("{name}: width over naive"), &widths, Bound::AtMost(most)));
    }
    lines
}

/// The ordinary interval of pooled means.
pub(crate) fn naive(cells: &[Cell], arm: usize) -> Interval {
    let moments = |arm: usize| {
        let sums = cells.iter().map(|cell| cell.totals()[arm]);
        let (n, y, yy) = sums.fold((0.0, 0.0, 0.0), |(n, y, yy), totals| {
            (n + totals.exposures as f64, y + totals.rewards, yy + totals.squared_rewards)
        });
        let mean = y / n;
        (mean, (yy / n - mean * mean) / n)
    };
    let ((mean, variance), (control, control_variance)) = (moments(arm), moments(0));
    let half = Z95 * (variance + control_variance).sqrt();
    let estimate = mean - control;
    Interval { estimate, low: estimate - half, high: estimate + half }
}
