//! The functions of `numeric` against an independent computation at 60 digits (`oracles/special_functions.py`).

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]
#![expect(clippy::print_stdout, reason = "how far one is from a bound is worth reading: `-- --nocapture`")]

use experiment::numeric::{beta, normal};
use statrs::distribution::{Beta, ContinuousCDF, Normal};

const ORACLE: &str = include_str!("oracles/special_functions.csv");

/// The relative error that `numeric` promises to stay below.
const PROMISED: f64 = 1e-12;

/// Below this a result has no part in the promise.
const SMALLEST: f64 = 1e-300;

/// A line about Beta(a, b).
struct BetaCase {
    a: f64,
    b: f64,
    x: f64,
    lower: f64,
    upper: f64,
    /// p and the x that belongs to it.
    quantile: Option<(f64, f64)>,
}

/// A line about the normal distribution.
struct NormalCase {
    z: f64,
    cdf: f64,
    p: f64,
    quantile: f64,
}

impl BetaCase {
    fn parse(fields: &[&str]) -> Self {
        let [_, _, a, b, x, lower, upper, p, quantile] = fields else { panic!("not a case: {fields:?}") };
        Self {
            a: number(a),
            b: number(b),
            x: number(x),
            lower: number(lower),
            upper: number(upper),
            quantile: (!p.is_empty()).then(|| (number(p), number(quantile))),
        }
    }

    fn statrs(&self) -> Beta {
        Beta::new(self.a, self.b).unwrap()
    }
}

impl NormalCase {
    fn parse(fields: &[&str]) -> Self {
        let [_, _, z, cdf, p, quantile] = fields else { panic!("not a case: {fields:?}") };
        Self { z: number(z), cdf: number(cdf), p: number(p), quantile: number(quantile) }
    }
}

fn number(field: &str) -> f64 {
    field.parse().unwrap()
}

/// The lines of one kind, each with its text.
fn cases<Case>(kind: &str, parse: fn(&[&str]) -> Case) -> Vec<(&'static str, Case)> {
    let fields = |line: &'static str| line.split(';').collect::<Vec<_>>();
    let of_kind = ORACLE.lines().filter(|line| fields(line)[1] == kind);
    of_kind.map(|line| (line, parse(&fields(line)))).collect()
}

fn beta_cases() -> Vec<(&'static str, BetaCase)> {
    cases("beta", BetaCase::parse)
}

fn normal_cases() -> Vec<(&'static str, NormalCase)> {
    cases("normal", NormalCase::parse)
}

/// Holds the worst relative error against the promise; `pair` gives a result and what it should be.
#[track_caller]
fn check<Case>(what: &str, cases: &[(&'static str, Case)], pair: impl Fn(&Case) -> Option<(f64, f64)>) {
    let (error, line) = worst(what, cases, pair);
    assert!(error <= PROMISED, "{what} off by {error:e} at {line}");
}

/// The largest relative error and its line, which are printed too.
fn worst<Case>(
    what: &str,
    cases: &[(&'static str, Case)],
    pair: impl Fn(&Case) -> Option<(f64, f64)>,
) -> (f64, &'static str) {
    let pairs = cases.iter().filter_map(|(line, case)| Some((*line, pair(case)?)));
    let errors: Vec<(f64, &str)> = pairs
        .filter(|(_, (_, expected))| expected.abs() >= SMALLEST)
        .map(|(line, (found, expected))| (((found - expected) / expected).abs(), line))
        .collect();
    // In this order NaN is the largest of all.
    let (error, line) = errors.iter().copied().max_by(|one, other| one.0.total_cmp(&other.0)).unwrap();
    println!("{what}: {} results, worst {error:.1e} at {line}", errors.len());
    (error, line)
}

#[test]
fn the_beta_distribution_function_is_right_to_twelve_digits() {
    let cases = beta_cases();
    check("I_x(a, b)", &cases, |case| Some((beta::regularized_beta(case.a, case.b, case.x), case.lower)));
    worst("I_x(a, b) of statrs", &cases, |case| Some((case.statrs().cdf(case.x), case.lower)));
}

#[test]
fn its_complement_is_right_to_twelve_digits_too() {
    let cases = beta_cases();
    check("1 - I_x(a, b)", &cases, |case| {
        Some((beta::regularized_beta_complement(case.a, case.b, case.x), case.upper))
    });
    worst("1 - I_x(a, b) of statrs", &cases, |case| Some((case.statrs().sf(case.x), case.upper)));
}

/// Without a look at statrs, whose inverse never returns for some of these, a = 300, b = 4 and p = 10⁻⁹⁹ for one.
#[test]
fn the_beta_quantile_is_right_to_twelve_digits() {
    check("the inverse of I_x(a, b)", &beta_cases(), |case| {
        case.quantile.map(|(p, x)| (beta::inverse_regularized_beta(case.a, case.b, p), x))
    });
}

#[test]
fn the_normal_distribution_function_is_right_to_twelve_digits() {
    let cases = normal_cases();
    check("the normal distribution function", &cases, |case| Some((normal::cdf(case.z), case.cdf)));
    worst("the same of statrs", &cases, |case| Some((Normal::standard().cdf(case.z), case.cdf)));
}

#[test]
fn the_normal_quantile_is_right_to_twelve_digits() {
    check("the normal quantile", &normal_cases(), |case| Some((normal::quantile(case.p), case.quantile)));
}

#[test]
fn the_oracle_covers_what_is_promised() {
    let cases = beta_cases();
    let any = |holds: &dyn Fn(&BetaCase) -> bool| cases.iter().any(|(_, case)| holds(case));
    assert!(cases.len() >= 500 && normal_cases().len() >= 50);
    assert!(any(&|case| (case.a, case.b, case.x) == (211_224.0, 1_270_105.0, 0.14265)));
    assert!(any(&|case| case.a == 1e-3 && case.b == 1e-3) && any(&|case| case.a == 1e-3 && case.b == 1e9));
    assert!(any(&|case| case.a == 2e6 && case.b == 2e6 && case.x == 0.5));
    assert!(any(&|case| case.a == 2e6 && case.lower < 1e-250 && case.lower > SMALLEST));
    assert!(any(&|case| case.a == 2e6 && case.upper < 1e-250 && case.upper > SMALLEST));
    assert!(any(&|case| case.a == 1e9 && case.b == 1e9));
    assert!(any(&|case| case.quantile.is_some_and(|(p, x)| p > 0.5 && x < 1e-250)));
}

#[test]
fn the_ends_are_exact() {
    for (a, b) in [(1e-3, 1e-3), (0.5, 20.0), (1.0, 1.0), (3.0, 0.5), (2e6, 2e6), (1e9, 1e-3)] {
        for end in [0.0, 1.0] {
            assert_eq!(beta::regularized_beta(a, b, end), end, "{a} {b}");
            assert_eq!(beta::regularized_beta_complement(a, b, end), 1.0 - end, "{a} {b}");
            assert_eq!(beta::inverse_regularized_beta(a, b, end), end, "{a} {b}");
        }
    }
    assert_eq!(
        (normal::cdf(f64::NEG_INFINITY), normal::cdf(0.0), normal::cdf(f64::INFINITY)),
        (0.0, 0.5, 1.0)
    );
    assert_eq!((normal::quantile(0.0), normal::quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
    assert_eq!(normal::quantile(0.5), 0.0);
}

#[test]
fn a_quantile_below_every_number_is_zero() {
    // Two fifths of this distribution lie below 10⁻¹⁰⁰, and as much above 1 − 10⁻¹⁰⁰.
    assert_eq!(beta::inverse_regularized_beta(1e-3, 1e-3, 0.1), 0.0);
    assert_eq!(beta::inverse_regularized_beta(1e-3, 1e-3, 0.9), 1.0);
}

#[test]
fn arguments_without_sense_give_nan() {
    const WRONG_SHAPES: [f64; 5] = [0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    const WRONG_FRACTIONS: [f64; 5] =
        [-1e-300, 1.0 + f64::EPSILON, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let shapes = WRONG_SHAPES.into_iter().flat_map(|wrong| [(wrong, 2.0, 0.5), (2.0, wrong, 0.5)]);
    let fractions = WRONG_FRACTIONS.into_iter().map(|wrong| (2.0, 2.0, wrong));
    for (a, b, fraction) in shapes.chain(fractions) {
        assert!(beta::regularized_beta(a, b, fraction).is_nan(), "{a} {b} {fraction}");
        assert!(beta::regularized_beta_complement(a, b, fraction).is_nan(), "{a} {b} {fraction}");
        assert!(beta::inverse_regularized_beta(a, b, fraction).is_nan(), "{a} {b} {fraction}");
    }
    assert!(normal::cdf(f64::NAN).is_nan());
    assert!(WRONG_FRACTIONS.into_iter().all(|wrong| normal::quantile(wrong).is_nan()));
}
