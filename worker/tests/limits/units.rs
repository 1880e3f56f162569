//! Counts of our own, written from what the channels say and not from the crate that the worker asks.

use rules::Counting;
use unicode_segmentation::UnicodeSegmentation;

/// The basic table of the GSM alphabet (3GPP TS 23.038, section 6.2.1), without what no copy holds.
const GSM: &str = "@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Its extension: two septets each.
const GSM_TWICE: &str = "^{}\\[~]|€";

/// What a text counts.
pub(super) fn count(counting: Counting, text: &str) -> usize {
    match counting {
        Counting::DoubleWidth => text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum(),
        Counting::Utf16 => text.encode_utf16().count(),
        Counting::Weighted => text.chars().map(|c| if is_light(c) { 1 } else { 2 }).sum(),
        Counting::SmsSegments => segments(text),
        Counting::Graphemes => text.graphemes(true).count(),
        Counting::CodePoints => text.chars().count(),
    }
}

/// East Asian Wide and Fullwidth, as far as a model of English, German and Chinese writes them (UAX #11).
fn is_wide(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{115F}' | '\u{2E80}'..='\u{303E}' | '\u{3041}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}'
        | '\u{F900}'..='\u{FAFF}' | '\u{FE30}'..='\u{FE6F}' | '\u{FF01}'..='\u{FF60}' | '\u{FFE0}'..='\u{FFE6}'
        | '\u{1F300}'..='\u{1FAFF}' | '\u{20000}'..='\u{3FFFD}')
}

/// What counts one of the 280 of X (twitter-text, configuration version 3).
fn is_light(c: char) -> bool {
    matches!(u32::from(c), 0..=4351 | 8192..=8205 | 8208..=8223 | 8242..=8247)
}

/// Septets or UTF-16 units in one message, or in parts that name their place.
fn segments(text: &str) -> usize {
    let septets = |c: char| {
        if GSM.contains(c) {
            Some(1)
        } else if GSM_TWICE.contains(c) {
            Some(2)
        } else {
            None
        }
    };
    let (units, one, part) = match text.chars().map(septets).sum::<Option<usize>>() {
        Some(septets) => (septets, 160, 153),
        None => (text.encode_utf16().count(), 70, 67),
    };
    if units <= one { 1 } else { units.div_ceil(part) }
}
