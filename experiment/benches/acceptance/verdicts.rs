//! Rows 7, 11, 13, 15 and 16: exact coverage, ends without a winner, returning people, generations, segments.

use experiment::simulation::{Counted, Course, People, Segment, Truth, World};
use experiment::{
    Allocation, Cell, Control, Design, Metric, Policy, Remaining, Rule, Standing, Stopping, Totals, Verdict,
    estimate, judge,
};

use super::line::{Bound, Line};
use super::settings::{Setting, percent, scaled, worlds};

/// Row 7: coverage of one planned look on an even or uneven split, by enumeration: no simulation, so no error.
pub(crate) fn enumerated(_: f64) -> Vec<Line> {
    let sizes = [(500, 500), (2_000, 2_000), (10_000, 10_000), (20_000, 1_000)];
    let rates = [(0.01, 0.01), (0.012, 0.01), (0.024, 0.02), (0.03, 0.03), (0.03, 0.01)];
    let cases: Vec<_> =
        sizes.iter().flat_map(|&size| rates.iter().map(move |&rates| (size, rates))).collect();
    let covered = worlds(cases.len() as u64, |case| {
        let ((n, control_n), (p, control_p)) = cases[case as usize - 1];
        exact(n, control_n, p, control_p)
    });
    cases
        .iter()
        .zip(covered)
        .flat_map(|(((n, control_n), (p, control_p)), (difference, lift))| {
            let name = format!("{n} at {} %, control {control_n} at {} %", 100.0 * p, 100.0 * control_p);
            let line = |what: &str, figure: f64| Line {
                what: format!("{name}: {what}"),
                figure: 100.0 * figure,
                error: 0.0,
                naive: None,
                bound: Bound::Within(94.9, 96.5),
            };
            [line("difference", difference), line("lift", lift)]
        })
        .collect()
}

/// The chance that the difference and the lift are covered.
fn exact(n: u64, control_n: u64, p: f64, control_p: f64) -> (f64, f64) {
    let share = percent(100.0 * control_n as f64 / (n + control_n) as f64);
    let rest = percent(100.0 - 100.0 * share.fraction());
    let allocation = Allocation::try_from(vec![share, rest]).expect("shares sum");
    let design = design(2, 1);
    let (mut difference, mut lift) = (0.0, 0.0);
    for (s, chance) in likely(n, p) {
        for (control_s, control_chance) in likely(control_n, control_p) {
            let totals = vec![Totals::binary(control_n, control_s), Totals::binary(n, s)];
            let cell = Cell::new(allocation.clone(), totals).expect("possible");
            let against = experiment::interval::effect(&[cell], 1, &design);
            let covers =
                |interval: &experiment::Interval, truth: f64| interval.low <= truth && truth <= interval.high;
            difference +=
                chance * control_chance * f64::from(u8::from(covers(&against.difference, p - control_p)));
            lift += chance * control_chance * f64::from(u8::from(covers(&against.lift, p / control_p - 1.0)));
        }
    }
    (difference, lift)
}

/// The counts that are not all but impossible, with their chances, which sum to 1.
fn likely(n: u64, p: f64) -> Vec<(u64, f64)> {
    let (mean, deviation) = (n as f64 * p, (n as f64 * p * (1.0 - p)).sqrt());
    let (low, high) =
        ((mean - 8.0 * deviation - 8.0).max(0.0) as u64, (mean + 8.0 * deviation + 12.0) as u64);
    let log_factorial = |k: u64| statrs::function::gamma::ln_gamma(k as f64 + 1.0);
    let log_chance = |k: u64| {
        log_factorial(n) - log_factorial(k) - log_factorial(n - k)
            + k as f64 * p.ln()
            + (n - k) as f64 * (1.0 - p).ln()
    };
    let chances: Vec<(u64, f64)> = (low..=high.min(n)).map(|k| (k, log_chance(k).exp())).collect();
    let total: f64 = chances.iter().map(|(_, chance)| chance).sum();
    chances.into_iter().map(|(k, chance)| (k, chance / total)).collect()
}

fn design(arms: usize, generation: u32) -> Design {
    let standing = Standing { generation, retired: false };
    Design::new(Metric::CLICKS, Stopping::new(0.95, 0.01).expect("sensible"), vec![standing; arms])
        .expect("arms")
}

/// The sample size per variant that a planned test of +10 % on 2 % needs, at 5 % and a power of 80 %.
const PLANNED: u64 = 80_681;

/// Row 11: how soon five equal arms end, and what never ends so.
pub(crate) fn nothing_worthwhile(scale: f64) -> Vec<Line> {
    let runs = scaled(500, scale);
    let stopping =
        Stopping::new(0.95, 0.01).and_then(|rule| rule.with_worthwhile_lift(0.1)).expect("sensible");
    let rounds = 100;
    let world = |rates: &[f64]| World::steady(rates, rounds, 5 * PLANNED * 5 / 2 / rounds as u64);
    let ends = |rates: &[f64], rule: Rule| -> Vec<(f64, Verdict)> {
        let setting = Setting::new("", world(rates), rule, 1.0, None).with_stopping(stopping);
        worlds(runs, |seed| {
            let mut course = setting.course(seed);
            while course.play() {
                let verdict = judge(&setting.estimate(course.cells()), Remaining::Some);
                if !matches!(verdict, Verdict::Collecting { .. }) {
                    return (course.exposures() as f64 / (5 * PLANNED) as f64, verdict);
                }
            }
            (f64::INFINITY, judge(&setting.estimate(course.cells()), Remaining::Nothing))
        })
    };
    let without =
        |verdict: &Verdict| matches!(verdict, Verdict::NoWorthwhileDifference { .. } | Verdict::ControlWins);
    let within = |outcomes: &[(f64, Verdict)], times: f64| {
        outcomes.iter().map(|(time, verdict)| *time <= times && without(verdict)).collect::<Vec<bool>>()
    };
    let winners = |outcomes: &[(f64, Verdict)]| {
        outcomes.iter().map(|(_, verdict)| matches!(verdict, Verdict::Winner { .. })).collect::<Vec<bool>>()
    };
    let equal = [0.02; 5];
    let (even, top_two) = (ends(&equal, Rule::Even), ends(&equal, Rule::TopTwo));
    let worth_having = ends(&[0.02, 0.02, 0.02, 0.02, 0.022], Rule::TopTwo);
    let wrongly: Vec<bool> = worth_having.iter().map(|(_, verdict)| without(verdict)).collect();
    vec![
        Line::share(
            "even split: ended within 1.5 × the planned size",
            &within(&even, 1.5),
            Bound::AtLeast(45.0),
        ),
        Line::share("even split: ended within 2.5 ×", &within(&even, 2.5), Bound::AtLeast(80.0)),
        Line::share("top-two, floor 1 %: ended within 1.5 ×", &within(&top_two, 1.5), Bound::AtLeast(30.0)),
        Line::share("top-two, floor 1 %: ended within 2.5 ×", &within(&top_two, 2.5), Bound::AtLeast(60.0)),
        Line::share("even split: false winner", &winners(&even), Bound::AtMost(2.5)),
        Line::share("top-two: false winner", &winners(&top_two), Bound::AtMost(2.5)),
        Line::share("top-two, one variant +10 %: wrongly ended so", &wrongly, Bound::AtMost(5.0)),
    ]
}

/// Row 13: two thousand people who come back for sixty rounds, each with a rate of their own; no difference.
pub(crate) fn returning(scale: f64) -> Vec<Line> {
    let runs = scaled(2000, scale);
    let mut lines = Vec::new();
    for (name, counted, reseeded_every) in [
        ("once per seed", Counted::OncePerSeed, None),
        ("per round, reseeded", Counted::EveryRound, Some(1)),
        ("per round, one seed (not what we do)", Counted::EveryRound, None),
    ] {
        let people = People { number: 2_000, visits: 0.5, counted, reseeded_every };
        let world = World { people: Some(people), ..World::steady(&[0.05; 2], 60, 0) };
        let setting = Setting::new("", world, Rule::Even, 0.0, None);
        let outcomes = worlds(runs, |seed| come_back(&setting, seed));
        let column = |of: fn(&Returned) -> bool| outcomes.iter().map(of).collect::<Vec<bool>>();
        let is_wrong = counted == Counted::EveryRound && reseeded_every.is_none();
        let bounded = |bound| if is_wrong { Bound::AtLeast(0.0) } else { bound };
        lines.push(Line::share(
            format!("counted {name}: difference"),
            &column(|one| one.covered),
            bounded(Bound::Within(93.5, 97.5)),
        ));
        lines.push(Line::share(
            format!("counted {name}: false alarm, ever"),
            &column(|one| one.alarm),
            bounded(Bound::AtMost(2.5)),
        ));
        lines.push(Line::share(
            format!("counted {name}: sample-ratio alarm, ever"),
            &column(|one| one.mismatch),
            bounded(Bound::AtMost(0.5)),
        ));
    }
    lines
}

#[derive(Default)]
struct Returned {
    covered: bool,
    alarm: bool,
    mismatch: bool,
}

fn come_back(setting: &Setting, seed: u64) -> Returned {
    let mut course = setting.course(seed);
    let mut returned = Returned::default();
    while course.play() {
        let found = setting.estimate(course.cells());
        let against = found.arms[1].against_control.expect("a variant");
        returned.covered = against.difference.low <= 0.0 && 0.0 <= against.difference.high;
        returned.alarm |= against.lift_anytime.low > 0.0 || against.lift_anytime.high < 0.0;
        returned.mismatch |= !found.sample_ratio.ok;
    }
    returned
}

/// Row 15: a campaign that replaces its five challengers twenty times, none of which is better. Retired challengers can't
/// win, so each generation is first played by itself, at the level that it may spend; then all in one experiment, whose
/// estimate holds those that were retired.
pub(crate) fn generations(scale: f64) -> Vec<Line> {
    let policy =
        Policy::new(Rule::Thompson, 6, percent(1.0), Control::Fixed(percent(20.0)), 0).expect("shares fit");
    let world = World::steady(&[0.02; 6], 20, 3_000);
    let apart = worlds(scaled(400, scale), |seed| {
        (1..=GENERATIONS).any(|generation| {
            let design = design(6, generation);
            names_a_winner(Course::new(&world, &design, &policy, 1000 * seed + u64::from(generation)))
        })
    });
    let (world, design) = replaced();
    let together =
        worlds(scaled(100, scale), |seed| names_a_winner(Course::new(&world, &design, &policy, seed)));
    vec![
        Line::share("a false winner in any of twenty generations", &apart, Bound::AtMost(5.0)),
        Line::share("the same in one estimate with all that were retired", &together, Bound::AtMost(5.0)),
    ]
}

const GENERATIONS: u32 = 20;

/// Whether any variant is ever called a winner.
fn names_a_winner(mut course: Course) -> bool {
    let mut winner = false;
    while course.play() {
        let found = estimate(course.cells(), &course.design()).expect("possible");
        winner |= matches!(judge(&found, Remaining::Some), Verdict::Winner { .. });
    }
    winner
}

/// Twenty rounds for each generation, after ten of which two of its five challengers are taken away.
fn replaced() -> (World, Design) {
    let variants = (0..GENERATIONS).flat_map(|generation| (0..5).map(move |arm| (generation, arm)));
    let rounds = |(generation, arm): (u32, usize)| {
        let from = 20 * generation as usize;
        from..from + if arm < 3 { 20 } else { 10 }
    };
    let standing = |(generation, _): (u32, usize)| Standing { generation: 1 + generation, retired: false };
    let standings: Vec<Standing> =
        [Standing::FIRST].into_iter().chain(variants.clone().map(standing)).collect();
    let steady = World::steady(&vec![0.02; standings.len()], 20 * GENERATIONS as usize, 3_000);
    let always = 0..steady.rounds.len();
    let served = std::iter::once(always).chain(variants.map(rounds)).collect();
    let stopping = Stopping::new(0.95, 0.01).expect("sensible");
    let design = Design::new(Metric::CLICKS, stopping, standings).expect("arms");
    (World { served, ..steady }, design)
}

/// Row 16: two segments of different rates, whose shares move apart, without any difference.
pub(crate) fn segments(scale: f64) -> Vec<Line> {
    let segment = |share, rate| Segment { share, arms: vec![Truth::rate(rate); 3] };
    let segments = vec![segment(0.6, 0.01), segment(0.4, 0.04)];
    let world = World { segments, ..World::steady(&[0.0; 3], 60, 1_000) };
    let setting = Setting::new("", world, Rule::Thompson, 1.0, Some(20.0));
    let outcomes: Vec<(bool, bool, bool)> = worlds(scaled(1000, scale), |seed| {
        let mut course = setting.course(seed);
        let (mut alarm, mut covered, mut pooled) = (false, false, false);
        while course.play() {
            let found = setting.estimate(course.cells());
            let against = |arm: usize| found.arms[arm].against_control.expect("a variant");
            alarm |=
                (1..3).any(|arm| against(arm).lift_anytime.low > 0.0 || against(arm).lift_anytime.high < 0.0);
            covered = against(1).difference.low <= 0.0 && 0.0 <= against(1).difference.high;
            let naive = super::coverage::naive(course.cells(), 1);
            pooled = naive.low <= 0.0 && 0.0 <= naive.high;
        }
        (alarm, covered, pooled)
    });
    let column = |of: fn(&(bool, bool, bool)) -> bool| outcomes.iter().map(of).collect::<Vec<bool>>();
    let (pooled, _) = super::line::percent(&column(|one| one.2));
    vec![
        Line::share("false alarm, ever", &column(|one| one.0), Bound::AtMost(2.5)),
        Line::share("difference (naive: pooled totals)", &column(|one| one.1), Bound::Within(93.5, 97.5))
            .beside(pooled),
    ]
}
