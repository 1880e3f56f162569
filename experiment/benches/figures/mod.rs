//! What `docs/statistics.md` shows.

mod axis;
mod coverage;
mod decision;
mod drawing;
mod ordinary;
#[path = "../acceptance/settings.rs"]
#[expect(dead_code, reason = "the figures need a part of the settings")]
mod settings;
mod width;
mod year;

use drawing::Drawing;

/// One of them.
pub(crate) struct Figure {
    /// Its file's name.
    pub(crate) name: &'static str,
    pub(crate) draw: fn() -> Drawing,
}

/// All of them.
pub(crate) fn figures() -> [Figure; 4] {
    let figure = |name, draw| Figure { name, draw };
    [
        figure("coverage.svg", coverage::draw),
        figure("year.svg", year::draw),
        figure("decision.svg", decision::draw),
        figure("width.svg", width::draw),
    ]
}
