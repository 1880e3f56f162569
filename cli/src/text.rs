//! Text in columns: width as a terminal shows it, bars, wrapping.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The characters of the filled part of a bar: a whole cell, then eighths of one.
pub(crate) const BLOCKS: [char; 8] = ['█', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// The rest of a bar.
const EMPTY: char = '░';

/// A bar of `width` cells, filled to `parts_per_million`, exact to an eighth of a cell. What is above zero shows.
pub(crate) fn bar(parts_per_million: u32, width: usize) -> String {
    let share = f64::from(parts_per_million.min(1_000_000)) / 1e6;
    let eighths = (share * width as f64 * 8.0).round() as usize;
    let eighths = if parts_per_million > 0 { eighths.max(1) } else { 0 };
    let (whole, rest) = (eighths / 8, eighths % 8);
    let mut bar: String = std::iter::repeat_n(BLOCKS[0], whole).collect();
    if rest > 0 {
        bar.push(BLOCKS[rest]);
    }
    pad(&bar, width, EMPTY)
}

fn pad(text: &str, width: usize, with: char) -> String {
    let missing = width.saturating_sub(text.width());
    text.chars().chain(std::iter::repeat_n(with, missing)).collect()
}

/// `text` with spaces behind it, `width` columns in all.
pub(crate) fn left(text: &str, width: usize) -> String {
    pad(text, width, ' ')
}

/// `text` with spaces before it, `width` columns in all.
pub(crate) fn right(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(text.width())))
}

/// The beginning of `text`, in at most `width` columns.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut room = width.saturating_sub(1);
    let fits = |character: &char| {
        let columns = character.width().unwrap_or(0);
        let fits = columns <= room;
        room = room.saturating_sub(columns);
        fits
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}…", kept.trim_end())
}

/// `text` in lines of at most `width` columns, broken between words; each begins with `indent`.
pub(crate) fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut lines = vec![indent.to_owned()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        let is_empty = line.width() == indent.width();
        if !is_empty && line.width() + 1 + word.width() > width {
            lines.push(format!("{indent}{word}"));
        } else {
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

/// `1234567` as `1 234 567`.
pub(crate) fn thousands(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// `1 error`, `2 errors`.
pub(crate) fn plural(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_exact_to_an_eighth_and_show_what_is_above_zero() {
        let cases = [
            (0, "░░░░"),
            (1, "▏░░░"),
            (125_000, "▌░░░"),
            (500_000, "██░░"),
            (1_000_000, "████"),
            (2_000_000, "████"),
        ];
        for (share, expected) in cases {
            assert_eq!(bar(share, 4), expected, "{share}");
        }
    }

    #[test]
    fn columns_count_as_a_terminal_shows_them() {
        assert_eq!(cut("越野跑鞋，轻", 7), "越野跑…");
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("two words", 5), "two…");
        assert_eq!(left("越", 4), "越  ");
        assert_eq!(right("7", 3), "  7");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 9, "  "), "  one two\n  three");
        assert_eq!(wrap("unbreakable", 4, ""), "unbreakable");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [0, 999, 1000, 1_234_567, -1000].map(thousands),
            ["0", "999", "1 000", "1 234 567", "-1 000"]
        );
    }
}
