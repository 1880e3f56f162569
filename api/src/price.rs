//! What GPU time costs at a price, and what each costs of those that share it.

use crate::Price;

/// The text is not an amount with at most four decimals and a currency of three capital letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no price: write it like 2.10 USD, with at most four decimals")]
pub struct PriceError(pub String);

/// The smallest parts that a price and a cost are written in.
const PARTS: u128 = 10_000;
const SECONDS_PER_HOUR: u128 = 3_600;

impl Price {
    /// What `gpu_seconds` cost, as an amount of four decimals and the currency. Rounded up: what was used is never free.
    ///
    /// ```
    /// let price = api::Price { per_gpu_hour: "2.10 USD".into() };
    /// assert_eq!(price.of(80).unwrap(), "0.0467 USD");
    /// ```
    ///
    /// # Errors
    /// When the price does not follow the grammar that the definition of `AdModel` holds it to.
    pub fn of(&self, gpu_seconds: u64) -> Result<String, PriceError> {
        let (parts, currency) = self.parts()?;
        let cost = (parts * u128::from(gpu_seconds)).div_ceil(SECONDS_PER_HOUR);
        Ok(written(cost, currency))
    }

    /// The price of an hour in ten-thousandths, and its currency.
    fn parts(&self) -> Result<(u128, &str), PriceError> {
        parts(&self.per_gpu_hour, 7)
    }
}

/// What each of `many` costs that cost `cost` together, as [`Price::of`] writes it and rounded up likewise, with more decimals
/// where it is small, so that two figures of it are told; nothing where `many` is no number above zero. Of what is above
/// 900 billion the first fifteen digits are right.
///
/// ```
/// let each = |many| api::cost_of_each("0.0467 USD", many).unwrap();
/// assert_eq!(each(8.0).as_deref(), Some("0.0059 USD"));
/// assert_eq!(each(3_000.0).as_deref(), Some("0.000016 USD"));
/// ```
///
/// # Errors
/// When the cost does not follow the grammar of [`Price::of`].
pub fn cost_of_each(cost: &str, many: f64) -> Result<Option<String>, PriceError> {
    let (parts, currency) = parts(cost, MOST_DIGITS)?;
    let each = parts as f64 / many;
    // Beyond the dearest cost there is nothing to say.
    let told = many > 0.0 && each < 1e18;
    Ok(told.then(|| match each {
        small if 0.0 < small && small < 100.0 => written_small(small / PARTS as f64, currency),
        each => written(each.ceil() as u128, currency),
    }))
}

/// With two figures behind its zeros, as far as anybody reads them.
fn written_small(amount: f64, currency: &str) -> String {
    let decimals = (1.0 - amount.log10().floor()).clamp(4.0, 12.0);
    let scale = 10_f64.powf(decimals);
    format!("{:.*} {currency}", decimals as usize, (amount * scale).ceil() / scale)
}

fn written(parts: u128, currency: &str) -> String {
    format!("{}.{:04} {currency}", parts / PARTS, parts % PARTS)
}

/// Digits before the point of the dearest cost.
const MOST_DIGITS: usize = 14;

/// An amount of at most so many digits before the point, in ten-thousandths, and its currency.
fn parts(text: &str, most: usize) -> Result<(u128, &str), PriceError> {
    let malformed = || PriceError(text.to_owned());
    let (amount, currency) = text.split_once(' ').ok_or_else(malformed)?;
    let (whole, decimals) = amount.split_once('.').unwrap_or((amount, "0"));
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_currency = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
    if !digits(whole, most) || !digits(decimals, 4) || !is_currency {
        return Err(malformed());
    }
    let number = |text: &str| text.bytes().fold(0, |sum, byte| sum * 10 + u128::from(byte - b'0'));
    Ok((number(whole) * PARTS + number(&format!("{decimals:0<4}")), currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(price: &str, gpu_seconds: u64) -> Result<String, PriceError> {
        Price { per_gpu_hour: price.to_owned() }.of(gpu_seconds)
    }

    #[test]
    fn a_cost_is_exact_and_what_is_left_over_is_rounded_up() {
        for (price, gpu_seconds, cost) in [
            ("2.10 USD", 3_600, "2.1000 USD"),
            ("2.1 USD", 1_800, "1.0500 USD"),
            ("2 EUR", 7_200, "4.0000 EUR"),
            ("2.10 USD", 1, "0.0006 USD"),
            ("0.0001 USD", 1, "0.0001 USD"),
            ("2.10 USD", 0, "0.0000 USD"),
            // The dearest price and the longest time still fit into the status's field.
            ("9999999.9999 JPY", 31_536_000_000, "87599999999124.0000 JPY"),
        ] {
            assert_eq!(of(price, gpu_seconds).as_deref(), Ok(cost), "{gpu_seconds} seconds at {price}");
        }
    }

    #[test]
    fn what_is_shared_costs_each_its_part() {
        let check = |cost: &str, many: f64, expected: Option<&str>| {
            assert_eq!(cost_of_each(cost, many).expect("a cost").as_deref(), expected, "{cost} for {many}");
        };
        check("0.0467 USD", 8.0, Some("0.0059 USD"));
        check("2.0000 EUR", 4.0, Some("0.5000 EUR"));
        check("2.0000 EUR", 0.5, Some("4.0000 EUR"));
        check("0.0000 EUR", 3.0, Some("0.0000 EUR"));
        check("0.0467 USD", 3_000.0, Some("0.000016 USD"));
        check("0.0001 EUR", 1e9, Some("0.000000000001 EUR"));
        check("900000000000.0000 JPY", 1.0, Some("900000000000.0000 JPY"));
        for nothing in [0.0, -1.0, f64::NAN, 1e-300] {
            check("2.0000 EUR", nothing, None);
        }
        assert!(cost_of_each("2 of a kind", 1.0).is_err());
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for bad in
            ["", "2.10", "2.10USD", "2.10 usd", "-1 USD", ".5 USD", "2. USD", "2.10000 USD", "12345678 USD"]
        {
            assert_eq!(of(bad, 1), Err(PriceError(bad.to_owned())), "{bad}");
        }
    }
}
