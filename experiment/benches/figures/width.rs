//! One world: what is known of its best variant as traffic grows.

use experiment::simulation::World;
use experiment::{Limits, Rule};

use super::axis::{Axis, Frame, as_lift, grouped};
use super::drawing::{Drawing, INK, OURS, Place, Stroke, Words};
use super::settings::{FIVE, Setting};

const SEED: u64 = 1;
/// The ground of the planned-look interval, a lighter blue.
const PLANNED: &str = "#56b4e9";

/// What is known after so many exposures.
struct Known {
    exposures: f64,
    anytime: Limits,
    planned: Limits,
}

pub(crate) fn draw() -> Drawing {
    let mut drawing = Drawing::new(
        440.0,
        &[
            "Looking whenever one likes has a price in width: the any-time interval",
            "is the wider one, and both narrow as traffic grows",
        ],
    );
    let frame = Frame {
        x: Axis::logarithmic((10_000.0, 200_000.0), (64.0, 590.0)),
        y: Axis::even((-75.0, 175.0), (384.0, 92.0)),
    };
    let ticks = [10_000.0, 20_000.0, 50_000.0, 100_000.0, 200_000.0].map(|x| (x, grouped(x)));
    frame.label_x(&mut drawing, &ticks, "people counted, all five variants together");
    let lifts = [-50.0, 0.0, 50.0, 100.0, 150.0];
    frame.label_y(&mut drawing, &as_lift(&lifts), "lift of the best variant");
    let setting = Setting::new("", World::steady(&FIVE, 200, 1000), Rule::Thompson, 1.0, Some(20.0));
    let truth = 100.0 * setting.lift(setting.best());
    let known = course(&setting);
    let border = |of: fn(&Known) -> f64| -> Vec<Place> {
        let seen = known.iter().filter(|known| known.exposures >= 10_000.0);
        seen.map(|known| frame.at(known.exposures, 100.0 * of(known))).collect()
    };
    let anytime = [border(|known| known.anytime.high), border(|known| known.anytime.low)];
    let planned = [border(|known| known.planned.high), border(|known| known.planned.low)];
    for ([high, low], color, opacity) in [(&anytime, OURS, 0.16), (&planned, PLANNED, 0.35)] {
        drawing.between(high, low, color, opacity);
    }
    for (places, stroke) in [
        (&anytime[0], Stroke::solid(OURS, 2.5)),
        (&anytime[1], Stroke::solid(OURS, 2.5)),
        (&planned[0], Stroke::dashed(OURS, 1.5)),
        (&planned[1], Stroke::dashed(OURS, 1.5)),
    ] {
        drawing.path(places, stroke);
    }
    drawing.line(frame.at(10_000.0, truth), frame.at(200_000.0, truth), Stroke::dashed(INK, 1.5));
    drawing.line(frame.at(10_000.0, 0.0), frame.at(200_000.0, 0.0), Stroke::solid(INK, 1.0));
    let after = |y: f64| (598.0, frame.y.at(y) + 4.5);
    drawing.words(after(truth), "the truth: +25 %", Words::HEADING);
    drawing.words(after(0.0), "no difference", Words::PLAIN);
    drawing.words((frame.x.at(18_500.0), frame.y.at(101.0)), "any-time interval", Words::naming(OURS));
    drawing.words((frame.x.at(10_400.0), frame.y.at(8.0)), "planned-look interval", Words::naming(OURS));
    name_decision(&mut drawing, &frame, &known);
    tell(&mut drawing, &known);
    drawing
}

fn course(setting: &Setting) -> Vec<Known> {
    let mut course = setting.course(SEED);
    let mut known = Vec::new();
    while course.play() {
        let estimate = setting.estimate(course.cells());
        let against = estimate.arms[setting.best()].against_control.expect("a variant");
        known.push(Known {
            exposures: course.exposures() as f64,
            anytime: against.lift_anytime,
            planned: Limits { low: against.lift.low, high: against.lift.high },
        });
    }
    known
}

/// Where the any-time interval leaves zero.
fn name_decision(drawing: &mut Drawing, frame: &Frame, known: &[Known]) {
    let Some(shown) = known.iter().find(|known| known.anytime.low > 0.0) else { return };
    let (x, zero) = frame.at(shown.exposures, 0.0);
    drawing.line((x, zero), (x, zero + 40.0), Stroke::solid(INK, 1.0));
    let words = format!("shown to be better after {}", grouped(shown.exposures));
    drawing.words((x, zero + 54.0), &words, Words::CENTERED);
    drawing.tell(&format!("The any-time interval leaves zero after {} people.", grouped(shown.exposures)));
}

fn tell(drawing: &mut Drawing, known: &[Known]) {
    let is_above = |known: &&Known| known.planned.low > 0.0;
    if let Some(first) = known.iter().find(is_above) {
        let later = known.iter().filter(|known| known.exposures > first.exposures);
        let back = later.filter(|known| !is_above(known)).count();
        drawing.tell(&format!(
            "The planned-look interval leaves zero after {} people, and holds it again at {back} of the later looks.",
            grouped(first.exposures)
        ));
    }
    let width = |limits: &Limits| 100.0 * (limits.high - limits.low);
    for at in [10_000.0, 50_000.0, 200_000.0] {
        let Some(known) = known.iter().find(|known| known.exposures >= at) else { continue };
        let (anytime, planned) = (width(&known.anytime), width(&known.planned));
        drawing.tell(&format!(
            "After {} people the any-time interval is {anytime:.1} points wide and the planned-look one {planned:.1}, \
             {:.2} times as wide.",
            grouped(at),
            anytime / planned
        ));
    }
}
