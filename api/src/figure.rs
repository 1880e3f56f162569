//! Figures as people read them: results stand in status as decimal strings, and screens show the same ones.

/// A change such as `+12.3%`; `∞` where there is no limit. What is beyond a hundredfold says no more than that.
pub fn signed(change: f64) -> String {
    match change {
        unknown if unknown.is_nan() => UNKNOWN.to_owned(),
        endless if endless.is_infinite() => "∞".to_owned(),
        huge if huge >= 100.0 => ">+9999%".to_owned(),
        other => format!("{:+.1}%", other * 100.0),
    }
}

/// A share such as `1.25%`.
pub fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A loss such as `0.4%`; never rounded to nothing, and of little use above all there is.
pub fn loss(share: f64) -> String {
    match share {
        unknown if unknown.is_nan() => UNKNOWN.to_owned(),
        small if small < 0.000_05 => "<0.01%".to_owned(),
        huge if huge >= 10.0 => ">999%".to_owned(),
        large if large >= 0.1 => format!("{:.1}%", large * 100.0),
        other => percent(other),
    }
}

/// A probability such as `97.3%`; never rounded to certainty.
pub fn probability(probability: f64) -> String {
    match probability {
        unknown if unknown.is_nan() => UNKNOWN.to_owned(),
        high if high > 0.999 => ">99.9%".to_owned(),
        low if low < 0.001 => "<0.1%".to_owned(),
        other => format!("{:.1}%", other * 100.0),
    }
}

/// What stands where there is nothing to say.
pub const UNKNOWN: &str = "–";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!(
            [0.1234, -1.0, 99.99, f64::INFINITY, 3e10, f64::NAN].map(signed),
            ["+12.3%", "-100.0%", "+9999.0%", "∞", ">+9999%", "–"]
        );
        assert_eq!([0.95, 0.0125, 1.0].map(percent), ["95%", "1.25%", "100%"]);
        assert_eq!(
            [0.004, 0.0, 1.4965, 25.0, f64::NAN].map(loss),
            ["0.4%", "<0.01%", "149.7%", ">999%", "–"]
        );
        assert_eq!([0.5, 1.0, 0.0, f64::NAN].map(probability), ["50.0%", ">99.9%", "<0.1%", "–"]);
    }
}
