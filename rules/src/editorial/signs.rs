//! Characters that decorate. Each character is taken either for decoration or for an emoji, never for both.

/// Signs made of several characters.
const DRAWN: [&str; 6] = ["->", "=>", "<-", ">>", "<<", "__"];

/// U+FE0F asks for a picture in color.
const EMOJI_PRESENTATION: char = '\u{FE0F}';

pub(super) fn decoration(text: &str) -> Option<usize> {
    let drawn = DRAWN.iter().filter_map(|sign| text.find(sign)).min();
    let mut characters = text.char_indices();
    let single = characters
        .find(|(at, c)| decorates(*c) && !is_emoji(*c, &text[at + c.len_utf8()..]))
        .map(|(at, _)| at);
    drawn.into_iter().chain(single).min()
}

/// Bullets, arrows, boxes, geometric shapes, stars and hands, letters in circles and of mathematics. Signs that mean
/// something are none: `™`, `®`, `°`, `№`, `‰`, and `·`, which joins the parts of a name.
fn decorates(c: char) -> bool {
    matches!(c,
        '\u{2022}' | '\u{2023}' | '\u{2043}' | '\u{204C}' | '\u{204D}' | '\u{2219}' | '\u{2055}'
        | '\u{2190}'..='\u{21FF}'     // arrows
        | '\u{2300}'..='\u{23FF}'     // technical signs
        | '\u{2460}'..='\u{259F}'     // enclosed letters, boxes, blocks
        | '\u{25A0}'..='\u{27BF}'     // shapes, miscellaneous symbols, dingbats
        | '\u{27F0}'..='\u{27FF}' | '\u{2900}'..='\u{297F}' | '\u{2B00}'..='\u{2BFF}'
        | '\u{1D400}'..='\u{1D7FF}'   // letters of mathematics
        | '\u{1F100}'..='\u{1F1E5}')
}

pub(super) fn emoji(text: &str) -> Option<usize> {
    text.char_indices().find(|(at, c)| is_emoji(*c, &text[at + c.len_utf8()..])).map(|(at, _)| at)
}

/// An emoji by itself (UTS #51, `Emoji_Presentation` of `emoji-data.txt`), by what follows, or as a keycap.
fn is_emoji(c: char, after: &str) -> bool {
    let keycap = after.trim_start_matches(EMOJI_PRESENTATION).starts_with('\u{20E3}');
    is_emoji_by_default(c) || after.starts_with(EMOJI_PRESENTATION) || keycap
}

fn is_emoji_by_default(c: char) -> bool {
    matches!(c,
        '\u{231A}'..='\u{231B}' | '\u{23E9}'..='\u{23EC}' | '\u{23F0}' | '\u{23F3}' | '\u{25FD}'..='\u{25FE}'
        | '\u{2614}'..='\u{2615}' | '\u{2648}'..='\u{2653}' | '\u{267F}' | '\u{2693}' | '\u{26A1}'
        | '\u{26AA}'..='\u{26AB}' | '\u{26BD}'..='\u{26BE}' | '\u{26C4}'..='\u{26C5}' | '\u{26CE}' | '\u{26D4}'
        | '\u{26EA}' | '\u{26F2}'..='\u{26F3}' | '\u{26F5}' | '\u{26FA}' | '\u{26FD}' | '\u{2705}'
        | '\u{270A}'..='\u{270B}' | '\u{2728}' | '\u{274C}' | '\u{274E}' | '\u{2753}'..='\u{2755}' | '\u{2757}'
        | '\u{2795}'..='\u{2797}' | '\u{27B0}' | '\u{27BF}' | '\u{2B1B}'..='\u{2B1C}' | '\u{2B50}' | '\u{2B55}'
        | '\u{1F000}'..='\u{1F0FF}' | '\u{1F18E}' | '\u{1F191}'..='\u{1F19A}' | '\u{1F1E6}'..='\u{1F1FF}'
        | '\u{1F200}'..='\u{1FAFF}')
}

pub(super) fn half_width_katakana(text: &str) -> Option<usize> {
    text.find(|c| matches!(c, '\u{FF66}'..='\u{FF9F}'))
}
