//! Forecasts against the course of a world, which shares with them neither clock nor rounds nor looks, and asks for the whole
//! verdict after each round.

use std::time::Duration;

use experiment::forecast::{End, Forecast, ForecastError, Prospect, Rounds, Watch, decided_after, part};
use experiment::simulation::{Course, Truth, World, Worth};
use experiment::{
    Control, Design, Direction, Guardrail, Kind, Metric, PartsPerMillion, Policy, Remaining, Rule, Safety,
    Standing, Stopping, Verdict, estimate, guard, judge,
};

const DAY: Duration = Duration::from_secs(86_400);
const RUNS: u64 = 200;

fn percent(percent: u32) -> PartsPerMillion {
    PartsPerMillion::new(10_000 * percent).expect("it makes sense")
}

/// Ten days of 10 000 people.
fn prospect(rate: f64) -> Prospect {
    Prospect {
        rate,
        worth: Worth::One,
        people_per_second: 10_000.0 / DAY.as_secs_f64(),
        window: Duration::from_secs(1),
        longest: 10 * DAY,
        rounds: Rounds { minimum: Duration::from_secs(600), growth: 0.3, most: 58 },
    }
}

fn forecast(rule: Rule, variants: usize, control: u32, stopping: Stopping, prospect: Prospect) -> Forecast {
    let design =
        Design::new(Metric::CLICKS, stopping, vec![Standing::FIRST; 1 + variants]).expect("it makes sense");
    let control = Control::Fixed(percent(control));
    let policy = Policy::new(rule, 1 + variants, percent(1), control, 100).expect("it makes sense");
    Forecast::new(design, policy, prospect).expect("it makes sense")
}

fn plain() -> Stopping {
    Stopping::new(0.95, 0.01).expect("it makes sense")
}

fn play(forecast: &Forecast, lift: f64) -> Vec<End> {
    (1..=RUNS).map(|seed| forecast.play(lift, seed)).collect()
}

/// The same people in rounds that grow by a twentieth, each with new shares.
fn steady(arms: Vec<Truth>) -> World {
    let ends = std::iter::successors(Some(200.0), |end| Some(end * 1.05)).take_while(|end| *end < 1e5);
    let ends: Vec<u64> = ends.map(|end: f64| end as u64).chain([100_000]).collect();
    let before = [0].iter().chain(&ends);
    World {
        arms,
        rounds: ends.iter().zip(before).map(|(end, before)| end - before).collect(),
        ..World::default()
    }
}

/// People of whom a `rate` acts, each worth so many times as much.
fn truth(prospect: Prospect, factor: f64) -> Truth {
    match prospect.worth {
        Worth::One => Truth::rate(prospect.rate * factor),
        Worth::LogNormal { location, spread } => Truth {
            worth: Worth::LogNormal { location: location + factor.ln(), spread },
            ..Truth::rate(prospect.rate)
        },
    }
}

fn world(forecast: &Forecast, policy: &Policy, lift: f64) -> Vec<End> {
    let arms = 0..forecast.design().arms().len();
    let truth = |arm: usize| truth(forecast.prospect(), if arm == 1 { 1.0 + lift } else { 1.0 });
    let world = steady(arms.map(truth).collect());
    let end = |seed| {
        let mut course = Course::new(&world, forecast.design(), policy, 77_000 + seed);
        while course.play() {
            let verdict =
                judge(&estimate(course.cells(), forecast.design()).expect("it makes sense"), Remaining::Some);
            if !matches!(verdict, Verdict::Collecting { .. } | Verdict::Unhealthy(_)) {
                return End { after: 10 * DAY * course.exposures() as u32 / 100_000, verdict };
            }
        }
        let verdict =
            judge(&estimate(course.cells(), forecast.design()).expect("it makes sense"), Remaining::Nothing);
        End { after: 10 * DAY, verdict }
    };
    (1..=RUNS).map(end).collect()
}

/// What may be so of an end.
type Holds = fn(&End) -> bool;

/// Shares of the same kind of end within four standard errors of their difference, and times within what looks and luck
/// make of them.
fn check(name: &str, found: &[End], expected: &[End]) {
    let holds: [(&str, Holds); 3] = [
        ("found", End::is_found),
        ("decided", End::is_decided),
        ("none", |end| matches!(end.verdict, Verdict::NoWorthwhileDifference { .. } | Verdict::ControlWins)),
    ];
    for (what, holds) in holds {
        let (found, expected) = (part(found, holds), part(expected, holds));
        let error =
            (2.0 * expected.clamp(0.02, 0.98) * (1.0 - expected.clamp(0.02, 0.98)) / RUNS as f64).sqrt();
        assert!((found - expected).abs() < 4.0 * error, "{name}, {what}: {found} instead of {expected}");
    }
    for chance in [0.25, 0.5] {
        let days = |ends| decided_after(ends, chance).map(|after| after.as_secs_f64() / DAY.as_secs_f64());
        if let (Some(found), Some(expected)) = (days(found), days(expected)) {
            let apart = (found / expected).ln().abs();
            assert!(apart < 0.2, "{name}, {chance} decided after {found} d instead of {expected} d");
        }
    }
}

fn check_world(rule: Rule, variants: usize, control: u32, stopping: Stopping, rate: f64, lift: f64) {
    let name = format!("{rule:?}, {variants} variants at {rate}, {lift} better");
    let forecast = forecast(rule, variants, control, stopping, prospect(rate));
    let policy = Policy::new(rule, 1 + variants, percent(1), Control::Fixed(percent(control)), 100)
        .expect("it makes sense");
    check(&name, &play(&forecast, lift), &world(&forecast, &policy, lift));
}

#[test]
fn what_is_foretold_of_equal_shares_is_what_becomes_of_worlds() {
    check_world(Rule::Even, 1, 50, plain(), 0.02, 0.2);
    check_world(Rule::Even, 1, 50, plain(), 0.02, 0.1);
}

#[test]
fn what_is_foretold_of_a_bandit_is_what_becomes_of_worlds() {
    check_world(Rule::Thompson, 4, 20, plain(), 0.04, 0.25);
}

#[test]
fn what_is_foretold_where_nothing_differs_is_what_becomes_of_worlds() {
    check_world(Rule::TopTwo, 3, 20, plain().with_worthwhile_lift(0.2).expect("it makes sense"), 0.05, 0.0);
}

/// One in twenty buys, for 40 on average, of which 120 count at most.
#[test]
fn what_is_foretold_of_values_is_what_becomes_of_worlds() {
    let metric = Metric { kind: Kind::Value { cap: Some(120.0) }, direction: Direction::Maximize };
    for (stopping, lift) in
        [(plain(), 0.4), (plain().with_worthwhile_lift(0.2).expect("it makes sense"), 0.0)]
    {
        let design = Design::new(metric, stopping, vec![Standing::FIRST; 3]).expect("it makes sense");
        let policy = Policy::new(Rule::Thompson, 3, percent(1), Control::Fixed(percent(20)), 100);
        let policy = policy.expect("it makes sense");
        let prospect = Prospect { worth: Worth::log_normal(40.0, 30.0), ..prospect(0.05) };
        let forecast = Forecast::new(design, policy, prospect).expect("it makes sense");
        check(&format!("values, {lift} better"), &play(&forecast, lift), &world(&forecast, &policy, lift));
    }
}

/// The part of worlds in which what happens to 20 % of people, and so much more often to those of one variant, is shown to be harm.
fn harmful(forecast: &Forecast, guardrail: &Guardrail, increase: f64) -> f64 {
    let arms = forecast.design().arms().len();
    let rate = |arm: usize| Truth::rate(if arm == 1 { 0.2 * (1.0 + increase) } else { 0.2 });
    let world = steady((0..arms).map(rate).collect());
    let even = Policy::new(Rule::Even, arms, percent(1), Control::Fixed(percent(50)), 100);
    let even = even.expect("it makes sense");
    let is_shown = |seed| {
        let mut course = Course::new(&world, forecast.design(), &even, 99_000 + seed);
        while course.play() {
            let guarded = guard(course.cells(), forecast.design(), guardrail).expect("it makes sense");
            if guarded[1].is_some_and(|known| known.safety == Safety::Harmful) {
                return true;
            }
        }
        false
    };
    // Asking for all that a guardrail knows is dear.
    part(&(1..=RUNS / 4).map(is_shown).collect::<Vec<bool>>(), |shown| *shown)
}

#[test]
fn the_smallest_harm_is_shown_as_often_as_was_asked() {
    // With equal shares whatever it finds, and no end of its own, as the worlds beside it.
    let forecast =
        forecast(Rule::Even, 1, 50, Stopping::new(0.999_999, 1e-9).expect("it makes sense"), prospect(0.02));
    let guardrail = Guardrail::new(Kind::Binary, 0.1, 0.95).expect("it makes sense");
    let watch = Watch::new(guardrail, 0.2, Duration::from_secs(1)).expect("it makes sense");
    let courses: Vec<_> = (1..=RUNS).map(|seed| forecast.course(seed)).collect();
    let shown = |watch: &Watch| {
        watch.smallest_harm(0.8, RUNS, |increase, seeds| {
            let course = |seed: u64| &courses[seed as usize - 1];
            seeds.map(|seed| forecast.harm_after(course(seed), watch, increase, seed)).collect()
        })
    };
    let harm = shown(&watch).expect("it is shown");
    assert!(harm.increase > 0.1 && part(&harm.after, Option::is_some) >= 0.8, "{harm:?}");
    let found = harmful(&forecast, &guardrail, harm.increase);
    assert!((found - 0.8).abs() < 0.2, "{}: {found}", harm.increase);
    assert!(harmful(&forecast, &guardrail, 0.1) < 0.15, "what is allowed is no harm");
    let late = Watch::new(guardrail, 0.2, Duration::from_secs(9 * 86_400)).expect("it makes sense");
    let late = shown(&late).expect("it is shown");
    assert!(
        late.increase > 1.5 * harm.increase,
        "its window is waited for: {} {}",
        late.increase,
        harm.increase
    );
    assert!(late.after.iter().flatten().all(|after| *after > 9 * DAY));
}

#[test]
fn harm_that_can_not_be_is_not_shown() {
    let forecast = forecast(Rule::Even, 1, 50, plain(), prospect(0.02));
    let guardrail = Guardrail::new(Kind::Binary, 0.5, 0.95).expect("it makes sense");
    let watch = Watch::new(guardrail, 0.7, Duration::from_secs(1)).expect("it makes sense");
    assert!(watch.largest_increase() < 0.43);
    let course = forecast.course(1);
    let shown = watch.smallest_harm(0.8, 1, |increase, seeds| {
        seeds.map(|seed| forecast.harm_after(&course, &watch, increase, seed)).collect()
    });
    assert_eq!(shown, None);
    let values = Guardrail::new(Kind::Value { cap: None }, 0.5, 0.95).expect("it makes sense");
    assert_eq!(Watch::new(values, 0.2, DAY).err(), Some(ForecastError::Worth));
    assert_eq!(Watch::new(guardrail, 1.0, DAY).err(), Some(ForecastError::Rate(1.0)));
}

/// `docs/statistics.md`, "How long it takes", measured by `make bench-experiment`: at 2 % and 100 000 people, 91 % of the tests of
/// +20 % are decided, half of them within 48 000.
#[test]
fn it_is_what_the_page_on_statistics_says() {
    let forecast = forecast(Rule::Even, 1, 50, plain(), prospect(0.02));
    let ends = play(&forecast, 0.2);
    let decided = part(&ends, End::is_found);
    assert!((decided - 0.91).abs() < 0.06, "{decided}");
    let people = decided_after(&ends, 0.5).expect("it makes sense").as_secs_f64()
        * forecast.prospect().people_per_second;
    assert!((people / 48_000.0).ln().abs() < 0.15, "{people}");
}

fn smallest(forecast: &Forecast) -> Option<f64> {
    let play = |lift, seeds: std::ops::Range<u64>| seeds.map(|seed| forecast.play(lift, seed)).collect();
    forecast.smallest_lift(0.8, RUNS, play).map(|seen| seen.lift)
}

fn check_smallest(direction: Direction) {
    let ending = plain().with_worthwhile_lift(0.1).expect("it makes sense");
    let design = Design::new(Metric { direction, ..Metric::CLICKS }, ending, vec![Standing::FIRST; 4])
        .expect("it makes sense");
    let policy =
        Policy::new(Rule::Thompson, 4, percent(1), Control::Fixed(percent(20)), 100).expect("it makes sense");
    let forecast = Forecast::new(design, policy, prospect(0.1)).expect("it makes sense");
    let seen = smallest(&forecast).expect("it makes sense");
    // By other seeds, since the search has chosen its lift by its own: four standard errors of the difference.
    let found = |lift| {
        let ends: Vec<End> = (5_000..5_000 + RUNS).map(|seed| forecast.play(lift, seed)).collect();
        part(&ends, End::is_found)
    };
    assert!((found(seen) - 0.8).abs() < 0.16, "{direction:?} {seen}: {}", found(seen));
    assert!(
        found(0.7 * seen) < 0.65,
        "less than three quarters of it is seen too seldom: {}",
        found(0.7 * seen)
    );
    let alone = smallest(&forecast.with_variants(1)).expect("it makes sense");
    assert!(alone < seen, "one variant alone is judged sooner: {alone} {seen}");
    let longer = smallest(&forecast.lasting(40 * DAY).expect("it makes sense")).expect("it makes sense");
    assert!(longer < 0.75 * seen, "four times as long: {longer} {seen}");
}

#[test]
fn the_smallest_lift_is_found_as_often_as_was_asked() {
    check_smallest(Direction::Maximize);
}

#[test]
fn the_smallest_fall_is_found_as_often_as_was_asked() {
    check_smallest(Direction::Minimize);
}

#[test]
fn too_few_people_see_nothing() {
    let few = Prospect { people_per_second: 100.0 / DAY.as_secs_f64(), ..prospect(0.02) };
    let forecast = forecast(Rule::Thompson, 8, 20, plain(), few);
    assert_eq!(smallest(&forecast), None);
    let end = forecast.play(0.1, 1);
    assert_eq!((end.after, end.is_decided()), (10 * DAY, false));
}

/// What is exposed within the last window is not counted, and nothing is decided before the first window has passed.
#[test]
fn the_window_is_waited_for() {
    let slow = Prospect { window: 9 * DAY, ..prospect(0.05) };
    let ends = play(&forecast(Rule::Even, 1, 50, plain(), slow), 1.0);
    assert!(ends.iter().all(|end| end.is_found() && end.after > 9 * DAY && end.after < 10 * DAY));
    let short = Prospect { window: Duration::from_secs(1), longest: DAY, ..prospect(0.05) };
    let found = |prospect| part(&play(&forecast(Rule::Even, 1, 50, plain(), prospect), 0.3), End::is_found);
    let (slow, short) = (found(slow), found(short));
    assert!((slow - short).abs() < 0.15 && (0.3..0.9).contains(&slow), "{slow} {short}");
}

#[test]
fn the_same_seed_ends_alike() {
    let forecast = forecast(Rule::Thompson, 3, 20, plain(), prospect(0.05));
    assert_eq!(forecast.play(0.2, 7), forecast.play(0.2, 7));
    assert_ne!(forecast.play(0.2, 7), forecast.play(0.2, 8));
}

#[test]
fn prospects_without_sense_are_refused() {
    let check = |kind, arms, prospect, expected: ForecastError| {
        let metric = Metric { kind, direction: Direction::Maximize };
        let design = Design::new(metric, plain(), vec![Standing::FIRST; arms]).expect("it makes sense");
        let policy =
            Policy::new(Rule::Even, 2, percent(1), Control::Fixed(percent(20)), 100).expect("it makes sense");
        assert_eq!(Forecast::new(design, policy, prospect).err(), Some(expected));
    };
    let good = prospect(0.02);
    check(Kind::Value { cap: None }, 2, good, ForecastError::Worth);
    let worth = Worth::log_normal(40.0, 30.0);
    check(Kind::Binary, 2, Prospect { worth, ..good }, ForecastError::Worth);
    check(Kind::Value { cap: None }, 2, Prospect { worth, ..prospect(1.1) }, ForecastError::Rate(1.1));
    check(Kind::Binary, 1, good, ForecastError::NoVariants);
    check(Kind::Binary, 2, prospect(0.0), ForecastError::Rate(0.0));
    check(Kind::Binary, 2, prospect(1.0), ForecastError::Rate(1.0));
    check(Kind::Binary, 2, Prospect { people_per_second: 0.0, ..good }, ForecastError::People(0.0));
    check(Kind::Binary, 2, Prospect { window: 10 * DAY, ..good }, ForecastError::TooShort);
}
