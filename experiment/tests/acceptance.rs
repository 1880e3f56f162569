//! A shorter form of `make bench-experiment`: fewer worlds, bounds wider by four standard errors.

#[path = "../benches/acceptance/mod.rs"]
mod acceptance;

/// A twentieth of the worlds: half a minute on two cores.
const SCALE: f64 = 0.05;

/// Of some hundred and fifty figures that all just keep their bounds, one in two hundred runs of other seeds would miss
/// by four standard errors.
const ERRORS: f64 = 4.0;

#[test]
fn every_promise_holds_within_the_error_of_a_short_simulation() {
    for row in acceptance::rows() {
        let missed: Vec<String> = (row.measure)(SCALE)
            .iter()
            .filter(|line| !line.holds_within(ERRORS))
            .map(ToString::to_string)
            .collect();
        assert!(missed.is_empty(), "{}. {}\n{}", row.number, row.question, missed.join("\n"));
    }
}
