//! The check: one pass over a piece of copy, every violation in reading order.

use unicode_segmentation::UnicodeSegmentation;

use crate::normal::is_invisible;
use crate::variable::without_references;
use crate::{
    AdCopy, BrandRules, CharacterClass, Duplicates, Format, Media, Requirement, Rule, Severity, Slot,
    Template, Variables, Violation, fold,
};

/// The most bytes of UTF-8 that a text may have to be looked at. Four times what the longest slot of a format needs in
/// Chinese; it bounds the work for a text that no limit of characters bounds, such as one letter with endless marks.
pub const MAX_TEXT_BYTES: usize = 16 * 1024;

/// The most code points in one grapheme cluster. The longest emoji that Unicode recommends for interchange has ten
/// (UTS #51, `emoji-zwj-sequences.txt`), words of no living script more.
pub const MAX_CLUSTER: usize = 12;

/// The most characters that a message shows of a text before the place that is meant.
const MAX_EXCERPT: usize = 24;

/// Every violation of `copy`: slots in the order of the format, each with what it breaks together with others; then
/// media, unknown slots by name, size and length of the whole, missing words.
///
/// Copy may be served when none [is hard](Violation::is_hard). Equal inputs give equal results.
#[must_use]
pub fn check(format: &Format, brand: &BrandRules, copy: &AdCopy) -> Vec<Violation> {
    let slots = format.slots().iter().flat_map(|slot| {
        check_presence(slot, brand, copy).into_iter().chain(check_others(format, slot, copy))
    });
    let variables = brand.variables();
    let longest = variables.longest_copy(copy);
    slots
        .chain(media(format, copy))
        .chain(unknown_slots(format, copy))
        .chain(payload(format, &variables.heaviest_copy(copy)))
        .chain(timing(format, &longest))
        .chain(missing_words(format, brand, &longest))
        .collect()
}

/// Every violation of one slot's text: size, emptiness, length, lines, room, characters, variables, templates, the
/// channel's rules of style, forbidden words, the slot's [`Grammar`].
///
/// Length and room hold with each variable at its longest and with its fallback; what the text says is judged with
/// fallbacks.
///
/// For one who writes slot by slot; required words, and what slots say together, are a matter of the whole variant.
#[must_use]
pub fn check_slot(slot: &Slot, brand: &BrandRules, text: &str) -> Vec<Violation> {
    let mut violations = check_begun(slot, brand, text);
    violations.extend(departure(slot, text));
    violations
}

/// Every violation of a text that is still to be finished: those of [`check_slot`] but for the slot's [`Grammar`], which
/// only a whole text can break. For one who writes: [`Beginning`](crate::Beginning) says which text its grammar takes.
#[must_use]
pub fn check_begun(slot: &Slot, brand: &BrandRules, text: &str) -> Vec<Violation> {
    if text.len() > MAX_TEXT_BYTES {
        return vec![too_large(slot, text)];
    }
    if is_empty(text) {
        return vec![hard(slot, Rule::EmptyText)];
    }
    let variables = brand.variables();
    let [longest, shown] = &[variables.longest(text), variables.with_fallbacks(text)];
    if longest.len() > MAX_TEXT_BYTES {
        return vec![too_large(slot, longest)];
    }
    // A writer asks at each token: what has no variable is measured once.
    let forms: &[&str] = if longest == shown { &[shown] } else { &[longest, shown] };
    let mut violations = Vec::new();
    violations.extend(length(slot, forms));
    violations.extend(lines(slot, text));
    violations.extend(forms.iter().find_map(|form| room(slot, form, variables)));
    violations.extend(characters(slot, text));
    violations.extend(clusters(slot, shown));
    violations.extend(undeclared(slot, variables, text));
    violations.extend(templates(slot, &without_references(text)));
    violations.extend(editorial(slot, brand, shown));
    violations.extend(forbidden_words(slot, brand, shown));
    violations
}

/// Whether a text without variables keeps the hard limits on length, lines, room and single characters.
pub(crate) fn is_within_limits(slot: &Slot, text: &str) -> bool {
    slot.count(text) <= slot.hard_limit
        && lines(slot, text).is_none()
        && clusters(slot, text).is_none()
        && room(slot, text, &Variables::default()).is_none()
}

fn check_presence(slot: &Slot, brand: &BrandRules, copy: &AdCopy) -> Vec<Violation> {
    match (copy.get(&slot.name), slot.required) {
        (Some(text), _) => check_slot(slot, brand, text),
        (None, Requirement::Required) => vec![hard(slot, Rule::MissingSlot)],
        (None, Requirement::Optional) => Vec::new(),
    }
}

/// What a filled slot breaks together with other slots. Texts are compared [folded](fold).
fn check_others(format: &Format, slot: &Slot, copy: &AdCopy) -> Vec<Violation> {
    let Some(text) = copy.get(&slot.name).filter(|text| text.len() <= MAX_TEXT_BYTES) else {
        return Vec::new();
    };
    let text = fold(text);
    if text.is_empty() {
        return Vec::new();
    }
    let says_the_same = |name: &&str| copy.get(*name).is_some_and(|other| fold_bounded(other) == text);
    let needed = slot.needs.iter().filter(|name| !copy.contains_key(*name));
    let needed = needed.map(|name| hard(slot, Rule::NeedsSlot { other: name.clone() }));
    let duplicate = siblings_before(format, slot).find(says_the_same);
    let duplicate = duplicate.map(|other| hard(slot, Rule::DuplicateAsset { other: other.to_owned() }));
    let repeated = slot.differs_from.iter().map(String::as_str).find(says_the_same);
    let repeated =
        repeated.map(|other| violation(slot, Rule::RepeatsSlot { other: other.to_owned() }, Severity::Soft));
    needed.chain(duplicate).chain(repeated).collect()
}

/// The earlier slots of the same series, where the channel refuses duplicates.
fn siblings_before<'f>(format: &'f Format, slot: &'f Slot) -> impl Iterator<Item = &'f str> {
    let series = slot.series.as_ref().filter(|series| series.duplicates == Duplicates::Refused);
    let before = format.slots().iter().take_while(|other| other.name != slot.name);
    before.filter(move |other| series.is_some() && other.series.as_ref() == series).map(|it| it.name.as_str())
}

fn fold_bounded(text: &str) -> String {
    if text.len() > MAX_TEXT_BYTES { String::new() } else { fold(text) }
}

fn payload(format: &Format, copy: &AdCopy) -> Option<Violation> {
    let payload = format.payload()?;
    let (limit, found) = (payload.hard_limit, payload.count(format.slots(), copy));
    let rule = Rule::PayloadTooLarge { limit, found };
    (found > limit).then_some(Violation { slot: None, rule, severity: Severity::Hard })
}

fn timing(format: &Format, copy: &AdCopy) -> Option<Violation> {
    let timing = format.timing()?;
    let found = timing.seconds(format, copy);
    let over = |limit, severity| {
        let rule = Rule::TooLongToRead { limit, found };
        (found > limit).then_some(Violation { slot: None, rule, severity })
    };
    over(timing.hard_limit, Severity::Hard).or_else(|| over(timing.soft_limit, Severity::Soft))
}

fn media(format: &Format, copy: &AdCopy) -> impl Iterator<Item = Violation> {
    let given = format.media().iter().filter_map(|slot| copy.get_key_value(&slot.name));
    given.filter(|(_, text)| Media::parse(text).is_none()).map(|(name, _)| Violation {
        slot: Some(name.clone()),
        rule: Rule::NotMedia,
        severity: Severity::Hard,
    })
}

fn unknown_slots(format: &Format, copy: &AdCopy) -> impl Iterator<Item = Violation> {
    let texts = format.slots().iter().map(|slot| &slot.name);
    let known: Vec<String> = texts.chain(format.media().iter().map(|slot| &slot.name)).cloned().collect();
    let unknown: Vec<&String> = copy.keys().filter(|name| !known.contains(name)).collect();
    unknown.into_iter().map(move |name| Violation {
        slot: Some(name.clone()),
        rule: Rule::UnknownSlot { known: known.clone() },
        severity: Severity::Hard,
    })
}

/// A text that is too large, or in no slot of the format, is not shown; so a word in it does not count.
fn missing_words(format: &Format, brand: &BrandRules, copy: &AdCopy) -> impl Iterator<Item = Violation> {
    let texts = format.slots().iter().filter_map(|slot| copy.get(&slot.name)).map(String::as_str);
    let missing = brand.missing_from(texts.filter(|text| text.len() <= MAX_TEXT_BYTES));
    missing.into_iter().map(|word| Violation {
        slot: None,
        rule: Rule::RequiredWord { word: word.to_owned() },
        severity: Severity::Hard,
    })
}

/// U+2800 is a braille pattern without dots: a mark by its category, blank on every screen.
fn is_empty(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || is_invisible(c) || c == '\u{2800}')
}

fn too_large(slot: &Slot, text: &str) -> Violation {
    hard(slot, Rule::TooLarge { limit: MAX_TEXT_BYTES, found: text.len() })
}

/// The longest of the forms counts.
fn length(slot: &Slot, forms: &[&str]) -> Option<Violation> {
    let found = forms.iter().map(|form| slot.count(form)).max().unwrap_or(0);
    let counting = slot.counting;
    let too_long = |limit| Rule::TooLong { limit, found, counting };
    if found > slot.hard_limit {
        return Some(hard(slot, too_long(slot.hard_limit)));
    }
    slot.soft_limit
        .filter(|limit| found > *limit)
        .map(|limit| violation(slot, too_long(limit), Severity::Soft))
}

fn lines(slot: &Slot, text: &str) -> Option<Violation> {
    let (limit, found) = (slot.maximum_lines, text.split('\n').count());
    (found > limit).then(|| hard(slot, Rule::TooManyLines { limit, found }))
}

/// A text above the hard limit is too long anyway, and measuring it would take a while.
fn room(slot: &Slot, text: &str, variables: &Variables) -> Option<Violation> {
    let space = slot.space.filter(|_| slot.count(text) <= slot.hard_limit)?;
    let (limit, fit) = (space.rows, space.fit(text));
    if let Some((word, found)) = fit.too_wide {
        let word = variables.named(&word);
        return Some(hard(slot, Rule::WordTooWide { word, limit: space.width, found }));
    }
    let rule = Rule::TooManyRows { limit, found: fit.rows, width: space.width };
    (fit.rows > limit).then(|| hard(slot, rule))
}

fn characters(slot: &Slot, text: &str) -> impl Iterator<Item = Violation> {
    use CharacterClass::{Broken, Control, Direction, PrivateUse};
    [Control, Direction, PrivateUse, Broken].into_iter().filter_map(move |class| {
        let mut of_class = text.chars().filter(|c| class_of(*c) == Some(class));
        let first = of_class.next()?;
        Some(hard(slot, Rule::Character { class, first, found: 1 + of_class.count() }))
    })
}

pub(crate) fn class_of(c: char) -> Option<CharacterClass> {
    match c {
        '\n' => None,
        '\u{2028}' | '\u{2029}' => Some(CharacterClass::Control),
        control if control.is_control() => Some(CharacterClass::Control),
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => Some(CharacterClass::Direction),
        '\u{FFFD}' | '\u{FDD0}'..='\u{FDEF}' => Some(CharacterClass::Broken),
        // The last two code points of every plane, the private ones among them, are noncharacters.
        last if u32::from(last) & 0xFFFE == 0xFFFE => Some(CharacterClass::Broken),
        '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFD}' => Some(CharacterClass::PrivateUse),
        _ => None,
    }
}

fn clusters(slot: &Slot, text: &str) -> Option<Violation> {
    let found = text.graphemes(true).map(|cluster| cluster.chars().count()).max().unwrap_or(0);
    (found > MAX_CLUSTER).then(|| hard(slot, Rule::OvergrownCharacter { limit: MAX_CLUSTER, found }))
}

fn undeclared(slot: &Slot, variables: &Variables, text: &str) -> Vec<Violation> {
    let declared = || variables.iter().map(|variable| variable.name().to_owned()).collect();
    let rule = |name: &str| Rule::UndeclaredVariable { name: name.to_owned(), declared: declared() };
    variables.undeclared(text).into_iter().map(|name| hard(slot, rule(name))).collect()
}

fn templates(slot: &Slot, text: &str) -> impl Iterator<Item = Violation> {
    let rule = |(kind, excerpt)| violation(slot, Rule::Template { kind, excerpt }, kind.severity());
    Template::find(text).into_iter().map(rule)
}

fn editorial(slot: &Slot, brand: &BrandRules, text: &str) -> impl Iterator<Item = Violation> {
    slot.editorial.iter().filter_map(move |check| {
        let excerpt = check.find_beside(brand.exceptions(), text)?;
        Some(violation(slot, Rule::Editorial { check: *check, excerpt }, check.severity()))
    })
}

fn forbidden_words(slot: &Slot, brand: &BrandRules, text: &str) -> impl Iterator<Item = Violation> {
    let rule = |word: &str| hard(slot, Rule::ForbiddenWord { word: word.to_owned() });
    brand.forbidden_in(text).into_iter().map(rule)
}

/// A text above the hard limit is too long anyway, and reading it would take a while.
fn departure(slot: &Slot, text: &str) -> Option<Violation> {
    let fits = text.len() <= MAX_TEXT_BYTES && slot.count(text) <= slot.hard_limit && !is_empty(text);
    let grammar = slot.grammar.as_ref().filter(|_| fits)?;
    let kept = grammar.departure(text)?;
    let rule = Rule::Grammar { field: grammar.source().field(), behind: last_words(kept) };
    Some(hard(slot, rule))
}

/// The end of a text, short enough for a message.
fn last_words(text: &str) -> String {
    let long = text.chars().count().saturating_sub(MAX_EXCERPT);
    text.chars().skip(long).collect()
}

fn hard(slot: &Slot, rule: Rule) -> Violation {
    violation(slot, rule, Severity::Hard)
}

fn violation(slot: &Slot, rule: Rule, severity: Severity) -> Violation {
    Violation { slot: Some(slot.name.clone()), rule, severity }
}
