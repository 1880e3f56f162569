//! Figures that a screen of totals has, besides those of [`api::figure`].

use api::figure::UNKNOWN;

use crate::text::thousands;

/// A rate such as `2.05%`.
pub(super) fn rate(rate: f64) -> String {
    if rate.is_nan() { UNKNOWN.to_owned() } else { format!("{:.2}%", rate * 100.0) }
}

/// An amount in at most nine characters: decimals where they say something, an exponent where digits do not fit.
pub(super) fn amount(amount: f64) -> String {
    match amount {
        unknown if unknown.is_nan() => UNKNOWN.to_owned(),
        0.0 => "0".to_owned(),
        small if small < 0.01 => format!("{small:.2e}"),
        whole if whole.fract() == 0.0 && whole < 1e9 => format!("{whole:.0}"),
        usual if usual < 1e6 => format!("{usual:.2}"),
        large if large < 1e9 => format!("{large:.0}"),
        huge => format!("{huge:.2e}"),
    }
}

/// A count such as `12 300`. Counts of a document are below 2⁵³.
pub(super) fn grouped(count: u64) -> String {
    i64::try_from(count).map_or_else(|_| UNKNOWN.to_owned(), thousands)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!([0.0205, f64::NAN].map(rate), ["2.05%", "–"]);
        assert_eq!(
            [0.0, 0.001, 41.0, 41.5, 123_456.789, 1_234_567.8, 1e12].map(amount),
            ["0", "1.00e-3", "41", "41.50", "123456.79", "1234568", "1.00e12"]
        );
    }
}
