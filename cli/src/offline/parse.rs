//! Bytes → document: whatever has another shape than the form is said in the words of the form.

use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use super::fault::{Fault, Problem};
use super::limits::MOST_BYTES;
use super::number::Fields;
use super::place::{Place, shortened};

/// The form that `bytes` hold.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    if bytes.len() > MOST_BYTES {
        return Err(Fault::at(&Place::default(), Problem::TooLarge));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let document: Result<Fields<T>, _> = serde_path_to_error::deserialize(&mut json);
    let document = document.map_err(|error| fault(error.path(), error.inner()))?;
    json.end().map_err(|error| Fault::at(&Place::default(), Problem::NotJson(error.to_string())))?;
    Ok(document.0)
}

fn fault(path: &Path, error: &serde_json::Error) -> Fault {
    let text = error.to_string();
    match error.classify() {
        Category::Data => misshapen(path, without_position(&text)),
        _ => Fault::at(&Place::default(), Problem::NotJson(text)),
    }
}

/// The path says more than line and column do.
fn without_position(text: &str) -> &str {
    text.rfind(" at line ").map_or(text, |end| &text[..end])
}

/// What serde says of a value of another shape, which is text alone.
fn misshapen(path: &Path, text: &str) -> Fault {
    let quoted: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let first = quoted.first().copied().unwrap_or_default();
    let known = quoted.get(1..).unwrap_or_default();
    if text.starts_with("missing field") {
        return Fault::at(&place(path).field(first), Problem::Missing);
    }
    if text.starts_with("unknown field") {
        return Fault::at(&child(path, first), Problem::UnknownField { remedy: remedy(first, known) });
    }
    if text.starts_with("duplicate field") {
        return Fault::at(&child(path, first), Problem::Twice);
    }
    if text.starts_with("unknown variant") {
        let (found, known) = (shortened(first), known.join(", "));
        return Fault::at(&place(path), Problem::UnknownWord { found, known });
    }
    // What was expected is ours; what was found may hold anything.
    let (found, wanted) = text.rsplit_once(", expected ").unwrap_or((text, "as docs/offline.md shows"));
    Fault::at(&place(path), Problem::WrongType { found: found_words(found), wanted: wanted_words(wanted) })
}

fn place(path: &Path) -> Place {
    path.iter().fold(Place::default(), |place, segment| match segment {
        Segment::Seq { index } => place.index(*index),
        Segment::Map { key } => place.entry(key),
        // Words of an enum, and keys of which nothing is known.
        Segment::Enum { .. } | Segment::Unknown => place,
    })
}

/// The place of the field `name`, at which the path may have ended or before which it stopped.
fn child(path: &Path, name: &str) -> Place {
    match path.iter().next_back() {
        Some(Segment::Map { key }) if key == name => place(path),
        _ => place(path).entry(name),
    }
}

/// The field that was most likely meant, or all that there are.
fn remedy(unknown: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|name| (distance(unknown, name), name)).min();
    match nearest {
        Some((distance, name)) if distance <= 1 + name.len() / 4 => format!("did you mean {name}?"),
        _ => format!("use one of {}", known.join(", ")),
    }
}

/// How many characters have to be put in, left out or changed, regardless of case (Levenshtein 1966).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for character in shortened(one).to_lowercase().chars() {
        let mut diagonal = row[0];
        row[0] += 1;
        for (index, &known) in other.iter().enumerate() {
            let changed = diagonal + usize::from(character != known);
            diagonal = row[index + 1];
            row[index + 1] = changed.min(row[index] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

fn found_words(text: &str) -> String {
    let found = text.split_once(": ").map_or(text, |(_, found)| found);
    match found {
        "map" => "an object".to_owned(),
        "sequence" => "a list".to_owned(),
        "null" => "null".to_owned(),
        text if text.starts_with("string ") => format!("the text {}", shortened(&text["string ".len()..])),
        other => {
            let number = ["integer ", "floating point "].iter().find_map(|kind| other.strip_prefix(kind));
            let text = number.map_or_else(|| other.to_owned(), |number| format!("the number {number}"));
            shortened(&text.replace('`', ""))
        }
    }
}

fn wanted_words(text: &str) -> String {
    match text {
        "a string" => "a text in quotes".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a JSON number" => "a number".to_owned(),
        other => shortened(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_its_field() {
        let known = ["metric", "confidence", "worthwhileLift"];
        assert_eq!(remedy("worthwile_lift", &known), "did you mean worthwhileLift?");
        assert_eq!(remedy("Confidence", &known), "did you mean confidence?");
        assert_eq!(remedy("budget", &known), "use one of metric, confidence, worthwhileLift");
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!((distance("", "abc"), distance("abc", "")), (3, 3));
    }
}
