//! Sizes as Kubernetes writes them: `20Gi`.

use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

/// Why a text is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no size: write a whole number of bytes, or with Ki, Mi, Gi or Ti, such as 20Gi")]
pub struct SizeError(String);

impl Size {
    /// As much as there is.
    pub const ALL: Self = Self(u64::MAX);
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let units = [("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("Ti", 1_u64 << 40)];
        let with_unit = units.iter().find_map(|&(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)));
        let (number, bytes) = with_unit.unwrap_or((text, 1));
        let is_plain = number.bytes().all(|digit| digit.is_ascii_digit());
        let number = Some(number).filter(|_| is_plain).and_then(|number| number.parse::<u64>().ok());
        number
            .and_then(|number| number.checked_mul(bytes))
            .map(Self)
            .ok_or_else(|| SizeError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_kubernetes_writes_them() {
        let check = |text: &str, bytes: Option<u64>| {
            assert_eq!(text.parse::<Size>().ok(), bytes.map(Size), "{text}");
        };
        check("0", Some(0));
        check("512", Some(512));
        check("4Ki", Some(4096));
        check("20Gi", Some(20 << 30));
        check("16777215Ti", Some(16_777_215 << 40));
        check("16777216Ti", None);
        for odd in ["", "Gi", "-1", "+1", "1.5Gi", "1 Gi", "1G", "1gi"] {
            check(odd, None);
        }
    }
}
