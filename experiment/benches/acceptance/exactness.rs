//! Row 8: special functions against sixty digits, beside those of statrs.

use experiment::numeric::beta;
use statrs::distribution::{Beta, ContinuousCDF};

use super::line::{Bound, Line};

const ORACLE: &str = include_str!("../../tests/oracles/special_functions.csv");

/// The worst relative errors, in units of 10⁻¹².
pub(crate) fn special_functions(_: f64) -> Vec<Line> {
    let worst = |error: fn(&Case) -> f64| cases().map(|case| error(&case)).fold(0.0, f64::max);
    let line = |what: &str, figure: f64, naive: Option<f64>| Line {
        what: format!("{what}: worst error of 1200, in 10⁻¹²"),
        figure: 1e12 * figure,
        error: 0.0,
        naive: naive.map(|naive| 1e12 * naive),
        bound: Bound::AtMost(1.0),
    };
    let ours = worst(|case| relative(beta::regularized_beta(case.a, case.b, case.x), case.lower));
    let statrs = worst(|case| relative(Beta::new(case.a, case.b).expect("shapes").cdf(case.x), case.lower));
    let quantile = worst(|case| {
        case.quantile.map_or(0.0, |(p, x)| relative(beta::inverse_regularized_beta(case.a, case.b, p), x))
    });
    vec![
        line("incomplete beta function (naive: statrs)", ours, Some(statrs)),
        line("its inverse", quantile, None),
    ]
}

struct Case {
    a: f64,
    b: f64,
    x: f64,
    lower: f64,
    quantile: Option<(f64, f64)>,
}

fn cases() -> impl Iterator<Item = Case> {
    let number = |field: &str| field.parse::<f64>().expect("the oracle has numbers");
    ORACLE.lines().filter_map(move |line| {
        let fields: Vec<&str> = line.split(';').collect();
        let [_, "beta", a, b, x, lower, _, p, quantile] = fields[..] else { return None };
        let quantile = (!p.is_empty()).then(|| (number(p), number(quantile)));
        Some(Case { a: number(a), b: number(b), x: number(x), lower: number(lower), quantile })
    })
}

/// Nothing below what a double holds with all its digits is promised.
fn relative(found: f64, expected: f64) -> f64 {
    if expected.abs() < 1e-290 { 0.0 } else { ((found - expected) / expected).abs() }
}
