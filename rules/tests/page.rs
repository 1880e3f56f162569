//! The generated parts of `docs/formats.md` are those of the data.
//!
//! After a change: `UPDATE=1 cargo test -p broadside-rules --test page`, or `make generate`.

use std::fmt::Write as _;

use rules::{
    Delivery, Duplicates, Editorial, Format, MediaSlot, Requirement, Severity, Slot, Space, formats,
};

const REFRESH: &str = "UPDATE=1 cargo test -p broadside-rules --test page";
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/formats.md");

#[test]
fn the_page_says_what_the_data_says() {
    let page = std::fs::read_to_string(PAGE).expect("docs/formats.md");
    let parts = [("overview", overview()), ("formats", details()), ("editorial", editorial())];
    let text = parts.iter().fold(page.clone(), |page, (name, text)| replaced(&page, name, text));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, &text).expect("the repository is writable");
        return;
    }
    assert!(page == text, "docs/formats.md is not what the data says. Refresh with: {REFRESH}");
}

/// The page with what stands between the marks of that name replaced.
fn replaced(page: &str, name: &str, text: &str) -> String {
    let begin = format!("<!-- Generated: {name}. Refresh with: {REFRESH} -->\n");
    let end = format!("<!-- End of {name}. -->");
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("the page lacks {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("the page lacks {end}"));
    format!("{before}{begin}\n{text}\n{end}{after}")
}

fn overview() -> String {
    let mut text = "| Format | For | Counts | Delivery |\n| --- | --- | --- | --- |\n".to_owned();
    for format in formats() {
        let (name, summary) = (format.name(), format.summary());
        let deliveries: Vec<&str> = format.deliveries().iter().map(|it| delivery(*it)).collect();
        let anchor = name.to_lowercase();
        let counting = format.counting();
        writeln!(text, "| [`{name}`](#{anchor}) | {summary} | `{counting:?}` | {} |", deliveries.join(", "))
            .expect("a string takes all");
    }
    text
}

fn delivery(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Gateway => "`gateway`",
        Delivery::Batch => "`batch`",
        Delivery::Platform => "`platform`",
    }
}

fn details() -> String {
    formats().map(detail).collect::<Vec<_>>().join("\n")
}

fn detail(format: &Format) -> String {
    let mut text = format!("### {}\n\n{}\n\n", format.name(), format.summary());
    text +=
        "| Slot | Need | Soft limit | Hard limit | Lines | For |\n| --- | --- | --- | --- | --- | --- |\n";
    for slots in parts(format) {
        text += &row(slots);
    }
    for note in notes(format) {
        text += &format!("\n- {note}");
    }
    text + "\n"
}

/// A slot, or all slots of a series, whose first may have limits of its own.
fn row(slots: &[Slot]) -> String {
    let (first, last) = (&slots[0], &slots[slots.len() - 1]);
    let name = match &first.series {
        Some(series) => format!("`{0}1` to `{0}{1}`", series.name, series.most),
        None => format!("`{}`", first.name),
    };
    let soft = limit(first.soft_limit, last.soft_limit);
    let hard = limit(Some(first.hard_limit), Some(last.hard_limit));
    format!("| {name} | {} | {soft} | {hard} | {} | {} |\n", need(first), last.maximum_lines, first.purpose)
}

fn limit(first: Option<usize>, rest: Option<usize>) -> String {
    let number = |limit: Option<usize>| limit.map_or("–".to_owned(), |limit| limit.to_string());
    if first == rest { number(rest) } else { format!("{}, the first {}", number(rest), number(first)) }
}

fn need(slot: &Slot) -> String {
    match (&slot.series, slot.required) {
        (Some(series), _) if series.least == 1 => "the first required".to_owned(),
        (Some(series), _) if series.least > 1 => format!("the first {} required", series.least),
        (None, Requirement::Required) => "required".to_owned(),
        _ => "optional".to_owned(),
    }
}

/// What a table of limits does not say: first what bounds the whole, then how slots belong together, then style.
fn notes(format: &Format) -> Vec<String> {
    let source = format!("Read on {}: {}", format.checked(), format.source());
    [whole(format), room(format), media(format), relations(format), style(format), vec![source]].concat()
}

fn whole(format: &Format) -> Vec<String> {
    let payload = format.payload().map(|payload| {
        let (limit, reserve) = (payload.hard_limit, payload.reserve);
        format!("The whole message: at most {limit} bytes of JSON, {reserve} of them kept for the sender's own fields.")
    });
    let timing = format.timing().map(|timing| {
        let (soft, hard, speed) = (timing.soft_limit, timing.hard_limit, timing.units_per_second);
        format!("At most {hard} seconds, {soft} recommended; {speed} units are read in a second.")
    });
    payload.into_iter().chain(timing).collect()
}

fn room(format: &Format) -> Vec<String> {
    let room = |slots: &[Slot]| {
        let Space { width, rows, font, size } = slots[0].space?;
        let row = if rows == 1 { "row" } else { "rows" };
        let name = part(slots);
        Some(format!("Room of `{name}`: {rows} {row} of {width} pixels, set in `{font:?}` of {size} pixels."))
    };
    parts(format).filter_map(room).collect()
}

fn media(format: &Format) -> Vec<String> {
    let note = |slot: &MediaSlot| format!("`{}`, optional [media](#media): {}", slot.name, slot.purpose);
    format.media().iter().map(note).collect()
}

fn relations(format: &Format) -> Vec<String> {
    let refused = |slots: &&[Slot]| {
        slots[0].series.as_ref().is_some_and(|series| series.duplicates == Duplicates::Refused)
    };
    let refused = listed(parts(format).filter(refused).map(part));
    let refused = refused.map(|names| format!("No two of one text among each of: {names}."));
    let needed = parts(format).filter_map(|slots| {
        let (name, other) = (&slots[0].name, slots[0].needs.as_ref()?);
        let more = if slots.len() > 1 { ", and so on" } else { "" };
        Some(format!("`{name}` only beside `{other}`{more}."))
    });
    refused.into_iter().chain(needed).collect()
}

fn style(format: &Format) -> Vec<String> {
    let common = Editorial::all().filter(|check| is_common(format, *check));
    let common = listed(common.map(Editorial::name)).map(|names| format!("Style of every slot: {names}."));
    let own = parts(format).filter_map(|slots| {
        let own = slots[0].editorial.iter().filter(|check| !is_common(format, **check));
        let names = listed(own.map(|check| check.name()))?;
        Some(format!("Style of `{}`: {names}.", part(slots)))
    });
    common.into_iter().chain(own).collect()
}

/// Slots that are alone, and series as a whole.
fn parts(format: &Format) -> impl Iterator<Item = &[Slot]> {
    format.slots().chunk_by(|a, b| a.series.is_some() && a.series == b.series)
}

fn part(slots: &[Slot]) -> &str {
    slots[0].series.as_ref().map_or(&slots[0].name, |series| &series.name)
}

fn is_common(format: &Format, check: Editorial) -> bool {
    format.slots().iter().all(|slot| slot.editorial.contains(&check))
}

fn listed<'n>(names: impl Iterator<Item = &'n str>) -> Option<String> {
    let quoted: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    (!quoted.is_empty()).then(|| quoted.join(", "))
}

fn editorial() -> String {
    let mut text = "| Rule | Severity | The text | Remedy |\n| --- | --- | --- | --- |\n".to_owned();
    for check in Editorial::all() {
        let severity = if check.severity() == Severity::Hard { "hard" } else { "soft" };
        let (name, finding, remedy) = (check.name(), check.finding(), check.remedy());
        writeln!(text, "| `{name}` | {severity} | {finding} | {remedy} |").expect("a string takes all");
    }
    text
}
