//! Where a word begins and ends in [folded](crate::fold) text.

use unicode_normalization::char::is_combining_mark;

/// Whether `found`, a byte range of `text`, stands there as a word of its own.
///
/// A match may not begin or end inside a word, so "cheap" is not in "cheapskate". Scripts that put no space between
/// words, or join particles to them, have no such ends: there any place will do. Nowhere may a combining mark follow,
/// since it makes the last letter another one.
pub(crate) fn is_whole_word(text: &str, found: &std::ops::Range<usize>) -> bool {
    let matched = &text[found.clone()];
    let before = text[..found.start].chars().next_back();
    let after = text[found.end..].chars().next();
    !is_joined(before, matched.chars().next())
        && !is_joined(matched.chars().next_back(), after)
        && !after.is_some_and(is_combining_mark)
}

/// Whether two neighbors belong to one word.
fn is_joined(left: Option<char>, right: Option<char>) -> bool {
    left.is_some_and(is_spaced_letter) && right.is_some_and(is_spaced_letter)
}

/// A letter, digit or mark of a script that separates its words.
pub(crate) fn is_spaced_letter(c: char) -> bool {
    (c.is_alphanumeric() || is_combining_mark(c)) && !is_unspaced(c)
}

/// A letter of a script in which words follow each other without a space (Han, kana, bopomofo, Thai, Lao, Tibetan,
/// Myanmar, Khmer), or carry their particles with them (Hangul: "무료로" is "무료" with a particle). Blocks of the
/// Unicode Standard, after compatibility forms have been folded away.
pub(crate) fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{E00}'..='\u{EFF}'           // Thai, Lao
        | '\u{F00}'..='\u{109F}'        // Tibetan, Myanmar
        | '\u{1100}'..='\u{11FF}'       // Hangul letters
        | '\u{1780}'..='\u{17FF}'       // Khmer
        | '\u{2E80}'..='\u{2FDF}'       // radicals
        | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}' | '\u{3031}'..='\u{303C}'
        | '\u{3041}'..='\u{31FF}'       // kana, bopomofo, Hangul letters, strokes
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{A960}'..='\u{A97F}' | '\u{A9E0}'..='\u{A9FF}' | '\u{AA60}'..='\u{AA7F}'
        | '\u{AC00}'..='\u{D7FF}'       // Hangul syllables
        | '\u{F900}'..='\u{FAFF}'
        | '\u{1AFF0}'..='\u{1B16F}'     // more kana
        | '\u{20000}'..='\u{3FFFF}')
}
