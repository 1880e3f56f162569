//! What moves all arms alike.

/// What the rates of all arms are multiplied by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trend {
    /// Nothing changes.
    Steady,
    /// From 1 in the first round, evenly, to this in the last.
    Linear(f64),
    /// A wave around 1.
    Wave {
        /// How far from 1 it goes.
        amplitude: f64,
        /// Rounds from crest to crest.
        period: f64,
    },
    /// 1, but `factor` between two parts of the rounds.
    Sale {
        /// The part that has passed when it begins, 0 to 1.
        from: f64,
        /// The part that has passed when it ends; 1 for the end of all rounds.
        until: f64,
        /// What rates are multiplied by.
        factor: f64,
    },
}

impl Trend {
    /// What the rates of `round`, counted from 0, are multiplied by.
    #[must_use]
    pub fn factor(self, round: usize, rounds: usize) -> f64 {
        let part = |of: usize| round as f64 / of.max(1) as f64;
        match self {
            Self::Steady => 1.0,
            Self::Linear(last) => 1.0 + (last - 1.0) * part(rounds - 1),
            Self::Wave { amplitude, period } => {
                1.0 + amplitude * (2.0 * std::f64::consts::PI * round as f64 / period).sin()
            }
            Self::Sale { from, until, factor } => {
                if (from..until).contains(&part(rounds)) {
                    factor
                } else {
                    1.0
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_is_known_in_every_round() {
        let check = |trend: Trend, expected: [f64; 5]| {
            let found: [f64; 5] = std::array::from_fn(|round| trend.factor(round, 5));
            assert!(found.iter().zip(expected).all(|(one, other)| (one - other).abs() < 1e-12), "{found:?}");
        };
        check(Trend::Steady, [1.0; 5]);
        check(Trend::Linear(2.0), [1.0, 1.25, 1.5, 1.75, 2.0]);
        check(Trend::Wave { amplitude: 0.5, period: 4.0 }, [1.0, 1.5, 1.0, 0.5, 1.0]);
        check(Trend::Sale { from: 0.3, until: 1.0, factor: 2.0 }, [1.0, 1.0, 2.0, 2.0, 2.0]);
        check(Trend::Sale { from: 0.2, until: 0.6, factor: 2.0 }, [1.0, 2.0, 2.0, 1.0, 1.0]);
        assert_eq!(Trend::Linear(2.0).factor(0, 1), 1.0);
    }
}
