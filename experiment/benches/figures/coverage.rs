//! How often 95 % intervals of a lift cover it, after a planned amount of traffic that a bandit has divided.

use experiment::interval::effect;
use experiment::simulation::{Trend, Truth, World, Worth};
use experiment::{Direction, Kind, Metric, Rule};

use super::axis::{Axis, Frame, in_percent};
use super::drawing::{Anchor, Drawing, INK, Mark, ORDINARY, OURS, Stroke, Words};
use super::ordinary::Ordinary;
use super::settings::{FIVE, NULL2, NULL10, Setting, TWO20, lin10, worlds};

const WORLDS: u64 = 2000;
const SALE: Trend = Trend::Sale { from: 0.7, until: 1.0, factor: 2.5 };
const ROW: f64 = 26.0;
const TOP: f64 = 118.0;
/// The row whose marks are named.
const NAMED: usize = 2;

pub(crate) fn draw() -> Drawing {
    let settings = settings();
    let bottom = TOP + ROW * settings.len() as f64;
    let mut drawing = Drawing::new(
        bottom + 56.0,
        &[
            "Although a bandit divides the traffic, the planned-look interval covers the",
            "lift in about 95 of 100 worlds, and a sale does not mislead it",
        ],
    );
    let panel =
        |values, pixels| Frame { x: Axis::even(values, pixels), y: Axis::even((0.0, 1.0), (bottom, TOP)) };
    let steady = panel((80.0, 100.0), (232.0, 452.0));
    let sale = panel((0.0, 100.0), (510.0, 730.0));
    drawing.words((16.0, TOP - 10.0), "variants, policy", Words::PLAIN);
    for (frame, name, ticks) in [
        (steady, "nothing changes", [80.0, 85.0, 90.0, 95.0, 100.0]),
        (sale, "a sale: last 30 % at 2.5 × the rate", [0.0, 25.0, 50.0, 75.0, 100.0]),
    ] {
        frame.label_x(&mut drawing, &in_percent(&ticks), "worlds that cover the true lift");
        drawing.words((frame.x.at(0.0), TOP - 28.0), name, Words::HEADING);
        let promised = frame.x.at(95.0);
        drawing.line((promised, bottom), (promised, TOP - 5.0), Stroke::dashed(INK, 1.5));
    }
    drawing.words((steady.x.at(95.0), TOP - 9.0), "95 %", Words::CENTERED);
    for (row, setting) in settings.iter().enumerate() {
        let y = TOP + ROW * (row as f64 + 0.5);
        drawing.words((16.0, y + 4.5), &setting.name, Words::PLAIN);
        for (frame, trend) in [(steady, Trend::Steady), (sale, SALE)] {
            let covered = covered(setting, trend);
            drawing.tell(&covered.told(&setting.name, trend));
            covered.mark(&mut drawing, frame, y);
            if row == NAMED && trend == SALE {
                let ordinary = frame.x.at(covered.ordinary) + 12.0;
                drawing.words((ordinary, y + 8.5), "ordinary interval", Words::naming(ORDINARY));
                let ours = frame.x.at(covered.ours) - 12.0;
                let before = Words { anchor: Anchor::End, ..Words::naming(OURS) };
                drawing.words((ours, y + 0.5), "ours", before);
            }
        }
    }
    drawing
}

/// In percent of worlds.
struct Covered {
    ours: f64,
    ordinary: f64,
}

impl Covered {
    fn told(&self, name: &str, trend: Trend) -> String {
        let sale = if trend == SALE { ", sale" } else { "" };
        format!("{name}{sale}: ours {:.1} %, ordinary {:.1} %.", self.ours, self.ordinary)
    }

    /// A mark for each, with 1.96 standard errors of the simulation on both sides.
    fn mark(&self, drawing: &mut Drawing, frame: Frame, y: f64) {
        for (percent, y, mark, color) in
            [(self.ordinary, y + 4.0, Mark::Square, ORDINARY), (self.ours, y - 4.0, Mark::Disk, OURS)]
        {
            let part = percent / 100.0;
            let error = 196.0 * (part * (1.0 - part) / WORLDS as f64).sqrt();
            let (from, to) = (frame.x.at(percent - error), frame.x.at(percent + error));
            drawing.line((from, y), (to, y), Stroke::solid(color, 2.0));
            drawing.mark((frame.x.at(percent), y), mark, color);
        }
    }
}

fn covered(setting: &Setting, trend: Trend) -> Covered {
    let world = World { trends: vec![trend], ..setting.world.clone() };
    let setting =
        Setting { name: String::new(), world, design: setting.design.clone(), policy: setting.policy };
    let (arm, lift) = (setting.best(), setting.lift(setting.best()));
    let outcomes = worlds(WORLDS, |seed| {
        let cells = setting.play(seed);
        let ours = effect(&cells, arm, &setting.design).lift;
        ((ours.low..=ours.high).contains(&lift), Ordinary::new(&cells, arm).covers(lift))
    });
    let percent = |of: fn(&(bool, bool)) -> bool| {
        100.0 * outcomes.iter().filter(|outcome| of(outcome)).count() as f64 / WORLDS as f64
    };
    Covered { ours: percent(|one| one.0), ordinary: percent(|one| one.1) }
}

fn settings() -> Vec<Setting> {
    let two = |rates: &[f64]| World::steady(rates, 100, 200);
    let many = |rates: &[f64]| World::steady(rates, 100, 1000);
    let buyer =
        Truth { rate: 0.05, later_rate: 0.05, worth: Worth::LogNormal { location: 0.0, spread: 1.0 } };
    let buyers = World { arms: vec![buyer; 2], rounds: vec![1000; 40], ..World::default() };
    let revenue = Metric { kind: Kind::Value { cap: None }, direction: Direction::Maximize };
    let thompson =
        |name: &str, world: World, floor, control| Setting::new(name, world, Rule::Thompson, floor, control);
    vec![
        Setting::new("2 equal, even split", two(&NULL2), Rule::Even, 0.0, None),
        thompson("2 equal, floor 5 %", two(&NULL2), 5.0, None),
        thompson("2 equal, floor 1 %", two(&NULL2), 1.0, None),
        thompson("2 equal, floor 0.1 %", two(&NULL2), 0.1, None),
        thompson("2, one +20 %, floor 1 %", two(&TWO20), 1.0, None),
        thompson("10 equal, floor 1 %", many(&NULL10), 1.0, None),
        thompson("10 from 1 % to 3 %", many(&lin10()), 1.0, None),
        thompson("the same, control 10 %", many(&lin10()), 1.0, Some(10.0)),
        thompson("5, best +25 %, control 20 %", many(&FIVE), 1.0, Some(20.0)),
        Setting::new("5, best +25 %, top-two", many(&FIVE), Rule::TopTwo, 1.0, None),
        thompson("revenue, 2 equal, floor 1 %", buyers, 1.0, None).with_metric(revenue),
    ]
}
