//! A year in which two equal variants are tested and somebody looks every day.

use experiment::Rule;
use experiment::simulation::World;

use super::axis::{Axis, Frame, in_percent};
use super::drawing::{Drawing, INK, ORDINARY, OURS, Place, Stroke, Words};
use super::ordinary::z_test_rejects;
use super::settings::{NULL2, Setting, worlds};

const WORLDS: u64 = 1000;
const DAYS: usize = 365;
const PER_DAY: u64 = 1000;

/// A rule to stop by.
struct Stopped {
    name: &'static str,
    stroke: Stroke,
    /// Of how many worlds, in percent, by the end of each day.
    by_day: Vec<f64>,
}

pub(crate) fn draw() -> Drawing {
    let mut drawing = Drawing::new(
        430.0,
        &[
            "Two equal variants, looked at every day: P(best) ≥ 95 % stops most tests,",
            "the ordinary z test nearly half, the any-time interval hardly any",
        ],
    );
    let frame =
        Frame { x: Axis::even((0.0, DAYS as f64), (64.0, 560.0)), y: Axis::even((0.0, 80.0), (374.0, 92.0)) };
    let months: Vec<(f64, String)> =
        [0, 60, 120, 180, 240, 300, 360].iter().map(|&day| (f64::from(day), day.to_string())).collect();
    frame.label_x(&mut drawing, &months, "days, of 1 000 people each");
    frame.label_y(&mut drawing, &in_percent(&[0.0, 20.0, 40.0, 60.0, 80.0]), "tests that were ever stopped");
    let promised = frame.y.at(5.0);
    drawing.line((frame.x.at(0.0), promised), (frame.x.at(365.0), promised), Stroke::dashed(INK, 1.0));
    drawing.words((frame.x.at(365.0) + 8.0, promised - 3.0), "promised: at most 5 %", Words::PLAIN);
    for Stopped { name, stroke, by_day } in stopped() {
        let places: Vec<Place> =
            by_day.iter().enumerate().map(|(day, &percent)| frame.at(day as f64 + 1.0, percent)).collect();
        drawing.between(
            &shifted(&frame, &by_day, 1.96),
            &shifted(&frame, &by_day, -1.96),
            stroke.color,
            0.15,
        );
        drawing.path(&places, stroke);
        let last = by_day[DAYS - 1];
        let (x, y) = frame.at(DAYS as f64, last);
        drawing.words((x + 8.0, y + 4.5), &format!("{name}: {last:.1} %"), Words::naming(stroke.color));
        let month = by_day[29];
        drawing.tell(&format!("{name}: {month:.1} % within 30 days, {last:.1} % within a year."));
    }
    drawing
}

/// The line that many standard errors of the simulation higher.
fn shifted(frame: &Frame, by_day: &[f64], errors: f64) -> Vec<Place> {
    let weekly = by_day.iter().enumerate().step_by(7);
    weekly
        .map(|(day, &percent)| {
            let part = percent / 100.0;
            let error = 100.0 * (part * (1.0 - part) / WORLDS as f64).sqrt();
            frame.at(day as f64 + 1.0, percent + errors * error)
        })
        .collect()
}

fn stopped() -> [Stopped; 3] {
    let outcomes = worlds(WORLDS, days);
    let by_day = |rule: usize| {
        let on = |day: usize| outcomes.iter().filter(|days| days[rule] <= day).count();
        (0..DAYS).map(|day| 100.0 * on(day) as f64 / WORLDS as f64).collect()
    };
    [
        Stopped { name: "P(best) ≥ 95 %", stroke: Stroke::dashed(INK, 2.0), by_day: by_day(0) },
        Stopped { name: "ordinary z test", stroke: Stroke::solid(ORDINARY, 2.0), by_day: by_day(1) },
        Stopped { name: "any-time interval", stroke: Stroke::solid(OURS, 3.0), by_day: by_day(2) },
    ]
}

/// The day on which each rule stops a test, if it does.
fn days(seed: u64) -> [usize; 3] {
    let world = World::steady(&NULL2, DAYS, PER_DAY);
    let setting = Setting::new("", world, Rule::Thompson, 1.0, None);
    let mut course = setting.course(seed);
    let mut days = [usize::MAX; 3];
    for day in 0..DAYS {
        course.play();
        let estimate = setting.estimate(course.cells());
        let anytime = estimate.arms[1].against_control.expect("a variant").lift_anytime;
        let stops = [
            estimate.arms.iter().any(|arm| arm.p_best >= 0.95),
            z_test_rejects(course.cells(), 1),
            anytime.low > 0.0 || anytime.high < 0.0,
        ];
        for (first, stop) in days.iter_mut().zip(stops) {
            if stop {
                *first = day.min(*first);
            }
        }
    }
    days
}
