//! Figures as people read them.

/// A change such as `+12.3%`; `∞` where there is no limit. What is beyond a hundredfold says no more than that.
pub(super) fn signed(change: f64) -> String {
    match change {
        unknown if unknown.is_nan() => dash(),
        endless if endless.is_infinite() => "∞".to_owned(),
        huge if huge >= 100.0 => ">+9999%".to_owned(),
        other => format!("{:+.1}%", other * 100.0),
    }
}

/// A share such as `1.25%`.
pub(super) fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A loss such as `0.4%`; never rounded to nothing, and of little use above all there is.
pub(super) fn loss(share: f64) -> String {
    match share {
        unknown if unknown.is_nan() => dash(),
        small if small < 0.000_05 => "<0.01%".to_owned(),
        huge if huge >= 10.0 => ">999%".to_owned(),
        large if large >= 0.1 => format!("{:.1}%", large * 100.0),
        other => percent(other),
    }
}

/// A probability such as `97.3%`; never rounded to certainty.
pub(super) fn probability(probability: f64) -> String {
    match probability {
        unknown if unknown.is_nan() => dash(),
        high if high > 0.999 => ">99.9%".to_owned(),
        low if low < 0.001 => "<0.1%".to_owned(),
        other => format!("{:.1}%", other * 100.0),
    }
}

/// A rate such as `2.05%`.
pub(super) fn rate(rate: f64) -> String {
    if rate.is_nan() { dash() } else { format!("{:.2}%", rate * 100.0) }
}

/// An amount in at most nine characters: decimals where they say something, an exponent where digits do not fit.
pub(super) fn amount(amount: f64) -> String {
    match amount {
        unknown if unknown.is_nan() => dash(),
        0.0 => "0".to_owned(),
        small if small < 0.01 => format!("{small:.2e}"),
        whole if whole.fract() == 0.0 && whole < 1e9 => format!("{whole:.0}"),
        usual if usual < 1e6 => format!("{usual:.2}"),
        large if large < 1e9 => format!("{large:.0}"),
        huge => format!("{huge:.2e}"),
    }
}

/// What stands where there is nothing to say.
pub(super) fn dash() -> String {
    "–".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!(
            [0.1234, -1.0, f64::INFINITY, 3e10, f64::NAN].map(signed),
            ["+12.3%", "-100.0%", "∞", ">+9999%", "–"]
        );
        assert_eq!([0.95, 0.0125, 1.0].map(percent), ["95%", "1.25%", "100%"]);
        assert_eq!(
            [0.004, 0.0, 1.4965, 25.0, f64::NAN].map(loss),
            ["0.4%", "<0.01%", "149.7%", ">999%", "–"]
        );
        assert_eq!([0.5, 1.0, 0.0, f64::NAN].map(probability), ["50.0%", ">99.9%", "<0.1%", "–"]);
        assert_eq!([0.0205, f64::NAN].map(rate), ["2.05%", "–"]);
        assert_eq!(
            [0.0, 0.001, 41.0, 41.5, 123_456.789, 1_234_567.8, 1e12].map(amount),
            ["0", "1.00e-3", "41", "41.50", "123456.79", "1234568", "1.00e12"]
        );
    }
}
