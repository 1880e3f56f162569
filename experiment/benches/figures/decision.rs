//! The lift that is reported when a winner is named, which is when the figures look best.

use experiment::simulation::World;
use experiment::{Interval, Limits, Remaining, Rule, Stopping, Verdict, judge};

use super::axis::{Axis, Frame, as_lift, grouped};
use super::drawing::{Drawing, FAINT, INK, Mark, ORDINARY, OURS, Stroke, Words};
use super::settings::{Setting, worlds};

const WORLDS: u64 = 2000;
/// Single worlds whose interval is drawn, beside each true lift.
const SHOWN: usize = 12;
/// The line of words below the frame.
const BELOW: f64 = 401.0;

pub(crate) fn draw() -> Drawing {
    let mut drawing = Drawing::new(
        450.0,
        &[
            "When a winner is named its plain lift is too high; the shrunken one errs less",
            "for true lifts up to 20 %, and the any-time interval holds",
        ],
    );
    let frame =
        Frame { x: Axis::even((0.0, 35.0), (64.0, 600.0)), y: Axis::even((-5.0, 100.0), (384.0, 92.0)) };
    frame.label_x(&mut drawing, &as_lift(&[5.0, 10.0, 15.0, 20.0, 30.0]), "");
    frame.label_y(&mut drawing, &as_lift(&[0.0, 20.0, 40.0, 60.0, 80.0, 100.0]), "reported lift");
    drawing.words((16.0, BELOW), "true lift", Words::PLAIN);
    drawing.words((16.0, BELOW + 22.0), "with a winner", Words::PLAIN);
    drawing.line(frame.at(0.0, 0.0), frame.at(35.0, 35.0), Stroke::dashed(INK, 1.5));
    drawing.words((608.0, frame.y.at(35.0) + 4.5), "the truth", Words::HEADING);
    for lift in [5.0, 10.0, 15.0, 20.0, 30.0] {
        let decided = decided(lift / 100.0);
        drawing.tell(&told(lift, &decided));
        for (index, Decided { anytime, .. }) in decided.iter().take(SHOWN).enumerate() {
            let x = frame.x.at(lift) + 4.5 * (index as f64 - 0.5 * (SHOWN - 1) as f64);
            let end = |limit: f64| (x, frame.y.at(100.0 * limit));
            drawing.line(end(anytime.low), end(anytime.high), Stroke::solid("#8fbfdc", 2.0));
        }
        let share = format!("{:.0} %", 100.0 * decided.len() as f64 / WORLDS as f64);
        drawing.words((frame.x.at(lift), BELOW + 22.0), &share, Words::CENTERED);
        let (plain, shrunken) =
            (mean(&decided, |one| one.plain.estimate), mean(&decided, |one| one.shrunken));
        drawing.mark(frame.at(lift, plain), Mark::Square, ORDINARY);
        drawing.mark(frame.at(lift, shrunken), Mark::Disk, OURS);
        if lift > 25.0 {
            let beside = frame.x.at(lift) + 34.0;
            drawing.words((beside, frame.y.at(plain) - 6.0), "plain lift, mean", Words::naming(ORDINARY));
            drawing.words((beside, frame.y.at(shrunken) + 14.0), "shrunken lift, mean", Words::naming(OURS));
            drawing.words((beside, frame.y.at(80.0)), "any-time intervals", Words::naming("#3d86b0"));
            drawing.words((beside, frame.y.at(80.0) + 16.0), "of twelve worlds", Words::naming("#3d86b0"));
        }
    }
    drawing.line(frame.at(0.0, 0.0), frame.at(35.0, 0.0), Stroke::solid(FAINT, 2.0));
    drawing
}

/// What is known of a winner when it is named.
struct Decided {
    exposures: u64,
    plain: Interval,
    shrunken: f64,
    anytime: Limits,
}

/// Those of the worlds that name a winner.
fn decided(lift: f64) -> Vec<Decided> {
    let world = World::steady(&[0.02, 0.02 * (1.0 + lift)], 100, 1000);
    let stopping = Stopping::new(0.95, 1.0).expect("sensible");
    let setting = Setting::new("", world, Rule::Even, 0.0, None).with_stopping(stopping);
    let named = worlds(WORLDS, |seed| {
        let mut course = setting.course(seed);
        while course.play() {
            let estimate = setting.estimate(course.cells());
            if let Verdict::Winner { arm, evidence } = judge(&estimate, Remaining::Some) {
                let plain = estimate.arms[arm].against_control.expect("a variant").lift;
                let (shrunken, anytime) = (evidence.lift_shrunken, evidence.lift_anytime);
                let exposures = course.exposures();
                return Some(Decided { exposures, plain, shrunken, anytime });
            }
        }
        None
    });
    named.into_iter().flatten().collect()
}

/// In percent.
fn mean(decided: &[Decided], of: impl Fn(&Decided) -> f64) -> f64 {
    100.0 * decided.iter().map(of).sum::<f64>() / decided.len() as f64
}

fn told(lift: f64, decided: &[Decided]) -> String {
    let truth = lift / 100.0;
    let covers = |low: f64, high: f64| f64::from(u8::from((low..=high).contains(&truth)));
    format!(
        "True lift +{lift} %: {} of {WORLDS} worlds decided, plain {:+.1} %, shrunken {:+.1} %; \
         the any-time interval covers in {:.1} %, the planned-look interval in {:.1} %; \
         half of all worlds are decided {}, four of five {}.",
        decided.len(),
        mean(decided, |one| one.plain.estimate),
        mean(decided, |one| one.shrunken),
        mean(decided, |one| covers(one.anytime.low, one.anytime.high)),
        mean(decided, |one| covers(one.plain.low, one.plain.high)),
        after(decided, 0.5),
        after(decided, 0.8),
    )
}

/// When this part of all worlds was decided.
fn after(decided: &[Decided], part: f64) -> String {
    let mut exposures: Vec<u64> = decided.iter().map(|one| one.exposures).collect();
    exposures.sort_unstable();
    let last = (part * WORLDS as f64) as usize - 1;
    exposures.get(last).map_or("later".to_owned(), |&last| format!("within {} people", grouped(last as f64)))
}
