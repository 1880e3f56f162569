//! Telephone numbers, told from dates, prices, hours and part numbers by how their digits are grouped.

use super::lead;
use crate::words::is_spaced_letter;

/// Digits with what may stand between them.
struct Number<'t> {
    at: usize,
    groups: Vec<&'t str>,
    has_plus: bool,
    before: &'t str,
}

pub(super) fn number(text: &str) -> Option<usize> {
    let numbers = numbers(text).into_iter().filter(Number::is_telephone).map(|number| number.at);
    numbers.chain(vanity(text)).min()
}

/// Toll-free prefixes of North America before a word: `1-800-FLOWERS`. Without the one it takes seven letters, since
/// "800-WATT" is no number.
fn vanity(text: &str) -> Option<usize> {
    let prefixes = ["800-", "888-", "877-", "866-", "855-", "844-", "833-"];
    let found = prefixes.iter().flat_map(|prefix| text.match_indices(prefix));
    let is_spelled = |(at, prefix): &(usize, &str)| {
        let (before, word) = (&text[..*at], &text[at + prefix.len()..]);
        let letters = word.chars().take_while(char::is_ascii_uppercase).count();
        let least = if before.ends_with("1-") { 2 } else { 7 };
        letters >= least && !before.ends_with(|c: char| c.is_alphanumeric())
    };
    found.filter(is_spelled).map(|(at, _)| at).min()
}

fn numbers(text: &str) -> Vec<Number<'_>> {
    let mut numbers = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find(|c: char| c.is_ascii_digit()).map(|start| from + start) {
        let (groups, end) = groups(text, start);
        let before = text[..start].trim_end_matches(['(', ' ']);
        let stands_alone = !text[..start].ends_with(is_part) && !text[end..].starts_with(is_part);
        if stands_alone {
            numbers.push(Number { at: start, groups, has_plus: before.ends_with('+'), before });
        }
        from = end;
    }
    numbers
}

/// What makes digits part of something else: a letter, a currency, a percent sign, a decimal comma.
fn is_part(c: char) -> bool {
    (c.is_alphabetic() && is_spaced_letter(c)) || "$€£¥%#№_²³°".contains(c)
}

/// Groups of digits from `start` on, and where they end.
fn groups(text: &str, start: usize) -> (Vec<&str>, usize) {
    let (mut groups, mut at) = (Vec::new(), start);
    loop {
        let rest = &text[at..];
        let digits = &rest[..rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len()];
        groups.push(digits);
        let end = at + digits.len();
        match joint(&text[end..]) {
            Some(length) => at = end + length,
            None => return (groups, end),
        }
    }
}

/// The bytes between two groups of one number: one sign, a bracket with a space, or a slash with two.
fn joint(text: &str) -> Option<usize> {
    let next = text.trim_start_matches([' ', '\u{A0}', '-', '\u{2011}', '.', '/', '(', ')']);
    let between = &text[..text.len() - next.len()];
    let most = match between {
        slash if slash.contains('/') => 3,
        bracket if bracket.contains(['(', ')']) => 2,
        _ => 1,
    };
    let fits = (1..=most).contains(&between.chars().count());
    (fits && next.starts_with(|c: char| c.is_ascii_digit())).then_some(between.len())
}

impl Number<'_> {
    fn is_telephone(&self) -> bool {
        let digits: usize = self.groups.iter().map(|group| group.len()).sum();
        let is_plausible = (7..=15).contains(&digits) && !self.is_date() && !self.is_hours();
        let called = digits >= 6 && self.is_called();
        called || (is_plausible && (self.is_international(digits) || self.is_national() || self.is_mobile()))
    }

    /// `+49 30 1234567`; a plus before thousands is a plus.
    fn is_international(&self, digits: usize) -> bool {
        let thousands = self.groups.len() > 1 && self.groups[1..].iter().all(|group| group.len() == 3);
        let round = self.groups.last().is_some_and(|group| group.ends_with("000"));
        self.has_plus && digits >= 8 && !(round && (thousands || self.groups.len() == 1))
    }

    /// A trunk prefix (`030 1234567`, `01 23 45 67 89`), or the groups of North America and of Chinese hotlines.
    fn is_national(&self) -> bool {
        let lengths = self.lengths();
        let trunk = self.groups[0].starts_with('0')
            && match lengths[..] {
                [alone] => alone >= 10,
                [2, 2, 2, 2, 2] => true,
                _ => lengths[0] > 1 && lengths.iter().any(|length| *length >= 3),
            };
        let american = matches!(lengths[..], [3, 3, 4] | [1, 3, 3, 4]) && !self.is_round();
        let hotline = matches!(lengths[..], [3, 4, 3]) && ["400", "800"].contains(&self.groups[0]);
        trunk || american || hotline
    }

    /// A Chinese mobile number: eleven digits from 13 to 19 on.
    fn is_mobile(&self) -> bool {
        let first = self.groups[0].as_bytes();
        matches!(self.lengths()[..], [11] | [3, 4, 4]) && first[0] == b'1' && first[1] >= b'3'
    }

    /// Behind a word that asks to call.
    fn is_called(&self) -> bool {
        let lead = lead(self.before);
        let lead = lead.trim_end_matches([' ', ':', '.', '+', '(']);
        CALLS.iter().any(|word| lead.strip_suffix(word).is_some_and(|rest| !rest.ends_with(is_part)))
    }

    /// A day of this century or the last, alone or at the beginning of a span.
    fn is_date(&self) -> bool {
        let is_year = |group: &str| group.starts_with("19") || group.starts_with("20");
        match self.lengths()[..] {
            [1 | 2, 1 | 2, 4, ..] => is_year(self.groups[2]),
            [4, 1 | 2, 1 | 2, ..] => is_year(self.groups[0]),
            _ => false,
        }
    }

    /// `0800-1800`.
    fn is_hours(&self) -> bool {
        let is_hour = |group: &&str| group.parse::<u16>().is_ok_and(|hour| hour <= 2400 && hour % 100 < 60);
        self.lengths() == [4, 4] && self.groups.iter().all(is_hour)
    }

    fn is_round(&self) -> bool {
        self.groups[1..].iter().all(|group| group.bytes().all(|digit| digit == b'0'))
    }

    fn lengths(&self) -> Vec<usize> {
        self.groups.iter().map(|group| group.len()).collect()
    }
}

/// Folded.
const CALLS: [&str; 12] = [
    "call",
    "call us",
    "phone",
    "tel",
    "telephone",
    "telefon",
    "hotline",
    "anruf",
    "电话",
    "热线",
    "致电",
    "拨打",
];
