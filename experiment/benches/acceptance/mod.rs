//! The promises, by the number that documents call them by.

pub(crate) mod anytime;
pub(crate) mod context;
pub(crate) mod coverage;
pub(crate) mod exactness;
pub(crate) mod line;
pub(crate) mod network;
pub(crate) mod policies;
pub(crate) mod settings;
pub(crate) mod verdicts;

use line::Line;

/// A promise and how it is measured.
pub(crate) struct Row {
    pub(crate) number: u32,
    pub(crate) question: &'static str,
    /// The figures, in so many times the usual number of worlds.
    pub(crate) measure: fn(f64) -> Vec<Line>,
}

/// All of them.
pub(crate) fn rows() -> Vec<Row> {
    let row = |number, question, measure| Row { number, question, measure };
    vec![
        row(
            1,
            "95 % intervals of rates on bandit data cover the truth, in percent of worlds",
            coverage::rates,
        ),
        row(2, "The same for revenue", coverage::values),
        row(3, "Looking after every round, in percent of worlds", anytime::false_alarms),
        row(4, "Traffic to a verdict", anytime::traffic),
        row(5, "Regret", policies::regret),
        row(6, "The best of ten arms", policies::leader),
        row(7, "One planned look at independent data, exactly, in percent", verdicts::enumerated),
        row(8, "Special functions", exactness::special_functions),
        row(
            10,
            "Segments with features: percent of the gap from an even split to the best arm of each",
            context::gap,
        ),
        row(
            11,
            "Five equal variants of which +10 % would be worth having, in percent of worlds",
            verdicts::nothing_worthwhile,
        ),
        row(12, "The best variant changes halfway", policies::drift),
        row(13, "People who come back, in percent of worlds", verdicts::returning),
        row(14, "The lift at the decision, in percent", anytime::lift_at_the_decision),
        row(
            15,
            "Twenty generations of five challengers, none better, in percent of worlds",
            verdicts::generations,
        ),
        row(
            16,
            "Segments of 1 % and 4 % with shares of their own, no difference, in percent of worlds",
            verdicts::segments,
        ),
        row(
            17,
            "A network that divides two equal arms as it likes, in percent of worlds",
            network::audiences,
        ),
    ]
}
