//! What GPU time costs at a price.

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
        Ok(format!("{}.{:04} {currency}", cost / PARTS, cost % PARTS))
    }

    /// The price of an hour in ten-thousandths, and its currency.
    fn parts(&self) -> Result<(u128, &str), PriceError> {
        let malformed = || PriceError(self.per_gpu_hour.clone());
        let (amount, currency) = self.per_gpu_hour.split_once(' ').ok_or_else(malformed)?;
        let (whole, decimals) = amount.split_once('.').unwrap_or((amount, "0"));
        let digits = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let is_currency = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
        if !digits(whole, 7) || !digits(decimals, 4) || !is_currency {
            return Err(malformed());
        }
        let number = |text: &str| text.bytes().fold(0, |sum, byte| sum * 10 + u128::from(byte - b'0'));
        Ok((number(whole) * PARTS + number(&format!("{decimals:0<4}")), currency))
    }
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
    fn what_is_no_price_is_refused() {
        for bad in
            ["", "2.10", "2.10USD", "2.10 usd", "-1 USD", ".5 USD", "2. USD", "2.10000 USD", "12345678 USD"]
        {
            assert_eq!(of(bad, 1), Err(PriceError(bad.to_owned())), "{bad}");
        }
    }
}
